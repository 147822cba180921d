//! Texts that do not say a value, and how such a value is written.

use std::fmt;

use super::kind::ImpairmentErrorKind;

/// A kind of value that is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    Time,
    Size,
    Rate,
    Share,
    QueueLimit,
    Jitter,
    JitterValue,
    Milliseconds,
}

/// A mistake in a text. Variants with a string hold the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TextProblem {
    NotA(Notation, String),
    NegativeTime(String),
    SizeAbove4GiB(String),
    /// The unit `bps` is read both ways.
    BitsOrBytes(String),
    RateOutOfRange(String),
    /// A jitter's table in TOML has neither or both of `table` and `file`.
    JitterTableForm,
}

impl Notation {
    fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Size => "size",
            Self::Rate => "rate",
            Self::Share => "share",
            Self::QueueLimit => "queue limit",
            Self::Jitter => "jitter",
            Self::JitterValue => "value of a jitter table",
            Self::Milliseconds => "time in whole milliseconds",
        }
    }

    /// Returns how such a value is written, to stand behind its name.
    fn remedy(self) -> &'static str {
        match self {
            Self::Time => ": give a number and its unit, as in `25ms`, `1.5s` or `300us`",
            Self::Size => ": give a number and its unit, as in `3000 B`, `15 kB` or `64 KiB`",
            Self::Rate => ": give a number and its unit, as in `10 Mbit/s`, `256kbit` or `1gbit`",
            Self::Share => ": give a number and its sign, as in `5%` or `0.1 %`",
            Self::QueueLimit => {
                ": give packets or bytes or both, as in `1000 packets`, `64 KiB` or \
                 `1000 packets, 64 KiB`"
            }
            Self::Jitter => {
                ": distributions are `uniform`, `normal` and `pareto`, as in `normal 5ms`"
            }
            Self::JitterValue => {
                ": they are whole numbers from -32768 to 32767, 8192 for the spread"
            }
            Self::Milliseconds => ", as each line of a packet-delivery trace has to be",
        }
    }
}

impl TextProblem {
    pub(crate) fn kind(&self) -> ImpairmentErrorKind {
        match self {
            Self::NotA(..) | Self::BitsOrBytes(_) | Self::JitterTableForm => {
                ImpairmentErrorKind::Syntax
            }
            Self::NegativeTime(_) | Self::SizeAbove4GiB(_) | Self::RateOutOfRange(_) => {
                ImpairmentErrorKind::OutOfRange
            }
        }
    }

    pub(crate) fn subject(&self) -> &'static str {
        match self {
            Self::NotA(Notation::JitterValue, _) | Self::JitterTableForm => "jitter table",
            Self::NotA(Notation::Milliseconds, _) => "trace",
            Self::NotA(notation, _) => notation.name(),
            Self::NegativeTime(_) => "time",
            Self::SizeAbove4GiB(_) => "size",
            Self::BitsOrBytes(_) | Self::RateOutOfRange(_) => "rate",
        }
    }
}

impl fmt::Display for TextProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotA(notation, text) => {
                let (text, name, remedy) = (show(text), notation.name(), notation.remedy());
                write!(f, "{text} is not a {name}{remedy}")
            }
            Self::NegativeTime(text) => write!(
                f,
                "{} is negative: no time here may be less than `0ms`",
                show(text)
            ),
            Self::SizeAbove4GiB(text) => write!(f, "{} is more than 4 GiB can hold", show(text)),
            Self::BitsOrBytes(text) => write!(
                f,
                "{} could be bits or bytes per second: write `kbit`, `mbit` or `gbit`, which are \
                 bits",
                show(text)
            ),
            Self::RateOutOfRange(text) => write!(
                f,
                "{} is not a rate: rates are from 1 bit/s to 1000 Tbit/s",
                show(text)
            ),
            Self::JitterTableForm => f.write_str(
                "a jitter's table has either `table` or `file`; for the usual distributions write \
                 a string like `normal 5ms`",
            ),
        }
    }
}

/// Returns a text as an error shows it: quoted, without control characters, and not the whole of a
/// file.
pub(crate) fn show(text: &str) -> String {
    const ENOUGH: usize = 60;
    let mut shown: String = text.chars().take(ENOUGH).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("`{}`", shown.escape_debug())
}
