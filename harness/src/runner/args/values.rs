//! The values of options, each with the clause that says what is wrong with one.

use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::model::cli::{CliError, GivenValue};
use crate::model::duration::parse;
use crate::runner::report::{Color, Format, format_names};

/// The length of a stress test, in which copies of a trial run until one of them fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stress {
    /// Largest number of copies that run.
    Runs(u64),
    /// Time in which copies begin.
    Time(Duration),
}

/// Accepts `unstable-options`, which is all that libtest knows after `-Z`.
pub(crate) fn unstable(given: GivenValue) -> Result<(), CliError> {
    given.parse_with(|text| match text {
        "unstable-options" => Ok(()),
        _ => Err("the only one there is is `-Z unstable-options`".to_owned()),
    })
}

/// Reads a number of threads. libtest too refuses 0.
pub(crate) fn threads(given: GivenValue) -> Result<usize, CliError> {
    let origin = given.origin().to_owned();
    let number = given.parse_with(|text| {
        text.parse()
            .map_err(|_| "give a whole number, 1 or more".to_owned())
    })?;
    match number {
        0 => Err(CliError::Other(format!("{origin} is 0: give 1 or more"))),
        number => Ok(number),
    }
}

/// Reads a seed in decimal or, after `0x`, in hexadecimal digits.
pub(crate) fn number(given: GivenValue) -> Result<u64, CliError> {
    given.parse_with(|text| {
        let parsed = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        parsed.map_err(|_| "give a whole number below 2^64, as in 42 or 0x2a".to_owned())
    })
}

/// Reads a time with its unit, as in `30s`, `500ms`, `2m`; a bare number is in seconds.
pub(crate) fn duration(given: GivenValue) -> Result<Duration, CliError> {
    given.parse_with(|text| match parse(text) {
        Some(limit) if !limit.is_zero() => Ok(limit),
        Some(_) => Err("a time of zero lets nothing run".to_owned()),
        None => Err("give a time such as 30s, 500ms or 2m".to_owned()),
    })
}

/// Reads the length of a stress test: a number of runs, or a time with its unit.
pub(crate) fn stress(given: GivenValue) -> Result<Stress, CliError> {
    given.parse()
}

impl Stress {
    /// Returns whether one more copy begins, after so many in a stress test that began then.
    pub fn wants_more(self, begun: u64, since: Instant) -> bool {
        match self {
            Self::Runs(runs) => begun < runs,
            // One copy runs at least, however long it has to wait for its turn.
            Self::Time(time) => begun == 0 || since.elapsed() < time,
        }
    }
}

impl FromStr for Stress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = match text.parse() {
            Ok(runs) => Some(Self::Runs(runs)),
            Err(_) => parse(text).map(Self::Time),
        };
        match length {
            Some(Self::Runs(0) | Self::Time(Duration::ZERO)) => {
                Err("nothing would run: give 1 or more, or a time")
            }
            Some(length) => Ok(length),
            None => Err("give a number of runs such as 1000, or a time such as 30s or 5m"),
        }
    }
}

/// Reads a number of seeds.
pub(crate) fn runs(given: GivenValue) -> Result<u64, CliError> {
    given.parse_with(|text| match text.parse() {
        Ok(0) => Err("nothing would run: give 1 or more".to_owned()),
        Ok(runs) => Ok(runs),
        Err(_) => Err("give a number of seeds, such as 200".to_owned()),
    })
}

pub(crate) fn color(given: GivenValue) -> Result<Color, CliError> {
    const COLORS: [(&str, Color); 3] = [
        ("auto", Color::Auto),
        ("always", Color::Always),
        ("never", Color::Never),
    ];
    given.one_of(&COLORS)
}

pub(crate) fn format(given: GivenValue) -> Result<Format, CliError> {
    given.one_of(&format_names())
}
