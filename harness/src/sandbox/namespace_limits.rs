//! Limits on namespaces that are reached for a while only.
//!
//! The kernel counts a namespace until it is destroyed, which is some time after its last process
//! has ended. One worker destroys the network namespaces of the whole machine, all that are due in
//! one batch, and gives their numbers back at the end of the batch (net/core/net_namespace.c,
//! `cleanup_net`); a user namespace that owns one is counted for as long. So the namespaces of
//! other programs make a run wait: after 3,500 of them had ended at once, none was given back for
//! more than 4 s on a busy machine (measured for this project, 2026-11).

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::kernel::errno::{Errno, errno};
use crate::kernel::namespace::CloneFlags;
use crate::kernel::process::clone::Cloned;
use crate::kernel::procfs::sysctls;

use super::refused::{Refused, SetupStep};

/// Time for which a limit on namespaces may be reached before that counts as an error: more
/// than ten times the longest time that was measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Kinds of namespaces that each trial has of its own, as `clone3` and as the limits in
/// `/proc/sys/user` name them.
pub(crate) const NAMESPACE_KINDS: [(CloneFlags, &str); 6] = [
    (CloneFlags::CLONE_NEWUSER, "user"),
    (CloneFlags::CLONE_NEWNET, "net"),
    (CloneFlags::CLONE_NEWNS, "mnt"),
    (CloneFlags::CLONE_NEWPID, "pid"),
    (CloneFlags::CLONE_NEWUTS, "uts"),
    (CloneFlags::CLONE_NEWIPC, "ipc"),
];

/// Returns whether a limit on namespaces has refused the step, and may permit it later.
pub(crate) fn may_settle(refused: &Refused) -> bool {
    match refused.step {
        SetupStep::Clone(_, kinds) => is_reached(refused.errno, kinds),
        SetupStep::Mount(_)
        | SetupStep::SetSysctl(..)
        | SetupStep::MakeMountPoint(_)
        | SetupStep::Other(_) => false,
    }
}

/// Clones a process into namespaces of these `kinds`, and tries again where a limit on namespaces
/// is reached, while `waits` returns true of the time since the first try.
pub(crate) fn clone_when_permitted(
    kinds: CloneFlags,
    mut waits: impl FnMut(Duration) -> bool,
    mut clone: impl FnMut() -> io::Result<Cloned>,
) -> io::Result<Cloned> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match clone() {
            Err(error) if is_reached(errno(&error), kinds) && waits(begin.elapsed()) => {
                sleep(pause);
                pause = (2 * pause).min(Duration::from_millis(256));
            }
            other => return other,
        }
    }
}

/// Returns whether the kernel has refused namespaces of these `kinds` because there are as many as
/// there may be, but some are permitted at all.
fn is_reached(errno: Errno, kinds: CloneFlags) -> bool {
    errno == Errno::ENOSPC && !none_permitted(kinds)
}

/// Returns whether no namespace at all is permitted of one of these kinds, so that it is of no use
/// to wait for one.
pub(crate) fn none_permitted(kinds: CloneFlags) -> bool {
    NAMESPACE_KINDS.into_iter().any(|(flag, kind)| {
        let limit = format!("user/max_{kind}_namespaces");
        kinds.contains(flag) && sysctls::number(&limit) == Some(0)
    })
}
