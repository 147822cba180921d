//! The outer sandbox, made once per run.
//!
//! Its mount tree is what every trial inherits: the host's files, read-only; the workspace,
//! writable; a `/dev` of harmless devices; empty `/tmp` and `/run`. As an ordinary user the tree
//! is the host's own, made read-only in place, for its mounts are locked together. Started as
//! root, it is put together from copies that are *id-mapped*: root inside is then an unprivileged id on
//! the host and still sees root's files as its own, and what it writes in the workspace
//! belongs to root.

mod devices;
mod idmapped_root;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chdir};

use self::devices::{devices, furnish_dev};
use self::idmapped_root::TUN_DIRECTORY;
pub(crate) use self::idmapped_root::tun_directory;
use crate::kernel::errno::errno;
use crate::kernel::id_map::IdMap;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::mount::Attributes;
use crate::kernel::process;
use crate::kernel::process::clone::{Cloned, clone_into};
use crate::sandbox::ids::Ids;
use crate::sandbox::paths::Paths;
use crate::sandbox::trial::mounts::{Refused, TMPFS, carry, put_back};

/// The namespaces of the outer sandbox. The network stays the host's: trials have their own.
fn namespaces() -> CloneFlags {
    CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
}

/// The outer sandbox as its maker sees it.
pub(crate) struct Outer {
    /// Readable when the first process is gone; killing that one kills everything inside.
    pub(crate) first: OwnedFd,
    /// To the first process.
    pub(crate) channel: MessageChannel,
    /// Whom the trials' root is: fewer ids than were asked for where they could not be mapped.
    pub(crate) ids: Ids,
    /// What could not be had, in a sentence each.
    pub(crate) notes: Vec<String>,
}

/// Makes the outer sandbox and runs `inside` as its first process.
///
/// Must be called while this process has a single thread.
pub(crate) fn make(
    mut ids: Ids,
    paths: &Paths,
    inside: impl FnOnce(MessageChannel, Ids),
) -> Result<Outer, Refused> {
    let supervisor =
        process::pidfd_open(std::process::id() as i32).map_err(|e| ("open a pidfd", errno(&e)))?;
    let mut notes = Vec::new();
    loop {
        let (ours, theirs) = MessageChannel::pair().map_err(|e| ("make a channel", e))?;
        match clone_into(namespaces()).map_err(|e| ("clone3 the outer sandbox", errno(&e)))? {
            Cloned::Child => process::never_return(|| {
                drop(ours);
                begin(ids, paths, theirs, &supervisor, inside);
            }),
            Cloned::Parent { pid, pidfd } => {
                drop(theirs);
                let given = give_ids(ids, pid, paths, &ours, &mut notes)?;
                if given == ids {
                    await_ready(&ours)?;
                    return Ok(Outer {
                        first: pidfd,
                        channel: ours,
                        ids,
                        notes,
                    });
                }
                // It may have got half of them, and a mapping can be written once; so another one.
                let _ = process::pidfd_kill(&pidfd, libc::SIGKILL);
                let _ = waitpid(Pid::from_raw(pid), None);
                ids = given;
            }
        }
    }
}

/// The life of the first process.
fn begin(
    ids: Ids,
    paths: &Paths,
    channel: MessageChannel,
    supervisor: &OwnedFd,
    inside: impl FnOnce(MessageChannel, Ids),
) {
    match die_with_parent(supervisor).and_then(|()| build(ids, paths, &channel)) {
        Ok(()) => {
            let _ = channel.send(READY);
            inside(channel, ids);
        }
        Err((step, errno)) => {
            let _ = channel.send(format!("{}\0{step}", errno as i32).as_bytes());
        }
    }
}

const READY: &[u8] = b"ready";

/// The kernel ends this process when its parent dies; if that has happened already, it ends now.
fn die_with_parent(parent: &OwnedFd) -> Result<(), Refused> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)
        .map_err(|e| ("set the parent-death signal", e))?;
    if crate::kernel::poll::is_readable(parent.as_fd()) {
        process::exit_now(1);
    }
    Ok(())
}

fn await_ready(channel: &MessageChannel) -> Result<(), Refused> {
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

/// Gives the first process the ids that it waits for; if it cannot have them, those that another one can.
fn give_ids(
    ids: Ids,
    pid: i32,
    paths: &Paths,
    channel: &MessageChannel,
    notes: &mut Vec<String>,
) -> Result<Ids, Refused> {
    match ids {
        Ids::One { .. } => {}
        Ids::Subordinate(wanted) => {
            if let Err((program, said)) = wanted.map(pid) {
                notes.push(format!(
                    "one id is mapped instead of {}: {program}: {said}",
                    wanted.count
                ));
                return Ok(wanted.alone());
            }
            let told = channel.send(MAPPED);
            told.map_err(|e| ("speak to the outer sandbox", e))?;
        }
        Ids::Range(map) => notes.extend(idmapped_root::hand_over(pid, map, paths, channel)?),
    }
    Ok(ids)
}

const MAPPED: &[u8] = b"mapped";

fn build(ids: Ids, paths: &Paths, channel: &MessageChannel) -> Result<(), Refused> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    match ids {
        Ids::One { .. } | Ids::Subordinate(_) => {
            match ids {
                Ids::One { uid, gid } => map_alone(uid, gid)?,
                _ => await_mapped(channel)?,
            }
            mount::make_private().map_err(|e| ("make the mounts private", e))?;
            let devices = devices();
            make_read_only(paths)?;
            furnish_dev(&devices)?;
        }
        Ids::Range(_) => {
            let mut trees = idmapped_root::receive_trees(channel)?;
            become_root()?;
            mount::make_private().map_err(|e| ("make the mounts private", e))?;
            let mut devices = devices();
            for (_, tree) in trees.extract_if(.., |(path, _)| path == Path::new(TUN_DIRECTORY)) {
                devices.retain(|(name, _)| *name != "net/tun");
                devices.push(("net", tree));
            }
            idmapped_root::put_together(&trees, paths)?;
            furnish_dev(&devices)?;
        }
    }
    chdir(&here)
        .or_else(|_| chdir("/"))
        .map_err(|e| ("enter the working directory", e))
}

/// The invoking user as root, which it may do itself.
fn map_alone(uid: u32, gid: u32) -> Result<(), Refused> {
    let map = |outside| IdMap { outside, count: 1 };
    map(uid)
        .write(map(gid), "self", true)
        .map_err(|e| ("map the ids", errno(&e)))
}

fn await_mapped(channel: &MessageChannel) -> Result<(), Refused> {
    let mut buffer = [0; 16];
    match channel.receive(&mut buffer) {
        Ok(MAPPED) => Ok(()),
        Ok(_) => Err(("wait for the ids", Errno::EPIPE)),
        Err(errno) => Err(("wait for the ids", errno)),
    }
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

/// An ordinary user: everything read-only where it is, and the workspace put back on top.
fn make_read_only(paths: &Paths) -> Result<(), Refused> {
    let writable = carry(paths.writable.iter().map(PathBuf::as_path))?;
    let readable = carry(paths.readable.iter().map(PathBuf::as_path))?;
    mount::fresh(c"proc", Path::new("/proc"), None).map_err(|e| ("mount /proc", e))?;
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
pub(super) fn mount_private() -> Result<(), Refused> {
    mount::fresh(c"tmpfs", Path::new("/tmp"), Some(TMPFS)).map_err(|e| ("mount /tmp", e))?;
    mount::fresh(c"tmpfs", Path::new("/run"), Some(c"mode=755")).map_err(|e| ("mount /run", e))
}
