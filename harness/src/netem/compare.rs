//! Whether the options that are in force are those that were set.
//!
//! A kernel takes options that it does not know without an error, and rounds others. A test whose
//! link silently loses nothing would pass for the wrong reason, so everything is read back.

use std::fmt;

use snowglobe_text::counted;

use crate::kernel::qdisc::{NetemLossModel, NetemOptions, TbfOptions};

/// One option as it was set and as it was read back, in the kernel's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ComparedOption {
    name: &'static str,
    unit: OptionUnit,
    wanted: i128,
    found: i128,
    /// Largest difference that is no difference.
    precision: u32,
}

/// The unit in which the kernel counts an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OptionUnit {
    Nanoseconds,
    Bytes,
    BytesPerSecond,
    Packets,
    /// Parts of 2³².
    Share,
    /// A number without a unit, such as a seed.
    Number,
}

impl OptionUnit {
    /// Returns a value with the unit.
    fn show(self, value: i128) -> String {
        match self {
            Self::Nanoseconds => format!("{value} ns"),
            Self::Bytes => format!("{value} B"),
            Self::BytesPerSecond => format!("{value} B/s"),
            Self::Packets => counted(value, "packet"),
            Self::Share => format!("{value} parts of 2³²"),
            Self::Number => value.to_string(),
        }
    }
}

fn option(
    name: &'static str,
    unit: OptionUnit,
    wanted: impl Into<i128>,
    found: impl Into<i128>,
) -> ComparedOption {
    ComparedOption {
        name,
        unit,
        wanted: wanted.into(),
        found: found.into(),
        precision: 0,
    }
}

fn share(name: &'static str, wanted: u32, found: u32) -> ComparedOption {
    option(name, OptionUnit::Share, wanted, found)
}

/// Pairs the options of a filter.
pub(super) fn filter_options(wanted: &TbfOptions, found: &TbfOptions) -> [ComparedOption; 2] {
    let TbfOptions { rate, burst } = *wanted;
    let mut burst = option("a burst", OptionUnit::Bytes, burst, found.burst);
    burst.precision = wanted.precision();
    [
        option(
            "the burst's rate",
            OptionUnit::BytesPerSecond,
            rate,
            found.rate,
        ),
        burst,
    ]
}

/// Pairs the options of a netem.
pub(super) fn netem_options(wanted: &NetemOptions, found: &NetemOptions) -> Vec<ComparedOption> {
    // Without `..`, so that a new option has to be compared here.
    let NetemOptions {
        latency,
        jitter,
        limit,
        loss,
        bursts,
        duplicate,
        reorder,
        gap,
        corrupt,
        rate,
        seed,
    } = *wanted;
    let mut options = vec![
        option("a delay", OptionUnit::Nanoseconds, latency, found.latency),
        option("a jitter", OptionUnit::Nanoseconds, jitter, found.jitter),
        option("a queue", OptionUnit::Packets, limit, found.limit),
        option("a rate", OptionUnit::BytesPerSecond, rate, found.rate),
        option("a gap of reorder", OptionUnit::Packets, gap, found.gap),
        share("a loss", loss, found.loss),
        share("a duplicate", duplicate, found.duplicate),
        share("a reorder", reorder, found.reorder),
        share("a corrupt", corrupt, found.corrupt),
    ];
    options.extend(burst_options(bursts, found.bursts));
    // Kernels before 6.6 have no seed and do not tell one (TCA_NETEM_PRNG_SEED).
    if let (Some(wanted), Some(found)) = (seed, found.seed) {
        options.push(option("a seed", OptionUnit::Number, wanted, found));
    }
    options
}

fn burst_options(
    wanted: Option<NetemLossModel>,
    found: Option<NetemLossModel>,
) -> [ComparedOption; 4] {
    let NetemLossModel {
        begin,
        end,
        pass_in_bad,
        loss_in_good,
    } = wanted.unwrap_or_default();
    let found = found.unwrap_or_default();
    [
        share("bursts: a p", begin, found.begin),
        share("bursts: an r", end, found.end),
        share("bursts: 1 - loss_in_bad", pass_in_bad, found.pass_in_bad),
        share("bursts: a loss_in_good", loss_in_good, found.loss_in_good),
    ]
}

/// Options whose values in the kernel are other ones than were set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DifferingOptions(Vec<ComparedOption>);

impl fmt::Display for DifferingOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kernel has ")?;
        for (at, option) in self.0.iter().enumerate() {
            let ComparedOption {
                name,
                unit,
                wanted,
                found,
                precision: _,
            } = option;
            let comma = if at == 0 { "" } else { ", " };
            let (found, wanted) = (unit.show(*found), unit.show(*wanted));
            write!(f, "{comma}{name} of {found} instead of {wanted}")?;
        }
        Ok(())
    }
}

/// Compares each option as it was set with the same option as it was read back.
///
/// # Errors
/// Options differ by more than their precision.
pub(super) fn compare(
    options: impl IntoIterator<Item = ComparedOption>,
) -> Result<(), DifferingOptions> {
    let differs =
        |option: &ComparedOption| option.wanted.abs_diff(option.found) > option.precision.into();
    let differing: Vec<ComparedOption> = options.into_iter().filter(differs).collect();
    if differing.is_empty() {
        Ok(())
    } else {
        Err(DifferingOptions(differing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_packet_is_told_as_one_and_a_number_without_a_unit() {
        let differing = compare([
            option("a queue", OptionUnit::Packets, 1000u32, 1u32),
            option("a gap of reorder", OptionUnit::Packets, 1u32, 2u32),
            option("a seed", OptionUnit::Number, 7u64, 8u64),
            option("a rate", OptionUnit::BytesPerSecond, 5u64, 5u64),
        ]);
        assert_eq!(
            differing.unwrap_err().to_string(),
            "the kernel has a queue of 1 packet instead of 1000 packets, \
             a gap of reorder of 2 packets instead of 1 packet, a seed of 8 instead of 7"
        );
    }
}
