//! Each fault of a disk is seen by system calls, and is over when its guard says so.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use snowglobe::fault::{DiskFault, Fault, Schedule};
use snowglobe::prelude::*;
use snowglobe::topology::{Size, StartCommand, Unsynced};
use snowglobe_tests::sample;

use crate::support::{db, disk, has_fuse, read, write_synced};

const EIO: Option<i32> = Some(5);

#[snowglobe::test]
fn a_full_disk_refuses_the_write_itself_and_new_files() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    write_synced(node, "/tmp/data/file", &[1; 8192])?;
    let open = node.run(|| OpenOptions::new().write(true).open("/tmp/data/file"))?;
    let appended = node.run(|| OpenOptions::new().append(true).open("/tmp/data/file"))?;
    let full = lab.inject(Fault::disk("db", DiskFault::Full { free: Size::kib(4) }))?;
    // What has its space can be written, and as much as is free.
    open.write_all_at(&[2; 8192], 0)?;
    open.write_all_at(&[2; 4096], 8192)?;
    let refused = open.write_at(&[2; 4096], 12_288).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    let refused = (&appended).write(b"more").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    open.sync_all()?;
    let refused = node.run(|| fs::write("/tmp/data/new", "text")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    full.heal()?;
    (&appended).write_all(b"more")?;
    node.run(|| fs::write("/tmp/data/new", "text"))?;
    let bytes = read(node, "/tmp/data/file")?;
    assert_eq!((bytes.len(), bytes[0]), (12_292, 2));
    Ok(())
}

/// A writer asks for the file's attributes, and may be answered before it has fallen asleep.
#[snowglobe::test]
fn a_full_disk_refuses_each_of_many_writes() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    write_synced(node, "/tmp/data/file", b"text")?;
    let open = || node.run(|| OpenOptions::new().append(true).open("/tmp/data/file"));
    let files = [open()?, open()?];
    let _full = lab.inject(Fault::disk("db", DiskFault::full()))?;
    let taken: usize = std::thread::scope(|scope| {
        let writers = files.iter().map(|file| {
            let write = move |_: &i32| (&*file).write(b"more").is_ok();
            scope.spawn(move || (0..5000).filter(write).count())
        });
        let writers: Vec<_> = writers.collect();
        writers
            .into_iter()
            .map(|it| it.join().unwrap_or(5000))
            .sum()
    });
    assert_eq!(taken, 0);
    Ok(())
}

#[snowglobe::test]
fn a_read_only_disk_refuses_files_that_are_open_for_writing() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    write_synced(node, "/tmp/data/file", b"text")?;
    let mut open = node.run(|| OpenOptions::new().write(true).open("/tmp/data/file"))?;
    let guard = lab.inject(Fault::disk("db", DiskFault::ReadOnly))?;
    assert_eq!(
        open.write(b"TEXT").unwrap_err().kind(),
        ErrorKind::ReadOnlyFilesystem
    );
    for refused in [
        node.run(|| fs::write("/tmp/data/new", "")),
        node.run(|| fs::remove_file("/tmp/data/file")),
        node.run(|| fs::rename("/tmp/data/file", "/tmp/data/other")),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
    }
    assert_eq!(read(node, "/tmp/data/file")?, b"text");
    guard.heal()?;
    open.write_all(b"TEXT")?;
    assert_eq!(read(node, "/tmp/data/file")?, b"TEXT");
    Ok(())
}

#[snowglobe::test]
fn errors_of_the_device_come_by_reads_and_by_syncs() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    write_synced(node, "/tmp/data/file", b"text")?;
    // The bytes are in the page cache of the kernel, which the fault takes away.
    let reads = lab.inject(Fault::disk("db", DiskFault::failing_reads()))?;
    assert_eq!(
        read(node, "/tmp/data/file").unwrap_err().raw_os_error(),
        EIO
    );
    reads.heal()?;
    assert_eq!(read(node, "/tmp/data/file")?, b"text");
    let writes = lab.inject(Fault::disk("db", DiskFault::failing_writes()))?;
    let synced = write_synced(node, "/tmp/data/other", b"text");
    assert_eq!(synced.unwrap_err().raw_os_error(), EIO);
    writes.heal()?;
    let syncs = lab.inject(Fault::disk("db", DiskFault::failing_syncs()))?;
    let synced = write_synced(node, "/tmp/data/third", b"text");
    assert_eq!(synced.unwrap_err().raw_os_error(), EIO);
    syncs.heal()?;
    write_synced(node, "/tmp/data/third", b"text")?;
    Ok(())
}

#[snowglobe::test]
fn a_slow_disk_takes_its_time_for_each_sync() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    let delay = Duration::from_millis(150);
    let slow = lab.inject(Fault::disk("db", DiskFault::slow(delay)))?;
    let begin = Instant::now();
    write_synced(node, "/tmp/data/file", b"text")?;
    // One write and one sync, one after the other.
    assert!(begin.elapsed() >= 2 * delay, "{:?}", begin.elapsed());
    slow.heal()?;
    let rate = DiskFault::Slow {
        delay: Duration::ZERO,
        rate: Some(Size::mib(1)),
    };
    let _slow = lab.inject(Fault::disk("db", rate))?;
    let begin = Instant::now();
    write_synced(node, "/tmp/data/file", &[1; 256 << 10])?;
    assert!(
        begin.elapsed() >= Duration::from_millis(250),
        "{:?}",
        begin.elapsed()
    );
    Ok(())
}

#[snowglobe::test(seed = 7)]
fn bits_flip_and_ends_vanish_until_the_fault_is_over() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    write_synced(node, "/tmp/data/a.log", &[0; 10_000])?;
    write_synced(node, "/tmp/data/b.dat", &[0; 10_000])?;
    let flip = lab.inject(Fault::disk("db", DiskFault::bit_flip("*.log")))?;
    let ones = |path: &'static str| -> std::io::Result<u32> {
        Ok(read(node, path)?.iter().map(|byte| byte.count_ones()).sum())
    };
    assert_eq!(ones("/tmp/data/a.log")?, 1);
    assert_eq!(ones("/tmp/data/b.dat")?, 0);
    flip.heal()?;
    assert_eq!(ones("/tmp/data/a.log")?, 0);
    let cut = DiskFault::truncate("b.*", Size::bytes(1000));
    let cut = lab.inject(Fault::disk("db", cut))?;
    assert_eq!(read(node, "/tmp/data/b.dat")?.len(), 9000);
    cut.heal()?;
    assert_eq!(read(node, "/tmp/data/b.dat")?, [0; 10_000]);
    Ok(())
}

/// A byte may be flipped that another fault cuts off afterwards.
#[snowglobe::test]
fn faults_that_change_the_same_file_end_in_any_order() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    write_synced(node, "/tmp/data/a.log", &[0; 10_000])?;
    let flip = DiskFault::BitFlip {
        path: "a.log".to_owned(),
        bits: 20,
    };
    let cut = DiskFault::truncate("a.log", Size::bytes(9000));
    for faults in [[&flip, &cut], [&cut, &flip], [&flip, &flip], [&cut, &cut]] {
        for first in [0, 1] {
            let faults = faults.map(|what| Fault::disk("db", what.clone()));
            let mut guards = Vec::new();
            for fault in &faults {
                guards.push(lab.inject(fault.clone())?);
            }
            guards.remove(first).heal()?;
            guards.remove(0).heal()?;
            let now = read(node, "/tmp/data/a.log")?;
            assert!(now == [0; 10_000], "{faults:?}, {first} ends first");
        }
    }
    Ok(())
}

#[snowglobe::test]
fn a_snapshot_takes_the_disk_back() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let (node, volume) = (db(&lab), lab.disk("data")?);
    node.run(|| fs::write("/tmp/data/file", "before"))?;
    let before = volume.snapshot()?;
    write_synced(node, "/tmp/data/file", b"after")?;
    let runs = volume.restore(&before).unwrap_err().to_string();
    assert!(
        runs.contains("node `db` runs") && runs.contains("kill_processes()"),
        "{runs}"
    );
    node.kill_processes()?;
    volume.restore(&before)?;
    node.restart()?;
    assert_eq!(read(node, "/tmp/data/file")?, b"before");
    Ok(())
}

/// Bits are flipped in files, which a program may make later than the schedule begins.
#[snowglobe::test]
fn a_schedule_waits_for_the_file_that_it_damages() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let node = db(&lab);
    let schedule = Schedule::from_toml(
        r#"
        [[fault]]
        at = "0s"
        waits = "1m"
        lasts = "1m"
        fault = "disk"
        node = "db"
        what = { kind = "bit-flip", path = "late", bits = 3 }

        [[fault]]
        at = "0s"
        lasts = "1m"
        fault = "disk"
        node = "db"
        what = { kind = "truncate", path = "never", by = "1 B" }
        "#,
    )?;
    let run = lab.run_schedule(&schedule)?;
    lab.wait_until(|| run.skipped() == 1)?;
    // Empty at first: nothing of it can be damaged.
    write_synced(node, "/tmp/data/late", &[])?;
    std::thread::sleep(Duration::from_millis(50));
    write_synced(node, "/tmp/data/late", &[0; 64])?;
    lab.wait_until(|| read(node, "/tmp/data/late").is_ok_and(|bytes| bytes != [0; 64]))?;
    run.stop()?;
    assert_eq!(read(node, "/tmp/data/late")?, [0; 64]);
    Ok(())
}

/// A database ends by itself when its disk fails, and leaves the rest to a supervisor.
#[snowglobe::test(ignore = "a sample")]
fn sample_of_a_store_that_ends_because_of_its_disk() -> TestResult {
    let script = "echo serving; until ! echo text > /tmp/data/new; do sleep 0.02; done; exit 3";
    let mut topology = Topology::new();
    let store = StartCommand::new("sh")
        .args(["-c", script])
        .ready_log("serving");
    let data = Volume::named("data").with_faults();
    topology.node(NodeSpec::new("db").volume("/tmp/data", data).command(store));
    let lab = topology.start()?;
    let mut events = lab.events();
    let full = lab.inject(Fault::disk("db", DiskFault::ReadOnly))?;
    events.wait_for("the end of the store", |event| {
        event.kind.to_string().contains("exited with code 3")
    })?;
    full.heal()?;
    events.wait_for("the second start", |event| {
        let text = event.kind.to_string();
        text.starts_with("`sh`") && text.ends_with("was started")
    })?;
    write_synced(db(&lab), "/tmp/data/file", b"text")?;
    Ok(())
}

/// The same end is a failure once the disk is healed.
#[snowglobe::test(ignore = "a sample")]
fn sample_of_a_store_that_ends_after_the_heal() -> TestResult {
    let script = "echo serving; until test -e /tmp/data/end; do sleep 0.02; done; exit 3";
    let mut topology = Topology::new();
    let store = StartCommand::new("sh")
        .args(["-c", script])
        .ready_log("serving");
    let data = Volume::named("data").with_faults();
    topology.node(NodeSpec::new("db").volume("/tmp/data", data).command(store));
    let lab = topology.start()?;
    let mut events = lab.events();
    lab.inject(Fault::disk("db", DiskFault::ReadOnly))?.heal()?;
    write_synced(db(&lab), "/tmp/data/end", b"")?;
    events.wait_for("the end of the store", |event| {
        event.kind.to_string().contains("exited with code 3")
    })?;
    Ok(())
}

#[snowglobe::test(nested)]
fn the_end_of_a_program_is_excused_while_its_disk_is_broken_and_told() {
    if !has_fuse() {
        return;
    }
    sample("faults::sample_of_a_store_that_ends_because_of_its_disk").passed_with(&[
        "`db/sh` exited with code 3 under a fault, which excuses that until its heal",
    ]);
    sample("faults::sample_of_a_store_that_ends_after_the_heal")
        .failed_with(&["`db/sh` exited with code 3 and nobody waited for it"]);
}
