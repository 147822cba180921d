//! The trials that `#[snowglobe::test]` has written down in this program.

use super::args::Arguments;
use crate::kernel::process::reader::reads_tests;
use crate::trial::{Definition, TRIALS, Trial};

/// Returns the trials that `#[snowglobe::test]` has written down in this program.
#[inline(always)]
pub fn registered() -> Vec<Trial> {
    reads_tests();
    all_registered()
}

fn all_registered() -> Vec<Trial> {
    TRIALS.iter().map(Trial::registered).collect()
}

/// Returns the registered trials, or only those that are asked for by their whole names; and the
/// number of those that were left out.
///
/// Under nextest every trial is asked for by name in a process of its own: ten thousand processes
/// should not look at ten thousand trials each.
pub(crate) fn registered_for(args: &Arguments) -> (Vec<Trial>, u64) {
    if !args.exact || args.filters.is_empty() {
        return (all_registered(), 0);
    }
    let is_wanted =
        |definition: &&Definition| args.filters.iter().any(|name| definition.is_named(name));
    let wanted = TRIALS.iter().filter(is_wanted);
    let trials: Vec<Trial> = wanted.map(Trial::registered).collect();
    let left_out = (TRIALS.len() - trials.len()) as u64;
    (trials, left_out)
}

/// Returns the registered trial of this name.
pub(crate) fn definition_named(name: &str) -> Option<&'static Definition> {
    TRIALS.iter().find(|definition| definition.is_named(name))
}

/// Returns the registered trial whose function has this path.
pub(crate) fn definition(path: &str) -> Option<&'static Definition> {
    TRIALS.iter().find(|definition| definition.path == path)
}
