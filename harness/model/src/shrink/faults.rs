//! Simpler forms of a fault in a schedule.

use std::time::Duration;

use crate::fault::{Fault, ScheduledFault};

/// Shortest time that a fault is shortened to: less than that, and a lab would do nothing else.
const SHORTEST: Duration = Duration::from_millis(10);

/// Returns simpler forms of a fault, the simplest first: one that hits fewer nodes, or that lasts
/// half as long, from the same time on or from a later one.
pub fn simpler(entry: &ScheduledFault) -> Vec<ScheduledFault> {
    let mut forms: Vec<ScheduledFault> = fewer_parts(&entry.fault)
        .into_iter()
        .map(|fault| ScheduledFault {
            fault,
            ..entry.clone()
        })
        .collect();
    if let Some(lasts) = entry.lasts.filter(|lasts| *lasts >= 2 * SHORTEST) {
        // The half is in whole milliseconds, so that the schedule can be read.
        let half = Duration::from_millis((lasts / 2).as_millis() as u64);
        let with = |at, lasts| ScheduledFault {
            at,
            lasts: Some(lasts),
            ..entry.clone()
        };
        forms.push(with(entry.at, half));
        forms.push(with(entry.at + half, lasts.saturating_sub(half)));
    }
    forms
}

/// Returns the faults that are about fewer nodes.
fn fewer_parts(fault: &Fault) -> Vec<Fault> {
    match fault {
        Fault::Partition {
            left,
            right,
            one_way,
        } => {
            let with = |left: &[_], right: &[_]| Fault::Partition {
                left: left.to_vec(),
                right: right.to_vec(),
                one_way: *one_way,
            };
            let lefts = smaller(left).into_iter().map(|it| with(&it, right));
            let rights = smaller(right).into_iter().map(|it| with(left, &it));
            lefts.chain(rights).collect()
        }
        Fault::Sever { pairs } => {
            let with = |pairs| Fault::Sever { pairs };
            smaller(pairs).into_iter().map(with).collect()
        }
        // These are about one node, link or program.
        Fault::Cut { .. }
        | Fault::Flap { .. }
        | Fault::Degrade { .. }
        | Fault::Pause { .. }
        | Fault::KillProcesses { .. }
        | Fault::Crash { .. }
        | Fault::Dns { .. }
        | Fault::Clock { .. }
        | Fault::Disk { .. }
        | Fault::Restart { .. }
        | Fault::KillProgram { .. }
        | Fault::PauseProgram { .. }
        | Fault::Slow { .. }
        | Fault::Descriptors { .. }
        | Fault::Memory { .. }
        | Fault::Action { .. } => Vec::new(),
    }
}

/// Returns the two halves of a list, and the list without each of its items; no list is empty.
fn smaller<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    if list.len() < 2 {
        return Vec::new();
    }
    let (first, second) = list.split_at(list.len() / 2);
    let mut all = vec![first.to_vec(), second.to_vec()];
    if list.len() > 2 {
        all.extend((0..list.len()).map(|place| {
            let mut rest = list.to_vec();
            rest.remove(place);
            rest
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Schedule;
    use crate::shrink::shrink;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_partition_is_shrunk_to_the_pair_and_the_time_that_matter() {
        let schedule = Schedule::new()
            .then(MS(100), MS(400), Fault::pause("a"))
            .then(
                MS(500),
                MS(1600),
                Fault::partition(["a", "b"], ["c", "d", "e"]),
            )
            .then(MS(2500), MS(100), Fault::crash("e"));
        // The test fails where `b` does not hear `d` at 1750 ms.
        let hits = |entry: &ScheduledFault| {
            let Fault::Partition { left, right, .. } = &entry.fault else {
                return false;
            };
            let is_there = entry.at <= MS(1750) && entry.ends() > Some(MS(1750));
            left.contains(&"b".into()) && right.contains(&"d".into()) && is_there
        };
        let fails = |entries: &Vec<ScheduledFault>| entries.iter().any(hits);
        let found = shrink(schedule.faults().to_vec(), simpler, |candidates| {
            candidates.iter().position(fails)
        });
        let [entry] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(entry.fault, Fault::partition(["b"], ["d"]));
        assert!(entry.lasts.unwrap() < 2 * SHORTEST, "{entry}");
        assert!(hits(entry), "{entry}");
    }

    #[test]
    fn a_fault_without_an_end_keeps_its_time() {
        let entry = Schedule::new().from_then_on(MS(5), Fault::crash("a"));
        assert_eq!(simpler(&entry.faults()[0]), []);
    }
}
