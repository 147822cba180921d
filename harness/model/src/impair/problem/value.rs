//! Values of an impairment that are out of their range, or contradict each other.

use std::fmt;

use super::kind::ImpairmentErrorKind;

/// A mistake in a value. Shares, times and rates are stored as they are displayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValueProblem {
    NotAShare {
        name: &'static str,
        share: String,
    },
    LoseEveryZero,
    AboveAnHour {
        name: &'static str,
        time: String,
    },
    JitterTableEmpty,
    JitterTableTooLong {
        values: usize,
        most: usize,
    },
    /// A gap or a correlation of reordering, where nothing is reordered.
    ReorderOfNothing,
    ReorderWithoutDelay {
        share: String,
    },
    RateZero,
    /// A rate and a trace of deliveries, which both say when packets pass.
    RateWithDeliveries {
        rate: String,
    },
    BurstWithTrace {
        burst: u32,
    },
    BurstWithoutRate {
        burst: u32,
    },
    BurstTooSmall {
        burst: u32,
        least: u64,
    },
    QueueOfNothing,
    QueueTooSmall {
        bytes: u64,
        least: u64,
    },
    MtuTooSmall {
        mtu: u32,
        least: u32,
    },
    /// Bursts of loss that never end.
    EndlessBurst,
}

impl ValueProblem {
    pub(crate) fn kind(&self) -> ImpairmentErrorKind {
        match self {
            Self::NotAShare { .. }
            | Self::LoseEveryZero
            | Self::AboveAnHour { .. }
            | Self::JitterTableEmpty
            | Self::JitterTableTooLong { .. }
            | Self::RateZero
            | Self::BurstTooSmall { .. }
            | Self::QueueOfNothing
            | Self::QueueTooSmall { .. }
            | Self::MtuTooSmall { .. }
            | Self::EndlessBurst => ImpairmentErrorKind::OutOfRange,
            Self::ReorderOfNothing
            | Self::ReorderWithoutDelay { .. }
            | Self::RateWithDeliveries { .. }
            | Self::BurstWithTrace { .. }
            | Self::BurstWithoutRate { .. } => ImpairmentErrorKind::Conflict,
        }
    }

    pub(crate) fn subject(&self) -> &'static str {
        match self {
            Self::NotAShare { name, .. } | Self::AboveAnHour { name, .. } => name,
            Self::LoseEveryZero => "lose_every",
            Self::JitterTableEmpty | Self::JitterTableTooLong { .. } => "jitter table",
            Self::ReorderOfNothing | Self::ReorderWithoutDelay { .. } => "reorder",
            Self::RateZero | Self::RateWithDeliveries { .. } => "rate",
            Self::BurstWithTrace { .. }
            | Self::BurstWithoutRate { .. }
            | Self::BurstTooSmall { .. } => "burst",
            Self::QueueOfNothing | Self::QueueTooSmall { .. } => "queue",
            Self::MtuTooSmall { .. } => "mtu",
            Self::EndlessBurst => "loss_bursts",
        }
    }
}

impl fmt::Display for ValueProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAShare { name, share } => {
                write!(f, "{name} of {share} is not between 0 % and 100 %")
            }
            Self::LoseEveryZero => f.write_str(
                "lose_every of 0: 1 loses every packet, 2 every second; leave it out to lose none",
            ),
            Self::AboveAnHour { name, time } => {
                write!(
                    f,
                    "{name} of {time} is more than an hour: give at most 3600s"
                )
            }
            Self::JitterTableEmpty => {
                f.write_str("a jitter table without values: it needs at least one")
            }
            Self::JitterTableTooLong { values, most } => write!(
                f,
                "a jitter table of {values} values: it can have at most {most}"
            ),
            Self::ReorderOfNothing => f.write_str(
                "reorder of 0 % with a gap or a correlation: nothing is reordered then; give a \
                 percent, or take `Reorder::NONE`",
            ),
            Self::ReorderWithoutDelay { share } => write!(
                f,
                "reorder of {share} without a delay: a reordered packet skips the delay, so give \
                 one, as in `delay = \"10ms\"`"
            ),
            Self::RateZero => f.write_str(
                "rate of 0 bit/s: nothing would ever pass; leave the rate out for no limit, or cut \
                 the link",
            ),
            Self::RateWithDeliveries { rate } => write!(
                f,
                "rate of {rate} and a trace of deliveries: both say when packets pass; leave one \
                 of them out"
            ),
            Self::BurstWithTrace { burst } => write!(
                f,
                "burst of {burst} B with a trace that has rates: bursts need a steady rate; leave \
                 one of them out"
            ),
            Self::BurstWithoutRate { burst } => write!(
                f,
                "burst of {burst} B without a rate: there is nothing to exceed; give a rate, as in \
                 `rate = \"10mbit\"`"
            ),
            Self::BurstTooSmall { burst, least } => write!(
                f,
                "burst of {burst} B is less than one packet: give at least {least} B, or leave it \
                 out"
            ),
            Self::QueueOfNothing => f.write_str(
                "queue of 0 packets: nothing would ever pass; give at least 1, or lose 100 %",
            ),
            Self::QueueTooSmall { bytes, least } => write!(
                f,
                "queue of {bytes} B is less than one packet: give at least {least} B"
            ),
            Self::MtuTooSmall { mtu, least } => write!(
                f,
                "mtu of {mtu} is less than IPv4 allows: give at least {least}"
            ),
            Self::EndlessBurst => f.write_str(
                "loss_bursts: r of 0 %: the first burst would never end; give how often it ends, as in \
                 `r = \"25%\"` for bursts of 4 packets",
            ),
        }
    }
}
