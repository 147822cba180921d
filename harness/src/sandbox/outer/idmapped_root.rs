//! Started as root: id-mapped, detached copies of the host's mounts, and a root directory put together from them.
//!
//! They are made outside, with root's privileges, and handed to the first process of the outer sandbox.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::mount_private;
use crate::kernel::errno::errno;
use crate::kernel::id_map::IdMap;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::mount::Attributes;
use crate::sandbox::ids::Ids;
use crate::sandbox::paths::{PRIVATE, Paths};
use crate::sandbox::trial::mounts::Refused;

/// Gives the first process its ids, and id-mapped copies of the host's mounts.
pub(super) fn hand_over(
    pid: i32,
    map: IdMap,
    paths: &Paths,
    channel: &MessageChannel,
) -> Result<Vec<String>, Refused> {
    let proc_dir = PathBuf::from(format!("/proc/{pid}"));
    map.write(map, pid, false)
        .map_err(|e| ("map the ids", errno(&e)))?;
    let userns = fs::File::open(proc_dir.join("ns/user"))
        .map_err(|e| ("open the user namespace", errno(&e)))?;
    let mut notes = Vec::new();
    let mut trees = Vec::new();
    for (path, writable) in wanted_mounts(paths) {
        match mapped_copy(&path, writable, userns.as_fd()) {
            Ok((tree, mapped)) => {
                if writable && !mapped && path != Path::new("/sys") {
                    notes.push(format!(
                        "{} is not writable in trials: its filesystem knows no id-mapped mounts",
                        path.display()
                    ));
                }
                trees.push((path, tree));
            }
            Err(_) if path != Path::new("/") && !writable => {}
            Err(errno) => return Err(("copy a mount", errno)),
        }
    }
    if let Some(tree) = tun_directory() {
        trees.push((PathBuf::from(TUN_DIRECTORY), tree));
    }
    for batch in trees.chunks(200) {
        let names: Vec<String> = batch
            .iter()
            .map(|(path, _)| path.to_string_lossy().into_owned())
            .collect();
        let fds: Vec<i32> = batch.iter().map(|(_, tree)| tree.as_raw_fd()).collect();
        channel
            .send_with(names.join("\0").as_bytes(), &fds)
            .map_err(|e| ("hand over the mounts", e))?;
    }
    channel.send(END).map_err(|e| ("hand over the mounts", e))?;
    Ok(notes)
}

const END: &[u8] = b"\0";

/// Where the device lies that makes TUN and TAP interfaces.
pub(super) const TUN_DIRECTORY: &str = "/dev/net";

/// That directory for trials, where this process may make one; otherwise they have what the host permits.
///
/// The host's device may be for its root alone, which no trial is. To let everybody open it does no harm: it makes interfaces only where
/// its user may make interfaces.
pub(crate) fn tun_directory() -> Option<OwnedFd> {
    match Ids::available() {
        Ids::Range(_) => mount::device_directory("tun", 10, 200).ok(),
        Ids::One { .. } | Ids::Subordinate(_) => None,
    }
}

/// A detached copy of one mount, and whether it shows the trials' ids.
fn mapped_copy(
    path: &Path,
    writable: bool,
    userns: BorrowedFd<'_>,
) -> nix::Result<(OwnedFd, bool)> {
    let tree = mount::detach_copy(path, false)?;
    let read_only = if writable { 0 } else { mount::READ_ONLY };
    let set = mount::NO_DEVICES | read_only;
    let mapped = Attributes {
        set,
        idmap: Some(userns),
        ..Attributes::default()
    };
    if mount::set_attributes(tree.as_fd(), &mapped).is_ok() {
        return Ok((tree, true));
    }
    // Over a read-only sysfs no writable one is permitted; the user mapping protects it.
    let read_only = if path == Path::new("/sys") {
        0
    } else {
        mount::READ_ONLY
    };
    let plain = Attributes {
        set: set | read_only,
        ..Attributes::default()
    };
    mount::set_attributes(tree.as_fd(), &plain)?;
    Ok((tree, false))
}

/// Filesystems that hold files worth seeing, each at its path, outer ones first.
fn wanted_mounts(paths: &Paths) -> BTreeMap<PathBuf, bool> {
    let writable = |path: &Path| paths.writable.iter().any(|dir| path.starts_with(dir));
    let kept =
        |path: &Path| writable(path) || paths.readable.iter().any(|dir| path.starts_with(dir));
    let mut wanted = BTreeMap::new();
    wanted.insert(PathBuf::from("/"), false);
    for (path, kind) in mount_points() {
        let ours = [
            "/proc",
            "/sys",
            "/dev",
            "/boot",
            "/var/lib/docker",
            "/var/lib/containers",
        ]
        .iter()
        .chain(&PRIVATE)
        .any(|dir| path.starts_with(dir));
        if kept(&path) || (!ours && !kind.starts_with("autofs")) {
            let write = writable(&path);
            wanted.insert(path, write);
        }
    }
    for dir in paths.writable.iter().chain(&paths.readable) {
        wanted.insert(dir.clone(), writable(dir));
    }
    wanted.insert(PathBuf::from("/sys"), true);
    wanted
}

fn mount_points() -> Vec<(PathBuf, String)> {
    let Ok(table) = fs::read_to_string("/proc/self/mountinfo") else {
        return Vec::new();
    };
    table
        .lines()
        .filter_map(|line| {
            let path = line.split(' ').nth(4)?;
            let kind = line.split(" - ").nth(1)?.split(' ').next()?;
            Some((PathBuf::from(unescape(path)), kind.to_owned()))
        })
        .collect()
}

/// Blanks and their like are written in octal.
fn unescape(text: &str) -> String {
    let octal = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    octal.iter().fold(text.to_owned(), |text, (code, plain)| {
        text.replace(code, plain)
    })
}

pub(super) fn receive_trees(channel: &MessageChannel) -> Result<Vec<(PathBuf, OwnedFd)>, Refused> {
    let mut trees = Vec::new();
    let mut buffer = vec![0; crate::kernel::message_channel::MESSAGE_MAX];
    loop {
        let (names, fds) = channel
            .receive_with(&mut buffer)
            .map_err(|e| ("receive the mounts", e))?;
        match names {
            END => return Ok(trees),
            [] => return Err(("receive the mounts", Errno::EPIPE)),
            names => {
                let names = String::from_utf8_lossy(names).into_owned();
                trees.extend(names.split('\0').map(PathBuf::from).zip(fds));
            }
        }
    }
}

/// Root: a new root from the copies, and the old one gone.
pub(super) fn put_together(trees: &[(PathBuf, OwnedFd)], paths: &Paths) -> Result<(), Refused> {
    // Any directory will do: nothing of this mount namespace remains.
    let stage = Path::new("/tmp");
    let at = |path: &Path| match path.strip_prefix("/") {
        Ok(relative) if !relative.as_os_str().is_empty() => stage.join(relative),
        _ => stage.to_owned(),
    };
    let private = |path: &Path| PRIVATE.iter().any(|dir| path.starts_with(dir));
    let (late, early): (Vec<_>, Vec<_>) = trees.iter().partition(|(path, _)| private(path));
    for (path, tree) in early {
        match mount::attach(tree.as_fd(), &at(path)) {
            Err(Errno::ENOENT | Errno::ENOTDIR) if !paths.writable.contains(path) => {}
            done => done.map_err(|e| ("mount a copy", e))?,
        }
    }
    // While the host's /proc is still in sight: the kernel wants to see one before it gives one.
    mount::fresh(c"proc", &at(Path::new("/proc")), None).map_err(|e| ("mount /proc", e))?;
    mount::pivot(stage).map_err(|e| ("change the root", e))?;
    mount_private()?;
    for (path, tree) in late {
        fs::create_dir_all(path).map_err(|e| ("make way for the workspace", errno(&e)))?;
        mount::attach(tree.as_fd(), path).map_err(|e| ("mount the workspace", e))?;
    }
    Ok(())
}
