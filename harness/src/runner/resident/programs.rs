//! What a start of `snowglobe exec` does so that a resident runs its program.

use std::ffi::CString;
use std::os::fd::AsFd;

use super::Likeness;
use super::start::{TakenOn, ask_or_make, is_child_of_nextest};
use crate::kernel::named_channel::ClaimedName;
use crate::kernel::process;
use crate::kernel::process::signal::{PASSED_ON, SignalFd};
use crate::runner::nextest;
use crate::runner::setup::ProgramSetup;
use crate::runner::supervisor::NurseryHandle;
use crate::runner::zygote::Outside;
use crate::runner::zygote::program_resident::{ProgramResidentParts, Runner, stay_for_programs};
use crate::runner::zygote::resident_zygote::READY;
use crate::sandbox::ids::Ids;
use crate::sandbox::outer::{Keeping, Wanted, fork_beside_kept};
use crate::sandbox::paths::Paths;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::resident::{ProgramRequest, ResidentFacts};

/// Lets a resident run the program of these words, and returns what the supervisor of the program
/// needs. The first of the starts that are alike makes the resident, for which `paths` finds out
/// where programs may write, and which `runner` tells how to run them.
///
/// Returns nothing where there is none, and none can be made: the start makes its own zygote. The
/// signals of the program are blocked from now on.
pub(crate) fn enter_program(
    likeness: &Likeness,
    words: &[CString],
    paths: impl FnOnce() -> Paths,
    runner: impl FnOnce() -> Runner,
) -> Option<ProgramSetup> {
    // Before anything is forked.
    let signals = SignalFd::of(&PASSED_ON).ok()?;
    let request = ProgramRequest {
        words: words.to_vec(),
        supervisor: std::process::id(),
        group: process::process_group(),
        variables: likeness.variables.clone(),
    };
    let taken_on = ask_or_make(likeness, &request.encode(), &[0, 1, 2], || {
        make(likeness, &paths(), runner())
    })?;
    let TakenOn {
        channel,
        process,
        facts,
    } = taken_on;
    let ResidentFacts {
        isolation: _,
        notes,
        host: _,
    } = facts;
    let end = channel.as_fd().try_clone_to_owned().ok()?;
    Some(ProgramSetup {
        signals,
        nursery: NurseryHandle::of_resident(process, end.into()),
        zygote: channel,
        notes,
        is_ordered: true,
    })
}

/// Makes the resident of starts like this one, unless another start does so at the same time.
fn make(likeness: &Likeness, paths: &Paths, runner: Runner) -> Option<()> {
    let Likeness {
        name,
        run,
        descriptors,
        ..
    } = likeness;
    if !is_child_of_nextest(run) {
        return None;
    }
    let name = ClaimedName::take(name).ok()?;
    let ids = Ids::available();
    let wanted = Wanted {
        paths,
        ordinary_users: false,
        apart: true,
    };
    let outside = Outside::look(paths, ids).ok()?;
    let keeping = Keeping {
        run,
        owner: &|| nextest::process_of(run),
        slot: nextest::slot(),
    };
    let (_, channel) = fork_beside_kept(&keeping, ids, &wanted, |beside| {
        let parts = ProgramResidentParts {
            name,
            runner,
            outside,
            descriptors: descriptors.clone(),
        };
        let setting = |outside: Outside, ids, corrections| outside.setting(ids, corrections, 1);
        let _ = stay_for_programs(parts, beside, setting);
        process::exit_now(0)
    })?;
    // The process lives on when this one has ended, and belongs to whoever gets its orphans.
    let mut answer = [0; READY.len()];
    (channel.receive(&mut answer) == Ok(READY)).then_some(())
}
