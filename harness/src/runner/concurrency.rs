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

/// Number of trials at a time for which the host has room, and how they are divided.
pub(crate) struct Share {
    /// Number of trials that run at a time.
    pub(crate) threads: usize,
    /// Number of outer sandboxes among which they are divided.
    pub(crate) nurseries: usize,
    /// A sentence where fewer trials run at a time than were wanted.
    pub(crate) held_back: Option<String>,
}

impl Share {
    /// Lets all trials run at a time, in one outer sandbox.
    pub(crate) fn of_all(threads: usize) -> Self {
        Self {
            threads,
            nurseries: 1,
            held_back: None,
        }
    }
}

/// Most outer sandboxes of a run. Each costs some milliseconds.
const MOST_NURSERIES: usize = 16;

/// Returns how many of `threads` trials at a time the host has room for.
///
/// As root, each outer sandbox has a user of its own ([`crate::sandbox::outer`]), for whom the
/// kernel counts: there are as many as the trials need. The users of trials within one outer
/// sandbox do not help, since what a user namespace has counts for its owner too, up to the first
/// namespace (`namespaces(7)`; tried on Linux 6.18, 2026-11: of two nested namespaces with
/// different owners, the second had 28 of 128 inotify instances when the first had 100).
pub(crate) fn within_budgets(threads: usize) -> Share {
    if threads == 1 {
        return Share::of_all(threads);
    }
    let own = matches!(Ids::available(), Ids::Range(_));
    let Some(room) = budgets::trials_with_inotify(threads, own) else {
        return Share::of_all(threads);
    };
    let nurseries = if own {
        threads.div_ceil(room.max(1)).min(MOST_NURSERIES)
    } else {
        1
    };
    let (threads, held_back) = hold_back(threads, room * nurseries);
    Share {
        threads,
        nurseries,
        held_back,
    }
}

/// Returns among how many users of the host a run divides its trials at most.
pub(crate) fn most_users() -> u64 {
    match Ids::available() {
        Ids::Range(_) => MOST_NURSERIES as u64,
        Ids::One { .. } | Ids::Subordinate(_) => 1,
    }
}

/// Returns the number of trials that have room, and a sentence where there are fewer than wanted.
fn hold_back(threads: usize, room: usize) -> (usize, Option<String>) {
    match room {
        room if room < threads => {
            let room = room.max(1);
            let limit = budgets::inotify_limit().unwrap_or_default();
            let needed = budgets::INOTIFY_PER_TRIAL * threads as u64;
            let they = match room {
                1 => "1 trial runs".to_owned(),
                _ => format!("{room} trials run"),
            };
            let note = format!(
                "{they} at a time instead of {threads}: their user may have {limit} inotify instances on this host, and each trial is given room for {} ({}); more: `{}`, or --ignore-budgets if they need none",
                budgets::INOTIFY_PER_TRIAL,
                budgets::INOTIFY_LIMIT,
                budgets::more_inotify(2 * needed)
            );
            (room, Some(note))
        }
        _ => (threads, None),
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
