//! Traces that cannot be followed.

use std::fmt;

use super::kind::ImpairmentErrorKind;
use super::text::show;

/// A mistake in a trace. Times and shares are stored as they are displayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TraceProblem {
    /// A trace in TOML has not exactly one of its forms.
    Form,
    Empty,
    /// Milliseconds of a line, and of the line before.
    Decreasing {
        at: u64,
        after: u64,
    },
    NoTimes,
    LastsNothing,
    AboveADay,
    TooLong {
        most: usize,
    },
    AfterRepeat,
    TooManyColumns {
        row: String,
        columns: usize,
    },
    NoRows,
    FirstRow {
        at: String,
    },
    NotIncreasing {
        at: String,
        after: String,
    },
    NotAShare {
        loss: String,
    },
    DelayAboveAnHour,
    EndsAtRateZero,
    PassesNothing,
}

impl TraceProblem {
    pub(crate) fn kind(&self) -> ImpairmentErrorKind {
        match self {
            Self::Form | Self::Empty | Self::AfterRepeat | Self::TooManyColumns { .. } => {
                ImpairmentErrorKind::Syntax
            }
            Self::Decreasing { .. }
            | Self::NoTimes
            | Self::LastsNothing
            | Self::AboveADay
            | Self::TooLong { .. }
            | Self::NoRows
            | Self::FirstRow { .. }
            | Self::NotIncreasing { .. }
            | Self::NotAShare { .. }
            | Self::DelayAboveAnHour
            | Self::EndsAtRateZero
            | Self::PassesNothing => ImpairmentErrorKind::OutOfRange,
        }
    }
}

impl fmt::Display for TraceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str(
                "a trace is a file's name, or has `deliveries`, or has `rows` and perhaps `repeat`",
            ),
            Self::Empty => f.write_str(
                "the trace is empty: give times in milliseconds, one on each line, or rows like \
                 `0s 10mbit 25ms 1%`",
            ),
            Self::Decreasing { at, after } => write!(
                f,
                "{at} ms comes after {after} ms: the times of a trace must not decrease"
            ),
            Self::NoTimes => {
                f.write_str("the trace has no times: it needs at least one, in milliseconds")
            }
            Self::LastsNothing => f.write_str(
                "the trace lasts 0 ms: its last time, after which it starts over, must be later",
            ),
            Self::AboveADay => {
                f.write_str("a time of more than a day: traces can be at most 24 hours long")
            }
            Self::TooLong { most } => write!(f, "more than {most} times: take a shorter trace"),
            Self::AfterRepeat => f.write_str("nothing can follow the line that says `repeat`"),
            Self::TooManyColumns { row, columns } => write!(
                f,
                "{} has {columns} columns: a row has time, rate, delay and loss, without spaces in \
                 them or with commas between them",
                show(row)
            ),
            Self::NoRows => f.write_str("the trace has no rows: it needs at least one, at 0s"),
            Self::FirstRow { at } => {
                write!(f, "the first row is at {at}: it has to be at 0s")
            }
            Self::NotIncreasing { at, after } => write!(
                f,
                "{at} comes after {after}: the times of a trace must increase"
            ),
            Self::NotAShare { loss } => write!(f, "loss of {loss} is not between 0 % and 100 %"),
            Self::DelayAboveAnHour => {
                f.write_str("a delay of more than an hour: give at most 3600s")
            }
            Self::EndsAtRateZero => f.write_str(
                "the last row's rate is zero, for ever: give a later row with a rate, or say when \
                 the trace repeats; to cut a link use `cut()`",
            ),
            Self::PassesNothing => f.write_str(
                "not even one packet of 1514 bytes passes before the trace repeats: give higher \
                 rates or a longer time",
            ),
        }
    }
}
