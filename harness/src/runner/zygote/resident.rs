//! A resident: a zygote that runs trials for one start of the program after another.
//!
//! Under nextest each trial is a start of the program. A start finds the resident at a name
//! ([`crate::runner::resident`]), gives it what is its own, and watches over its trial as a
//! supervisor does over any. What all starts have alike, the resident has already: it is a copy of
//! the first of them. It runs no test itself, so that no trial sees anything of an earlier one.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use super::ordered_trial::OrderedTrial;
use super::orders::{Ordered, next_order};
use super::resident_zygote::ResidentZygote;
use super::setting::{Outside, Setting};
use crate::kernel::errno::{Errno, errno};
use crate::kernel::fd::{close_all_but, replace_standard};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::named_channel::ClaimedName;
use crate::kernel::namespace::Task;
use crate::kernel::process::{self, before_main};
use crate::runner::registry::definition_named;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::resident::{ResidentFacts, ResidentRequest};
use crate::sandbox::protocol::zygote::ZygoteOrder;
use crate::trial::Trial;

/// Names, channels and facts that the first start hands to the resident that it makes.
pub(crate) struct ResidentParts {
    /// The name at which starts find the resident.
    pub(crate) name: ClaimedName,
    /// Channel to the maker.
    pub(crate) maker: MessageChannel,
    /// Facts that the maker has found outside of the sandbox.
    pub(crate) outside: Outside,
    /// Place of the trial's name among the arguments of the program.
    pub(crate) argument: Option<usize>,
    /// Descriptors that trials have, beside 0, 1 and 2.
    pub(crate) descriptors: Vec<RawFd>,
}

/// Makes the calling process, a copy of the first start, a resident. `setting` collects whatever
/// all trials find alike.
///
/// # Errors
/// The kernel refuses a step of becoming one.
pub(crate) fn stay(
    parts: ResidentParts,
    setting: impl FnOnce(Outside) -> Setting,
) -> crate::kernel::Result<()> {
    let ResidentParts {
        name,
        maker,
        outside,
        argument,
        descriptors,
    } = parts;
    // The resident leaves the process group of the test, which nextest kills where a test takes too
    // long.
    process::lead_process_group()?;
    let own = [
        name.as_raw_fd(),
        maker.as_raw_fd(),
        outside.supervisor.as_raw_fd(),
    ];
    close_all_but(&[&own, descriptors.as_slice()].concat())?;
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = OwnedFd::from(null.map_err(|error| errno(&error))?);
    // nextest takes a test for leaky whose stdout or stderr somebody else holds.
    (0..=2).try_for_each(|standard| replace_standard(null.as_fd(), standard))?;
    let mut setting = setting(outside);
    setting.instead_of_output = Some(null);
    let (facts, _) = maker.receive_whole_with()?;
    // A maker that was killed before it had told them.
    ResidentFacts::decode(&facts).ok_or(Errno::EPIPE)?;
    let mut trials = [None];
    let own = Task::Process;
    let mut resident = ResidentZygote::new("snowglobe:stay", own, &mut trials, setting, facts)?;
    resident.serve(name, maker, |resident, channel| {
        serve_start(resident, argument, channel);
    })
}

/// Runs the trial of a start. One that is not ours, or that asks for something else, reads an end
/// of file.
fn serve_start(
    resident: &mut ResidentZygote<'_>,
    argument: Option<usize>,
    channel: &MessageChannel,
) {
    let Some((request, [stdout, stderr, supervisor])) = resident.request(channel) else {
        return;
    };
    let ResidentRequest {
        trial,
        supervisor: pid,
        variables,
    } = request;
    let Some(definition) = definition_named(&trial) else {
        return;
    };
    if !resident.take_on(channel) || replace_output(&stdout, &stderr).is_err() {
        return;
    }
    drop((stdout, stderr));
    resident.turn_to(pid, supervisor, &variables);
    if let (Some(place), Ok(name)) = (argument, CString::new(trial)) {
        before_main::replace_argument(place, name);
    }
    run(resident, Trial::registered(definition), channel);
}

/// Runs a trial as the start orders, which may order once more what was refused. Returns when the
/// start is done and nobody is left in the trial.
fn run(resident: &mut ResidentZygote<'_>, trial: Trial, channel: &MessageChannel) {
    resident.zygote.trials[0] = Some(trial);
    loop {
        let (order, output) = match next_order(channel, resident.zygote.supervisor()) {
            Ordered::Message(Some(order), output) => (order, output),
            Ordered::Message(None, _) => continue,
            Ordered::Done | Ordered::Orphaned => return,
        };
        let ZygoteOrder {
            trial: _,
            seed,
            share,
        } = order;
        let ordered = OrderedTrial {
            index: 0,
            seed,
            share,
            channel,
        };
        if resident.run(&ordered, output) {
            return;
        }
    }
}

/// Makes these the stdout and stderr of the calling process.
fn replace_output(stdout: &OwnedFd, stderr: &OwnedFd) -> crate::kernel::Result<()> {
    replace_standard(stdout.as_fd(), 1)?;
    replace_standard(stderr.as_fd(), 2)
}
