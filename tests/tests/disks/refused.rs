//! Faults are refused by name where they cannot reach.

use snowglobe::fault::{DiskFault, Fault};
use snowglobe::lab::LabErrorKind;
use snowglobe::prelude::*;
use snowglobe::topology::{Size, Unsynced};

use crate::support::{disk, has_fuse};

#[snowglobe::test]
fn a_volume_without_faults_cannot_have_any() -> TestResult {
    let mut topology = Topology::new();
    topology.node(NodeSpec::new("db").volume("/tmp/data", Volume::named("data")));
    let lab = topology.start()?;
    let refused = lab
        .inject(Fault::disk("db", DiskFault::full()))
        .unwrap_err();
    assert_eq!(refused.kind(), LabErrorKind::NotSupported);
    let text = refused.to_string();
    assert!(
        text.contains("node `db`") && text.contains("with_faults()"),
        "{text}"
    );
    assert!(lab.disk("data").is_err());
    Ok(())
}

#[snowglobe::test]
fn faults_that_make_no_sense_are_refused() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    for (fault, said) in [
        (
            Fault::disk("db", DiskFault::slow(Duration::ZERO)),
            "does nothing",
        ),
        (Fault::disk("db", DiskFault::bit_flip("")), "pattern"),
        (
            Fault::disk("db", DiskFault::bit_flip("*.log")),
            "no file that fits `*.log`",
        ),
        (Fault::disk("dba", DiskFault::full()), "it has `db`"),
        (
            Fault::disk_of("db", "dat", DiskFault::full()),
            "its volumes with faults are `data`",
        ),
    ] {
        let refused = lab.inject(fault).map(drop).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    Ok(())
}

#[snowglobe::test]
fn a_disk_with_faults_is_one_machines_and_has_a_name() -> TestResult {
    let data = || Volume::named("data").with_faults();
    let mut shared = Topology::new();
    shared.node(NodeSpec::new("a").volume("/tmp/data", data()));
    shared.node(NodeSpec::new("b").volume("/tmp/data", data()));
    let error = shared.start().map(drop).unwrap_err().to_string();
    assert!(error.contains("mounted more than once"), "{error}");
    let mut nameless = Topology::new();
    let scratch = Volume::tmpfs(Size::mib(1)).with_faults();
    nameless.node(NodeSpec::new("a").volume("/tmp/data", scratch));
    let error = nameless.start().map(drop).unwrap_err().to_string();
    assert!(error.contains("needs a name"), "{error}");
    Ok(())
}

/// What a user of this machine finds who may not open the device.
#[snowglobe::test]
fn a_host_without_the_device_is_named() -> TestResult {
    if has_fuse() {
        return Ok(());
    }
    let error = disk(Unsynced::Lost).start().map(drop).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotSupported);
    let text = error.to_string();
    assert!(
        text.contains("/dev/fuse") && text.contains("chmod 666"),
        "{text}"
    );
    // The trial has no such file. The host has it, or has it not, and the error is about the host.
    assert!(
        text.contains("on this host, the file has mode 0")
            || text.contains("this host has no such file (ENOENT"),
        "{text}"
    );
    Ok(())
}

#[snowglobe::test]
fn a_topology_keeps_its_disks_as_text() -> TestResult {
    let mut topology = disk(Unsynced::PartLost);
    let text = topology.to_toml()?;
    assert!(text.contains("faults = \"part_lost\""), "{text}");
    assert_eq!(Topology::from_toml(&text)?.to_toml()?, text);
    topology.node("other");
    Ok(())
}
