//! The first process of the outer sandbox, until it is ready.
//!
//! It makes of copied mounts a tree that trials can inherit. It may not trust its maker to live:
//! when the maker dies, so does this process, and with it everything inside.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::kernel::errno::Errno;
use crate::kernel::process::become_dumpable;
use crate::kernel::process::chdir;
use crate::kernel::process::user::{Gid, Uid, setgroups, setresgid, setresuid};

use super::devices::{devices, mount_dev};
use super::idmapped_root::{self, FUSE_DIRECTORY, TUN_DIRECTORY};
use super::make::Wanted;
use crate::kernel::id_map::{GroupChange, IdMap};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::mount::MountAttributes;
use crate::kernel::poll;
use crate::kernel::process;
use crate::sandbox::ids::Ids;
use crate::sandbox::inherited::Corrections;
use crate::sandbox::paths::Paths;
use crate::sandbox::private_mounts::{
    DetachedTree, TMPFS, detach_hidden, reattach, reattach_hidden,
};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::outer::{OuterReply, OuterStep};
use crate::sandbox::refused::{Doing, Refused, SetupStep};

/// Makes the outer sandbox of the calling process' namespaces, says so, and runs `inside`.
pub(super) fn begin(
    ids: Ids,
    wanted: &Wanted<'_>,
    channel: MessageChannel,
    supervisor: &OwnedFd,
    inside: impl FnOnce(MessageChannel, Ids, Option<Corrections>),
) {
    let made = die_with_parent(supervisor).and_then(|()| build(ids, wanted, &channel));
    // The corrections are received in any case: where a socket is closed that has an unread
    // message, its peer reads ECONNRESET and not the reply (net/unix/af_unix.c, unix_release_sock).
    let corrections = receive_corrections(&channel);
    let (reply, corrections) = match made.and(corrections) {
        Ok(corrections) => (Ok(()), Some(corrections)),
        Err(refused) => (Err(refused), None),
    };
    let _ = channel.send(&OuterReply(reply).encode());
    if let Some(corrections) = corrections {
        inside(channel, ids, corrections);
    }
}

/// Waits for what the maker has found out meanwhile.
fn receive_corrections(channel: &MessageChannel) -> Result<Option<Corrections>, Refused> {
    let step = "receive the settings";
    let (message, _) = channel.receive_whole_with().doing(step)?;
    match OuterStep::decode(&message) {
        Some(OuterStep::Corrections(writes)) => Ok(writes.map(Corrections::from_writes)),
        Some(OuterStep::IdsMapped | OuterStep::Mounts(_) | OuterStep::MountsComplete) | None => {
            Err(Errno::EPIPE).doing(step)
        }
    }
}

/// Makes the kernel end this process when its parent dies. If that has happened already, this
/// process ends now.
pub(super) fn die_with_parent(parent: &OwnedFd) -> Result<(), Refused> {
    process::die_with_parent().doing("set the parent-death signal")?;
    // A parent that died before the line above left no signal behind. To ask getppid() does not
    // help: it is 0 for the init of a PID namespace in any case (pid_namespaces(7)).
    if poll::is_readable(parent.as_fd()) {
        process::exit_now(1);
    }
    Ok(())
}

fn build(ids: Ids, wanted: &Wanted<'_>, channel: &MessageChannel) -> Result<(), Refused> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    match ids {
        Ids::One { uid, gid } => {
            map_alone(uid, gid)?;
            use_host_mounts(wanted)?;
        }
        Ids::Subordinate(_) => {
            await_ids(channel)?;
            use_host_mounts(wanted)?;
        }
        Ids::Range(_) => use_idmapped_mounts(wanted, channel)?,
    }
    // The old working directory lies on a mount that is hidden or gone; the same path does not.
    chdir(&here)
        .or_else(|_| chdir("/"))
        .doing("enter the working directory")
}

/// Maps the invoking user as root, which a process may do by itself.
fn map_alone(uid: u32, gid: u32) -> Result<(), Refused> {
    let map = |outside| IdMap { outside, count: 1 };
    map(uid)
        .write(map(gid), "self", GroupChange::Denied)
        .doing("map the ids")
}

/// Waits until `newuidmap` and `newgidmap` have mapped the ids.
fn await_ids(channel: &MessageChannel) -> Result<(), Refused> {
    let mut buffer = [0; 16];
    let step = "wait for the ids";
    let message = channel.receive(&mut buffer).doing(step)?;
    match OuterStep::decode(message) {
        Some(OuterStep::IdsMapped) => Ok(()),
        Some(OuterStep::Mounts(_) | OuterStep::MountsComplete | OuterStep::Corrections(_))
        | None => Err(Errno::EPIPE).doing(step),
    }
}

/// Makes the mount tree of an ordinary user's trials.
fn use_host_mounts(wanted: &Wanted<'_>) -> Result<(), Refused> {
    // Without this, mounts of ours would spread to the host where `/` is shared
    // (mount_namespaces(7), "Shared subtrees"). In a new user namespace they are slaves already,
    // which still receive the host's.
    mount::make_private().doing("make the mounts private")?;
    // Devices are copied while the host's /dev is still in sight.
    let devices = devices();
    let kept = make_read_only(wanted.paths)?;
    mount_dev(&devices, wanted)?;
    // Some of them may lie in /dev/shm.
    reattach_hidden(&kept).map(drop)
}

/// Makes the mount tree of root's trials.
fn use_idmapped_mounts(wanted: &Wanted<'_>, channel: &MessageChannel) -> Result<(), Refused> {
    let mut trees = idmapped_root::receive_trees(channel)?;
    become_root()?;
    // Without this, mounts of ours would spread to the host, whose `/` systemd shares
    // (mount_namespaces(7), "Shared subtrees").
    mount::make_private().doing("make the mounts private")?;
    let mut devices = devices();
    for (_, tree) in trees.extract_if(.., |(path, _)| path == Path::new(TUN_DIRECTORY)) {
        devices.retain(|(name, _)| *name != "net/tun");
        devices.push(("net", tree));
    }
    for (_, tree) in trees.extract_if(.., |(path, _)| path == Path::new(FUSE_DIRECTORY)) {
        devices.retain(|(name, _)| *name != "fuse");
        devices.push(("fuse", single_device(&tree, "fuse")?));
    }
    let late = idmapped_root::put_together(&trees, wanted.paths)?;
    mount_dev(&devices, wanted)?;
    late.into_iter().try_for_each(reattach)
}

/// Returns a detached copy of a device in a detached directory.
fn single_device(directory: &OwnedFd, name: &str) -> Result<OwnedFd, Refused> {
    // Before Linux 6.15 only what is attached can be copied (fs/namespace.c). Any place will do:
    // nothing of this mount namespace remains.
    let stage = Path::new("/tmp");
    mount::attach(directory.as_fd(), stage).doing("mount a device")?;
    mount::detach_copy(&stage.join(name), mount::MountsBelow::LeftOut).doing("copy a device")
}

/// Becomes root of a user namespace whose ids are mapped: until then the ids of this process are
/// those of the host's root, which has no number inside.
pub(crate) fn become_root() -> Result<(), Refused> {
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    // The groups before the user: a change of the user id may take the capability to change groups
    // (capabilities(7)).
    setgroups(&[]).doing("drop the groups")?;
    setresgid(gid, gid, gid).doing("become the sandbox's root")?;
    setresuid(uid, uid, uid).doing("become the sandbox's root")?;
    // A change of ids clears the dumpable flag, without which siblings may not open /proc/PID/ns
    // (proc(5), prctl(2)); and the parent-death signal (prctl(2), PR_SET_PDEATHSIG).
    become_dumpable().doing("stay dumpable")?;
    process::die_with_parent().doing("set the parent-death signal")
}

/// Makes everything read-only where it is. Returns copies of the workspace and of what must stay
/// visible, which go back on top.
fn make_read_only(paths: &Paths) -> Result<Vec<DetachedTree>, Refused> {
    let kept = paths.writable.iter().chain(&paths.readable);
    let kept = detach_hidden(kept.map(PathBuf::as_path))?;
    // This procfs is that of the sandbox's PID namespace. The kernel permits the mount as long as
    // some procfs is visible whose read-only flag is not locked (fs/namespace.c,
    // mnt_already_visible). The call below sets that flag and does not lock it (measured with Linux
    // 6.18, 2026-11-30).
    mount::fresh(c"proc", Path::new("/proc"), None).doing(SetupStep::mount("/proc"))?;
    let everything = MountAttributes {
        set: mount::READ_ONLY,
        recursive: true,
        ..MountAttributes::default()
    };
    mount::set_attributes_at(Path::new("/"), &everything).doing("make / read-only")?;
    // A trial may mount a procfs or sysfs of its own only if one that is fully visible has no
    // stricter flags (fs/namespace.c, mount_too_revealing). The user mapping protects both.
    let writable_again = MountAttributes {
        clear: mount::READ_ONLY,
        ..MountAttributes::default()
    };
    mount::set_attributes_at(Path::new("/proc"), &writable_again).doing("make /proc writable")?;
    // A /sys that was read-only from the start, as in a container, stays so: its flag is locked.
    let _ = mount::set_attributes_at(Path::new("/sys"), &writable_again);
    mount_private()?;
    Ok(kept)
}

/// Mounts the `/tmp` and `/run` that trials without a mount namespace of their own share.
pub(super) fn mount_private() -> Result<(), Refused> {
    mount::fresh(c"tmpfs", Path::new("/tmp"), Some(TMPFS)).doing(SetupStep::mount("/tmp"))?;
    mount::fresh(c"tmpfs", Path::new("/run"), Some(c"mode=755")).doing(SetupStep::mount("/run"))
}
