//! Whether what is in force is what was wanted.

use crate::kernel::qdisc::{NetemOptions, TbfOptions};

/// A value as it was set and as it was read back, in numbers of the kernel's.
pub(super) struct Value {
    name: &'static str,
    unit: &'static str,
    wanted: i128,
    found: i128,
    precision: u32,
}

fn value(
    name: &'static str,
    unit: &'static str,
    wanted: impl Into<i128>,
    found: impl Into<i128>,
) -> Value {
    Value {
        name,
        unit,
        wanted: wanted.into(),
        found: found.into(),
        precision: 0,
    }
}

pub(super) fn filter_values(wanted: &TbfOptions, found: &TbfOptions) -> [Value; 2] {
    let mut burst = value("a burst", "B", wanted.burst, found.burst);
    burst.precision = wanted.precision();
    [
        value("the burst's rate", "B/s", wanted.rate, found.rate),
        burst,
    ]
}

pub(super) fn netem_values(wanted: &NetemOptions, found: &NetemOptions) -> Vec<Value> {
    const PARTS: &str = "parts of 2³²";
    let share = |name, wanted: u32, found: u32| value(name, PARTS, wanted, found);
    let bursts = wanted.bursts.unwrap_or_default();
    let found_bursts = found.bursts.unwrap_or_default();
    let mut values = vec![
        value("a delay", "ns", wanted.latency, found.latency),
        value("a jitter", "ns", wanted.jitter, found.jitter),
        value("a queue", "packets", wanted.limit, found.limit),
        value("a rate", "B/s", wanted.rate, found.rate),
        value("a gap of reorder", "packets", wanted.gap, found.gap),
        share("a loss", wanted.loss, found.loss),
        share("a duplicate", wanted.duplicate, found.duplicate),
        share("a reorder", wanted.reorder, found.reorder),
        share("a corrupt", wanted.corrupt, found.corrupt),
        share("bursts: a p", bursts.begin, found_bursts.begin),
        share("bursts: an r", bursts.end, found_bursts.end),
        share(
            "bursts: 1 - loss_in_bad",
            bursts.pass_in_bad,
            found_bursts.pass_in_bad,
        ),
        share(
            "bursts: a loss_in_good",
            bursts.loss_in_good,
            found_bursts.loss_in_good,
        ),
    ];
    // Kernels before 6.6 do not know of it.
    if let (Some(wanted), Some(found)) = (wanted.seed, found.seed) {
        values.push(value("a seed", "", wanted, found));
    }
    values
}

/// What differs, in words.
pub(super) fn compare(values: &[Value]) -> Result<(), String> {
    let differs = |value: &&Value| value.wanted.abs_diff(value.found) > value.precision.into();
    let told: Vec<String> = values
        .iter()
        .filter(differs)
        .map(|value| {
            let Value {
                name,
                unit,
                wanted,
                found,
                ..
            } = value;
            format!("{name} of {found} {unit} where {wanted} {unit} were wanted")
        })
        .collect();
    match told.is_empty() {
        true => Ok(()),
        false => Err(format!("the kernel has {}", told.join(", "))),
    }
}
