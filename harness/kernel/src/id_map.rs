//! The id mappings of user namespaces (`user_namespaces(7)`).
//!
//! A process in a new user namespace has no user and no group until somebody writes a mapping. The
//! kernel permits one write and has several rules about who may write what.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;

use super::fd::write_file_in;
use super::fixed_str::FixedStr;

/// A contiguous range of ids: `count` of them, from 0 inside and from `outside` outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdMap {
    /// First id as the parent user namespace sees it.
    pub outside: u32,
    /// Number of ids.
    pub count: u32,
}

/// Permission of the processes of a user namespace to change their groups (`setgroups(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupChange {
    /// The processes may change their groups if those of the parent namespace may.
    Permitted,
    /// The processes may not change their groups. An unprivileged process that maps an id for
    /// itself has no choice.
    Denied,
}

impl IdMap {
    fn write_to(self, write: impl Fn(&str) -> io::Result<()>) -> io::Result<()> {
        let IdMap { outside, count } = self;
        // There is one write only: the kernel takes a mapping once, and in one piece
        // (user_namespaces(7)).
        let whole = FixedStr::<32>::of(format_args!("0 {outside} {count}\n"));
        match write(&whole) {
            // An extent may not lie in two extents of the parent (kernel/user_namespace.c,
            // map_id_range_down). An ordinary user's own id is apart from the subordinate ids.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) && count > 1 => {
                let (next, rest) = (outside + 1, count - 1);
                let apart = FixedStr::<64>::of(format_args!("0 {outside} 1\n1 {next} {rest}\n"));
                write(&apart)
            }
            done => done,
        }
    }

    /// Writes the mappings of users (`self`) and of `groups` for `process`: a number, or `self`.
    ///
    /// An unprivileged process may map a single id for itself, and must deny `setgroups` first:
    /// otherwise it could leave a group that a file denies access to (CVE-2014-8989).
    ///
    /// # Errors
    /// The kernel refused a mapping.
    pub fn write(
        self,
        groups: IdMap,
        process: impl fmt::Display,
        change: GroupChange,
    ) -> io::Result<()> {
        let process = &*FixedStr::<16>::of(format_args!("{process}"));
        // Users first: `setgroups` can be denied only before the groups are mapped.
        self.write_to(|map| write(process, "uid_map", map))?;
        if change == GroupChange::Denied {
            write(process, "setgroups", "deny")?;
        }
        groups.write_to(|map| write(process, "gid_map", map))
    }

    /// Writes this mapping of users and groups for a process by its number in a procfs, which need
    /// not be the one at `/proc`.
    ///
    /// # Errors
    /// The kernel refused a mapping.
    pub fn write_in(self, procfs: BorrowedFd<'_>, process: i32) -> io::Result<()> {
        // `setgroups` stays permitted: the kernel wants it denied only where the writer lacks
        // CAP_SETGID in the parent namespace (user_namespaces(7)).
        for file in ["uid_map", "gid_map"] {
            let path = FixedStr::<32>::of(format_args!("{process}/{file}\0"));
            let write = |map: &str| Ok(write_file_in(procfs, &path, map)?);
            self.write_to(write)?;
        }
        Ok(())
    }
}

/// Maps one id for the calling process, which is alone in a new user namespace: there it is the
/// user `uid` and the group `gid`, and it was root of the parent namespace before.
///
/// # Errors
/// The kernel refused a mapping.
pub fn show_root_as(uid: u32, gid: u32) -> io::Result<()> {
    let root_as = |id| FixedStr::<32>::of(format_args!("{id} 0 1\n"));
    write("self", "uid_map", &root_as(uid))?;
    // The kernel wants "deny" first, as in `IdMap::write` (user_namespaces(7),
    // /proc/PID/setgroups).
    write("self", "setgroups", "deny")?;
    write("self", "gid_map", &root_as(gid))
}

/// A kind of ids, each with a mapping of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// Ids of users.
    User,
    /// Ids of groups.
    Group,
}

/// Returns whether the user namespace of `process`, a number or `self`, has this id.
///
/// # Errors
/// There is no such process, or no procfs at `/proc`.
pub fn is_mapped(process: impl fmt::Display, kind: IdKind, id: u32) -> io::Result<bool> {
    let file = match kind {
        IdKind::User => "uid_map",
        IdKind::Group => "gid_map",
    };
    Ok(
        extents(&fs::read_to_string(format!("/proc/{process}/{file}"))?)
            .any(|(inside, count)| (inside..inside + count).contains(&u64::from(id))),
    )
}

/// Returns the ranges of ids in the text of a mapping, each as its first id and its length.
fn extents(map: &str) -> impl Iterator<Item = (u64, u64)> {
    map.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let inside = fields.next()?.ok()?;
        let _outside = fields.next()?;
        Some((inside, fields.next()?.ok()?))
    })
}

fn write(process: &str, file: &str, text: &str) -> io::Result<()> {
    let path = FixedStr::<64>::of(format_args!("/proc/{process}/{file}"));
    fs::write(&*path, text)
}

/// Returns the number of ids from 0 on in the user namespace of this process.
///
/// A plain host has 4,294,967,295, and many containers have 65,536.
///
/// # Errors
/// There is no procfs at `/proc`.
pub fn own_ids() -> io::Result<u32> {
    Ok(contiguous(&fs::read_to_string("/proc/self/uid_map")?))
}

/// Returns the number of group ids from 0 on in the user namespace of this process.
///
/// # Errors
/// There is no procfs at `/proc`.
pub fn own_groups() -> io::Result<u32> {
    Ok(contiguous(&fs::read_to_string("/proc/self/gid_map")?))
}

fn contiguous(map: &str) -> u32 {
    let mut extents: Vec<(u64, u64)> = extents(map).collect();
    extents.sort_unstable();
    let mut end = 0;
    for (inside, count) in extents {
        // This is a gap: ids beyond it cannot be handed out as one range.
        if inside != end {
            break;
        }
        end += count;
    }
    // 4,294,967,295 ids from 0 on is all that there are: -1 is no id.
    u32::try_from(end).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{IdKind, contiguous, is_mapped};

    #[test]
    fn an_id_is_mapped_or_not() {
        assert!(is_mapped("self", IdKind::User, 0).unwrap());
        assert!(!is_mapped("self", IdKind::Group, u32::MAX).unwrap());
    }

    #[test]
    fn counts_the_ids_from_zero_on() {
        assert_eq!(
            contiguous("         0          0 4294967295\n"),
            4_294_967_295
        );
        assert_eq!(contiguous("0 1000 1\n"), 1);
        assert_eq!(contiguous("0 1000 1\n1 100000 65536\n"), 65_537);
        assert_eq!(contiguous("5 1000 1\n"), 0);
        assert_eq!(contiguous(""), 0);
    }
}
