//! Tests of faults, schedules and nemeses as values.

#[cfg(feature = "toml")]
mod places;

use std::time::Duration;

#[cfg(feature = "toml")]
use super::Schedule;
use super::{Fault, Nemesis, NodeRef, ScheduledFault, Split, Targets};
use crate::clock::{ClockFault, TimeShift};
use crate::direction::Direction;
use crate::disk::DiskFault;
use crate::dns::DnsFault;
use crate::impair::{Impairment, Percent};
use crate::topology::{LinkId, NodeId};

pub(super) fn samples() -> Vec<(Fault, &'static str)> {
    let lossy = Impairment {
        loss: Percent(5.0),
        ..Impairment::NONE
    };
    let mut samples = vec![
        (Fault::cut("a–b"), "cut of link `a–b`"),
        (
            Fault::cut_one_way(LinkId::new(3), Direction::BToA),
            "cut of link #3, b→a",
        ),
        (
            Fault::flap("a–b", Duration::from_millis(300)),
            "flapping of link `a–b` every 300ms",
        ),
        (
            Fault::degrade("a–b", lossy),
            "degradation of link `a–b`: loss 5 %",
        ),
        (
            Fault::partition_one_way(["a"], [NodeId::new(1)]),
            "partition of `a` from #1, one way",
        ),
        (Fault::pause("a"), "pause of node `a`"),
        (
            Fault::kill_processes("a"),
            "kill of all processes of node `a`",
        ),
        (Fault::crash("web/app"), "crash of node `web/app`"),
        (
            Fault::primaries_only(NodeRef::role("leader")),
            "no word between <leader> and <all>",
        ),
        (
            Fault::isolate(NodeRef::role("leader")),
            "partition of <leader> from <rest>",
        ),
        (
            Fault::dns(
                "ns",
                DnsFault::delay(Duration::from_millis(300)).of_name("bob"),
            ),
            "name server `ns`: delay of 300ms for `bob`",
        ),
        (
            Fault::clock(
                "a",
                ClockFault::Offset(TimeShift::behind(Duration::from_secs(90))),
            ),
            "clock of node `a` off by -90s",
        ),
        (
            Fault::disk("a", DiskFault::slow(Duration::from_millis(20))),
            "disk of node `a`: slower by 20ms",
        ),
        (
            Fault::disk_of("a", "data", DiskFault::bit_flip("**/*.log")),
            "disk `data` of node `a`: 1 flipped bit in `**/*.log`",
        ),
    ];
    samples.extend(samples_of_programs());
    samples
}

fn samples_of_programs() -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::restart("a"), "restart of node `a`"),
        (
            Fault::kill_program("a", "etcd"),
            "kill of program `etcd` of node `a`",
        ),
        (
            Fault::pause_program("a", "etcd"),
            "pause of program `etcd` of node `a`",
        ),
        (
            Fault::slow(NodeRef::role("leader"), Percent(5.0)),
            "slowdown of node <leader> to 5 % of the time",
        ),
        (
            Fault::descriptors("a", 16),
            "at most 16 open files for each process of node `a`",
        ),
        (Fault::memory("a", 0), "no more memory for node `a`"),
        (
            Fault::action_on("a", "upgrade"),
            "action `upgrade` on node `a`",
        ),
        (Fault::action("shrink"), "action `shrink`"),
    ]
}

#[test]
fn each_fault_has_a_sentence() {
    for (fault, sentence) in samples() {
        assert_eq!(fault.to_string(), sentence);
    }
}

#[test]
fn each_fault_survives_being_written_down() {
    for (fault, sentence) in samples() {
        let text = serde_json::to_string(&fault).unwrap();
        let read: Fault = serde_json::from_str(&text).unwrap();
        assert_eq!(read, fault, "{sentence}: {text}");
    }
}

#[test]
fn a_misspelt_field_is_refused() {
    let wrong = r#"{ "fault": "cut", "link": "a–b", "directoin": "a_to_b" }"#;
    let error = serde_json::from_str::<Fault>(wrong)
        .unwrap_err()
        .to_string();
    assert!(error.contains("directoin"), "{error}");
}

/// Keys have underscores, and values have hyphens. Values with underscores are read too.
#[test]
fn a_value_has_hyphens_and_is_read_with_underscores_too() {
    let cut = Fault::cut_one_way("a–b", Direction::AToB);
    let text = serde_json::to_string(&cut).unwrap();
    assert!(text.contains(r#""direction":"a-to-b""#), "{text}");
    for (kind, direction) in [("cut", "a-to-b"), ("cut", "a_to_b")] {
        let text = format!(r#"{{ "fault": "{kind}", "link": "a–b", "direction": "{direction}" }}"#);
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), cut);
    }
    for kind in ["kill-processes", "kill_processes"] {
        let text = format!(r#"{{ "fault": "{kind}", "node": "a" }}"#);
        let read: Fault = serde_json::from_str(&text).unwrap();
        assert_eq!(read, Fault::kill_processes("a"));
    }
    let wrong = r#"{ "fault": "kill processes", "node": "a" }"#;
    assert!(serde_json::from_str::<Fault>(wrong).is_err());
}

fn seven() -> Targets {
    let nodes: Vec<String> = (1..=7).map(|n| format!("n{n}")).collect();
    Targets {
        links: nodes
            .iter()
            .map(|node| (format!("{node}–lan"), vec![node.clone()]))
            .collect(),
        nodes,
        roles: vec!["leader".to_owned()],
        ..Targets::default()
    }
}

const S: Duration = Duration::from_secs(1);

#[test]
fn the_same_seed_makes_the_same_schedule_and_another_another() {
    let nemesis = Nemesis::everything(60 * S).side_by_side(2);
    let first = nemesis.schedule(7, &seven()).unwrap();
    assert_eq!(nemesis.schedule(7, &seven()).unwrap(), first);
    assert_ne!(nemesis.schedule(8, &seven()).unwrap(), first);
    assert!(first.faults().len() > 20, "{first}");
}

#[test]
fn all_is_healed_within_the_duration_and_begins_after_the_first_quiet() {
    for seed in 0..200 {
        let nemesis = Nemesis::everything(20 * S).first_after(3 * S);
        let schedule = nemesis.schedule(seed, &seven()).unwrap();
        for fault in schedule.faults() {
            assert!(fault.at >= 3 * S, "{fault}");
            assert!(fault.ends().unwrap() <= 20 * S, "{fault}");
        }
    }
}

/// Returns the pairs of nodes that do not hear each other.
fn severed(fault: &Fault) -> Vec<[String; 2]> {
    let name = |node: &NodeRef| node.to_string();
    if let Fault::Sever { pairs } = fault {
        return pairs.iter().map(|[a, b]| [name(a), name(b)]).collect();
    }
    let Fault::Partition { left, right, .. } = fault else {
        panic!("{fault} is no partition");
    };
    left.iter()
        .flat_map(|a| right.iter().map(move |b| [name(a), name(b)]))
        .collect()
}

/// Returns the names of those whom each of seven nodes hears, itself included.
fn heard(fault: &Fault) -> Vec<Vec<String>> {
    let severed = severed(fault);
    let names: Vec<String> = seven().nodes.iter().map(|it| format!("`{it}`")).collect();
    let hears = |a: &String, b: &String| {
        let parted =
            |pair: &[String; 2]| *pair == [a.clone(), b.clone()] || *pair == [b.clone(), a.clone()];
        !severed.iter().any(parted)
    };
    names
        .iter()
        .map(|a| names.iter().filter(|b| hears(a, b)).cloned().collect())
        .collect()
}

fn drawn(split: Split, seed: u64) -> Vec<Vec<String>> {
    let nemesis = Nemesis::new(10 * S).split(1, split);
    let schedule = nemesis.schedule(seed, &seven()).unwrap();
    heard(&schedule.faults()[0].fault)
}

/// Returns how many nodes each node hears, sorted.
fn sizes(split: Split, seed: u64) -> Vec<usize> {
    let mut sizes: Vec<usize> = drawn(split, seed).iter().map(Vec::len).collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn each_split_parts_the_nodes_as_its_name_says() {
    for seed in 0..50 {
        assert_eq!(sizes(Split::Halves, seed), [3, 3, 3, 4, 4, 4, 4]);
        assert_eq!(sizes(Split::One, seed), [1, 6, 6, 6, 6, 6, 6]);
        assert_eq!(sizes(Split::MinorityThird, seed), [2, 2, 5, 5, 5, 5, 5]);
        assert_eq!(sizes(Split::Bridge, seed), [4, 4, 4, 4, 4, 4, 7]);
        let minority = sizes(Split::Minority, seed);
        assert!((1..=3).contains(&minority[0]) && minority[6] == 7 - minority[0]);
        let mut rings = drawn(Split::MajoritiesRing, seed);
        assert!(
            rings.iter().all(|heard| (4..7).contains(&heard.len())),
            "{rings:?}"
        );
        rings.sort();
        rings.dedup();
        assert_eq!(rings.len(), 7);
    }
}

#[test]
fn a_swizzle_meets_each_node_once_and_heals_in_another_order() {
    let isolated = Fault::partition([NodeRef::any()], [NodeRef::rest()]);
    let nemesis = Nemesis::new(10 * S)
        .swizzle(1, isolated)
        .lasts(8 * S..=8 * S);
    let schedule = nemesis.schedule(3, &seven()).unwrap();
    let faults: &[ScheduledFault] = schedule.faults();
    assert_eq!(faults.len(), 7);
    let last_begin = faults.iter().map(|it| it.at).max().unwrap();
    let first_end = faults
        .iter()
        .filter_map(ScheduledFault::ends)
        .min()
        .unwrap();
    assert!(last_begin < first_end);
    let ends: Vec<_> = faults.iter().filter_map(ScheduledFault::ends).collect();
    assert!(!ends.is_sorted());
}

#[test]
fn a_swizzle_of_two_nodes_heals_in_another_order_with_every_seed() {
    let mut two = seven();
    two.nodes.truncate(2);
    two.links.truncate(2);
    let nemesis = Nemesis::new(10 * S)
        .swizzle(1, Fault::pause(NodeRef::any()))
        .lasts(8 * S..=8 * S);
    for seed in 0..50 {
        let schedule = nemesis.schedule(seed, &two).unwrap();
        let ends: Vec<_> = schedule.faults().iter().map(ScheduledFault::ends).collect();
        assert!(ends.len() == 2 && ends[1] < ends[0], "{schedule}");
    }
}

#[test]
fn what_is_done_to_node_after_node_has_a_place_for_each() {
    for nemesis in [
        Nemesis::new(10 * S).swizzle(1, Fault::pause("n1")),
        Nemesis::new(10 * S).rolling(1, Fault::cut("n1–lan")),
    ] {
        let error = nemesis.schedule(1, &seven()).unwrap_err().to_string();
        assert!(error.contains("name `NodeRef::any()` where"), "{error}");
    }
}

#[test]
fn rolling_restarts_never_overlap() {
    let nemesis = Nemesis::new(10 * S)
        .rolling(1, Fault::restart(NodeRef::any()))
        .lasts(7 * S..=7 * S);
    let schedule = nemesis.schedule(3, &seven()).unwrap();
    let faults = schedule.faults();
    assert_eq!(faults.len(), 7);
    let apart = |pair: &[ScheduledFault]| pair[0].ends().unwrap() < pair[1].at;
    assert!(faults.windows(2).all(apart));
}

#[test]
fn one_node_alone_may_be_parted_from_the_rest_of_the_lab() {
    let isolate = Fault::partition([NodeRef::any()], [NodeRef::rest()]);
    let nemesis = Nemesis::new(20 * S).fault(1, isolate).nodes(["n1"]);
    let parted = nemesis.schedule(1, &seven()).unwrap();
    assert!(!parted.faults().is_empty());
    let mut alone = seven();
    (alone.nodes, alone.links) = (vec!["n1".to_owned()], Vec::new());
    let error = nemesis.schedule(1, &alone).unwrap_err().to_string();
    assert!(
        error.contains("takes 2 nodes, and there is 1 node"),
        "{error}"
    );
}

#[test]
fn a_nemesis_that_cannot_be_is_refused() {
    let refused = |nemesis: Nemesis| nemesis.schedule(1, &seven()).unwrap_err().to_string();
    for (nemesis, why) in [
        (
            Nemesis::new(S),
            "the nemesis: there is nothing that it may do",
        ),
        (
            Nemesis::partitions(S).lasts(2 * S..=3 * S),
            "the nemesis: a fault lasts 2s at least, and begins after 0s; the 1s of the nemesis \
             have no room for that",
        ),
        (
            Nemesis::partitions(9 * S).nodes(["n1", "n9"]),
            "the nemesis: there is no node `n9`; there are `n1`, `n2`, `n3`, `n4`, `n5`, `n6`, `n7`",
        ),
        (
            Nemesis::new(9 * S)
                .split(1, Split::MajoritiesRing)
                .nodes(["n1", "n2"]),
            "the nemesis: a split of the kind MajoritiesRing takes 4 nodes, and there are 2 nodes to \
             draw from",
        ),
    ] {
        assert_eq!(refused(nemesis), why);
    }
    let error = refused(Nemesis::new(9 * S).fault(1, Fault::isolate(NodeRef::role("queen"))));
    assert!(
        error.ends_with("there is no role <queen>; there are `leader`"),
        "{error}"
    );
}

#[cfg(feature = "toml")]
#[test]
fn a_schedule_survives_being_written_down() {
    let mut schedule: Schedule = samples()
        .into_iter()
        .zip(1..)
        .map(|((fault, _), number)| ScheduledFault {
            at: number * S,
            waits: (number % 3 == 0).then_some(2 * S),
            lasts: (number % 2 == 0).then_some(S / 2),
            fault,
        })
        .collect();
    schedule = schedule.then(S, S, Fault::pause(NodeRef::role("leader")));
    let text = schedule.to_toml().unwrap();
    assert_eq!(Schedule::from_toml(&text).unwrap(), schedule, "{text}");
}

#[cfg(feature = "toml")]
#[test]
fn errors_of_a_schedule_name_their_places() {
    for (text, error) in [
        ("[[fault]\n", "line 1, column 9: "),
        (
            "[fault]\nat = '1s'",
            "line 1, column 1: `fault` is no list of tables",
        ),
        (
            "seed = 3",
            "line 1, column 1: unknown field `seed`, expected `fault`",
        ),
        (
            "\n[[fault]]\nfault = 'pause'\nnode = 'n1'",
            "line 2, column 1: missing field `at`",
        ),
        (
            "[[fault]]\nat = '1s'\nfault = 'pause'",
            "line 1, column 1: missing field `node`",
        ),
        (
            "[[fault]]\nat = '1s'\nfault = 'flapp'\nlink = 'a'",
            "line 3, column 9: unknown variant `flapp`",
        ),
        (
            "[[fault]]\nat = 'soon'\nfault = 'pause'\nnode = 'n1'",
            "line 2, column 6: ",
        ),
        (
            "[[fault]]\nat = '1s'\nlasts = 5\nfault = 'pause'\nnode = 'n1'",
            "line 3, column 9: ",
        ),
        (
            "[[fault]]\nat = '1s'\nfault = 'flap'\nlink = 'a'\nperiod = '3 parsecs'",
            "line 5, column 10: ",
        ),
        (
            "[[fault]]\nat = '1s'\nfault = 'pause'\nnode = 'n1'\nnods = 'n2'",
            "line 5, column 1: unknown field `nods`, expected `node`",
        ),
        (
            "[[fault]]\nat = '1s'\nfault = 'pause'\nnode = { rol = 'leader' }",
            "line 4, column 10: unknown field `rol`, expected `role`",
        ),
        (
            "[[fault]]\nat = '1s'\nfault = 'pause'\nnode = ['n1']",
            "line 4, column 8: invalid type: sequence, expected a name, or a role as in `{ role =",
        ),
    ] {
        let found = Schedule::from_toml(text).unwrap_err().to_string();
        assert!(found.starts_with(error), "{text}\n{found}");
    }
}

#[test]
fn a_hyphen_may_stand_for_the_dash_of_a_link() {
    for link in ["n1–lan", "n1-lan"] {
        let nemesis = Nemesis::new(10 * S).fault(1, Fault::cut(link));
        nemesis.schedule(1, &seven()).unwrap();
    }
    let nemesis = Nemesis::new(10 * S).fault(1, Fault::cut("n1_lan"));
    assert!(nemesis.schedule(1, &seven()).is_err());
}
