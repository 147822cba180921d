//! The processes of a sandbox but its init, which calls these functions.

use crate::kernel::process::profile;
use crate::kernel::process::signal::{Signal, kill};
use crate::kernel::process::{Pid, Reaped, reap};
use crate::kernel::procfs::process_table;
use crate::sandbox::protocol::trial::Survivor;

/// Returns all descendants of this process, as `/proc` numbers them.
pub(super) fn descendants() -> Vec<i32> {
    process_table::descendants(std::process::id() as i32)
}

/// Returns those that are alive, as far as a report names them.
pub(super) fn survivors() -> Vec<Survivor> {
    process_table::alive(&descendants())
        .take(Survivor::MOST)
        .map(|(pid, name)| Survivor { pid, name })
        .collect()
}

/// Kills the programs that the sanitizer of the body has started to find lines of code. They would
/// end by themselves a little later.
///
/// The body is gone, so its children are this process's. A program of the same name that the test
/// has started without a process in between cannot be told apart, and is killed as well.
pub(super) fn end_symbolizers() {
    if !profile::has_sanitizer() {
        return;
    }
    let ourselves = std::process::id() as i32;
    for (pid, name) in process_table::alive(&descendants()) {
        if may_be_symbolizer(&name, process_table::parent_of(pid), ourselves) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Returns whether the sanitizer of a body may have started a process of this name and parent.
fn may_be_symbolizer(name: &str, parent: Option<i32>, init: i32) -> bool {
    /// Names as `/proc` shows them (LLVM, sanitizer_symbolizer_posix_libcdep.cpp,
    /// ChooseExternalSymbolizer).
    const NAMES: [&str; 2] = ["llvm-symbolizer", "addr2line"];
    NAMES.contains(&name) && parent == Some(init)
}

/// Sends a signal to all descendants of this process; `in_own_namespace` says whether this process
/// is the first of a PID namespace.
pub(super) fn signal_all(number: i32, in_own_namespace: bool) {
    let Ok(signal) = Signal::try_from(number) else {
        return;
    };
    if in_own_namespace {
        // All processes but the sender and the init of the namespace, which are one (kill(2)).
        let _ = kill(Pid::from_raw(-1), signal);
    } else {
        for pid in descendants() {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// Kills until nobody is left, for each process may have forked meanwhile.
pub(super) fn kill_all() {
    loop {
        let descendants = descendants();
        if descendants.is_empty() {
            return;
        }
        for pid in descendants {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        while matches!(reap(), Reaped::One(..)) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_of_the_test_has_started_is_no_symbolizer() {
        assert!(may_be_symbolizer("addr2line", Some(1), 1));
        assert!(!may_be_symbolizer("addr2line", Some(7), 1));
        assert!(!may_be_symbolizer("sleep", Some(1), 1));
    }
}
