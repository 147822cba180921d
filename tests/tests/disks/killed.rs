//! What a program that is killed leaves behind on a disk with faults.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use snowglobe::Lab;
use snowglobe::fault::{DiskFault, Fault};
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::Unsynced;

use crate::support::{db, disk, has_fuse};

/// Renames a file to and fro. Each time the kernel tells the disk of the file's new time as well.
const RENAMES: &str = r#"
    $| = 1;
    print "ready\n";
    ($from, $to) = ("/tmp/data/file", "/tmp/data/other");
    while (1) { rename $from, $to; rename $to, $from; }
"#;

/// Two names of the file that the program renames.
const NAMES: [&str; 2] = ["/tmp/data/file", "/tmp/data/other"];

#[snowglobe::test(timeout = "120s")]
fn a_killed_program_leaves_no_error_to_the_next() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    assert_eq!(kill_and_sync(db(&lab))?, []);
    Ok(())
}

#[snowglobe::test(timeout = "120s")]
fn a_program_killed_on_a_slow_disk_leaves_no_error_to_the_next() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    let errors = on_busy_disk(&lab, kill_and_sync)?;
    assert_eq!(errors, []);
    Ok(())
}

/// Does something in the node of a disk that is slow, and that has more to do than it can.
fn on_busy_disk<T>(lab: &Lab, work: impl FnOnce(&Node) -> TestResult<T>) -> TestResult<T> {
    let node = &db(lab);
    let slow = DiskFault::slow(Duration::from_millis(10));
    let _slow = lab.inject(Fault::disk("db", slow))?;
    let stops = &AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || keep_busy(node, number, stops));
        }
        let done = work(node);
        stops.store(true, Ordering::Relaxed);
        done
    })
}

/// Syncs a file until told to stop.
fn keep_busy(node: &Node, number: usize, stops: &AtomicBool) -> std::io::Result<()> {
    let file = node.run(|| File::create(format!("/tmp/data/busy-{number}")))?;
    while !stops.load(Ordering::Relaxed) {
        file.write_all_at(b"text", 0)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Kills programs at many points of a rename. Returns the errors that the next programs get of a
/// sync.
fn kill_and_sync(node: &Node) -> TestResult<Vec<Errno>> {
    let mut errors = Vec::new();
    for number in 0..20 {
        // The kernel tells an error once, so each kill has a file of its own.
        node.run(|| fs::write(NAMES[0], "text"))?;
        kill_while_it_renames(node, number)?;
        for path in NAMES {
            match node.run(|| OpenOptions::new().write(true).open(path)) {
                // The call of std would begin again after EINTR.
                Ok(file) => errors.extend(nix::unistd::fdatasync(&file).err()),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
            let _ = node.run(|| fs::remove_file(path));
        }
    }
    Ok(errors)
}

fn kill_while_it_renames(node: &Node, number: u64) -> TestResult {
    let mut program = node.command("perl").args(["-e", RENAMES]).spawn()?;
    program.wait_for_log("ready")?;
    // The point of the kill, and no wait for anything.
    thread::sleep(Duration::from_millis(60 + 11 * (number % 10)));
    program.kill()?;
    program.wait()?;
    Ok(())
}

/// After kills the kernel has another copy of the file than before.
#[snowglobe::test(timeout = "120s")]
fn a_file_is_the_same_by_all_its_names_after_kills() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    on_busy_disk(&lab, |node| {
        let (link, second) = ("/tmp/data/link", "/tmp/data/second");
        node.run(|| fs::write(link, "text"))?;
        node.run(|| fs::hard_link(link, second))?;
        let number = node.run(|| fs::metadata(link))?.ino();
        for kill in 0..10 {
            node.run(|| fs::write(NAMES[0], "text"))?;
            kill_while_it_renames(node, kill)?;
            node.run(|| {
                let bytes = vec![b'x'; 10 + kill as usize];
                fs::write(link, &bytes)?;
                lab.wait_until(|| match fs::metadata(second) {
                    Ok(seen) if seen.len() == bytes.len() as u64 => Ok(()),
                    other => Err(format!("{other:?}")),
                })?;
                assert_eq!(fs::read(second)?, bytes);
                assert_eq!(fs::metadata(second)?.ino(), number);
                assert_eq!(fs::metadata(link)?.nlink(), 2);
                TestResult::Ok(())
            })?;
        }
        Ok(())
    })
}

/// A path through a descriptor leads to the copy that the kernel has, not to a name.
#[snowglobe::test(timeout = "120s")]
fn a_file_can_be_opened_through_a_descriptor_after_kills() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let lab = disk(Unsynced::Lost).start()?;
    on_busy_disk(&lab, |node| {
        let path = "/tmp/data/kept";
        node.run(|| fs::write(path, "text"))?;
        for kill in 0..10 {
            node.run(|| fs::write(NAMES[0], "text"))?;
            kill_while_it_renames(node, kill)?;
            node.run(|| {
                let mut options = OpenOptions::new();
                options.read(true).custom_flags(OFlag::O_PATH.bits());
                let kept = options.open(path)?;
                let through = format!("/proc/thread-self/fd/{}", kept.as_raw_fd());
                assert_eq!(fs::read_to_string(&through)?, "text");
                fs::write(&through, "TEXT")?;
                assert_eq!(fs::read_to_string(path)?, "TEXT");
                fs::write(path, "text")
            })?;
        }
        Ok(())
    })
}
