//! Packets that overtake others, as on paths with several lanes.

use std::str::FromStr;

use snowglobe_derive::{Deserialize, Serialize};
use snowglobe_text::{FromTree, Tree, TreeError};

use super::error::ImpairmentError;
use super::percent::Percent;
use super::text;

/// The share of packets that overtake others: a reordered packet skips the delay, as in netem. So
/// there must be a delay, and it must be longer than the time between packets.
///
/// ```
/// use snowglobe_model::impair::{Percent, Reorder};
///
/// assert_eq!("25%".parse::<Reorder>()?, Reorder { percent: Percent(25.0), ..Reorder::NONE });
/// # Ok::<(), snowglobe_model::impair::ImpairmentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reorder {
    /// Share of packets that are sent at once instead of being delayed.
    pub percent: Percent,
    /// Probability with which a packet meets the same fate as the one before it in its flow, so
    /// that reordered packets come in rows.
    ///
    /// The share of reordered packets stays `percent`. (netem mixes each random number with the
    /// last one instead, which shifts the share: of "25 % with 50 %" it reorders about 16 %. A link
    /// with a correlation is therefore made by the userspace wire.)
    #[serde(skip_serializing_if = "is_zero")]
    pub correlation: Percent,
    /// Distance between reordered packets: at least `gap - 1` packets are delayed before one can be
    /// reordered, and with 100 % exactly each `gap`-th is. 0 and 1 mean no such rule.
    #[serde(skip_serializing_if = "is_one_or_less")]
    pub gap: u32,
}

fn is_zero(share: &Percent) -> bool {
    *share == Percent::ZERO
}

fn is_one_or_less(gap: &u32) -> bool {
    *gap < 2
}

impl Reorder {
    /// Packets stay in order.
    pub const NONE: Reorder = Reorder {
        percent: Percent::ZERO,
        correlation: Percent::ZERO,
        gap: 0,
    };

    /// Returns a reordering of this share of packets, each by its own chance.
    pub const fn independent(percent: Percent) -> Self {
        Reorder {
            percent,
            ..Reorder::NONE
        }
    }

    /// Returns whether nothing is reordered.
    pub fn is_none(&self) -> bool {
        self.percent == Percent::ZERO
    }
}

impl Default for Reorder {
    fn default() -> Self {
        Reorder::NONE
    }
}

impl FromStr for Reorder {
    type Err = ImpairmentError;

    fn from_str(text: &str) -> Result<Self, ImpairmentError> {
        text.parse().map(Reorder::independent)
    }
}

/// The long form of a reordering in TOML: `{ percent = "25%", correlation = "50%", gap = 5 }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReorderFields {
    percent: Percent,
    #[serde(default)]
    correlation: Percent,
    #[serde(default)]
    gap: u32,
}

impl TryFrom<ReorderFields> for Reorder {
    type Error = ImpairmentError;

    fn try_from(table: ReorderFields) -> Result<Self, ImpairmentError> {
        let ReorderFields {
            percent,
            correlation,
            gap,
        } = table;
        Ok(Reorder {
            percent,
            correlation,
            gap,
        })
    }
}

impl FromTree for Reorder {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        text::text_or_table::<Reorder, ReorderFields>(
            tree,
            "a share like `25%`, or a table of `percent`, `correlation` and `gap`",
            str::parse,
        )
    }
}

snowglobe_text::deserialize_by_tree!(Reorder);
