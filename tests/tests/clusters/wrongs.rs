//! Nemeses that make clocks wrong and break disks, on the nodes of a lab that can have that; and
//! faults that would change nothing.

use std::time::SystemTime;

use snowglobe::events::EventKind;
use snowglobe::fault::{
    ClockFault, DiskFault, Fault, Nemesis, NodeRef, Schedule, ScheduleErrorKind,
};
use snowglobe::lab::LabErrorKind;
use snowglobe::prelude::*;
use snowglobe_tests::has_fuse;

use crate::{MS, nodes};

/// Starts three nodes: one with a clock of its own, one with a disk that breaks where this user may
/// have one, one with neither.
fn lab(has_disks: bool) -> TestResult<Lab> {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let disk = Volume::named("disk");
    let disk = if has_disks { disk.with_faults() } else { disk };
    for node in [
        NodeSpec::new("clock").faulty_clock(),
        NodeSpec::new("disk").volume("/tmp/data", disk),
        NodeSpec::new("plain"),
    ] {
        let node = topology.node(node);
        topology.plug(node, lan);
    }
    Ok(topology.start()?)
}

/// Returns the faults that have begun so far.
fn begun(lab: &Lab) -> Vec<Fault> {
    let events = lab.events().so_far().into_iter();
    let faults = events.filter_map(|event| match &event.kind {
        EventKind::FaultBegan { fault, .. } => Some(fault.clone()),
        _ => None,
    });
    faults.collect()
}

#[snowglobe::test]
fn a_nemesis_of_clocks_keeps_to_the_node_that_has_one() -> TestResult {
    let lab = lab(false)?;
    let node = lab.node("clock").ok_or("no node")?;
    let seconds = || -> TestResult<f64> {
        Ok(node
            .command("date")
            .arg("+%s.%N")
            .output()?
            .stdout_str()
            .trim()
            .parse()?)
    };
    let off = || -> TestResult<f64> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok((seconds()? - now.as_secs_f64()).abs())
    };
    let nemesis = Nemesis::wrong_clocks(600 * MS)
        .quiet(MS..=10 * MS)
        .lasts(50 * MS..=100 * MS);
    lab.nemesis(&nemesis)?.wait()?;
    let faults = begun(&lab);
    assert!(faults.len() > 3, "{faults:?}");
    let of_clock = |fault: &Fault| fault.to_string().starts_with("clock of node `clock` ");
    assert!(faults.iter().all(of_clock), "{faults:?}");
    // All is healed, so that the clock is right again. Between two readings a busy machine may
    // sleep, but not for a minute.
    assert!(off()? < 60.0);
    // The node still takes faults of its clock after all those.
    let run = lab.inject(Fault::clock("clock", ClockFault::Freeze))?;
    let first = seconds()?;
    assert_eq!(seconds()?, first);
    drop(run);
    Ok(())
}

#[snowglobe::test]
fn a_nemesis_of_everything_breaks_disks_and_clocks_where_there_are_any() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = lab(true)?;
    let nemesis = Nemesis::broken_disks(400 * MS)
        .wrong_clock(1)
        .quiet(MS..=5 * MS)
        .lasts(20 * MS..=40 * MS);
    lab.nemesis(&nemesis)?.wait()?;
    let faults = begun(&lab);
    let of = |what: &str| {
        faults
            .iter()
            .filter(|it| it.to_string().starts_with(what))
            .count()
    };
    assert!(of("disk `disk` of node `disk`: ") > 0, "{faults:?}");
    assert_eq!(
        of("disk ") + of("clock of node `clock` "),
        faults.len(),
        "{faults:?}"
    );
    // Healed: what could not be written before can be.
    let node = lab.node("disk").ok_or("no node")?;
    let write = "echo text > /tmp/data/file && sync /tmp/data/file";
    assert!(node.command("sh").args(["-c", write]).status()?.success());
    Ok(())
}

#[snowglobe::test]
fn nodes_that_cannot_have_the_faults_are_told_before_anything_begins() -> TestResult {
    let plain = nodes(2)?;
    for (nemesis, why) in [
        (Nemesis::wrong_clocks(10 * MS), "`NodeSpec::faulty_clock`"),
        (
            Nemesis::broken_disks(10 * MS),
            "`Volume::named(…).with_faults()`",
        ),
    ] {
        let nemesis = nemesis.lasts(MS..=2 * MS);
        let error = plain.draw(&nemesis).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let has_disks = has_fuse();
    let lab = lab(has_disks)?;
    let text = "[[fault]]\nat = '0s'\nfault = 'pause'\nnode = 'plain'\n\n\
                [[fault]]\nat = '0s'\nfault = 'clock'\nnode = 'plain'\nchange = { offset = '-1h' }\n";
    let error = lab.run_schedule(&Schedule::from_toml(text)?).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("line 9, column 8"), "{text}");
    assert!(
        text.contains("node `plain` has the clock of the machine"),
        "{text}"
    );
    assert!(begun(&lab).is_empty());
    if !has_disks {
        return Ok(());
    }
    let schedule = Schedule::new().from_then_on(
        Duration::ZERO,
        Fault::disk_of("disk", "wal", DiskFault::full()),
    );
    let error = schedule.check(&lab.view().targets()).unwrap_err();
    assert_eq!(error.kind(), ScheduleErrorKind::Unknown);
    let why = "node `disk` has no volume `wal` with faults; its volumes with faults are `disk`";
    assert!(error.to_string().ends_with(why), "{error}");
    Ok(())
}

/// Under a fault that changes nothing, a test would pass that tests nothing.
#[snowglobe::test]
fn a_fault_that_would_change_nothing_is_refused() -> TestResult {
    let lab = lab(false)?;
    let link = lab.links().next().ok_or("no link")?;
    let refused = |text: String| {
        assert!(text.starts_with("failed to inject the fault `"), "{text}");
        text
    };
    for (fault, why) in [
        (
            Fault::degrade(link.id(), Impairment::NONE),
            "changes nothing of the link",
        ),
        (
            Fault::corrupt(link.id(), Percent(0.0)),
            "changes nothing of the link",
        ),
        (
            Fault::clock("clock", ClockFault::Drift(0)),
            "drifts by 0 ppm is right",
        ),
        (
            Fault::slow("plain", Percent(100.0)),
            "give a share below 100 %",
        ),
        (
            Fault::Sever {
                pairs: vec![["plain".into(), "plain".into()]],
            },
            "name two nodes",
        ),
    ] {
        let text = refused(lab.inject(fault).unwrap_err().to_string());
        assert!(text.contains(why), "{text}");
    }
    let text = refused(link.degrade(Impairment::NONE).unwrap_err().to_string());
    assert!(text.contains("changes nothing of the link"), "{text}");
    let ids: Vec<_> = lab.nodes().map(|node| node.id()).collect();
    for (left, right) in [(&ids[..0], &ids[..]), (&ids[..], &ids[..0])] {
        for error in [
            lab.partition(left, right),
            lab.partition_one_way(left, right),
        ] {
            let text = refused(error.unwrap_err().to_string());
            assert!(
                text.contains("a side of the partition has no node"),
                "{text}"
            );
        }
    }
    // The nodes with a role are known late. A schedule leaves such a fault out, as one of a node
    // that is not there.
    lab.role("leader", move |_| ids[..1].to_vec());
    let first = lab.nodes().next().ok_or("no node")?.name().to_owned();
    let alone = Fault::Sever {
        pairs: vec![[NodeRef::role("leader"), first.as_str().into()]],
    };
    let error = lab.inject(alone.clone()).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotFound, "{error}");
    let schedule = Schedule::new().then(Duration::ZERO, MS, alone);
    let mut steps = lab.schedule_in_steps(&schedule)?;
    steps.advance(schedule.duration())?;
    assert_eq!(steps.skipped(), 1);
    assert!(begun(&lab).is_empty());
    Ok(())
}

/// The dash between the nodes of a link is on no keyboard.
#[snowglobe::test]
fn a_hyphen_stands_for_the_dash_of_a_link() -> TestResult {
    let mut topology = Topology::new();
    let [ab, c, a, bc] = ["a-b", "c", "a", "b-c"].map(|name| topology.node(name));
    topology.link(ab, c);
    topology.link(a, bc);
    topology.link(ab, bc);
    let lab = topology.start()?;
    let text = "[[fault]]\nat = '0s'\nlasts = '10ms'\nfault = 'cut'\nlink = 'a-b-b-c'\n";
    lab.run_schedule(&Schedule::from_toml(text)?)?.wait()?;
    let cut = |fault: &Fault| fault.to_string() == "cut of link `a-b–b-c`";
    assert!(begun(&lab).iter().all(cut) && begun(&lab).len() == 1);
    lab.inject(Fault::cut("a-b–c"))?.heal()?;
    let two = lab.inject(Fault::cut("a-b-c")).unwrap_err().to_string();
    assert!(two.contains("several links `a-b-c`"), "{two}");
    Ok(())
}
