//! A caller tells errors of a lab apart by kind and subject, without reading their sentences.

use std::error::Error;
use std::time::Duration;

use snowglobe::impair::Impairment;
use snowglobe::lab::{LabError, LabErrorKind, Subject};
use snowglobe::prelude::*;
use snowglobe::topology::{Engine, LinkSpec, NodeSpec, shape};

/// Number of "no such file or directory" on Linux.
const ENOENT: i32 = 2;

fn node(name: &str) -> Option<Subject> {
    Some(Subject::Node(name.to_owned()))
}

fn told(error: &LabError) -> (LabErrorKind, Option<Subject>) {
    (error.kind(), error.subject().cloned())
}

#[snowglobe::test]
fn a_removed_node_is_told_from_a_crashed_one() -> TestResult {
    let mut lab = shape::star(3).start()?;
    let [removed, crashed] = [0, 1].map(|number| lab.nodes().nth(number).unwrap().id());
    let names = [removed, crashed].map(|id| lab[id].name().to_owned());

    lab[crashed].crash()?;
    let error = lab[crashed].command("true").status().unwrap_err();
    assert_eq!(told(&error), (LabErrorKind::Crashed, node(&names[1])));

    lab.remove_node(removed)?;
    for error in [
        lab[removed].command("true").status().unwrap_err(),
        lab[removed].restart().unwrap_err(),
        lab.inspect(removed).unwrap_err(),
    ] {
        assert_eq!(told(&error), (LabErrorKind::Removed, node(&names[0])));
    }
    Ok(())
}

#[snowglobe::test]
fn a_removed_link_is_named() -> TestResult {
    let mut lab = shape::pair().start()?;
    let link = lab.links().next().unwrap().id();
    lab.remove_link(link)?;
    let subject = Some(Subject::Link(lab[link].name().to_owned()));
    for error in [
        lab[link].impair(Impairment::NONE).unwrap_err(),
        lab[link].cut().unwrap_err(),
        lab[link].rule(tcp(), Verdict::Drop).unwrap_err(),
    ] {
        assert_eq!(told(&error), (LabErrorKind::Removed, subject.clone()));
    }
    Ok(())
}

#[snowglobe::test]
fn an_engine_that_cannot_do_it_is_told_from_a_bad_value() -> TestResult {
    let mut topology = Topology::new();
    let (a, b) = (topology.node("a"), topology.node("b"));
    let huge = LinkSpec::new().mtu(65_535).engine(Engine::Tap);
    topology.link_with(a, b, huge);
    let error = topology.start().unwrap_err();
    let link = Some(Subject::Link("a–b".to_owned()));
    assert_eq!(told(&error), (LabErrorKind::NotSupported, link));
    assert_eq!(error.raw_os_error(), None);

    let lab = shape::pair().start()?;
    let link = lab.links().next().unwrap();
    let wrong = Impairment {
        loss: Percent(-1.0),
        ..Impairment::NONE
    };
    assert_eq!(
        link.impair(wrong).unwrap_err().kind(),
        LabErrorKind::InvalidArgument
    );
    let flapping = link.flap(Duration::ZERO).map(drop).unwrap_err();
    assert_eq!(flapping.kind(), LabErrorKind::InvalidArgument);
    Ok(())
}

#[snowglobe::test]
fn a_refusal_keeps_its_errno_and_its_source() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").unwrap();
    let error = alice.command("/no/such/program").status().unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotFound);
    assert_eq!(error.raw_os_error(), Some(ENOENT));
    assert!(error.source().is_some());

    lab.set_patience(Duration::from_millis(1));
    let error = lab.wait_until(|| false).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::TimedOut);
    Ok(())
}

#[snowglobe::test]
fn a_refusal_names_its_node() -> TestResult {
    let mut lab = shape::pair().start()?;
    let alice = lab.node("alice").unwrap();
    let mut with_zero_byte = alice.command("true");
    for (error, kind) in [
        (
            alice.command("/no/such/program").status().unwrap_err(),
            LabErrorKind::NotFound,
        ),
        (
            with_zero_byte.arg("a\0b").status().unwrap_err(),
            LabErrorKind::InvalidArgument,
        ),
        (
            alice.capture("eth7").map(drop).unwrap_err(),
            LabErrorKind::Refused,
        ),
    ] {
        assert_eq!(told(&error), (kind, node("alice")), "{error}");
    }

    let removed = alice.id();
    lab.remove_node(removed)?;
    let error = lab[removed].capture("eth0").map(drop).unwrap_err();
    assert_eq!(told(&error), (LabErrorKind::Removed, node("alice")));
    Ok(())
}

#[snowglobe::test]
fn a_lab_that_cannot_find_a_file_names_the_node() -> TestResult {
    let mut topology = Topology::new();
    topology.node(NodeSpec::new("a").bind("/data", "/no/such/dir"));
    let error = topology.start().unwrap_err();
    assert_eq!(told(&error), (LabErrorKind::NotFound, node("a")));
    assert_eq!(
        error.to_string(),
        "failed to find `/no/such/dir`, which node `a` mounts: ENOENT: No such file or directory"
    );
    Ok(())
}
