//! Directories of the host with their true owners, for bodies that are ordinary users.
//!
//! Root's mount tree shows the files of the host's root as those of the trial's. The body of an
//! ordinary user is the trial's root by another name, so it would own the host's `/etc/shadow`. In
//! directories that hold nothing which the user who runs the tests needs, such a body sees copies
//! that are not id-mapped, in which the files of the host's root belong to nobody.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::kernel::mount;
use crate::kernel::mount::MountAttributes;
use crate::sandbox::paths::{PRIVATE, Paths};
use crate::sandbox::private_mounts::DetachedTree;
use crate::sandbox::trial::mounts::PlainView;

/// Directory of the outer sandbox where the copies wait. A trial's own `/run` hides the directory.
const PLACE: &str = "/run/.host";

/// Directories that each sandbox makes itself.
const MADE: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Returns copies of the directories in `/` that hold nothing of whoever runs the tests, each with
/// the path at which it waits. Called on the host.
pub(super) fn copies(paths: &Paths) -> Vec<DetachedTree> {
    let needed = |dir: &Path| {
        let mut kept = paths
            .writable
            .iter()
            .chain(&paths.readable)
            .chain(&paths.own);
        let made = || {
            MADE.iter()
                .chain(&PRIVATE)
                .any(|made| Path::new(made) == dir)
        };
        made() || kept.any(|kept| kept.starts_with(dir))
    };
    let entries = fs::read_dir("/").into_iter().flatten().flatten();
    entries
        // Links, as /bin is one, lead to a directory that is here too.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|path| !needed(path))
        .filter_map(|path| {
            // A directory that cannot be copied is seen as root of the trial sees it.
            let tree = mount::detach_copy(&path, mount::MountsBelow::Copied).ok()?;
            let read_only = MountAttributes {
                set: mount::READ_ONLY | mount::NO_DEVICES,
                recursive: true,
                private: true,
                ..MountAttributes::default()
            };
            mount::set_attributes(tree.as_fd(), &read_only).ok()?;
            let name = path.file_name()?;
            Some((Path::new(PLACE).join(name), tree))
        })
        .collect()
}

/// Returns the directories that wait to be shown with their true owners. Called in the outer
/// sandbox.
pub(crate) fn plain_views() -> Vec<PlainView> {
    let entries = fs::read_dir(PLACE).into_iter().flatten().flatten();
    entries
        .map(|entry| PlainView {
            kept_at: entry.path(),
            path: PathBuf::from("/").join(entry.file_name()),
        })
        .collect()
}
