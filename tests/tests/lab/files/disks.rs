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
    let lab = topology.start()?;
    lab[a].run(|| fs::write("/srv/site/index.html", "hello"))?;
    assert_eq!(
        lab[b].run(|| fs::read_to_string("/data/index.html"))?,
        "hello"
    );
    assert!(lab[c].run(|| fs::read_dir("/srv/site")).is_err());
    lab[a].crash()?;
    lab[b].restart()?;
    assert_eq!(
        lab[b].run(|| fs::read_to_string("/data/index.html"))?,
        "hello"
    );
    assert_eq!(
        fs::read_to_string(lab.volume("site")?.join("index.html"))?,
        "hello"
    );
    Ok(())
}

/// What a clone begins with belongs to others, and is not copied before it is written to.
#[snowglobe::test]
fn a_clone_begins_with_other_files_and_leaves_them_alone() -> TestResult {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let origin = tempfile::tempdir()?;
    let big = fs::File::create(origin.path().join("big"))?;
    big.set_len(300 << 20)?;
    fs::write(origin.path().join("file"), "before")?;
    fs::set_permissions(origin.path(), fs::Permissions::from_mode(0o700))?;
    let mut topology = Topology::new();
    let own = |name: &str| NodeSpec::new(name).volume("/tmp/own", Volume::clone_of(origin.path()));
    let shared = Volume::named_clone("shared", origin.path());
    let a = topology.node(own("a").volume("/tmp/shared", shared.clone()));
    let b = topology.node(own("b").volume("/tmp/shared", shared));
    let lab = topology.start()?;
    let read = |node: NodeId, path: &'static str| lab[node].run(move || fs::read_to_string(path));
    for (node, path) in [(a, "/tmp/own/file"), (b, "/tmp/shared/file")] {
        assert_eq!(read(node, path)?, "before");
    }
    let mode = lab[a].run(|| fs::metadata("/tmp/own").map(|meta| meta.mode()))?;
    assert_eq!(mode & 0o7777, 0o700);
    lab[a].run(|| fs::write("/tmp/own/file", "own"))?;
    lab[a].run(|| fs::write("/tmp/shared/file", "shared"))?;
    assert_eq!(read(a, "/tmp/own/file")?, "own");
    assert_eq!(read(b, "/tmp/own/file")?, "before");
    assert_eq!(read(b, "/tmp/shared/file")?, "shared");
    assert_eq!(
        fs::read_to_string(lab.volume("shared")?.join("file"))?,
        "shared"
    );
    lab[a].crash()?;
    lab[a].restart()?;
    assert_eq!(read(a, "/tmp/own/file")?, "own");
    assert_eq!(fs::read_to_string(origin.path().join("file"))?, "before");
    let used = blocks_below(std::path::Path::new("/run/snowglobe"))?;
    assert!(used * 512 < 1 << 20, "{used} blocks");
    Ok(())
}

fn blocks_below(path: &std::path::Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut blocks = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        // The clones themselves are mounts, on a device of their own each.
        if meta.dev() != fs::metadata("/run")?.dev() {
            continue;
        }
        blocks += meta.blocks();
        if meta.is_dir() {
            blocks += blocks_below(&entry.path())?;
        }
    }
    Ok(blocks)
}

#[snowglobe::test]
fn a_clone_of_what_is_not_there_is_an_error() -> TestResult {
    for (of, said) in [
        (
            snowglobe::topology::Rootfs::from("no/such/files"),
            "no/such/files",
        ),
        (
            snowglobe::topology::Rootfs::Fixture("redes".into()),
            "redes",
        ),
    ] {
        let mut topology = Topology::new();
        topology.node(NodeSpec::new("a").volume("/tmp/own", Volume::clone_of(of)));
        let error = topology.start().map(drop).unwrap_err().to_string();
        assert!(
            error.contains(said) && error.contains("node `a`"),
            "{error}"
        );
    }
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
