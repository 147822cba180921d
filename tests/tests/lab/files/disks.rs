//! Nodes have volumes, binds and root filesystems.

use std::fs;

use snowglobe::prelude::*;
use snowglobe::topology::Size;

#[snowglobe::test]
fn a_named_volume_is_shared_and_survives_its_nodes() -> TestResult {
    let mut topology = Topology::new();
    let a = topology.node(NodeSpec::new("a").volume("/srv/site", Volume::named("site")));
    let b = topology.node(NodeSpec::new("b").volume("/data", Volume::named("site")));
    let c = topology.node("c");
    let lab = topology.start().map(drop).unwrap_err().to_string();
    // The trial's `/srv` is the host's, which cannot be written to.
    assert!(
        lab.contains("node `a`") && lab.contains("mount point"),
        "{lab}"
    );
    topology.edit_node(a, |_| {
        NodeSpec::new("a").volume("/tmp/site", Volume::named("site"))
    });
    topology.edit_node(b, |_| {
        NodeSpec::new("b").volume("/run/data", Volume::named("site"))
    });
    let lab = topology.start()?;
    lab[a].run(|| fs::write("/tmp/site/index.html", "hello"))?;
    assert_eq!(
        lab[b].run(|| fs::read_to_string("/run/data/index.html"))?,
        "hello"
    );
    assert!(lab[c].run(|| fs::read_dir("/tmp/site")).is_err());
    lab[a].crash()?;
    lab[b].restart()?;
    assert_eq!(
        lab[b].run(|| fs::read_to_string("/run/data/index.html"))?,
        "hello"
    );
    assert_eq!(
        fs::read_to_string(lab.volume("site")?.join("index.html"))?,
        "hello"
    );
    Ok(())
}

#[snowglobe::test]
fn a_tmpfs_has_the_size_that_it_was_given() -> TestResult {
    let mut topology = Topology::new();
    let a = topology.node(NodeSpec::new("a").volume("/tmp/small", Volume::tmpfs(Size::kib(64))));
    let lab = topology.start()?;
    lab[a].run(|| fs::write("/tmp/small/fits", [0; 32 << 10]))?;
    let error = lab[a]
        .run(|| fs::write("/tmp/small/does-not", [0; 128 << 10]))
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    Ok(())
}

#[snowglobe::test]
fn binds_show_the_workspace_writable_or_not() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    fs::write(dir.path().join("file"), "from outside")?;
    let mut topology = Topology::new();
    let a = topology.node(
        NodeSpec::new("a")
            .bind("/tmp/rw", dir.path())
            .bind_read_only("/tmp/ro", dir.path()),
    );
    let lab = topology.start()?;
    assert_eq!(
        lab[a].run(|| fs::read_to_string("/tmp/ro/file"))?,
        "from outside"
    );
    assert!(lab[a].run(|| fs::write("/tmp/ro/file", "no")).is_err());
    lab[a].run(|| fs::write("/tmp/rw/file", "from inside"))?;
    assert_eq!(fs::read_to_string(dir.path().join("file"))?, "from inside");

    topology.edit_node(a, |spec| spec.bind("/tmp/none", "no/such/dir"));
    let error = topology.start().map(drop).unwrap_err().to_string();
    assert!(
        error.contains("`no/such/dir`, which node `a` mounts: ENOENT"),
        "{error}"
    );
    Ok(())
}
