//! A resident for programs: a zygote that runs the programs of `snowglobe exec`, for one start
//! after another.
//!
//! This resident does for the wrappers of a nextest run what [`super::resident`] does for programs
//! with trials. A program belongs to the process group of its caller, and a process enters a group
//! only by a number that the group has in the PID namespace of that process. So this resident is
//! beside the sandbox: it has the user and the mounts of the sandbox, and is in the PID namespace
//! of the caller. A process whose children would be in another PID namespace can make no further
//! one (Linux, `kernel/pid_namespace.c`, `copy_pid_ns`), so the PID namespace of a program is not
//! within that of the sandbox either.
//!
//! The resident joins the group of the caller for as long as the clone of the program's init takes.
//! It ends when the keeper of the sandbox does, which ends with nextest; the inits of its programs
//! end with the resident and with their callers.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::ordered_trial::{OrderedTrial, leave_group};
use super::resident_zygote::ResidentZygote;
use super::setting::{Beside, Outside, Setting};
use crate::kernel::fd::{close_all_but, replace_standard};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::named_channel::ClaimedName;
use crate::kernel::namespace::Task;
use crate::kernel::process;
use crate::sandbox::ids::Ids;
use crate::sandbox::inherited::Corrections;
use crate::sandbox::outer::BesideKept;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::resident::{ProgramRequest, ResidentFacts};
use crate::sandbox::trial::program::{ProgramBody, let_go_of};
use crate::trial::{Failed, Options, Trial};

/// How the body of a program's trial becomes the program of these words. It returns only if it
/// cannot.
pub(crate) type BecomeProgram = Arc<dyn Fn(&[CString]) -> Result<(), Failed> + Send + Sync>;

/// How programs are run: alike for all starts of a resident.
pub(crate) struct Runner {
    pub(crate) options: Options,
    pub(crate) become_program: BecomeProgram,
}

/// Channels and facts that the first start hands to the resident that it makes.
pub(crate) struct ProgramResidentParts {
    /// The name at which starts find the resident.
    pub(crate) name: ClaimedName,
    pub(crate) runner: Runner,
    /// Facts that the maker has found outside of the sandbox.
    pub(crate) outside: Outside,
    /// Descriptors that programs have, beside 0, 1 and 2.
    pub(crate) descriptors: Vec<RawFd>,
}

/// Makes the calling process, a copy of the first start beside its sandbox, a resident. `setting`
/// collects whatever all programs find alike.
///
/// # Errors
/// The kernel refuses a step of becoming one.
pub(crate) fn stay_for_programs(
    parts: ProgramResidentParts,
    beside: BesideKept,
    setting: impl FnOnce(Outside, Ids, Option<Corrections>) -> Setting,
) -> crate::kernel::Result<()> {
    let ProgramResidentParts {
        name,
        runner,
        outside,
        descriptors,
    } = parts;
    let BesideKept {
        maker,
        ids,
        corrections,
        notes,
        keeper,
        procfs,
    } = beside;
    process::outlive_parent()?;
    // Out of the process group of the test, which nextest kills where a test takes too long.
    process::lead_process_group()?;
    let own = [
        name.as_raw_fd(),
        maker.as_raw_fd(),
        outside.supervisor.as_raw_fd(),
        keeper.as_fd().as_raw_fd(),
        procfs.as_raw_fd(),
    ];
    close_all_but(&[&own, descriptors.as_slice()].concat())?;
    let_go_of(0..3)?;
    let mut setting = setting(outside, ids, corrections);
    setting.program = Some(ProgramBody {
        keeps_failed: false,
        starts_at_once: true,
    });
    setting.beside = Some(Beside { keeper, procfs });
    let facts = ResidentFacts {
        isolation: String::new(),
        notes,
        host: None,
    };
    // The init of the PID namespace that the procfs at /proc shows is the keeper, who is in the
    // same user namespace. This process has no number there.
    let first = Task::Number(1);
    let (mut trials, facts) = ([None], facts.encode());
    let mut resident = ResidentZygote::new("snowglobe:exec", first, &mut trials, setting, facts)?;
    resident.serve(name, maker, |resident, channel| {
        serve_start(resident, &runner, channel);
    })
}

/// Runs the program of a start. One that is not ours, or that asks for something else, reads an end
/// of file.
fn serve_start(resident: &mut ResidentZygote<'_>, runner: &Runner, channel: &MessageChannel) {
    let Some((request, [stdin, stdout, stderr, supervisor])) = resident.request(channel) else {
        return;
    };
    let ProgramRequest {
        words,
        supervisor: pid,
        group,
        variables,
    } = request;
    resident.turn_to(pid, supervisor, &variables);
    // A group that is not of this session is refused, and the start makes its own zygote.
    if process::join_process_group(group).is_err() {
        return;
    }
    let given = [stdin, stdout, stderr];
    let is_given = given
        .iter()
        .zip(0..)
        .all(|(fd, number)| replace_standard(fd.as_fd(), number).is_ok());
    drop(given);
    if is_given && resident.take_on(channel) {
        run(resident, runner, words, channel);
    }
    // The clone of the init leaves the group too, but may have been refused.
    let _ = leave_group();
    let _ = let_go_of(0..3);
}

/// Runs a program. Returns when nobody is left who has what the program was given.
fn run(
    resident: &mut ResidentZygote<'_>,
    runner: &Runner,
    words: Vec<CString>,
    channel: &MessageChannel,
) {
    let name = words
        .first()
        .map(|word| Path::new(OsStr::from_bytes(word.as_bytes())));
    let name = name.and_then(Path::file_name).unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let become_program = Arc::clone(&runner.become_program);
    let trial = Trial::test(name, move || become_program(&words));
    resident.zygote.trials[0] = Some(trial.with_options(runner.options));
    let ordered = OrderedTrial {
        index: 0,
        seed: 0,
        share: 0,
        channel,
    };
    resident.run(&ordered, None);
}
