//! The number of trials that run at a time, and the descriptors that they need.

use std::num::NonZero;

use super::error::{RunError, explain, limit};
use crate::kernel::process;
use crate::sandbox::budgets;
use crate::sandbox::ids::Ids;
use crate::sandbox::refused::Refused;

/// Number of trials that run at a time on each core. Trials spend much of their time waiting for
/// the kernel, so there are more of them than cores.
const PER_CORE: usize = 4;
/// Number of descriptors that the supervisor needs for itself.
const OWN_DESCRIPTORS: u64 = 64;
/// Number of descriptors that the supervisor needs for each trial that runs: a channel, a pipe, and
/// what is open for a moment when a zygote is made, with room to spare.
const DESCRIPTORS_PER_TRIAL: u64 = 8;

/// Returns the number of descriptors that a run needs with this many trials at a time, or with the
/// usual number of them.
pub(crate) fn descriptors(threads: Option<usize>) -> u64 {
    OWN_DESCRIPTORS + DESCRIPTORS_PER_TRIAL * threads.unwrap_or_else(usual_threads) as u64
}

/// Returns how many of `trials` run at a time if the user wants `wanted`.
pub(crate) fn threads(wanted: Option<usize>, trials: usize) -> usize {
    match trials {
        // Always so under nextest, where it would be a pity to count the cores for each trial: that
        // reads a dozen files of the cgroup.
        0 | 1 => 1,
        _ => wanted.unwrap_or_else(usual_threads).min(trials),
    }
}

/// Returns how many of `threads` trials at a time the host has room for, and a sentence where there
/// are fewer.
pub(crate) fn within_budgets(threads: usize) -> (usize, Option<String>) {
    if threads == 1 {
        return (threads, None);
    }
    // As root, a run has a user of its own (sandbox::outer).
    let own = matches!(Ids::available(), Ids::Range(_));
    match budgets::trials_with_inotify(threads, own) {
        Some(room) if room < threads => {
            let room = room.max(1);
            let limit = budgets::inotify_limit().unwrap_or_default();
            let needed = budgets::INOTIFY_PER_TRIAL * threads as u64;
            let note = format!(
                "{room} trials run at a time instead of {threads}: their user may have {limit} inotify instances on this host, and each trial is given room for {} ({}); more: `{}`, or --ignore-budgets if they need none",
                budgets::INOTIFY_PER_TRIAL,
                budgets::INOTIFY_LIMIT,
                budgets::more_inotify(2 * needed)
            );
            (room, Some(note))
        }
        Some(_) | None => (threads, None),
    }
}

/// Returns how many trials run at a time if the user does not say, on a host that has room for
/// them.
pub(crate) fn usual_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get) * PER_CORE
}

/// Raises the limit of open files as far as this many trials at a time need it.
///
/// # Errors
/// Fails if the hard limit is lower.
pub(crate) fn ensure_descriptors(threads: usize) -> Result<(), RunError> {
    let wanted = descriptors(Some(threads));
    match process::raise_open_files(wanted) {
        Ok(soft) if soft >= wanted => Ok(()),
        Ok(soft) => Err(limit(format!(
            "at most {soft} files may be open, and {wanted} are needed for what runs at a time: raise `ulimit -Hn`, or run with fewer --test-threads"
        ))),
        Err(errno) => Err(explain(&Refused {
            step: "raise the limit of open files".into(),
            errno,
        })),
    }
}
