//! A `/dev` of harmless devices.
//!
//! The host's `/dev` has its disks, which no test should see, and may lack what tests need. In a
//! user namespace no device can be made (`mknod(2)` is refused, `user_namespaces(7)`), so those of
//! the host are mounted one by one.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::OnceLock;

use super::make::Wanted;
use crate::kernel::errno::{Errno, errno};
use crate::kernel::mount;
use crate::kernel::mount::MountAttributes;
use crate::sandbox::paths::SHM;
use crate::sandbox::private_mounts::{DEVPTS, TMPFS};
use crate::sandbox::refused::{Doing, Refused, SetupStep};

/// Devices that do no harm, as far as the host has them.
const DEVICES: [&str; 9] = [
    "null", "zero", "full", "random", "urandom", "tty", "net/tun", "fuse", "kvm",
];

/// Devices among them that the host may have and not permit, or have without their driver.
const NOT_EVERYWHERE: [&str; 3] = ["net/tun", "fuse", "kvm"];

/// A device of the host that trials lack, as this user cannot open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnusableDevice {
    /// The permissions of the file, if there is one.
    pub(crate) mode: Option<u32>,
    /// The errno with which the kernel refused to open the device.
    pub(crate) errno: Errno,
}

/// The host's device of FUSE, if trials lack it. The first process of the outer sandbox has seen
/// the host's `/dev`, and all processes of trials are copies of it.
static FUSE: OnceLock<UnusableDevice> = OnceLock::new();

/// Returns why trials have no device of FUSE, if they have none.
pub(crate) fn why_no_fuse() -> Option<UnusableDevice> {
    FUSE.get().copied()
}

/// Tries whether this process may use a device. A device that a program finds and cannot open is
/// worse than none: programs decide by the file what they can do.
pub(super) fn try_open(device: &Path) -> Result<(), UnusableDevice> {
    let mut options = fs::File::options();
    let opened = options.read(true).write(true).open(device);
    opened.map(drop).map_err(|error| {
        let file = fs::symlink_metadata(device).ok();
        UnusableDevice {
            mode: file.map(|file| file.permissions().mode() & 0o7777),
            errno: errno(&error),
        }
    })
}

/// Returns detached copies of the harmless devices, each with its name below `/dev`.
pub(super) fn devices() -> Vec<(&'static str, OwnedFd)> {
    DEVICES
        .iter()
        .filter_map(|name| {
            let device = Path::new("/dev").join(name);
            if NOT_EVERYWHERE.contains(name)
                && let Err(unusable) = try_open(&device)
            {
                if *name == "fuse" {
                    FUSE.get_or_init(|| unusable);
                }
                return None;
            }
            // A device that the host lacks or hides is missing in trials too.
            let tree = mount::detach_copy(&device, mount::MountsBelow::LeftOut).ok()?;
            Some((*name, tree))
        })
        .collect()
}

/// Mounts a `/dev` with these devices and no others. Where each trial has mounts and an IPC
/// namespace apart from the others, it covers the directories in `/dev` by its own.
pub(super) fn mount_dev(devices: &[(&str, OwnedFd)], wanted: &Wanted<'_>) -> Result<(), Refused> {
    let dev = Path::new("/dev");
    // Names take little room; what tests write goes to /dev/shm, which has a limit of its own.
    mount::fresh(c"tmpfs", dev, Some(c"mode=755,size=64k")).doing(SetupStep::mount("/dev"))?;
    lay_out(dev, devices).doing("furnish /dev")?;
    for (name, tree) in devices {
        mount::attach(tree.as_fd(), &dev.join(name)).doing("mount a device")?;
    }
    let mut hidden = wanted.paths.hidden();
    if !wanted.apart {
        mount_shared(dev)?;
    } else if hidden.any(|path| path.starts_with(SHM)) {
        // The way to the workspace is made there, and `/dev` itself is read-only.
        mount_shm()?;
    }
    // This call comes last and is not recursive, so /dev/shm and the other mounts stay writable.
    let read_only = MountAttributes {
        set: mount::READ_ONLY,
        ..MountAttributes::default()
    };
    mount::set_attributes_at(dev, &read_only).doing("make /dev read-only")
}

/// Mounts what trials without mounts of their own share.
fn mount_shared(dev: &Path) -> Result<(), Refused> {
    mount_shm()?;
    mount::fresh(c"mqueue", &dev.join("mqueue"), None).doing(SetupStep::mount("/dev/mqueue"))?;
    mount::fresh(c"devpts", &dev.join("pts"), Some(DEVPTS)).doing(SetupStep::mount("/dev/pts"))
}

fn mount_shm() -> Result<(), Refused> {
    mount::fresh(c"tmpfs", Path::new(SHM), Some(TMPFS)).doing(SetupStep::mount(SHM))
}

/// Makes the directories, the symbolic links, and an empty file as each device's mount point.
fn lay_out(dev: &Path, devices: &[(&str, OwnedFd)]) -> io::Result<()> {
    for dir in ["net", "pts", "shm", "mqueue"] {
        fs::create_dir(dev.join(dir))?;
    }
    for (name, _) in devices {
        let point = dev.join(name);
        if !point.is_dir() {
            fs::File::create(&point)?;
        }
    }
    // The ptmx of the instance that is mounted on /dev/pts, and not the host's
    // (Documentation/filesystems/devpts.rst).
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ];
    for (name, target) in links {
        std::os::unix::fs::symlink(target, dev.join(name))?;
    }
    Ok(())
}
