//! A power cut leaves what was synced, and takes the rest or a part of it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use snowglobe::events::EventKind;
use snowglobe::fault::{DiskFault, Fault};
use snowglobe::prelude::*;
use snowglobe::topology::Unsynced;

use crate::support::{db, disk, has_fuse, read, write_synced};

#[snowglobe::test]
fn a_crash_takes_what_was_not_synced() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    write_synced(node, "/tmp/data/kept", b"durable")?;
    let open = node.run(|| OpenOptions::new().write(true).open("/tmp/data/kept"))?;
    open.write_all_at(b"DURABLE and more", 0)?;
    node.run(|| fs::write("/tmp/data/new", "text"))?;
    // All of it can be read until the power is cut.
    assert_eq!(read(node, "/tmp/data/new")?, b"text");
    node.crash()?;
    assert!(open.sync_all().is_err());
    node.restart()?;
    assert_eq!(read(node, "/tmp/data/kept")?, b"durable");
    assert!(read(node, "/tmp/data/new").is_err());
    let lost = lab
        .events()
        .so_far()
        .into_iter()
        .find_map(|event| match event.kind {
            EventKind::DiskLost { loss, .. } => Some(loss),
            _ => None,
        });
    assert_eq!(lost.ok_or("the loss is an event")?.changes_lost, 1);
    Ok(())
}

#[snowglobe::test]
fn programs_that_are_killed_lose_nothing() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    node.run(|| fs::write("/tmp/data/file", "text"))?;
    node.kill_processes()?;
    node.restart()?;
    assert_eq!(read(node, "/tmp/data/file")?, b"text");
    Ok(())
}

/// The classic mistake: a new version is written and renamed over the old one without a sync.
#[snowglobe::test]
fn a_file_that_is_renamed_without_a_sync_may_be_empty() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    for (syncs, left) in [(false, &b""[..]), (true, b"new")] {
        write_synced(node, "/tmp/data/config", b"old")?;
        node.run(|| -> std::io::Result<()> {
            let mut file = File::create("/tmp/data/config.tmp")?;
            file.write_all(b"new")?;
            if syncs {
                file.sync_data()?;
            }
            fs::rename("/tmp/data/config.tmp", "/tmp/data/config")?;
            // Another file, or the directory: all changes of names share a journal.
            File::open("/tmp/data")?.sync_all()
        })?;
        node.crash()?;
        node.restart()?;
        assert_eq!(read(node, "/tmp/data/config")?, left, "synced: {syncs}");
    }
    Ok(())
}

#[snowglobe::test(seed = 11)]
fn the_seed_chooses_what_a_crash_takes() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let once = || -> TestResult<Vec<u8>> {
        let lab = disk(Unsynced::PartLost).start()?;
        let node = db(&lab);
        write_synced(node, "/tmp/data/file", &[1; 64 << 10])?;
        let open = node.run(|| OpenOptions::new().write(true).open("/tmp/data/file"))?;
        open.write_all_at(&[2; 64 << 10], 0)?;
        // In the disk, and not durable.
        lab.disk("data")?.snapshot()?;
        node.crash()?;
        node.restart()?;
        Ok(read(node, "/tmp/data/file")?)
    };
    let left = once()?;
    assert!(left.contains(&1) && left.contains(&2));
    assert!(
        left.chunks(4096)
            .all(|block| block.iter().all(|byte| *byte == block[0]))
    );
    assert_eq!(left, once()?);
    Ok(())
}

#[snowglobe::test(seed = 11)]
fn a_torn_block_is_new_in_part() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    write_synced(node, "/tmp/data/file", &[1; 8192])?;
    let _torn = lab.inject(Fault::disk("db", DiskFault::Torn))?;
    let open = node.run(|| OpenOptions::new().write(true).open("/tmp/data/file"))?;
    open.write_all_at(&[2; 8192], 0)?;
    lab.disk("data")?.snapshot()?;
    node.crash()?;
    node.restart()?;
    let left = read(node, "/tmp/data/file")?;
    assert!(left[..4096].contains(&1) && left[..4096].contains(&2));
    assert!(
        left.chunks(512)
            .all(|sector| sector.iter().all(|byte| *byte == sector[0]))
    );
    Ok(())
}

/// Returns a node with two disks.
fn with_two_disks() -> NodeSpec {
    NodeSpec::new("two")
        .volume("/tmp/one", Volume::named("one").with_faults())
        .volume("/tmp/other", Volume::named("other").with_faults())
}

/// Writes a file in the node and leaves it in the cache.
fn write(node: &snowglobe::lab::Node, path: &str) -> std::io::Result<()> {
    node.run(|| fs::write(path, "text"))
}

#[snowglobe::test]
fn a_sync_of_all_filesystems_keeps_all_disks_of_its_node() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let mut topology = Topology::new();
    topology.node(with_two_disks());
    let apart = Volume::named("apart").with_faults();
    topology.node(NodeSpec::new("apart").volume("/tmp/apart", apart));
    let lab = topology.start()?;
    let (two, apart) = (
        lab.node("two").ok_or("no two")?,
        lab.node("apart").ok_or("no apart")?,
    );
    // Twice: after a crash the node has another network, and its disks another mount.
    for turn in ["first", "second"] {
        let at = |disk: &str| format!("/tmp/{disk}/{turn}");
        write(two, &at("one"))?;
        write(two, &at("other"))?;
        write(apart, &at("apart"))?;
        assert!(two.command("sync").status()?.success());
        let late = format!("/tmp/one/late-{turn}");
        write(two, &late)?;
        for node in [two, apart] {
            node.crash()?;
            node.restart()?;
        }
        assert_eq!(read(two, at("one"))?, b"text");
        assert_eq!(read(two, at("other"))?, b"text");
        assert!(read(two, &late).is_err());
        // Another machine's sync is none of its own.
        assert!(read(apart, at("apart")).is_err());
    }
    Ok(())
}

#[snowglobe::test]
fn a_sync_of_one_filesystem_keeps_that_disk_alone() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let mut topology = Topology::new();
    topology.node(with_two_disks());
    let lab = topology.start()?;
    let two = lab.node("two").ok_or("no two")?;
    write(two, "/tmp/one/file")?;
    write(two, "/tmp/other/file")?;
    // syncfs(2) of the filesystem of this file (sync(1)).
    let status = two.command("sync").args(["-f", "/tmp/one/file"]).status()?;
    assert!(status.success());
    two.crash()?;
    two.restart()?;
    assert_eq!(read(two, "/tmp/one/file")?, b"text");
    assert!(read(two, "/tmp/other/file").is_err());
    Ok(())
}

#[snowglobe::test]
fn a_sync_of_a_filesystem_that_fails_is_an_error() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    write(node, "/tmp/data/file")?;
    let broken = lab.inject(Fault::disk("db", DiskFault::failing_syncs()))?;
    let sync = || node.command("sync").args(["-f", "/tmp/data"]).output();
    let refused = sync()?;
    assert!(!refused.status.success(), "{refused:?}");
    // It is always successful, and promises nothing then (sync(2)).
    assert!(node.command("sync").status()?.success());
    broken.heal()?;
    assert!(sync()?.status.success());
    node.crash()?;
    node.restart()?;
    assert_eq!(read(node, "/tmp/data/file")?, b"text");
    Ok(())
}
