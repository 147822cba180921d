//! A test body that is an ordinary user.
//!
//! A trial's own root may do everything in the trial, so that a test of "permission denied" would
//! fail. The body becomes another user in a user namespace of its own, which shows the trial's root
//! by any id and gives no capability. So a trial needs no second id for that, and the files of
//! whoever runs the tests, such as the workspace, are the body's own, as on a host.

use crate::kernel::errno::Errno;
use crate::kernel::id_map::show_root_as;
use crate::kernel::namespace::CloneFlags;
use crate::kernel::process::become_dumpable;
use crate::kernel::process::seccomp;
use crate::kernel::process::user::{Account, drop_capabilities};
use crate::kernel::procfs::sysctls;
use crate::kernel::thread::escort;
use crate::sandbox::refused::{Doing, NewProcess, Refused, SetupStep};

/// Makes the calling process, which is the trial's root and has a single thread, this user.
///
/// # Errors
/// The kernel refuses a step.
pub(super) fn become_user(account: Account, nested: bool) -> Result<(), Refused> {
    let Account { uid, gid } = account;
    let users = CloneFlags::CLONE_NEWUSER;
    seccomp::unshare_users().doing(SetupStep::Clone(NewProcess::Sandbox, users))?;
    show_root_as(uid, gid).doing("map the ids of the user")?;
    if !nested {
        // The trial's own limit was left open for this namespace, and this one has a limit of its
        // own (namespaces(7), /proc/sys/user).
        sysctls::write("user/max_user_namespaces", "0").doing("write a sysctl")?;
        // Root of a namespace within this one may name other ids, and a filter cannot know it.
        match seccomp::refuse_other_ids(uid, gid) {
            // A kernel without filters says EINVAL of such ids.
            Ok(()) | Err(Errno::ENOSYS | Errno::EINVAL) => {}
            Err(errno) => return Err(errno).doing("filter calls that name other users"),
        }
    }
    // Labs enter the namespaces of their nodes by a thread that keeps its capabilities.
    escort::start().doing("start a thread that enters nodes")?;
    drop_capabilities().doing("drop the capabilities")?;
    // Without it /proc/self belongs to root, as after every change of ids (proc(5)).
    become_dumpable().doing("stay dumpable")
}
