//! What all trials of a user, or of the host, share although each has namespaces of its own.
//!
//! The kernel counts some objects for each user of the first user namespace, and some for the whole
//! host, however many namespaces there are. A test that meets such a limit because of its
//! neighbours would fail for no reason of its own. So the runner starts no more trials at a time
//! than the budget is known to bear, and a trial that failed while a budget was used up says so.

use std::fs;

use crate::kernel::errno::Errno;
use crate::kernel::probe;
use crate::kernel::procfs::sysctls;

/// Number of inotify instances that each trial is given room for. Programs have one or two as a
/// rule: a watcher of its own configuration, one in a library.
pub(crate) const INOTIFY_PER_TRIAL: u64 = 4;

/// Name of the limit on inotify instances of a user.
pub(crate) const INOTIFY_LIMIT: &str = "fs.inotify.max_user_instances";

/// Returns the number of inotify instances that a user of this host may have, if that can be read.
pub(crate) fn inotify_limit() -> Option<u64> {
    sysctls::number("fs/inotify/max_user_instances")
}

/// Returns the command that permits this many inotify instances.
pub(crate) fn more_inotify(instances: u64) -> String {
    let enough = instances.next_power_of_two().max(1024);
    format!("sudo sysctl -w {INOTIFY_LIMIT}={enough}")
}

/// Returns how many of `wanted` trials at a time have room for inotify instances, if that is known.
/// `own` says that the trials have a user of their own, of whom nobody else has any.
pub(crate) fn trials_with_inotify(wanted: usize, own: bool) -> Option<usize> {
    let limit = inotify_limit()?;
    let needed = wanted as u64 * INOTIFY_PER_TRIAL;
    if own {
        return Some((limit.min(needed) / INOTIFY_PER_TRIAL) as usize);
    }
    // The kernel does not tell how many there are, and other ways of counting have to look at all
    // descriptors of all processes of the user.
    let room = probe::inotify_room(needed.min(limit) as usize);
    Some(room / INOTIFY_PER_TRIAL as usize)
}

/// Returns a sentence if no inotify instance can be had at present.
pub(crate) fn exhausted_inotify() -> Option<String> {
    let refused = probe::inotify().err()?;
    // ENFILE and ENOMEM are about other things (inotify_init(2)), as is EMFILE where this process
    // has too many descriptors.
    if refused.errno != Errno::EMFILE || fs::File::open("/dev/null").is_err() {
        return None;
    }
    let of_host = inotify_limit();
    let of_namespace = sysctls::number("user/max_inotify_instances");
    // The kernel counts for the user namespace of the trial too, where a test may lower the limit.
    if let (Some(own), Some(hosts)) = (of_namespace, of_host)
        && own < hosts
    {
        return Some(format!(
            "when the trial had failed, it had no inotify instance left: user.max_inotify_instances is {own} in its user namespace; write a higher number to /proc/sys/user/max_inotify_instances there"
        ));
    }
    let limit = of_host.map_or_else(|| "reached".to_owned(), |limit| limit.to_string());
    Some(format!(
        "when the trial had failed, its user had no inotify instance left: {INOTIFY_LIMIT} is {limit}, for all programs of the user on this host; `{}`, or run with fewer --test-threads",
        more_inotify(1024)
    ))
}
