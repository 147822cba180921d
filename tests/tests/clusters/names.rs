//! Faults that name nodes and links by their ids, and what people read of them.

use snowglobe::events::EventKind;
use snowglobe::fault::{Fault, NodeRef, Schedule};
use snowglobe::lab::LabErrorKind;
use snowglobe::prelude::*;

use crate::{MS, nodes};

#[snowglobe::test]
fn ids_are_told_as_names() -> TestResult {
    let lab = nodes(2)?;
    let [first, second] = ["n1", "n2"].map(|name| lab.node(name).unwrap().id());
    let link = lab.links().next().ok_or("no link")?;
    let schedule = Schedule::new()
        .then(Duration::ZERO, MS, Fault::pause(first))
        .then(Duration::ZERO, MS, Fault::cut(link.id()));
    let run = lab.run_schedule(&schedule)?;
    let told = run.schedule().to_string();
    assert!(told.contains("pause of node `n1`"), "{told}");
    assert!(told.contains("cut of link `n1–lan`"), "{told}");
    assert!(run.schedule().to_toml()?.contains(r#"node = "n1""#));
    run.wait()?;
    // One node on both sides, by its id and by its name.
    let pairs = vec![[NodeRef::from(second), NodeRef::from("n2")]];
    let error = lab.inject(Fault::Sever { pairs }).unwrap_err().to_string();
    assert!(error.contains("no word between `n2` and `n2`"), "{error}");
    Ok(())
}

/// Nodes keep their ids when one before them is removed.
#[snowglobe::test]
fn an_id_means_the_same_node_after_another_was_removed() -> TestResult {
    let mut lab = nodes(3)?;
    let [first, second, third] = ["n1", "n2", "n3"].map(|name| lab.node(name).unwrap().id());
    let links: Vec<_> = lab.links().map(|link| link.id()).collect();
    lab.remove_node(first)?;
    let schedule = Schedule::new()
        .then(Duration::ZERO, MS, Fault::pause(third))
        .then(2 * MS, MS, Fault::cut(links[2]));
    lab.run_schedule(&schedule)?.wait()?;
    let told: Vec<String> = lab
        .events()
        .so_far()
        .iter()
        .filter(|event| matches!(event.kind, EventKind::FaultBegan { .. }))
        .map(|event| event.kind.to_string())
        .collect();
    assert_eq!(
        told,
        [
            "fault 1 began: pause of node `n3`",
            "fault 2 began: cut of link `n3–lan`",
        ]
    );
    let both = Fault::partition([NodeRef::from(second)], [NodeRef::from("n2")]);
    let both = Schedule::new().then(Duration::ZERO, MS, both);
    let error = lab.run_schedule(&both).unwrap_err().to_string();
    assert!(error.contains("`n2` is on both sides"), "{error}");
    // The node that is gone has a name still.
    let error = lab.inject(Fault::pause(first)).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::Removed);
    assert!(error.to_string().contains("`n1`"), "{error}");
    Ok(())
}
