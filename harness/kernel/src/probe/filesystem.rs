//! Filesystems that a user namespace may or may not mount.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::errno::{RefusedCall, errno, refused};
use crate::mount::{MountAttributes, MountsBelow, detach_copy, fresh, set_attributes};

/// Mounts an empty tmpfs over `/tmp`, and makes a file in it.
///
/// # Errors
/// The call that was refused.
pub fn tmpfs() -> Result<(), RefusedCall> {
    fresh(c"tmpfs", Path::new("/tmp"), None).map_err(refused("mount /tmp"))?;
    let made = fs::write("/tmp/file", "");
    made.map_err(|error| refused("create /tmp/file")(errno(&error)))
}

/// Mounts the message queues of this IPC namespace.
///
/// # Errors
/// The mount was refused.
pub fn mqueue() -> Result<(), RefusedCall> {
    fresh(c"mqueue", Path::new("/tmp"), None).map_err(refused("mount a mqueue"))
}

/// Shows the files of `path` with the ids of another user namespace, on a copy of their mount.
///
/// # Errors
/// The call that was refused: not all filesystems have idmapped mounts.
pub fn idmapped(path: &Path, userns: &fs::File) -> Result<(), RefusedCall> {
    // The probe works on a copy, since a mount that others see cannot be idmapped
    // (mount_setattr(2)).
    let tree = detach_copy(path, MountsBelow::LeftOut).map_err(refused("open_tree"))?;
    let mapped = MountAttributes {
        idmap: Some(userns.as_fd()),
        ..MountAttributes::default()
    };
    set_attributes(tree.as_fd(), &mapped).map_err(refused("mount_setattr MOUNT_ATTR_IDMAP"))
}

/// Mounts an overlay whose layers are in a private tmpfs.
///
/// `userxattr` keeps overlayfs's bookkeeping in `user.*` attributes: a user namespace may not write
/// `trusted.*` ones (`Documentation/filesystems/overlayfs.rst`).
///
/// # Errors
/// The call that was refused.
pub fn overlay() -> Result<(), RefusedCall> {
    let at = "/tmp";
    mount(
        Some("tmpfs"),
        at,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .map_err(refused("mount a tmpfs"))?;
    // `upper` and `work` must be on one filesystem (Documentation/filesystems/overlayfs.rst, "Upper
    // and Lower").
    for dir in ["lower", "upper", "work", "merged"] {
        let made = fs::create_dir(format!("{at}/{dir}"));
        made.map_err(|error| refused("mkdir")(errno(&error)))?;
    }
    let options = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work,userxattr";
    mount(
        Some("overlay"),
        "/tmp/merged",
        Some("overlay"),
        MsFlags::empty(),
        Some(options),
    )
    .map_err(refused("mount an overlay"))
}
