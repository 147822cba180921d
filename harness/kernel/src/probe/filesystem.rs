//! Filesystems that a user namespace may or may not mount.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::errno::{Refusal, errno};
use crate::mount::{MountAttributes, detach_copy, fresh, set_attributes};

/// Mounts an empty filesystem of memory over `/tmp`, and makes a file in it.
pub fn tmpfs() -> Result<(), Refusal> {
    fresh(c"tmpfs", Path::new("/tmp"), None).map_err(|e| ("mount /tmp".to_owned(), e))?;
    let made = fs::write("/tmp/file", "");
    made.map_err(|e| ("create /tmp/file".to_owned(), errno(&e)))
}

/// Mounts the message queues of this IPC namespace.
pub fn mqueue() -> Result<(), Refusal> {
    fresh(c"mqueue", Path::new("/tmp"), None).map_err(|e| ("mount a mqueue".to_owned(), e))
}

/// Shows the files of `path` with the ids of another user namespace, on a copy of their mount.
pub fn idmapped(path: &Path, userns: &fs::File) -> Result<(), Refusal> {
    // On a copy, since a mount that others see cannot be idmapped (mount_setattr(2)).
    let tree = detach_copy(path, false).map_err(|e| ("open_tree".to_owned(), e))?;
    let mapped = MountAttributes {
        idmap: Some(userns.as_fd()),
        ..MountAttributes::default()
    };
    set_attributes(tree.as_fd(), &mapped)
        .map_err(|e| ("mount_setattr MOUNT_ATTR_IDMAP".to_owned(), e))
}

/// Mounts an overlay whose layers are in a private tmpfs.
///
/// `userxattr` keeps overlayfs's bookkeeping in `user.*` attributes: a user namespace may not write
/// `trusted.*` ones (`Documentation/filesystems/overlayfs.rst`).
pub fn overlay() -> Result<(), Refusal> {
    let at = "/tmp";
    let failed = |what: &str, e| (what.to_owned(), e);
    mount(
        Some("tmpfs"),
        at,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .map_err(|e| failed("mount a tmpfs", e))?;
    // `upper` and `work` must be on one filesystem (Documentation/filesystems/overlayfs.rst, "Upper
    // and Lower").
    for dir in ["lower", "upper", "work", "merged"] {
        fs::create_dir(format!("{at}/{dir}")).map_err(|e| failed("mkdir", errno(&e)))?;
    }
    let options = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work,userxattr";
    mount(
        Some("overlay"),
        "/tmp/merged",
        Some("overlay"),
        MsFlags::empty(),
        Some(options),
    )
    .map_err(|e| failed("mount an overlay", e))
}
