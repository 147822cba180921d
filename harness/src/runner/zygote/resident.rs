//! A resident: a zygote that runs trials for one start of the program after another.
//!
//! Under nextest each trial is a start of the program. A start finds the resident at a name
//! ([`crate::runner::resident`]), gives it what is its own, and watches over its trial as a
//! supervisor does over any. What all starts have alike, the resident has already: it is a copy of
//! the first of them. It runs no test itself, so that no trial sees anything of an earlier one.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::nursery;
use super::ordered_trial::{Leftovers, OrderedTrial, OwnFiles};
use super::orders::{Ordered, next_order};
use super::setting::Setting;
use super::zygote::Zygote;
use crate::kernel::errno::{Errno, errno};
use crate::kernel::fd::{FileIdentity, close_all_but, replace_standard};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::named_channel::{ClaimedName, NamedListener};
use crate::kernel::poll::wait_readable;
use crate::kernel::process::{self, before_main};
use crate::kernel::thread::show_as;
use crate::runner::nextest;
use crate::runner::registry::definition_named;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::resident::{ResidentFacts, ResidentRequest};
use crate::sandbox::protocol::zygote::ZygoteOrder;
use crate::sandbox::trial::body;
use crate::trial::Trial;

/// Time after which a resident ends that nobody has asked for anything. The next start makes
/// another one, which costs some milliseconds.
const LONELY: Duration = Duration::from_secs(2);

/// Time that a start has for its request, which it sends as soon as it has a channel.
const PATIENCE: Duration = Duration::from_secs(1);

/// The message that a resident sends to its maker when starts find it.
pub(crate) const READY: &[u8] = b"ready";

/// Things that a resident has from its maker.
pub(crate) struct Legacy {
    /// The name at which starts find the resident.
    pub(crate) name: ClaimedName,
    /// Channel to the maker.
    pub(crate) maker: MessageChannel,
    /// Pidfd of the maker.
    pub(crate) supervisor: OwnedFd,
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
    legacy: Legacy,
    setting: impl FnOnce(OwnedFd) -> Setting,
) -> crate::kernel::Result<()> {
    let Legacy {
        name,
        maker,
        supervisor,
        argument,
        descriptors,
    } = legacy;
    // The resident leaves the process group of the test, which nextest kills where a test takes too
    // long.
    process::lead_process_group()?;
    let own = [name.as_raw_fd(), maker.as_raw_fd(), supervisor.as_raw_fd()];
    close_all_but(&[&own, descriptors.as_slice()].concat())?;
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = OwnedFd::from(null.map_err(|error| errno(&error))?);
    // nextest takes a test for leaky whose stdout or stderr somebody else holds.
    (0..=2).try_for_each(|standard| replace_standard(null.as_fd(), standard))?;
    let mut setting = setting(supervisor);
    setting.instead_of_output = Some(null);
    nursery::prepare(false)?;
    show_as("snowglobe:stay");
    if let Some(first) = setting.first {
        first.disown();
    }
    let own = OwnFiles::make(&setting, true);
    let users = File::open("/proc/self/ns/user").map_err(|error| errno(&error))?;
    let this = process::pidfd_open(std::process::id().cast_signed());
    let (facts, _) = maker.receive_whole_with()?;
    // A maker that was killed before it had told them.
    ResidentFacts::decode(&facts).ok_or(Errno::EPIPE)?;
    let mut trials = [None];
    let listener = name.listen()?;
    let mut resident = Resident {
        zygote: Zygote::new(&mut trials, setting),
        own,
        facts,
        this: this.map_err(|error| errno(&error))?,
        users: FileIdentity::of(&users),
        argument,
    };
    maker.send(READY)?;
    drop(maker);
    resident.serve(&listener);
    Ok(())
}

/// A zygote that stays, with what it gives to each start.
struct Resident<'a> {
    zygote: Zygote<'a>,
    own: OwnFiles,
    /// Message that starts are sent.
    facts: Vec<u8>,
    /// Pidfd of this process.
    this: OwnedFd,
    /// The user namespace of this process.
    users: Option<FileIdentity>,
    argument: Option<usize>,
}

impl Resident<'_> {
    /// Runs trials for those who ask, until nobody has asked for a while.
    fn serve(&mut self, listener: &NamedListener) {
        loop {
            match wait_readable([listener.as_fd()], Some(LONELY)) {
                Ok([true]) => {
                    if let Ok(channel) = listener.accept() {
                        self.serve_start(&channel);
                    }
                }
                Ok([false]) => break,
                Err(_) => {}
            }
        }
        listener.refuse_others();
        while let Ok(channel) = listener.accept() {
            self.serve_start(&channel);
        }
        let _ = std::fs::remove_file(OsStr::from_bytes(self.own.hosts.to_bytes()));
    }

    /// Runs the trial of a start. One that is not ours, or that asks for something else, reads an
    /// end of file.
    fn serve_start(&mut self, channel: &MessageChannel) {
        if !matches!(wait_readable([channel.as_fd()], Some(PATIENCE)), Ok([true])) {
            return;
        }
        let Ok((message, passed)) = channel.receive_whole_with() else {
            return;
        };
        let (Some(request), Ok([stdout, stderr, supervisor, users])) = (
            ResidentRequest::decode(&message),
            <[_; 4]>::try_from(passed),
        ) else {
            return;
        };
        // Names of sockets are everybody's. To get at the user namespace of a process takes the
        // rights over that process which a debugger needs (namespaces(7), PTRACE_MODE_READ).
        if FileIdentity::of(&users) != self.users {
            return;
        }
        let ResidentRequest {
            trial,
            supervisor: pid,
            variables,
        } = request;
        let Some(definition) = definition_named(&trial) else {
            return;
        };
        let answered = channel.send_whole_with(&self.facts, &[self.this.as_raw_fd()]);
        if answered.is_err() || replace_output(&stdout, &stderr).is_err() {
            return;
        }
        drop((stdout, stderr, users));
        set_variables(&variables);
        if let (Some(place), Ok(name)) = (self.argument, CString::new(trial)) {
            before_main::replace_argument(place, name);
        }
        body::remember_supervisor(pid);
        let setting = &mut self.zygote.setting;
        setting.numbers = setting.numbers.under(pid);
        setting.supervisor = supervisor;
        self.run(Trial::registered(definition), channel);
    }

    /// Runs a trial as the start orders, which may order once more what was refused. Returns when
    /// the start is done and nobody is left in the trial.
    fn run(&mut self, trial: Trial, channel: &MessageChannel) {
        self.zygote.trials[0] = Some(trial);
        loop {
            let (order, output) = match next_order(channel, &self.zygote.setting.supervisor) {
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
            match self.zygote.run(&ordered, &self.own, output) {
                Leftovers::Nothing => return,
                // The start waits for the end of the channel, and so for all of these.
                Leftovers::Processes => process::await_childless(),
                // The start notices the end of the channel, and the next start makes another
                // resident.
                Leftovers::Ruin => process::exit_now(1),
            }
        }
    }
}

/// Makes these the stdout and stderr of the calling process.
fn replace_output(stdout: &OwnedFd, stderr: &OwnedFd) -> crate::kernel::Result<()> {
    replace_standard(stdout.as_fd(), 1)?;
    replace_standard(stderr.as_fd(), 2)
}

/// Makes these variables, and no others, those that nextest has set for a start.
pub(super) fn set_variables(variables: &[(CString, CString)]) {
    let of_start = std::env::vars_os().map(|(name, _)| name);
    let of_start: Vec<_> = of_start
        .filter(|name| nextest::may_set_for_each_start(name))
        .collect();
    for name in of_start {
        let stays = variables
            .iter()
            .any(|(other, _)| other.as_bytes() == name.as_bytes());
        if let (false, Some(name)) = (stays, name.to_str()) {
            process::remove_env(name);
        }
    }
    for (name, value) in variables {
        let value = OsStr::from_bytes(value.as_bytes());
        if let Ok(name) = name.to_str()
            && nextest::may_set_for_each_start(OsStr::new(name))
            && std::env::var_os(name).as_deref() != Some(value)
        {
            process::set_env(name, value);
        }
    }
}
