//! The values of faults that a nemesis draws: how far a clock is off, how slow a disk is, how
//! little is left of a resource.

use std::time::Duration;

use super::dice::FaultDice;
use crate::clock::{ClockFault, TimeShift};
use crate::disk::DiskFault;
use crate::dns::DnsFault;
use crate::fault::fault::Fault;
use crate::fault::refs::NodeRef;
use crate::impair::Percent;
use crate::topology::Size;

/// Steps of ten from what a time service corrects to what an operator mistypes.
const SHIFTS: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(600),
];

/// Drifts in parts per million: from that of a bad quartz, by steps of ten, to a clock that goes by
/// half too fast or too slow.
const DRIFTS: [i32; 5] = [50, 500, 5_000, 50_000, 500_000];

/// Draws what is wrong with a clock.
pub(super) fn clock_fault(dice: &mut FaultDice) -> ClockFault {
    match dice.weighted([3, 3, 2, 1].into_iter()) {
        0 => ClockFault::Offset(shift(dice)),
        1 => ClockFault::Jump(shift(dice)),
        2 => {
            let drift = DRIFTS[dice.place(DRIFTS.len())];
            ClockFault::Drift(if dice.below(2) == 0 { drift } else { -drift })
        }
        _ => ClockFault::Freeze,
    }
}

fn shift(dice: &mut FaultDice) -> TimeShift {
    let step = SHIFTS[dice.place(SHIFTS.len())];
    let time = step * (1 + dice.place(9) as u32);
    match dice.below(2) {
        0 => TimeShift::ahead(time),
        _ => TimeShift::behind(time),
    }
}

/// Draws what is wrong with a disk. Nothing of it changes what files hold, unless the power goes.
pub(super) fn disk_fault(dice: &mut FaultDice) -> DiskFault {
    let none = Percent(0.0);
    let share = Percent([1.0, 10.0, 100.0][dice.place(3)]);
    match dice.weighted([3, 3, 2, 2, 1, 1, 1].into_iter()) {
        0 => {
            let ms = [1, 10, 100][dice.place(3)] * (1 + dice.below(9));
            DiskFault::slow(Duration::from_millis(ms))
        }
        1 => DiskFault::Full {
            free: Size::kib([0, 4, 64, 1024][dice.place(4)]),
        },
        2 => DiskFault::Io {
            reads: none,
            writes: none,
            syncs: share,
        },
        3 => DiskFault::Io {
            reads: none,
            writes: share,
            syncs: none,
        },
        4 => DiskFault::Io {
            reads: share,
            writes: none,
            syncs: none,
        },
        5 => DiskFault::ReadOnly,
        _ => DiskFault::Torn,
    }
}

/// Draws a fault of the answers of a name server, for all names. Wrong records are never drawn: a
/// test has to ask for them, since no records mean something to every test.
pub(super) fn dns_fault(dice: &mut FaultDice) -> DnsFault {
    match dice.weighted([3, 2, 2, 1, 2].into_iter()) {
        0 => {
            let ms = [10, 100, 1000][dice.place(3)] * (1 + dice.below(9));
            DnsFault::delay(Duration::from_millis(ms))
        }
        1 => DnsFault::servfail(),
        2 => DnsFault::nxdomain(),
        3 => DnsFault::truncate(),
        _ => DnsFault::silence(),
    }
}

/// Draws a fault that leaves some node too little of a resource.
pub(super) fn scarcity(dice: &mut FaultDice) -> Fault {
    let node = NodeRef::any();
    match dice.weighted([2, 1, 1].into_iter()) {
        0 => Fault::slow(node, Percent([1.0, 5.0, 10.0, 25.0, 50.0][dice.place(5)])),
        // The limits reach from less than a program has open at its start to what a server with
        // some clients has open.
        1 => Fault::descriptors(node, [3, 8, 16, 32, 64][dice.place(5)]),
        _ => Fault::memory(node, [0, 64, 1024, 16_384][dice.place(4)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Nemesis, Targets};

    const S: Duration = Duration::from_secs(1);

    /// Returns three nodes: the first has a name server, the second has a clock of its own, the
    /// third has two volumes with faults.
    fn targets() -> Targets {
        Targets {
            nodes: ["a", "b", "c"].map(str::to_owned).into(),
            clocks: vec!["b".to_owned()],
            disks: ["log", "data"]
                .map(|volume| ("c".to_owned(), volume.to_owned()))
                .into(),
            name_servers: vec!["a".to_owned()],
            ..Targets::default()
        }
    }

    fn drawn(nemesis: Nemesis) -> Vec<Fault> {
        drawn_on(&targets(), &nemesis, 100)
    }

    /// Returns the faults of a nemesis on a lab, for this number of seeds.
    fn drawn_on(lab: &Targets, nemesis: &Nemesis, seeds: u64) -> Vec<Fault> {
        let of_seed = |seed| {
            let schedule = nemesis.schedule(seed, lab).unwrap();
            let faults = schedule.faults().iter();
            faults.map(|it| it.fault.clone()).collect::<Vec<_>>()
        };
        (0..seeds).flat_map(of_seed).collect()
    }

    #[test]
    fn clocks_go_wrong_in_all_four_ways_on_nodes_that_have_one() {
        let mut seen = [0; 4];
        for fault in drawn(Nemesis::wrong_clocks(20 * S)) {
            let Fault::Clock { node, change } = fault else {
                panic!("{fault} is none of a clock");
            };
            assert_eq!(node, NodeRef::from("b"));
            change.validate().unwrap();
            seen[match change {
                ClockFault::Offset(_) => 0,
                ClockFault::Jump(_) => 1,
                ClockFault::Drift(_) => 2,
                ClockFault::Freeze => 3,
                ClockFault::MonotonicDrift(_) => panic!("{change} is refused"),
            }] += 1;
        }
        assert!(seen.iter().all(|times| *times > 20), "{seen:?}");
    }

    #[test]
    fn disks_break_on_nodes_that_have_one_and_the_volume_is_named() {
        let mut volumes = [0; 2];
        for fault in drawn(Nemesis::broken_disks(20 * S)) {
            let Fault::Disk { node, volume, what } = fault else {
                panic!("{fault} is none of a disk");
            };
            assert_eq!(node, NodeRef::from("c"));
            what.validate().unwrap();
            volumes[usize::from(volume.as_deref() == Some("data"))] += 1;
        }
        assert!(volumes.iter().all(|times| *times > 100), "{volumes:?}");
    }

    #[test]
    fn everything_has_clocks_and_disks_where_there_are_such_nodes() {
        let is_special = |fault: &Fault| matches!(fault, Fault::Clock { .. } | Fault::Disk { .. });
        let mut nemesis = Nemesis::new(20 * S).wrong_clock(1).broken_disk(1);
        assert!(drawn(nemesis).iter().all(is_special));
        nemesis = Nemesis::everything(20 * S);
        let links = vec![("a–b".to_owned(), vec!["a".to_owned(), "b".to_owned()])];
        let mut lab = Targets { links, ..targets() };
        lab.nodes.push("d".to_owned());
        let specials = |lab: &Targets| {
            let all = (0..50).map(|seed| nemesis.schedule(seed, lab).unwrap());
            let all: Vec<_> = all.collect();
            let faults = all.iter().flat_map(|schedule| schedule.faults());
            faults.filter(|it| is_special(&it.fault)).count()
        };
        assert!(specials(&lab) > 20);
        (lab.clocks, lab.disks) = (Vec::new(), Vec::new());
        assert_eq!(specials(&lab), 0);
    }

    #[test]
    fn resources_get_scarce_and_name_servers_fail_in_all_ways() {
        let mut seen = [0; 3];
        for fault in drawn(Nemesis::scarce_resources(20 * S)) {
            let kinds = [
                matches!(fault, Fault::Slow { .. }),
                matches!(fault, Fault::Descriptors { .. }),
                matches!(fault, Fault::Memory { .. }),
            ];
            assert!(kinds.contains(&true), "{fault} is no scarcity");
            for (times, is_it) in seen.iter_mut().zip(kinds) {
                *times += u32::from(is_it);
            }
        }
        assert!(seen.iter().all(|times| *times > 20), "{seen:?}");
        let nemesis = Nemesis::failing_name_servers(20 * S);
        let mut effects = std::collections::BTreeSet::new();
        for seed in 0..100 {
            for it in nemesis.schedule(seed, &targets()).unwrap().faults() {
                let Fault::Dns { node, answers } = &it.fault else {
                    panic!("{} is none of a name server", it.fault);
                };
                assert_eq!(*node, NodeRef::from("a"));
                answers.parse().unwrap();
                let text = answers.to_string();
                effects.insert(text.split(' ').next().unwrap_or_default().to_owned());
            }
        }
        assert_eq!(effects.len(), 5, "{effects:?}");
    }

    /// The lab has three nodes, as most clusters have, then four, then one: faults that need more
    /// are left out.
    #[test]
    fn everything_does_what_there_are_nodes_and_links_for() {
        let mut lab = targets();
        let draw = |nemesis: &Nemesis, lab: &Targets| drawn_on(lab, nemesis, 50);
        let is_ring = |fault: &Fault| matches!(fault, Fault::Sever { .. });
        let is_on_link = |fault: &Fault| !fault.links().is_empty();
        for nemesis in [Nemesis::partitions(20 * S), Nemesis::everything(20 * S)] {
            let faults = draw(&nemesis, &lab);
            assert!(
                !faults.iter().any(|it| is_ring(it) || is_on_link(it)),
                "{faults:?}"
            );
            let parted = |it: &&Fault| matches!(it, Fault::Partition { .. });
            assert!(faults.iter().filter(parted).count() > 50);
        }
        lab.nodes.push("d".to_owned());
        assert!(draw(&Nemesis::partitions(20 * S), &lab).iter().any(is_ring));
        lab.nodes.truncate(1);
        (lab.clocks, lab.disks) = (Vec::new(), Vec::new());
        let faults = draw(&Nemesis::everything(20 * S), &lab);
        assert!(
            faults.iter().all(|it| it.nodes() == ["a".into()]),
            "{faults:?}"
        );
        let refused =
            |nemesis: Nemesis, lab: &Targets| nemesis.schedule(1, lab).unwrap_err().to_string();
        assert_eq!(
            refused(Nemesis::partitions(9 * S), &lab),
            "the nemesis: a split of the kind Halves takes 2 nodes, and there is 1 node to draw from"
        );
        assert_eq!(
            refused(Nemesis::bad_links(9 * S), &lab),
            "the nemesis: a cut of link any takes a link, and there is none"
        );
        lab.nodes.clear();
        assert_eq!(
            refused(Nemesis::everything(9 * S), &lab),
            "the nemesis: there is nothing that it may do"
        );
    }

    #[test]
    fn nodes_that_cannot_have_the_fault_are_named_with_the_remedy() {
        let refused = |nemesis: Nemesis| nemesis.schedule(1, &targets()).unwrap_err().to_string();
        assert_eq!(
            refused(Nemesis::wrong_clocks(9 * S).nodes(["a", "c"])),
            "the nemesis: a wrong clock takes a node that can have it, and each of those that it \
             draws from has the clock of the machine; ask for one that faults can change by \
             `NodeSpec::faulty_clock`"
        );
        assert_eq!(
            refused(Nemesis::broken_disks(9 * S).nodes(["a", "b"])),
            "the nemesis: a broken disk takes a node that can have it, and each of those that it \
             draws from has no volume with faults; mount one by `Volume::named(…).with_faults()`"
        );
        let full = Fault::disk_of(NodeRef::any(), "wal", DiskFault::full());
        let error = refused(Nemesis::new(9 * S).fault(1, full));
        assert!(error.contains("has no volume with faults"), "{error}");
        let frozen = Fault::clock("a", ClockFault::Freeze);
        let error = refused(Nemesis::new(9 * S).fault(1, frozen));
        assert!(
            error.ends_with(
                "node `a` has the clock of the machine; ask for one that faults can change by \
                 `NodeSpec::faulty_clock`"
            ),
            "{error}"
        );
    }
}
