//! Names for LLVM's profiles of a trial, in a coverage build.
//!
//! LLVM writes one profile a process, into a file that `LLVM_PROFILE_FILE` names, with `%p` for the
//! process id. In a PID namespace that is the same small number for every trial, so the profiles of
//! trials would overwrite each other.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::kernel::process;
use crate::kernel::process::profile;

/// Environment variable with the pattern of names for profiles.
const PROFILE: &str = "LLVM_PROFILE_FILE";

/// Whether a profile will be made, by this program or by programs that trials start.
static WANTED: AtomicBool = AtomicBool::new(false);

/// Finds out, once, in the nursery, whether profiles are wanted.
pub(super) fn prepare() {
    let wanted = profile::is_instrumented() || std::env::var_os(PROFILE).is_some();
    WANTED.store(wanted, Ordering::Relaxed);
}

/// Adds what tells trials apart to the name of the profile, for this process and for those that it
/// starts. LLVM has chosen the file before the fork.
pub(super) fn separate(index: u32) {
    if !WANTED.load(Ordering::Relaxed) {
        return;
    }
    let given = std::env::var(PROFILE).ok();
    let pattern = separated(given.as_deref().unwrap_or("default_%p.profraw"), index);
    // The variable is for programs that the test starts: this process has read it before the fork.
    profile::write_to(&pattern);
    process::set_env(PROFILE, &pattern);
}

fn separated(pattern: &str, index: u32) -> String {
    let run = supervisor_pid();
    // The supervisor's id tells runs apart, the index tells trials of a run apart, and %p processes
    // of a trial.
    pattern.replace("%p", &format!("{run}-{index}-%p"))
}

static SUPERVISOR: AtomicU32 = AtomicU32::new(0);

/// Remembers the supervisor's process id, which no other run has at the same time.
pub(crate) fn remember_supervisor(pid: u32) {
    SUPERVISOR.store(pid, Ordering::Relaxed);
}

/// Returns the supervisor's process id, as it was remembered.
pub(crate) fn supervisor_pid() -> u32 {
    SUPERVISOR.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_of_trials_do_not_share_a_file() {
        assert_eq!(separated("a-%p-%m.profraw", 3), "a-0-3-%p-%m.profraw");
    }
}
