//! The outer sandbox, made once per run.
//!
//! Its mount tree is what every trial inherits: the host's files, read-only; the workspace,
//! writable; a `/dev` of harmless devices; empty `/tmp` and `/run`. As an ordinary user the tree
//! is the host's own, made read-only in place, for its mounts are locked together. Started as
//! root, it is put together from copies that are *id-mapped*: root inside is then an unprivileged id on
//! the host and still sees root's files as its own, and what it writes in the workspace
//! belongs to root.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::unistd::{chdir, getegid, geteuid};

use super::inner::{DEVPTS, Refused, TMPFS, carry, put_back};
use super::paths::{PRIVATE, Paths};
use crate::kernel::clone::{Cloned, clone_into};
use crate::kernel::fd::Channel;
use crate::kernel::idmap::{IdMap, own_ids};
use crate::kernel::mount::{self, Attributes};
use crate::kernel::{process, signal};

/// The namespaces of the outer sandbox. The network stays the host's: trials have their own.
fn namespaces() -> CloneFlags {
    CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
}

/// Whom the trials' root is outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// The invoking user and nobody else.
    One {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// A range of ids that belongs to nobody.
    Range(IdMap),
}

/// Where the range begins when started as root, as far from the ranges of `/etc/subuid` as from
/// real users.
const RANGE_START: u32 = 1_500_000_000;
const RANGE: u32 = 65_536;

impl Ids {
    /// The best that this process can give: a range needs root on the host itself, for only there
    /// can the workspace be shown with other ids.
    pub(crate) fn available() -> Ids {
        if geteuid().is_root() && own_ids().is_ok_and(|ids| ids == u32::MAX) {
            return Ids::Range(IdMap {
                outside: RANGE_START,
                count: RANGE,
            });
        }
        Ids::One {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
        }
    }

    /// The mapping that a trial's own user namespace has within the outer one.
    pub(crate) fn within(self) -> IdMap {
        let count = match self {
            Ids::One { .. } => 1,
            Ids::Range(map) => map.count,
        };
        IdMap { outside: 0, count }
    }
}

/// The outer sandbox as its maker sees it.
pub(crate) struct Outer {
    /// Readable when the first process is gone; killing that one kills everything inside.
    pub(crate) first: OwnedFd,
    /// To the first process.
    pub(crate) channel: Channel,
    /// What could not be had, in a sentence each.
    pub(crate) notes: Vec<String>,
}

/// Makes the outer sandbox and runs `inside` as its first process.
///
/// Must be called while this process has a single thread.
pub(crate) fn make(
    ids: Ids,
    paths: &Paths,
    inside: impl FnOnce(Channel),
) -> Result<Outer, Refused> {
    let (ours, theirs) = Channel::pair().map_err(|e| ("make a channel", e))?;
    let supervisor =
        process::pidfd_open(std::process::id() as i32).map_err(|e| ("open a pidfd", errno(&e)))?;
    match clone_into(namespaces()).map_err(|e| ("clone3 the outer sandbox", errno(&e)))? {
        Cloned::Child => process::never_return(|| {
            drop(ours);
            match die_with_parent(&supervisor).and_then(|()| build(ids, paths, &theirs)) {
                Ok(()) => {
                    let _ = theirs.send(READY);
                    inside(theirs);
                }
                Err((step, errno)) => {
                    let _ = theirs.send(format!("{}\0{step}", errno as i32).as_bytes());
                }
            }
        }),
        Cloned::Parent { pid, pidfd } => {
            drop(theirs);
            let notes = match ids {
                Ids::One { .. } => Vec::new(),
                Ids::Range(map) => hand_over(pid, map, paths, &ours)?,
            };
            await_ready(&ours)?;
            Ok(Outer {
                first: pidfd,
                channel: ours,
                notes,
            })
        }
    }
}

const READY: &[u8] = b"ready";

/// The kernel ends this process when its parent dies; if that has happened already, it ends now.
fn die_with_parent(parent: &OwnedFd) -> Result<(), Refused> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)
        .map_err(|e| ("set the parent-death signal", e))?;
    if signal::is_readable(parent.as_fd()) {
        process::exit_now(1);
    }
    Ok(())
}

fn await_ready(channel: &Channel) -> Result<(), Refused> {
    let mut buffer = [0; 256];
    let answer = channel
        .receive(&mut buffer)
        .map_err(|e| ("hear from the outer sandbox", e))?;
    if answer == READY {
        return Ok(());
    }
    let text = String::from_utf8_lossy(answer);
    let (errno, step) = text
        .split_once('\0')
        .unwrap_or(("5", "hear from the outer sandbox"));
    // Steps are our own words; a failed start is rare enough to leak one.
    Err((
        Box::leak(step.to_owned().into_boxed_str()),
        Errno::from_raw(errno.parse().unwrap_or(0)),
    ))
}

pub(crate) fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

// ---- from outside, with root's privileges --------------------------------------------------

/// Gives the first process its ids, and id-mapped copies of the host's mounts.
fn hand_over(
    pid: i32,
    map: IdMap,
    paths: &Paths,
    channel: &Channel,
) -> Result<Vec<String>, Refused> {
    let proc_dir = PathBuf::from(format!("/proc/{pid}"));
    map.write(map, &proc_dir, false)
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
const TUN_DIRECTORY: &str = "/dev/net";

/// That directory for trials, where this process may make one; otherwise they have what the host permits.
///
/// The host's device may be for its root alone, which no trial is. To let everybody open it does no harm: it makes interfaces only where
/// its user may make interfaces.
pub(crate) fn tun_directory() -> Option<OwnedFd> {
    match Ids::available() {
        Ids::Range(_) => mount::device_directory("tun", 10, 200).ok(),
        Ids::One { .. } => None,
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

// ---- from inside ---------------------------------------------------------------------------

fn build(ids: Ids, paths: &Paths, channel: &Channel) -> Result<(), Refused> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    match ids {
        Ids::One { uid, gid } => {
            let map = |outside| IdMap { outside, count: 1 };
            map(uid)
                .write(map(gid), Path::new("/proc/self"), true)
                .map_err(|e| ("map the ids", errno(&e)))?;
            mount::make_private().map_err(|e| ("make the mounts private", e))?;
            let devices = devices();
            make_read_only(paths)?;
            furnish_dev(&devices)?;
        }
        Ids::Range(_) => {
            let mut trees = receive_trees(channel)?;
            become_root()?;
            mount::make_private().map_err(|e| ("make the mounts private", e))?;
            let mut devices = devices();
            for (_, tree) in trees.extract_if(.., |(path, _)| path == Path::new(TUN_DIRECTORY)) {
                devices.retain(|(name, _)| *name != "net/tun");
                devices.push(("net", tree));
            }
            put_together(&trees, paths)?;
            furnish_dev(&devices)?;
        }
    }
    chdir(&here)
        .or_else(|_| chdir("/"))
        .map_err(|e| ("enter the working directory", e))
}

/// The mapping is there, and our ids are still those of the host's root, which it does not have.
pub(crate) fn become_root() -> Result<(), Refused> {
    use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    setgroups(&[]).map_err(|e| ("drop the groups", e))?;
    setresgid(gid, gid, gid).map_err(|e| ("become the sandbox's root", e))?;
    setresuid(uid, uid, uid).map_err(|e| ("become the sandbox's root", e))?;
    // Changing ids clears both of these.
    nix::sys::prctl::set_dumpable(true).map_err(|e| ("stay dumpable", e))?;
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)
        .map_err(|e| ("set the parent-death signal", e))
}

fn receive_trees(channel: &Channel) -> Result<Vec<(PathBuf, OwnedFd)>, Refused> {
    let mut trees = Vec::new();
    let mut buffer = vec![0; crate::kernel::fd::MESSAGE_MAX];
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
fn put_together(trees: &[(PathBuf, OwnedFd)], paths: &Paths) -> Result<(), Refused> {
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
    mount::fresh("proc", &at(Path::new("/proc")), None).map_err(|e| ("mount /proc", e))?;
    mount::pivot(stage).map_err(|e| ("change the root", e))?;
    mount_private()?;
    for (path, tree) in late {
        fs::create_dir_all(path).map_err(|e| ("make way for the workspace", errno(&e)))?;
        mount::attach(tree.as_fd(), path).map_err(|e| ("mount the workspace", e))?;
    }
    Ok(())
}

/// An ordinary user: everything read-only where it is, and the workspace put back on top.
fn make_read_only(paths: &Paths) -> Result<(), Refused> {
    let writable = carry(paths.writable.iter().map(PathBuf::as_path))?;
    let readable = carry(paths.readable.iter().map(PathBuf::as_path))?;
    mount::fresh("proc", Path::new("/proc"), None).map_err(|e| ("mount /proc", e))?;
    let everything = Attributes {
        set: mount::READ_ONLY,
        recursive: true,
        ..Attributes::default()
    };
    mount::set_attributes_at(Path::new("/"), &everything).map_err(|e| ("make / read-only", e))?;
    // Over a read-only procfs or sysfs no fresh one is permitted; the user mapping protects them.
    let writable_again = Attributes {
        clear: mount::READ_ONLY,
        ..Attributes::default()
    };
    mount::set_attributes_at(Path::new("/proc"), &writable_again)
        .map_err(|e| ("make /proc writable", e))?;
    // Read-only from the start, as in a container: then it stays so.
    let _ = mount::set_attributes_at(Path::new("/sys"), &writable_again);
    mount_private()?;
    put_back(&writable)?;
    put_back(&readable)?;
    Ok(())
}

/// What trials without a mount namespace of their own share.
fn mount_private() -> Result<(), Refused> {
    mount::fresh("tmpfs", Path::new("/tmp"), Some(TMPFS)).map_err(|e| ("mount /tmp", e))?;
    mount::fresh("tmpfs", Path::new("/run"), Some("mode=755")).map_err(|e| ("mount /run", e))
}

/// The devices that do no harm, as far as the host has them.
const DEVICES: [&str; 9] = [
    "null", "zero", "full", "random", "urandom", "tty", "net/tun", "fuse", "kvm",
];

fn devices() -> Vec<(&'static str, OwnedFd)> {
    DEVICES
        .iter()
        .filter_map(|name| {
            let tree = mount::detach_copy(&Path::new("/dev").join(name), false).ok()?;
            Some((*name, tree))
        })
        .collect()
}

/// A `/dev` with these and no others: the host's has its disks, and may lack what trials need.
fn furnish_dev(devices: &[(&str, OwnedFd)]) -> Result<(), Refused> {
    let dev = Path::new("/dev");
    let step = |e: std::io::Error| ("furnish /dev", errno(&e));
    mount::fresh("tmpfs", dev, Some("mode=755,size=64k")).map_err(|e| ("mount /dev", e))?;
    for dir in ["net", "pts", "shm", "mqueue"] {
        fs::create_dir(dev.join(dir)).map_err(step)?;
    }
    for (name, tree) in devices {
        let place = dev.join(name);
        if !place.is_dir() {
            fs::File::create(&place).map_err(step)?;
        }
        mount::attach(tree.as_fd(), &place).map_err(|e| ("mount a device", e))?;
    }
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ];
    for (name, target) in links {
        std::os::unix::fs::symlink(target, dev.join(name)).map_err(step)?;
    }
    mount::fresh("tmpfs", &dev.join("shm"), Some(TMPFS)).map_err(|e| ("mount /dev/shm", e))?;
    mount::fresh("mqueue", &dev.join("mqueue"), None).map_err(|e| ("mount /dev/mqueue", e))?;
    mount::fresh("devpts", &dev.join("pts"), Some(DEVPTS)).map_err(|e| ("mount /dev/pts", e))?;
    let read_only = Attributes {
        set: mount::READ_ONLY,
        ..Attributes::default()
    };
    mount::set_attributes_at(dev, &read_only).map_err(|e| ("make /dev read-only", e))
}
