//! Whether any process is left that could still do something in a network namespace.
//!
//! Waits end early where nobody is left. So what cannot be read counts as somebody: a test that has
//! used up its descriptors (`EMFILE`) waits for its daemon all the same.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::{fs, process};

use nix::sys::stat::fstat;

use super::process_table;
use super::stat::Stat;
use super::text::has_ended;
use crate::namespace::{NamespaceKind, Task};

/// Returns whether a process that lives has no child that lives. False where that cannot be told.
pub fn is_childless(parent: i32) -> bool {
    // A daemon that forks may have a number that the first look has passed already.
    (0..2).all(|_| matches!(has_children(Path::new("/proc"), parent), Ok(false)))
}

/// Returns whether a process has a child that lives, by what a procfs says.
fn has_children(proc: &Path, parent: i32) -> io::Result<bool> {
    let mut parent_lives = false;
    for pid in numbers_in(proc)? {
        let line = match fs::read(proc.join(format!("{pid}/stat"))) {
            Err(error) if has_ended(&error) => continue,
            read => read?,
        };
        // The name of a program may be any bytes.
        let stat = Stat::parse(&String::from_utf8_lossy(&line));
        let stat = stat.ok_or(io::ErrorKind::InvalidData)?;
        if stat.dead() {
            continue;
        }
        if stat.parent == parent {
            return Ok(true);
        }
        parent_lives |= pid == parent;
    }
    // Another may be in the place of a parent that is gone, as after the restart of a node.
    match parent_lives {
        true => Ok(false),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Returns whether a thread of this process, or a process below this one, is in a network
/// namespace. True where that cannot be told.
pub fn may_be_visited(netns: BorrowedFd<'_>) -> bool {
    let (Ok(network), Ok(threads)) = (fstat(netns), numbers_in(Path::new("/proc/self/task")))
    else {
        return true;
    };
    // A closure that visits a node may have started threads and processes of its own.
    let below = process_table::descendants(process::id().cast_signed());
    let mut tasks = threads.into_iter().chain(below);
    tasks.any(
        |task| match Task::Number(task).namespace_identity(NamespaceKind::Net) {
            Ok(identity) => identity == (network.st_dev, network.st_ino),
            Err(error) => !has_ended(&error),
        },
    )
}

/// Returns the names in a directory that are numbers.
fn numbers_in(directory: &Path) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|it| it.parse::<i32>().ok()),
        );
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a directory with files as a procfs has them: the lines of `stat` by process.
    fn procfs(name: &str, lines: &[(i32, &[u8])]) -> std::path::PathBuf {
        let directory = std::env::temp_dir().join(format!("occupants-{name}-{}", process::id()));
        for (pid, line) in lines {
            let of_pid = directory.join(pid.to_string());
            fs::create_dir_all(&of_pid).unwrap();
            fs::write(of_pid.join("stat"), line).unwrap();
        }
        directory
    }

    #[test]
    fn a_process_is_childless_only_if_all_processes_can_be_read() {
        let lines: [(i32, &[u8]); 3] = [
            (1, b"1 (init) S 0 1 1 0 -1 0"),
            (7, b"7 (any\xff) name) S 1 7 7 0 -1 0"),
            (8, b"8 (dead) Z 7 7 7 0 -1 0"),
        ];
        let proc = procfs("all", &lines);
        assert!(has_children(&proc, 1).unwrap());
        assert!(!has_children(&proc, 7).unwrap());
        // One that has ended since the list was read.
        fs::create_dir(proc.join("9")).unwrap();
        assert!(!has_children(&proc, 7).unwrap());
        // One that cannot be read.
        fs::create_dir(proc.join("9/stat")).unwrap();
        has_children(&proc, 7).unwrap_err();
        // One that is dead, one that is not there, and no procfs at all.
        fs::remove_dir(proc.join("9/stat")).unwrap();
        has_children(&proc, 8).unwrap_err();
        has_children(&proc, 10).unwrap_err();
        fs::remove_dir_all(&proc).unwrap();
        has_children(&proc, 7).unwrap_err();
    }

    #[test]
    fn the_calling_thread_is_in_its_own_network() {
        let own = fs::File::open("/proc/thread-self/ns/net").unwrap();
        assert!(may_be_visited(std::os::fd::AsFd::as_fd(&own)));
        let other = fs::File::open("/proc/thread-self/ns/mnt").unwrap();
        assert!(!may_be_visited(std::os::fd::AsFd::as_fd(&other)));
    }
}
