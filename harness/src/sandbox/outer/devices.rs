//! A `/dev` of harmless devices.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use crate::kernel::errno::errno;
use crate::kernel::mount;
use crate::kernel::mount::Attributes;
use crate::sandbox::trial::mounts::{DEVPTS, Refused, TMPFS};

/// The devices that do no harm, as far as the host has them.
const DEVICES: [&str; 9] = [
    "null", "zero", "full", "random", "urandom", "tty", "net/tun", "fuse", "kvm",
];

pub(super) fn devices() -> Vec<(&'static str, OwnedFd)> {
    DEVICES
        .iter()
        .filter_map(|name| {
            let tree = mount::detach_copy(&Path::new("/dev").join(name), false).ok()?;
            Some((*name, tree))
        })
        .collect()
}

/// A `/dev` with these and no others: the host's has its disks, and may lack what trials need.
pub(super) fn furnish_dev(devices: &[(&str, OwnedFd)]) -> Result<(), Refused> {
    let dev = Path::new("/dev");
    let step = |e: std::io::Error| ("furnish /dev", errno(&e));
    mount::fresh(c"tmpfs", dev, Some(c"mode=755,size=64k")).map_err(|e| ("mount /dev", e))?;
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
    mount::fresh(c"tmpfs", &dev.join("shm"), Some(TMPFS)).map_err(|e| ("mount /dev/shm", e))?;
    mount::fresh(c"mqueue", &dev.join("mqueue"), None).map_err(|e| ("mount /dev/mqueue", e))?;
    mount::fresh(c"devpts", &dev.join("pts"), Some(DEVPTS)).map_err(|e| ("mount /dev/pts", e))?;
    let read_only = Attributes {
        set: mount::READ_ONLY,
        ..Attributes::default()
    };
    mount::set_attributes_at(dev, &read_only).map_err(|e| ("make /dev read-only", e))
}
