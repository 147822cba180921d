//! The files that code of the test finds in a node: those of the node, with the trial's `/proc`.
//!
//! A thread of the test can enter every namespace of a node but the PID namespace, which holds for
//! children only (`setns(2)`). So the thread has a number in the trial, and none in the node: in
//! the node's own procfs `/proc/self` leads nowhere, and with it `/proc/net`, `/dev/fd` and
//! `/dev/stdin` (`fs/proc/self.c`, `proc_self_get_link`). The programs of the node in turn need
//! that procfs. Therefore visitors have a mount namespace of their own, which is made for the first
//! of them: a copy of the node's, where all mounts are shared with the node, and `/proc` alone is
//! not.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::kernel::errno::errno;
use crate::kernel::mount;
use crate::kernel::namespace::{self, CloneFlags};
use crate::kernel::namespace::{NamespaceKind, Task};
use crate::kernel::process;

/// Files of `/proc/PID` about namespaces, which the kernel fills in for the first thread of the
/// process (`fs/proc/proc_net.c`, `get_proc_task_net`; `fs/proc_namespace.c`,
/// `mounts_open_common`). That thread has stayed at home.
const OF_FIRST_THREAD: [&str; 4] = ["net", "mounts", "mountinfo", "mountstats"];

/// Makes the mount namespace for visitors, from the one of the calling process.
///
/// `proc` is a detached copy of the trial's `/proc`, and `visitor` is the process there whose
/// threads visit.
pub(super) fn make(proc: BorrowedFd<'_>, visitor: u32) -> crate::kernel::Result<OwnedFd> {
    let own = own_mounts()?;
    // Mounts become shared before they are copied: the copies of shared mounts are their peers
    // (mount_namespaces(7)). Whatever a visitor or a program mounts later, the other finds too.
    mount::make_shared()?;
    namespace::unshare(CloneFlags::CLONE_NEWNS)?;
    let made = show_trial(proc, visitor).and_then(|()| own_mounts());
    if namespace::enter(own.as_fd(), CloneFlags::CLONE_NEWNS).is_err() {
        // Programs that were started from here would see the wrong processes.
        process::exit_now(1)
    }
    made
}

/// Lays the trial's `/proc` over the node's.
fn show_trial(proc: BorrowedFd<'_>, visitor: u32) -> crate::kernel::Result<()> {
    let place = Path::new("/proc");
    // The parent of a new mount decides whether the mount spreads to peers, so the parent is made
    // private. The copy of the trial's may have peers too, if the test has made its mounts shared.
    mount::make_private_at(place)?;
    mount::attach(proc, place)?;
    mount::make_private_at(place)?;
    // This process is a member of the trial's PID namespace too, so /proc/self is its own, and its
    // namespaces are the node's.
    let (own, visitors) = (place.join("self"), place.join(visitor.to_string()));
    for name in OF_FIRST_THREAD {
        let tree = mount::detach_copy(&own.join(name), mount::MountsBelow::LeftOut)?;
        mount::attach(tree.as_fd(), &visitors.join(name))?;
    }
    Ok(())
}

fn own_mounts() -> crate::kernel::Result<OwnedFd> {
    let file = Task::Process
        .namespace(NamespaceKind::Mnt)
        .map_err(|e| errno(&e))?;
    Ok(file.into())
}
