//! Errors of a schedule that a lab cannot carry out: each points at the field that is wrong.

use super::super::{Schedule, ScheduleErrorKind, Targets};

/// A lab with a node of each kind. `n1` has a clock, two disks and a name server, and `n2` nothing.
fn lab() -> Targets {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Targets {
        nodes: names(&["n1", "n2"]),
        links: vec![("n1–lan".to_owned(), names(&["n1"]))],
        roles: names(&["leader"]),
        clocks: names(&["n1"]),
        disks: ["data", "wal"]
            .map(|disk| ("n1".to_owned(), disk.to_owned()))
            .to_vec(),
        name_servers: names(&["n1"]),
        ..Targets::default()
    }
}

/// Tries the lines of a fault, in which `»` stands before the place that the error points at.
fn refused(marked: &str, why: &str) {
    let marked = format!("# ü\n\n[[fault]]\nat = '1s'\n{marked}");
    let (before, _) = marked.split_once('»').expect("a mark");
    let line = before.lines().count();
    let column = before.lines().last().unwrap().chars().count() + 1;
    let text = marked.replace('»', "");
    let schedule = Schedule::from_toml(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let error = schedule.check(&lab()).expect_err(&text);
    assert!(error.to_string().contains(why), "{text}\n{error}");
    assert_eq!(error.place(), Some((line, column)), "{text}\n{error}");
    // A schedule with names in the places of ids has the places of its text still.
    let named = schedule.named(&lab()).check(&lab()).unwrap_err();
    assert_eq!(named.place(), error.place());
}

/// Faults with a wrong name, and words of the errors.
const NAMES: &[(&str, &str)] = &[
    (
        "fault = 'pause'\nnode = »'n9'",
        "there is no node `n9`; there are `n1`",
    ),
    ("fault = 'pause'\nnode = »9", "there is no node #9"),
    (
        "fault = 'pause'\nnode = »'leader'",
        "there is no node `leader`, but there is a role of this name: write \
             `NodeRef::role(\"leader\")`, or `{ role = \"leader\" }` in TOML",
    ),
    (
        "fault = 'cut'\nlink = »'x'",
        "there is no link `x`; there are `n1–lan`",
    ),
    (
        "fault = 'cut'\nlink = »'leader'",
        "write `LinkRef::role(\"leader\")`",
    ),
    (
        "fault = 'pause'\nnode = »{ role = 'queen' }",
        "there is no role <queen>",
    ),
    (
        "fault = 'pause'\nnode = »{ role = 'any' }",
        "only a nemesis draws",
    ),
    (
        "fault = 'pause'\nnode = »{ role = 'all' }",
        "there is no role <all>",
    ),
    (
        "fault = 'partition'\nleft = ['n1']\nright = [\n  'n2',\n  »'n7' ]",
        "there is no node `n7`",
    ),
    (
        "fault = 'partition'\nleft = ['n1']\nright = ['n2', »'n1']",
        "node `n1` is on both sides",
    ),
    (
        "fault = 'partition'\nleft = »[]\nright = ['n2']",
        "a side of the partition has no node",
    ),
    (
        "fault = 'partition'\nleft = [{ role = 'all' }]\nright = »[{ role = 'rest' }]",
        "a side of the partition has no node",
    ),
    (
        "fault = 'sever'\npairs = [['n1', 'n2'], ['n2', »'n3']]",
        "there is no node `n3`",
    ),
    ("fault = 'sever'\npairs = [»['n1', 'n1']]", "name two nodes"),
    (
        "fault = 'action'\naction = »'grow'",
        "there is no action `grow`, and no other",
    ),
    (
        "fault = 'kill-program'\nnode = 'n1'\nprogram = »''",
        "no program has an empty name",
    ),
    (
        "fault = 'disk'\nnode = 'n1'\nvolume = »'other'\nwhat = { kind = 'full' }",
        "node `n1` has no volume `other` with faults",
    ),
    (
        "fault = 'disk'\nnode = »'n1'\nwhat = { kind = 'full' }",
        "node `n1` has several volumes with faults, data, wal; name one",
    ),
    (
        "fault = 'disk'\nwhat = { kind = 'full' }\nnode = »'n2'",
        "node `n2` has no volume with faults",
    ),
    (
        "fault = 'clock'\nchange = 'freeze'\nnode = »'n2'",
        "node `n2` has the clock of the machine",
    ),
    (
        "fault = 'dns'\nanswers = { effect = 'servfail' }\nnode = »'n2'",
        "node `n2` has no name server",
    ),
];

#[test]
fn a_name_that_is_wrong_is_pointed_at() {
    for (fault, why) in NAMES {
        refused(fault, why);
    }
}

/// Faults with a wrong value, and words of the errors.
const VALUES: &[(&str, &str)] = &[
    (
        "lasts = »'0s'\nfault = 'pause'\nnode = 'n1'",
        "a fault has to last for some time",
    ),
    (
        "fault = 'flap'\nlink = 'n1–lan'\nperiod = »'0s'",
        "a link cannot flap with a period of 0s; give 1ms at least",
    ),
    (
        "fault = 'flap'\nlink = 'n1–lan'\nperiod = »'1ns'",
        "a link cannot flap with a period of 1ns; give 1ms at least",
    ),
    (
        "fault = 'flap'\nlink = 'n1–lan'\nperiod = »'999us'",
        "give 1ms at least",
    ),
    (
        "fault = 'slow'\nnode = 'n1'\nshare = »'130%'",
        "a share of 130 % is not between 0.1 % and 100 %",
    ),
    (
        "fault = 'slow'\nnode = 'n1'\nshare = »'0.0001%'",
        "is not between 0.1 % and 100 %",
    ),
    (
        "fault = 'slow'\nnode = 'n1'\nshare = »'100%'",
        "give a share below 100 %",
    ),
    (
        "fault = 'memory'\nnode = 'n1'\nspare_kb = »9000000000000000",
        "give less than 128 TiB",
    ),
    (
        "fault = 'degrade'\nlink = 'n1–lan'\nimpairment = { delay = '1ms', loss = »'130%' }",
        "loss of 130 %",
    ),
    (
        "fault = 'degrade'\nlink = 'n1–lan'\n[fault.impairment]\ndelay = »'90h'",
        "delay of",
    ),
    (
        "fault = 'degrade'\nlink = 'n1–lan'\nimpairment = »{}",
        "changes nothing of the link",
    ),
    (
        "fault = 'clock'\nnode = 'n1'\nchange = { drift = »2000000 }",
        "a drift of 2000000 parts per million",
    ),
    (
        "fault = 'clock'\nnode = 'n1'\nchange = { drift = »-2147483648 }",
        "a drift of -2147483648 parts per million",
    ),
    (
        "fault = 'clock'\nnode = 'n1'\nchange = { drift = »0 }",
        "a number that is not 0",
    ),
    (
        "fault = 'clock'\nnode = 'n1'\nchange = { jump = »'0s' }",
        "give a time",
    ),
    (
        "fault = 'clock'\nnode = 'n1'\nchange = { monotonic-drift = »5 }",
        "monotonic clocks that drift",
    ),
    (
        "fault = 'dns'\nnode = 'n1'\nanswers = { effect = { delay = »'0s' } }",
        "give a delay that is not 0",
    ),
    (
        "fault = 'dns'\nnode = 'n1'\nanswers = { effect = 'servfail', name = »'a..b' }",
        "a..b",
    ),
    (
        "fault = 'dns'\nnode = 'n1'\nanswers = { effect = { answer = »['A nonsense'] } }",
        "nonsense",
    ),
];

#[test]
fn a_value_that_is_wrong_is_pointed_at() {
    for (fault, why) in VALUES {
        refused(fault, why);
    }
}

#[test]
fn a_value_of_a_disk_that_is_wrong_is_pointed_at() {
    for (what, why) in [
        ("kind = 'full', free = »'1 GiB'", "a disk has 1 GiB in all"),
        ("kind = 'slow', rate = »'0 B'", "would stop the disk"),
        ("kind = 'io', reads = '1%', writes = »'101%'", "of writes"),
        ("kind = 'bit-flip', path = »'', bits = 1", "fits no path"),
        (
            "kind = 'bit-flip', path = 'a', bits = »0",
            "a number of bits",
        ),
        (
            "kind = 'truncate', path = 'a', by = »'0 B'",
            "a number of bytes",
        ),
    ] {
        let fault = format!("fault = 'disk'\nnode = 'n1'\nvolume = 'wal'\nwhat = {{ {what} }}");
        refused(&fault, why);
    }
    let fault = "fault = 'disk'\nnode = 'n1'\nvolume = 'wal'\nwhat = »{ kind = 'slow' }";
    refused(fault, "give a delay or a rate");
}

/// A schedule that code has changed is no longer that of the text.
#[test]
fn a_changed_schedule_has_no_place() {
    let pause = |node| format!("[[fault]]\nat = '1s'\nfault = 'pause'\nnode = '{node}'\n");
    let mut schedule = Schedule::from_toml(&(pause("n1") + &pause("n9"))).unwrap();
    let error = schedule.check(&lab()).unwrap_err();
    assert_eq!(error.kind(), ScheduleErrorKind::Unknown);
    assert_eq!(error.place(), Some((8, 8)));
    schedule.push(schedule.faults()[0].clone());
    assert_eq!(schedule.check(&lab()).unwrap_err().place(), None);
}
