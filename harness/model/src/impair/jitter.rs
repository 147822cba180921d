//! Delays that differ from packet to packet.
//!
//! On real links no two packets take the same time, and most are early while a few are late. So a
//! jitter has a shape besides its size.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_core::ser::{Serialize, SerializeStruct, Serializer};
use snowglobe_text::{FromTree, Tree, TreeError};

use super::error::ImpairmentError;
use super::problem::{Notation, TextProblem, ValueProblem};
use super::quantiles::{NORMAL, PARETO};
use super::text::{self, show_duration};

/// The distribution of the differences between the delays of packets and that of their link.
///
/// As in netem, each packet draws for itself, so packets overtake each other where the jitter is
/// larger than the time between them. A delay is never less than zero, so with a jitter larger than
/// the delay the mean grows. In TOML: `"5ms"`, `"normal 5ms"`, `"pareto 5ms"`, or
/// `{ spread = "5ms", table = [-8192, 0, 8192] }`, or `{ spread = "5ms", file = "wifi.dist" }`.
///
/// ```
/// use std::time::Duration;
///
/// use snowglobe_model::impair::Jitter;
///
/// assert_eq!("normal 5ms".parse::<Jitter>()?, Jitter::normal(Duration::from_millis(5)));
/// assert_eq!("5ms".parse::<Jitter>()?, Jitter::uniform(Duration::from_millis(5)));
/// # Ok::<(), snowglobe_model::impair::ImpairmentError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Jitter {
    spread: Duration,
    shape: JitterShape,
}

#[derive(Clone, Debug, PartialEq)]
enum JitterShape {
    Uniform,
    Normal,
    Pareto,
    Table(JitterTable),
}

impl Jitter {
    /// Every packet has the same delay.
    pub const NONE: Jitter = Jitter::uniform(Duration::ZERO);

    /// Returns a jitter in which all differences from −`spread` to +`spread` are equally likely.
    pub const fn uniform(spread: Duration) -> Self {
        Jitter {
            spread,
            shape: JitterShape::Uniform,
        }
    }

    /// Returns a normal distribution with this standard deviation, cut off at four of them.
    pub const fn normal(sigma: Duration) -> Self {
        Jitter {
            spread: sigma,
            shape: JitterShape::Normal,
        }
    }

    /// Returns netem's Pareto distribution (shape 3).
    ///
    /// Most packets are up to two thirds of `spread` early. Few are late: 1 % by four times
    /// `spread`, where the distribution is cut off.
    pub const fn pareto(spread: Duration) -> Self {
        Jitter {
            spread,
            shape: JitterShape::Pareto,
        }
    }

    /// Returns the distribution of a table, in which 8,192 stands for `spread`.
    pub fn table(spread: Duration, table: JitterTable) -> Self {
        Jitter {
            spread,
            shape: JitterShape::Table(table),
        }
    }

    /// Returns the size of the jitter: half the width of a uniform distribution, the standard
    /// deviation of a normal one.
    pub fn spread(&self) -> Duration {
        self.spread
    }

    /// Returns whether every packet has the same delay.
    pub fn is_none(&self) -> bool {
        self.spread.is_zero()
    }

    /// Returns the quantiles of the distribution in netem's units, or nothing if it is uniform.
    pub fn quantiles(&self) -> Option<&[i16]> {
        match &self.shape {
            JitterShape::Uniform => None,
            JitterShape::Normal => Some(&NORMAL),
            JitterShape::Pareto => Some(&PARETO),
            JitterShape::Table(table) => Some(table.values()),
        }
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Jitter::NONE
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spread = show_duration(self.spread);
        match &self.shape {
            JitterShape::Uniform => f.write_str(&spread),
            JitterShape::Normal => write!(f, "normal {spread}"),
            JitterShape::Pareto => write!(f, "pareto {spread}"),
            JitterShape::Table(table) => write!(f, "table of {} × {spread}", table.values().len()),
        }
    }
}

impl FromStr for Jitter {
    type Err = ImpairmentError;

    fn from_str(text: &str) -> Result<Self, ImpairmentError> {
        let (shape, spread) = match text.trim().split_once(' ') {
            Some(("uniform", spread)) => (JitterShape::Uniform, spread),
            Some(("normal", spread)) => (JitterShape::Normal, spread),
            Some(("pareto", spread)) => (JitterShape::Pareto, spread),
            Some((word, _)) if word.starts_with(char::is_alphabetic) => {
                return Err(TextProblem::NotA(Notation::Jitter, text.to_owned()).into());
            }
            _ => (JitterShape::Uniform, text),
        };
        let spread = text::duration(spread)?;
        Ok(Jitter { spread, shape })
    }
}

impl Serialize for Jitter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.shape {
            JitterShape::Table(table) => {
                let mut fields = to.serialize_struct("Jitter", 2)?;
                fields.serialize_field("spread", &show_duration(self.spread))?;
                fields.serialize_field("table", table.values())?;
                fields.end()
            }
            JitterShape::Uniform | JitterShape::Normal | JitterShape::Pareto => {
                to.collect_str(self)
            }
        }
    }
}

/// The long form of a jitter in TOML: `{ spread = "5ms", table = [-8192, 0, 8192] }`, or `file`
/// instead of `table`.
#[derive(snowglobe_derive::Deserialize)]
#[serde(deny_unknown_fields)]
struct JitterFields {
    #[serde(with = "text::serde_duration")]
    spread: Duration,
    table: Option<Vec<i16>>,
    file: Option<String>,
}

impl TryFrom<JitterFields> for Jitter {
    type Error = ImpairmentError;

    fn try_from(text: JitterFields) -> Result<Self, ImpairmentError> {
        let table = match (text.table, text.file) {
            (Some(values), None) => JitterTable::new(values)?,
            (None, Some(path)) => JitterTable::from_file(path)?,
            (None, None) | (Some(_), Some(_)) => {
                return Err(TextProblem::JitterTableForm.into());
            }
        };
        Ok(Jitter::table(text.spread, table))
    }
}

impl FromTree for Jitter {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        text::text_or_table::<Jitter, JitterFields>(
            tree,
            "a jitter like `5ms` or `normal 5ms`, or a table of `spread` and `table` or `file`",
            str::parse,
        )
    }
}

snowglobe_text::deserialize_by_tree!(Jitter);

/// A distribution as netem's tables have it (`/usr/lib/tc/*.dist`): values that are equally likely,
/// 8,192 standing for the spread. A table is cheap to clone.
///
/// ```
/// use std::time::Duration;
///
/// use snowglobe_model::impair::{Jitter, JitterTable};
///
/// let mostly_early = JitterTable::parse("# three in four come early\n-4096 -4096 -4096 12288")?;
/// let jitter = Jitter::table(Duration::from_millis(8), mostly_early); // 4 ms early, or 12 ms late
///
/// let error = JitterTable::parse("-4096 early").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 1: `early` is not a value of a jitter table: they are whole numbers \
///      from -32768 to 32767, 8192 for the spread",
/// );
/// # Ok::<(), snowglobe_model::impair::ImpairmentError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct JitterTable(Arc<[i16]>);

impl JitterTable {
    /// Most values of a table that netem takes (`NETEM_DIST_MAX`, include/uapi/linux/pkt_sched.h).
    pub const MOST: usize = 16_384;

    /// Makes a table of 1 to 16,384 values.
    ///
    /// # Errors
    /// There are no values, or too many.
    pub fn new(values: impl Into<Vec<i16>>) -> Result<Self, ImpairmentError> {
        let values = values.into();
        match values.len() {
            1..=JitterTable::MOST => Ok(JitterTable(values.into())),
            0 => Err(ValueProblem::JitterTableEmpty.into()),
            values => Err(ValueProblem::JitterTableTooLong {
                values,
                most: JitterTable::MOST,
            }
            .into()),
        }
    }

    /// Reads netem's format: whole numbers with space between them, and comments in lines that
    /// start with `#`.
    ///
    /// # Errors
    /// A word is no value (the error names the line), or there are no values, or too many.
    pub fn parse(text: &str) -> Result<Self, ImpairmentError> {
        let mut values = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with('#') {
                continue;
            }
            for word in line.split_whitespace() {
                let value: i16 = word.parse().map_err(|_| {
                    let problem = TextProblem::NotA(Notation::JitterValue, word.to_owned());
                    ImpairmentError::from(problem).at_line(index + 1)
                })?;
                values.push(value);
            }
        }
        JitterTable::new(values)
    }

    /// Reads a file in netem's format.
    ///
    /// # Errors
    /// The file cannot be read, or [`parse`](Self::parse) refuses its text. The error names file
    /// and line.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ImpairmentError> {
        let path = path.as_ref();
        text::read_file(path, "jitter table")
            .and_then(|text| JitterTable::parse(&text))
            .map_err(|error| error.in_file(path))
    }

    /// Returns the values, in the order in which they were given.
    pub fn values(&self) -> &[i16] {
        &self.0
    }
}
