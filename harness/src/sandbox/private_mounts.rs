//! Filesystems that each sandbox has for itself, and what must stay visible beneath them.
//!
//! A private `/tmp` hides whatever of the workspace lies below the host's `/tmp`. So those trees
//! are taken off as detached copies before anything is mounted, and attached in their old places
//! after.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::refused::{Doing, Refused};
use crate::kernel::mount;

/// Options of a tmpfs for everybody, with the most that a trial may write to it.
pub(crate) const TMPFS: &CStr = c"mode=1777,size=1g,nr_inodes=1m";

/// Options of the tmpfs on `/run`, which only root writes to.
pub(crate) const RUN: &CStr = c"mode=755,size=1g,nr_inodes=1m";

/// Options of a devpts whose terminals anyone in the sandbox may open. `newinstance` keeps them
/// apart from the host's (`mount(8)`, "Mount options for devpts").
pub(crate) const DEVPTS: &CStr = c"newinstance,ptmxmode=0666,mode=620";

/// A mount that was taken off: its path, and the detached copy.
pub(crate) type DetachedTree = (PathBuf, OwnedFd);

/// Makes detached copies of the mounts at `paths`, which are about to be hidden.
pub(crate) fn detach_hidden<'a>(
    paths: impl Iterator<Item = &'a Path>,
) -> Result<Vec<DetachedTree>, Refused> {
    paths
        .map(|path| {
            // With the mounts below, which would otherwise show as empty directories.
            let tree = mount::detach_copy(path, mount::MountsBelow::Copied)
                .doing("copy the workspace's mount")?;
            Ok((path.to_owned(), tree))
        })
        .collect()
}

/// Attaches detached trees in their old places. Returns whether there were any.
pub(crate) fn reattach_hidden(trees: &[DetachedTree]) -> Result<bool, Refused> {
    trees.iter().try_for_each(reattach)?;
    Ok(!trees.is_empty())
}

/// Attaches a detached tree in its old place.
pub(crate) fn reattach((path, tree): &DetachedTree) -> Result<(), Refused> {
    // The private filesystem is empty: the directories that led to the workspace are hidden.
    fs::create_dir_all(path).doing("make way for the workspace")?;
    mount::attach(tree.as_fd(), path).doing("mount the workspace")
}
