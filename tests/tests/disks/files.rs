//! A disk with faults is a filesystem like others as long as it has none.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::Whence;
use snowglobe::prelude::*;
use snowglobe::topology::Unsynced;

use crate::support::{db, disk, has_fuse};

#[snowglobe::test]
fn files_and_directories_are_as_on_any_disk() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    db(&lab).run(|| -> TestResult {
        let root = Path::new("/tmp/data");
        fs::create_dir_all(root.join("a/b"))?;
        fs::write(root.join("a/b/file"), "text")?;
        assert_eq!(fs::metadata(root.join("a"))?.nlink(), 3);
        fs::hard_link(root.join("a/b/file"), root.join("second"))?;
        assert_eq!(fs::metadata(root.join("second"))?.nlink(), 2);
        symlink("a/b/file", root.join("link"))?;
        assert_eq!(fs::read_to_string(root.join("link"))?, "text");
        let other = fs::rename(root.join("a/b"), root.join("c"));
        other?;
        assert_eq!(fs::read_to_string(root.join("c/file"))?, "text");
        assert!(fs::remove_dir(root.join("c")).is_err());
        fs::set_permissions(root.join("c"), fs::Permissions::from_mode(0o700))?;
        assert_eq!(fs::metadata(root.join("c"))?.mode() & 0o7777, 0o700);
        for number in 0..500 {
            fs::write(root.join(format!("a/{number}")), [])?;
        }
        assert_eq!(fs::read_dir(root.join("a"))?.count(), 500);
        fs::remove_dir_all(root.join("a"))?;
        assert!(!root.join("a").exists());
        Ok(())
    })?;
    // The test sees the same files.
    let seen = fs::read_to_string(lab.volume("data")?.join("c/file"))?;
    assert_eq!(seen, "text");
    Ok(())
}

#[snowglobe::test]
fn open_files_holes_locks_and_direct_writes_are_as_on_any_disk() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    db(&lab).run(|| -> TestResult {
        let path = "/tmp/data/file";
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let mut file = options.open(path)?;
        file.write_all_at(b"end", 1 << 20)?;
        assert_eq!(file.metadata()?.len(), (1 << 20) + 3);
        file.sync_all()?;
        assert!(file.metadata()?.blocks() < 100);
        file.set_len(10)?;
        file.set_len(20)?;
        let mut bytes = vec![1; 20];
        file.read_exact_at(&mut bytes, 0)?;
        assert_eq!(bytes, [0; 20]);
        nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, 1 << 16)?;
        assert_eq!(file.metadata()?.len(), 1 << 16);
        // An open file outlives its name.
        fs::remove_file(path)?;
        file.seek(SeekFrom::End(0))?;
        file.write_all(b"more")?;
        assert_eq!(file.metadata()?.nlink(), 0);
        drop(file);
        let lock =
            nix::fcntl::Flock::lock(File::create(path)?, nix::fcntl::FlockArg::LockExclusive);
        let other = nix::fcntl::FlockArg::LockExclusiveNonblock;
        assert!(nix::fcntl::Flock::lock(File::open(path)?, other).is_err());
        drop(lock);
        // O_DIRECT, with memory as the kernel wants it.
        let direct = options
            .custom_flags(nix::fcntl::OFlag::O_DIRECT.bits())
            .open(path)?;
        let memory = vec![7u8; 3 * 4096];
        let at = memory.as_ptr().align_offset(4096);
        direct.write_all_at(&memory[at..at + 4096], 0)?;
        assert_eq!(fs::read(path)?, [7; 4096]);
        let mut appended = OpenOptions::new().append(true).open(path)?;
        appended.write_all(b"tail")?;
        assert_eq!(fs::read(path)?.len(), 4100);
        Ok(())
    })
}

/// The kernel has written nothing yet of what the program has written.
#[snowglobe::test]
fn data_are_found_before_they_are_written_to_the_disk() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    db(&lab).run(|| -> TestResult {
        let file = File::create("/tmp/data/file")?;
        file.set_len(1 << 20)?;
        file.write_all_at(b"data", 500_000)?;
        let find = |from, what| nix::unistd::lseek(&file, from, what);
        assert_eq!(find(0, Whence::SeekData)?, 499_712);
        assert_eq!(find(499_712, Whence::SeekHole)?, 503_808);
        assert_eq!(find(503_808, Whence::SeekData), Err(Errno::ENXIO));
        // `cp` copies what it finds by these calls.
        let copied = std::process::Command::new("cp")
            .args(["/tmp/data/file", "/tmp/data/copy"])
            .status()?;
        assert!(copied.success());
        assert!(fs::read("/tmp/data/copy")? == fs::read("/tmp/data/file")?);
        Ok(())
    })
}

#[snowglobe::test]
fn every_change_of_a_file_or_directory_is_seen_by_its_time() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    db(&lab).run(|| -> TestResult {
        let root = Path::new("/tmp/data");
        let changed = |name: &str| {
            let about = fs::symlink_metadata(root.join(name))?;
            std::io::Result::Ok((about.ctime(), about.ctime_nsec()))
        };
        fs::create_dir(root.join("directory"))?;
        fs::write(root.join("file"), "text")?;
        symlink("file", root.join("symlink"))?;
        for name in ["directory", "file", "symlink"] {
            let other = format!("other {name}");
            let mut last = changed(name)?;
            let mut moves_on = |name: &str| {
                let before = std::mem::replace(&mut last, changed(name)?);
                assert!(last > before, "{name}: {before:?}, {last:?}");
                next_tick()
            };
            next_tick()?;
            fs::rename(root.join(name), root.join(&other))?;
            moves_on(&other)?;
            std::os::unix::fs::lchown(root.join(&other), Some(7), None)?;
            moves_on(&other)?;
            if name != "directory" {
                fs::hard_link(root.join(&other), root.join("link"))?;
                moves_on("link")?;
                fs::remove_file(root.join(&other))?;
                moves_on("link")?;
                fs::remove_file(root.join("link"))?;
            }
        }
        Ok(())
    })
}

/// Waits until the clock has moved on by which the kernel tells the times of files.
fn next_tick() -> TestResult {
    let now = || nix::time::ClockId::CLOCK_REALTIME_COARSE.now();
    let begin = now()?;
    while now()? == begin {
        std::thread::yield_now();
    }
    Ok(())
}
