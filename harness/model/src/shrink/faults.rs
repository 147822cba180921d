//! Simpler forms of a fault in a schedule.

use std::time::Duration;

use crate::fault::{Fault, PartedNodes, ScheduledFault};

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

/// Returns the faults that are about fewer nodes: none for a fault of one node, link or program.
fn fewer_parts(fault: &Fault) -> Vec<Fault> {
    let lengths = match fault.clone().parted_mut() {
        Some(PartedNodes::Sides(left, right)) => vec![left.len(), right.len()],
        Some(PartedNodes::Pairs(pairs)) => vec![pairs.len()],
        None => Vec::new(),
    };
    let with = |list: usize, places: &[usize]| {
        let mut fewer = fault.clone();
        match (fewer.parted_mut(), list) {
            (Some(PartedNodes::Sides(left, _)), 0) => keep(left, places),
            (Some(PartedNodes::Sides(_, right)), _) => keep(right, places),
            (Some(PartedNodes::Pairs(pairs)), _) => keep(pairs, places),
            (None, _) => {}
        }
        fewer
    };
    let lists = lengths.into_iter().enumerate();
    lists
        .flat_map(|(list, length)| smaller(length).into_iter().map(move |it| (list, it)))
        .map(|(list, places)| with(list, &places))
        .collect()
}

/// Takes all items out of a list but those at the given places.
fn keep<T: Clone>(list: &mut Vec<T>, places: &[usize]) {
    *list = places.iter().map(|place| list[*place].clone()).collect();
}

/// Returns the places of the two halves of a list, and of the list without each of its items; no
/// such part is empty.
fn smaller(length: usize) -> Vec<Vec<usize>> {
    if length < 2 {
        return Vec::new();
    }
    let mut all = vec![
        (0..length / 2).collect(),
        (length / 2..length).collect::<Vec<usize>>(),
    ];
    if length > 2 {
        let without = |place| (0..length).filter(|it| *it != place).collect();
        all.extend((0..length).map(without));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{NodeRef, Schedule};
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
    fn each_set_of_nodes_is_made_smaller() {
        let forms = |fault| -> Vec<Fault> {
            let entry = Schedule::new().from_then_on(MS(5), fault);
            let forms = simpler(&entry.faults()[0]);
            forms.into_iter().map(|form| form.fault).collect()
        };
        let part = |from: &[&str], to: &[&str]| {
            Fault::partition_one_way(from.iter().copied(), to.iter().copied())
        };
        let expected = [
            part(&["a"], &["c", "d", "e"]),
            part(&["b"], &["c", "d", "e"]),
            part(&["a", "b"], &["c"]),
            part(&["a", "b"], &["d", "e"]),
            part(&["a", "b"], &["d", "e"]),
            part(&["a", "b"], &["c", "e"]),
            part(&["a", "b"], &["c", "d"]),
        ];
        assert_eq!(forms(part(&["a", "b"], &["c", "d", "e"])), expected);
        let sever = |pairs: &[[&str; 2]]| {
            let pairs = pairs.iter().map(|pair| pair.map(NodeRef::from));
            Fault::Sever {
                pairs: pairs.collect(),
            }
        };
        let of_two = [sever(&[["a", "b"]]), sever(&[["b", "c"]])];
        assert_eq!(forms(sever(&[["a", "b"], ["b", "c"]])), of_two);
        assert_eq!(forms(Fault::partition(["a"], ["b"])), []);
        assert_eq!(forms(Fault::pause("a")), []);
    }

    #[test]
    fn a_fault_without_an_end_keeps_its_time() {
        let entry = Schedule::new().from_then_on(MS(5), Fault::crash("a"));
        assert_eq!(simpler(&entry.faults()[0]), []);
    }
}
