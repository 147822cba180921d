//! Root's mount tree: id-mapped copies of the host's mounts, and a root directory put together from
//! them.
//!
//! Root of a trial must be nobody on the host, and still read what root may read and write to the
//! workspace. An id-mapped mount does that: it shows the files of one range of ids as those of
//! another (`mount_setattr(2)`, `MOUNT_ATTR_IDMAP`). Only root of the host can make one, so the
//! copies are made outside and handed to the first process of the outer sandbox.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::kernel::errno::Errno;

use super::devices::try_open;
use super::first_process::mount_private;
use super::make::Wanted;
use super::plain::copies;
use crate::kernel::id_map::{GroupChange, IdMap};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::mount::MountAttributes;
use crate::kernel::namespace::{NamespaceKind, Task};
use crate::sandbox::ids::Ids;
use crate::sandbox::paths::{PRIVATE, Paths};
use crate::sandbox::private_mounts::DetachedTree;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::outer::OuterStep;
use crate::sandbox::refused::{Doing, Refused, SetupStep};

/// Number of trees that one message carries. The kernel takes at most 253 descriptors
/// (`SCM_MAX_FD`, `unix(7)`).
const TREES_IN_A_MESSAGE: usize = 200;

/// Outcome of [`hand_over`].
pub(super) enum HandedOver {
    /// The first process has all that it needs.
    All,
    /// A mount to which trials are to write cannot be id-mapped, as an overlay cannot
    /// (mount_setattr(2)). Nothing was handed over.
    NotMappable(PathBuf),
}

/// Gives the first process its ids, and copies of the host's mounts: id-mapped ones, unless the ids
/// are the host's.
pub(super) fn hand_over(
    pid: i32,
    map: IdMap,
    wanted: &Wanted<'_>,
    channel: &MessageChannel,
) -> Result<HandedOver, Refused> {
    map.write(map, pid, GroupChange::Permitted)
        .doing("map the ids")?;
    // The mounts are copied only now: an id-mapped mount takes the mapping that the user namespace
    // has (mount_setattr(2)).
    let userns = Task::Number(pid)
        .namespace(NamespaceKind::User)
        .doing("open the user namespace")?;
    let shown = (map.outside != 0).then(|| userns.as_fd());
    let mut trees = Vec::new();
    for (path, writable) in wanted_mounts(wanted.paths) {
        match mapped_copy(&path, writable, shown) {
            Ok((_, false)) if writable && path != Path::new(SYS) => {
                return Ok(HandedOver::NotMappable(path));
            }
            Ok((tree, _)) => trees.push((path, tree)),
            // A mount may go away meanwhile, or be one that nobody can look into: a trial can do
            // without what it could only have read.
            Err(_) if path != Path::new("/") && !writable => {}
            Err(errno) => return Err(errno).doing("copy a mount"),
        }
    }
    if wanted.ordinary_users {
        trees.extend(copies(wanted.paths));
    }
    if let Some(tree) = tun_directory() {
        trees.push((PathBuf::from(TUN_DIRECTORY), tree));
    }
    if let Some(tree) = fuse_directory() {
        trees.push((PathBuf::from(FUSE_DIRECTORY), tree));
    }
    let step = "hand over the mounts";
    for batch in trees.chunks(TREES_IN_A_MESSAGE) {
        let paths = batch.iter().map(|(path, _)| path.clone()).collect();
        let fds: Vec<i32> = batch.iter().map(|(_, tree)| tree.as_raw_fd()).collect();
        let message = OuterStep::Mounts(paths).encode();
        channel.send_with(&message, &fds).doing(step)?;
    }
    let complete = OuterStep::MountsComplete.encode();
    channel.send(&complete).doing(step)?;
    Ok(HandedOver::All)
}

/// The mount of the kernel's devices.
const SYS: &str = "/sys";

/// Directory of the device that makes TUN and TAP interfaces.
pub(super) const TUN_DIRECTORY: &str = "/dev/net";

/// Returns that directory for trials, where this process may make one; otherwise trials have what
/// the host permits.
///
/// The host's device may be for the host's root alone, which no trial is. It does no harm to let
/// everybody open the device: it makes interfaces only where its user may make interfaces.
pub(crate) fn tun_directory() -> Option<OwnedFd> {
    match Ids::available() {
        // Device 10:200, Documentation/admin-guide/devices.txt.
        Ids::Range(_) => mount::device_directory("tun", 10, 200).ok(),
        Ids::One { .. } | Ids::Subordinate(_) => None,
    }
}

/// Path under which the directory with the device of FUSE is handed over.
pub(super) const FUSE_DIRECTORY: &str = "/dev/fuse";

/// Returns a directory with the device by which programs are filesystems, where this host permits
/// it. Like the one for TUN it may be for root alone, and does no harm: what is mounted by it is
/// seen in the mounter's own namespaces (`fuse(4)`).
fn fuse_directory() -> Option<OwnedFd> {
    // The kernel has no such filesystem, or a cgroup forbids its device.
    try_open(Path::new(FUSE_DIRECTORY)).ok()?;
    // Device 10:229, Documentation/admin-guide/devices.txt.
    mount::device_directory("fuse", 10, 229).ok()
}

/// Returns a detached copy of one mount, and whether the copy shows the trials' ids: those of the
/// user namespace, or without one the host's.
fn mapped_copy(
    path: &Path,
    writable: bool,
    userns: Option<BorrowedFd<'_>>,
) -> crate::kernel::Result<(OwnedFd, bool)> {
    let tree = mount::detach_copy(path, mount::MountsBelow::LeftOut)?;
    let read_only = if writable { 0 } else { mount::READ_ONLY };
    let set = mount::NO_DEVICES | read_only;
    let mapped = MountAttributes {
        set,
        idmap: userns,
        // systemd makes all mounts of the host shared. A copy of such a mount is its peer, on which
        // the sandbox would mount for the whole host (fs/namespace.c, clone_mnt).
        private: true,
        ..MountAttributes::default()
    };
    if mount::set_attributes(tree.as_fd(), &mapped).is_ok() {
        return Ok((tree, true));
    }
    // Without a mapping, what a trial wrote would belong to an id that nobody has, so the copy is
    // read-only. But over a read-only sysfs no writable one is permitted (fs/namespace.c,
    // mount_too_revealing); the user mapping protects /sys.
    let read_only = if path == Path::new(SYS) {
        0
    } else {
        mount::READ_ONLY
    };
    let plain = MountAttributes {
        set: set | read_only,
        private: true,
        ..MountAttributes::default()
    };
    mount::set_attributes(tree.as_fd(), &plain)?;
    Ok((tree, false))
}

/// Directories below which the host's mounts are not for trials: the kernel's own filesystems,
/// which each sandbox has for itself, and other people's containers.
const NOT_COPIED: [&str; 6] = [
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/var/lib/docker",
    "/var/lib/containers",
];

/// Returns the mount points whose filesystems hold files worth seeing, outer ones first, and
/// whether a trial may write to each.
fn wanted_mounts(paths: &Paths) -> BTreeMap<PathBuf, bool> {
    let writable = |path: &Path| paths.writable.iter().any(|dir| path.starts_with(dir));
    let kept =
        |path: &Path| writable(path) || paths.readable.iter().any(|dir| path.starts_with(dir));
    let mut wanted = BTreeMap::new();
    wanted.insert(PathBuf::from("/"), false);
    for (path, kind) in mount_points() {
        let ours = NOT_COPIED.iter().chain(&PRIVATE);
        let ours = ours.into_iter().any(|dir| path.starts_with(dir));
        // An autofs mount has no files of its own, and a look into it may mount something else
        // (Documentation/filesystems/autofs.rst).
        if kept(&path) || (!ours && !kind.starts_with("autofs")) {
            let write = writable(&path);
            wanted.insert(path, write);
        }
    }
    for dir in paths.writable.iter().chain(&paths.readable) {
        wanted.insert(dir.clone(), writable(dir));
    }
    // Writable like the one that each trial mounts over it.
    wanted.insert(PathBuf::from(SYS), true);
    wanted
}

/// Returns the mount points of this process and the kinds of their filesystems.
fn mount_points() -> Vec<(PathBuf, String)> {
    // Bytes: a path need not be UTF-8, and one of them must not hide the others.
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let lines = table.split(|byte| *byte == b'\n');
    lines.filter_map(mount_point).collect()
}

/// Reads a line of mountinfo.
fn mount_point(line: &[u8]) -> Option<(PathBuf, String)> {
    // The fifth field is the mount point, the first after " - " the kind (proc_pid_mountinfo(5)).
    let mut fields = line.split(|byte| *byte == b' ');
    let path = fields.nth(4)?;
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let path = OsString::from_vec(unescape(path));
    Some((path.into(), String::from_utf8_lossy(kind).into_owned()))
}

/// Returns a path of mountinfo with the characters that are written there in octal.
fn unescape(mut text: &[u8]) -> Vec<u8> {
    // These four, and no others (fs/proc_namespace.c, show_mountinfo).
    let octal = [
        (b"\\040", b' '),
        (b"\\011", b'\t'),
        (b"\\012", b'\n'),
        (b"\\134", b'\\'),
    ];
    let mut plain = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        match octal.iter().find(|(code, _)| text.starts_with(*code)) {
            Some((code, byte)) => {
                plain.push(*byte);
                text = &text[code.len()..];
            }
            None => {
                plain.push(*first);
                text = rest;
            }
        }
    }
    plain
}

/// Receives what [`hand_over`] sends.
pub(super) fn receive_trees(channel: &MessageChannel) -> Result<Vec<DetachedTree>, Refused> {
    let step = "receive the mounts";
    let mut trees = Vec::new();
    loop {
        let (message, fds) = channel.receive_whole_with().doing(step)?;
        match OuterStep::decode(&message) {
            Some(OuterStep::Mounts(paths)) => trees.extend(paths.into_iter().zip(fds)),
            Some(OuterStep::MountsComplete) => return Ok(trees),
            Some(OuterStep::IdsMapped | OuterStep::Corrections(_)) | None => {
                return Err(Errno::EPIPE).doing(step);
            }
        }
    }
}

/// Puts a new root together from the copies, and lets go of the old one. Returns the copies that
/// belong on private filesystems, of which `/dev` is not mounted yet.
pub(super) fn put_together<'a>(
    trees: &'a [DetachedTree],
    paths: &Paths,
) -> Result<Vec<&'a DetachedTree>, Refused> {
    // Any directory will do for a stage: nothing of this mount namespace remains.
    let stage = Path::new("/tmp");
    let at = |path: &Path| match path.strip_prefix("/") {
        Ok(relative) if !relative.as_os_str().is_empty() => stage.join(relative),
        _ => stage.to_owned(),
    };
    let private = |path: &Path| PRIVATE.iter().any(|dir| path.starts_with(dir));
    let (late, early): (Vec<_>, Vec<_>) = trees.iter().partition(|(path, _)| private(path));
    for (path, tree) in early {
        match mount::attach(tree.as_fd(), &at(path)) {
            // The mount point may be hidden by a mount that is not copied.
            Err(Errno::ENOENT | Errno::ENOTDIR) if !paths.writable.contains(path) => {}
            done => done.doing("mount a copy")?,
        }
    }
    // While the host's /proc is still in sight: the kernel gives a new procfs only to those who see
    // an old one in full (fs/namespace.c, mount_too_revealing).
    mount::fresh(c"proc", &at(Path::new("/proc")), None).doing(SetupStep::mount("/proc"))?;
    mount::pivot(stage).doing(SetupStep::ChangeRoot)?;
    mount_private()?;
    Ok(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_as_bytes() {
        let line = b"36 35 98:0 / /mnt\\040one\\134040\xff rw master:1 - ext4 /dev/root rw";
        let (path, kind) = mount_point(line).unwrap();
        let expected = OsString::from_vec(b"/mnt one\\040\xff".to_vec());
        assert_eq!((path, &*kind), (expected.into(), "ext4"));
        assert_eq!(mount_point(b""), None);
    }
}
