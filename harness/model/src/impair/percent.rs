//! Shares in percent, so that a loss of 5 cannot be taken for one of 500 %.

use std::fmt;
use std::str::FromStr;

use super::error::ImpairmentError;
use super::problem::{Notation, TextProblem};
use super::text::{number_and_unit, serde_text};

/// A share of all packets, or a probability, from 0 to 100.
///
/// As text a share has its sign, as in `5%` or `0.1 %`. A share below 0 or above 100 is refused
/// when its [`Impairment`](super::Impairment) is validated.
///
/// ```
/// use snowglobe_model::impair::Percent;
///
/// assert_eq!("0.1%".parse::<Percent>()?, Percent(0.1));
/// assert_eq!(Percent(5.0).to_string(), "5 %");
/// assert_eq!(Percent(5.0).fraction(), 0.05);
/// # Ok::<(), snowglobe_model::impair::ImpairmentError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Percent(
    /// From 0 to 100.
    pub f64,
);

impl Percent {
    /// No packet at all.
    pub const ZERO: Percent = Percent(0.0);

    /// Returns the share as a number from 0 to 1.
    pub const fn fraction(self) -> f64 {
        self.0 / 100.0
    }

    /// Returns whether the number is from 0 to 100, as a share has to be.
    pub fn is_share(self) -> bool {
        (0.0..=100.0).contains(&self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

impl FromStr for Percent {
    type Err = ImpairmentError;

    fn from_str(text: &str) -> Result<Self, ImpairmentError> {
        match number_and_unit(text) {
            Some((number, "%")) => Ok(Percent(number)),
            _ => Err(TextProblem::NotA(Notation::Share, text.to_owned()).into()),
        }
    }
}

serde_text!(Percent, "a share with its sign, like `5%`");
