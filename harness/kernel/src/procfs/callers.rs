//! What the arguments of a process's system call refer to: its network, the filesystem of a file.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::text::text_of;
use crate::namespace::{NamespaceKind, Task};

/// Returns the network namespace of a process or thread: the number of the device and of the inode
/// by which it is known (`namespaces(7)`).
pub fn network_of(id: i32) -> Option<(u64, u64)> {
    Task::Number(id).namespace_identity(NamespaceKind::Net).ok()
}

/// Returns the device of the filesystem on which a process or thread has a file open: major and
/// minor number. The filesystem itself is not asked: it may be slow to answer.
pub fn filesystem_of(id: i32, descriptor: i32) -> Option<(u32, u32)> {
    filesystem_by(&format!("/proc/{id}"), descriptor)
}

/// Returns the device of the filesystem at a path of the calling thread, which is not asked either.
pub fn filesystem_at(path: &Path) -> Option<(u32, u32)> {
    // A path alone: to open the file would ask the filesystem (open(2), O_PATH).
    let mut options = fs::File::options();
    let place = options.read(true).custom_flags(libc::O_PATH).open(path);
    filesystem_by("/proc/thread-self", place.ok()?.as_raw_fd())
}

fn filesystem_by(process: &str, descriptor: i32) -> Option<(u32, u32)> {
    // The descriptor tells its mount (proc_pid_fdinfo(5)), and the table of mounts the device
    // (proc_pid_mountinfo(5)).
    let about = fs::read_to_string(format!("{process}/fdinfo/{descriptor}")).ok()?;
    let mount = about
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?;
    // A call of stat(2) would ask a filesystem that a program serves.
    let table = text_of(format!("{process}/mountinfo")).ok()?;
    device_of(&table, mount.trim())
}

fn device_of(table: &str, mount: &str) -> Option<(u32, u32)> {
    table.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let is_it = fields.next()? == mount;
        let (major, minor) = fields.nth(1)?.split_once(':')?;
        is_it.then_some((major.parse().ok()?, minor.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_table_of_mounts_tells_the_device_of_a_mount() {
        let table =
            "22 1 0:21 / /proc rw - proc proc rw\n36 22 98:0 /mnt1 /mnt2 rw - ext3 /dev/r rw\n";
        assert_eq!(device_of(table, "36"), Some((98, 0)));
        assert_eq!(device_of(table, "22"), Some((0, 21)));
        assert_eq!(device_of(table, "3"), None);
    }

    #[test]
    fn the_filesystem_of_an_open_file_is_that_of_its_path() {
        let file = fs::File::open("/proc/self/stat").unwrap();
        let (major, minor) =
            filesystem_of(std::process::id().cast_signed(), file.as_raw_fd()).unwrap();
        let device = file.metadata().unwrap().dev();
        assert_eq!(libc::makedev(major, minor), device);
    }
}
