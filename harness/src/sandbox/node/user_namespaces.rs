//! User namespaces that the machinery makes where a trial may make none.
//!
//! A trial without the option `nested` has a limit of zero user namespaces, but a node may have
//! users of its own, and a program a user whose id is not mapped. Where the machinery makes a
//! namespace for them, it raises the limit for that moment.

use std::time::Duration;

use crate::kernel::errno::{Errno, errno};
use crate::kernel::namespace::CloneFlags;
use crate::kernel::process::clone::Cloned;
use crate::kernel::procfs::sysctls;
use crate::sandbox::namespace_limits::{RefusedClone, clone_patiently, is_reached};
use crate::trial::time_scale::stretched;

/// Makes a process by `clone`, which makes a user namespace; where the trial may make none, the
/// limit is raised meanwhile.
///
/// The limit is that of the user namespace in which the calling process is (`namespaces(7)`,
/// `/proc/sys/user`).
pub(super) fn while_permitted(
    may_make: bool,
    clone: impl FnOnce() -> std::io::Result<Cloned>,
) -> crate::kernel::Result<Cloned> {
    if !may_make {
        permit("2147483647");
    }
    let cloned = clone().map_err(|e| errno(&e));
    if !may_make && !matches!(cloned, Ok(Cloned::Child)) {
        permit("0");
    }
    cloned
}

fn permit(most: &str) {
    // Without this file the limit is not there either, and clone3 says what is refused.
    let _ = sysctls::write("user/max_user_namespaces", most);
}

/// Returns those of the `kinds` whose limit says what the kernel permits: that on user namespaces
/// is zero between two calls of [`while_permitted`] where a trial may make none.
pub(super) fn limited_kinds(kinds: CloneFlags, may_make_users: bool) -> CloneFlags {
    if may_make_users {
        kinds
    } else {
        kinds - CloneFlags::CLONE_NEWUSER
    }
}

/// Time for which a limit on namespaces may be reached. This time is shorter for a node than for
/// a trial ([`namespace_limits`](crate::sandbox::namespace_limits)), since the init of the trial
/// can do nothing else during this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Last pause where a limit on processes is reached: all pauses together are 255 ms.
const LAST_PAUSE: Duration = Duration::from_millis(128);

/// Clones, and tries again where a limit on namespaces or processes is reached.
///
/// The kernel counts a namespace until it is destroyed, which is some time after its last process
/// has ended: 65 sequential ones fail with ENOSPC where 64 are permitted (measured for this
/// project, 2026-08). Two nodes that raise the limit on user namespaces at the same time may also
/// lower it for each other. A limit of zero on one of the `kinds` does not settle.
pub(super) fn retry_while_limits_settle(
    kinds: CloneFlags,
    clone: impl FnMut() -> crate::kernel::Result<Cloned>,
) -> crate::kernel::Result<Cloned> {
    let waits = |refused: RefusedClone| {
        if refused.errno == Errno::EAGAIN {
            // The kernel stops counting a process when the process is reaped, so EAGAIN, the limit
            // on processes, does not go away with time.
            return refused.pause <= LAST_PAUSE;
        }
        is_reached(refused.errno, kinds) && refused.since < stretched(PATIENCE)
    };
    clone_patiently(waits, clone)
}
