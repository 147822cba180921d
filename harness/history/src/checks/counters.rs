//! Bounds of a counter: what must have been added by the end of a read, and what may have been.

use std::time::Duration;

use crate::history::History;
use crate::models::{CounterOp, CounterRet};
use crate::operation::Operation;
use crate::report::{Anomaly, AnomalyKind, CheckReport};

/// Additions by time, with the sums of the positive and of the negative ones so far.
struct Sums(Vec<(Duration, [i128; 2])>);

impl Sums {
    fn of(additions: impl Iterator<Item = (Duration, i64)>) -> Self {
        let mut sums: Vec<_> = additions
            .map(|(time, number)| (time, [number.max(0).into(), number.min(0).into()]))
            .collect();
        sums.sort_by_key(|(time, _)| *time);
        let mut total = [0; 2];
        for (_, both) in &mut sums {
            for (total, one) in total.iter_mut().zip(both) {
                *total += *one;
                *one = *total;
            }
        }
        Self(sums)
    }

    fn until(&self, is_before: impl Fn(Duration) -> bool) -> [i128; 2] {
        let count = self.0.partition_point(|(time, _)| is_before(*time));
        self.0[..count].last().map_or([0; 2], |(_, both)| *both)
    }
}

/// Finds sums that are lower than what had been acknowledged before the read began, or higher than
/// what had been attempted by its end. Negative additions count the other way round.
pub fn counters(history: &History<CounterOp, CounterRet>) -> CheckReport {
    let mut anomalies = Vec::new();
    let additions = || {
        let all = history.operations().iter();
        all.filter_map(|it| match it.call {
            CounterOp::Add(number) => Some((it, number)),
            CounterOp::Read => None,
        })
    };
    let acknowledged = additions().filter(|(it, _)| it.completion.is_ok());
    let acknowledged = Sums::of(acknowledged.filter_map(|(it, n)| Some((it.completed?, n))));
    let attempted = additions().filter(|(it, _)| !it.completion.is_failed());
    let attempted = Sums::of(attempted.map(|(it, number)| (it.invoked, number)));
    for operation in history.operations() {
        let (Some(CounterRet::Sum(sum)), Some(end)) =
            (operation.completion.ok(), operation.completed)
        else {
            continue;
        };
        let [must_up, must_down] = acknowledged.until(|time| time < operation.invoked);
        let [may_up, may_down] = attempted.until(|time| time <= end);
        // An addition that returns its sum is among those that may, and its own number must be in.
        let own = own_number(operation);
        let least = must_up + may_down + own.max(0);
        let most = may_up + must_down + own.min(0);
        if !(least..=most).contains(&i128::from(*sum)) {
            let sentence = format!(
                "{} returned {sum}, and the sum was between {least} and {most}",
                operation.id
            );
            let ids = [operation.id];
            anomalies.push(Anomaly::new(AnomalyKind::OutOfBounds, sentence, ids));
        }
    }
    CheckReport::new("bounds of a counter", history, anomalies)
}

fn own_number(operation: &Operation<CounterOp, CounterRet>) -> i128 {
    match operation.call {
        CounterOp::Add(number) => number.into(),
        CounterOp::Read => 0,
    }
}
