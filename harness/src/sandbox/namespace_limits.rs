//! Limits on namespaces that are reached for a while only.
//!
//! The kernel counts a namespace until it is destroyed, which is some time after its last process
//! has ended. One worker destroys the network namespaces of the whole machine, all that are due in
//! one batch, and gives their numbers back at the end of the batch (net/core/net_namespace.c,
//! `cleanup_net`); a user namespace that owns one is counted for as long. So the namespaces of
//! other programs make a run wait: after 3,500 of them had ended at once, none was given back for
//! more than 4 s on a busy machine (measured for this project, 2026-11).

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::kernel;
use crate::kernel::errno::Errno;
use crate::kernel::namespace::CloneFlags;
use crate::kernel::process::clone::Cloned;
use crate::kernel::procfs::sysctls;

use super::refused::{Refused, SetupStep};
use crate::trial::time_scale::stretched;

/// Time for which a limit on namespaces may be reached before that counts as an error: more
/// than ten times the longest time that was measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Time after which people begin to wonder why nothing happens.
const UNNOTICED: Duration = Duration::from_secs(3);

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
        | SetupStep::ChangeRoot
        | SetupStep::Other(_) => false,
    }
}

/// Returns whether a wait is so long that people begin to wonder why nothing happens.
pub(crate) fn is_long(wait: Duration) -> bool {
    wait >= stretched(UNNOTICED)
}

/// Returns a sentence for people who wonder why nothing happens, while a run waits for a step that
/// a limit on namespaces has refused.
pub(crate) fn wait_note(refused: &Refused) -> String {
    format!(
        "cannot make the sandbox yet: {refused}: a limit on namespaces is reached, and the kernel gives namespaces back some time after their processes have ended, so the run waits for up to {} s",
        stretched(PATIENCE).as_secs()
    )
}

/// A clone that the kernel has refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefusedClone {
    pub(crate) errno: Errno,
    /// Time since the first try.
    pub(crate) since: Duration,
    /// Time until the next try: 1 ms after the first one, and twice as long each time.
    pub(crate) pause: Duration,
}

/// Clones a process, and tries again while `waits` returns true of what the kernel has refused.
pub(crate) fn clone_patiently(
    mut waits: impl FnMut(RefusedClone) -> bool,
    mut clone: impl FnMut() -> kernel::Result<Cloned>,
) -> kernel::Result<Cloned> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let since = begin.elapsed();
        match clone() {
            Err(errno)
                if waits(RefusedClone {
                    errno,
                    since,
                    pause,
                }) =>
            {
                // The kernel tells nobody when it gives a namespace back. So the call is tried
                // again.
                sleep(pause);
                pause = (2 * pause).min(Duration::from_millis(256));
            }
            other => return other,
        }
    }
}

/// Returns whether the kernel has refused namespaces of these `kinds` because there are as many as
/// there may be, but some are permitted at all.
pub(crate) fn is_reached(errno: Errno, kinds: CloneFlags) -> bool {
    errno == Errno::ENOSPC && !none_permitted(kinds)
}

/// Returns whether no namespace at all is permitted of one of these kinds, so that it is of no use
/// to wait for one.
fn none_permitted(kinds: CloneFlags) -> bool {
    NAMESPACE_KINDS.into_iter().any(|(flag, kind)| {
        let limit = format!("user/max_{kind}_namespaces");
        kinds.contains(flag) && sysctls::number(&limit) == Some(0)
    })
}
