//! Rates in bits per second, with the units in which people and tools write them.

use std::fmt;
use std::str::FromStr;

use super::error::ImpairmentError;
use super::problem::{Notation, TextProblem};
use super::text::{number_and_unit, serde_text};

/// The number of bits that pass in a second, whole Ethernet frames counted. Units are decimal: 1
/// kbit is 1,000 bit.
///
/// ```
/// use snowglobe_model::impair::Rate;
///
/// assert_eq!("10mbit".parse::<Rate>()?, Rate::mbit(10));
/// assert_eq!("2.5 Gbit/s".parse::<Rate>()?, Rate::mbit(2500));
/// assert_eq!(Rate::kbit(10_000).to_string(), "10 Mbit/s");
/// # Ok::<(), snowglobe_model::impair::ImpairmentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rate(u64);

/// Units with their size in bits per second, the largest first.
const UNITS: [(&str, u64); 4] = [
    ("Gbit/s", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("kbit/s", 1_000),
    ("bit/s", 1),
];

impl Rate {
    /// Returns `n` bits per second.
    pub const fn bit(n: u64) -> Self {
        Rate(n)
    }

    /// Returns `n` times 1,000 bits per second.
    pub const fn kbit(n: u64) -> Self {
        Rate(n.saturating_mul(1_000))
    }

    /// Returns `n` times 1,000² bits per second.
    pub const fn mbit(n: u64) -> Self {
        Rate(n.saturating_mul(1_000_000))
    }

    /// Returns `n` times 1,000³ bits per second.
    pub const fn gbit(n: u64) -> Self {
        Rate(n.saturating_mul(1_000_000_000))
    }

    /// Returns the rate in bits per second.
    pub const fn as_bit(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |size: u64| self.0 >= size && self.0.is_multiple_of((size / 1000).max(1));
        let unit = UNITS.iter().find(|(_, size)| fits(*size));
        let (unit, size) = unit.unwrap_or(&UNITS[3]);
        match self.0 % size {
            0 => write!(f, "{} {unit}", self.0 / size),
            _ => write!(f, "{} {unit}", self.0 as f64 / *size as f64),
        }
    }
}

impl FromStr for Rate {
    type Err = ImpairmentError;

    fn from_str(text: &str) -> Result<Self, ImpairmentError> {
        let not_a_rate = || TextProblem::NotA(Notation::Rate, text.to_owned());
        let (number, unit) = number_and_unit(text).ok_or_else(not_a_rate)?;
        let unit = unit.to_ascii_lowercase();
        if unit.ends_with("bps") {
            return Err(TextProblem::BitsOrBytes(text.to_owned()).into());
        }
        let unit = unit.strip_suffix("/s").unwrap_or(&unit);
        let known = UNITS
            .iter()
            .find(|(name, _)| name[..name.len() - 2].eq_ignore_ascii_case(unit));
        let bits = known.map(|(_, size)| (number * *size as f64).round());
        match bits {
            Some(bits) if (0.0..1e15).contains(&bits) => Ok(Rate(bits as u64)),
            Some(_) => Err(TextProblem::RateOutOfRange(text.to_owned()).into()),
            None => Err(not_a_rate().into()),
        }
    }
}

serde_text!(Rate, "a rate with its unit, like `10mbit`");
