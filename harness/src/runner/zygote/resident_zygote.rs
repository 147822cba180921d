//! Things that residents for trials and residents for programs do alike.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::nursery;
use super::ordered_trial::{Leftovers, OrderedTrial, OwnFiles, ZygoteProcess};
use super::setting::Setting;
use super::zygote::Zygote;
use crate::kernel::errno::errno;
use crate::kernel::fd::FileIdentity;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::named_channel::{ClaimedName, NamedListener};
use crate::kernel::namespace::{NamespaceKind, Task};
use crate::kernel::poll::wait_readable;
use crate::kernel::process;
use crate::kernel::thread::show_as;
use crate::runner::nextest;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::trial::body;
use crate::trial::Trial;
use crate::trial::time_scale::stretched;

/// Time after which a resident ends that nobody has asked for anything. The next start makes
/// another one, which costs some milliseconds.
const IDLE_LIMIT: Duration = Duration::from_secs(2);

/// Time that a start has for its request, which it sends as soon as it has a channel.
const PATIENCE: Duration = Duration::from_secs(1);

/// The message that a resident sends to its maker when starts find it.
pub(crate) const READY: &[u8] = b"ready";

/// A zygote that stays, with what it gives to each start.
pub(super) struct ResidentZygote<'a> {
    pub(super) zygote: Zygote<'a>,
    own: OwnFiles,
    /// Message that starts are sent.
    facts: Vec<u8>,
    /// Pidfd of this process.
    this: OwnedFd,
    /// The user namespace of this process.
    users: Option<FileIdentity>,
}

impl<'a> ResidentZygote<'a> {
    /// Makes the calling process, which is `shown` by that name, such a zygote. The task `alike`
    /// is in the same user namespace.
    ///
    /// # Errors
    /// The kernel refuses a step of becoming one.
    pub(super) fn new(
        shown: &str,
        alike: Task,
        trials: &'a mut [Option<Trial>],
        setting: Setting,
        facts: Vec<u8>,
    ) -> crate::kernel::Result<Self> {
        nursery::prepare(setting.program.is_some())?;
        show_as(shown);
        if let Some(first) = setting.first {
            first.disown();
        }
        let own = OwnFiles::make(&setting, ZygoteProcess::Own);
        let users = alike.namespace(NamespaceKind::User);
        let users = users.map_err(|error| errno(&error))?;
        let this = process::pidfd_open(std::process::id().cast_signed());
        Ok(Self {
            zygote: Zygote::new(trials, setting),
            own,
            facts,
            this: this.map_err(|error| errno(&error))?,
            users: FileIdentity::of(&users),
        })
    }

    /// Calls `serve_start` with the channels of those who ask, until nobody has asked for a while
    /// or the sandbox is gone. The maker is told when starts find the name.
    ///
    /// # Errors
    /// The kernel refuses the name, or the maker is gone.
    pub(super) fn serve(
        &mut self,
        name: ClaimedName,
        maker: MessageChannel,
        mut serve_start: impl FnMut(&mut Self, &MessageChannel),
    ) -> crate::kernel::Result<()> {
        let listener = name.listen()?;
        maker.send(READY)?;
        drop(maker);
        while self.awaits_start(&listener) {
            if let Ok(channel) = listener.accept() {
                serve_start(self, &channel);
            }
        }
        listener.refuse_others();
        while let Ok(channel) = listener.accept() {
            serve_start(self, &channel);
        }
        let _ = std::fs::remove_file(OsStr::from_bytes(self.own.hosts.to_bytes()));
        Ok(())
    }

    /// Waits for a start, and returns whether one asks. Ends this process if the sandbox is gone.
    fn awaits_start(&self, listener: &NamedListener) -> bool {
        // The kernel ends a zygote in the sandbox, so only a zygote beside the sandbox watches the
        // keeper.
        let beside = self.zygote.setting.beside.as_ref();
        let keeper = beside.map(|beside| beside.keeper.as_fd());
        let watched = [listener.as_fd(), keeper.unwrap_or(listener.as_fd())];
        loop {
            match wait_readable(watched, Some(IDLE_LIMIT)) {
                Ok([_, true]) if keeper.is_some() => process::exit_now(0),
                Ok([is_asked, _]) => return is_asked,
                Err(_) => {}
            }
        }
    }

    /// Returns the request of a start and what came along, but for the last descriptor: the user
    /// namespace of this process. Returns nothing for a start that is not ours, or that asks for
    /// something else.
    pub(super) fn request<R: EdgeMessage, const PASSED: usize>(
        &self,
        channel: &MessageChannel,
    ) -> Option<(R, [OwnedFd; PASSED])> {
        if !matches!(
            wait_readable([channel.as_fd()], Some(stretched(PATIENCE))),
            Ok([true])
        ) {
            return None;
        }
        let (message, mut passed) = channel.receive_whole_with().ok()?;
        let request = R::decode(&message)?;
        let users = passed.pop()?;
        let passed = passed.try_into().ok()?;
        // Names of sockets are everybody's. To get at the user namespace of a process takes the
        // rights over that process which a debugger needs (namespaces(7), PTRACE_MODE_READ).
        (FileIdentity::of(&users) == self.users).then_some((request, passed))
    }

    /// Makes the next trial that of the start with this number, pidfd and variables.
    pub(super) fn turn_to(
        &mut self,
        pid: u32,
        supervisor: OwnedFd,
        variables: &[(CString, CString)],
    ) {
        set_variables(variables);
        body::remember_supervisor(pid);
        let setting = &mut self.zygote.setting;
        setting.numbers = setting.numbers.under(pid);
        setting.supervisor = supervisor;
    }

    /// Tells a start that it is taken on. Returns whether it hears.
    pub(super) fn take_on(&self, channel: &MessageChannel) -> bool {
        let answered = channel.send_whole_with(&self.facts, &[self.this.as_raw_fd()]);
        answered.is_ok()
    }

    /// Runs the trial, and returns whether it has left nothing. Returns when nobody is left who has
    /// what the trial was given.
    pub(super) fn run(&mut self, ordered: &OrderedTrial<'_>, output: Option<OwnedFd>) -> bool {
        let leftovers = self.zygote.run(ordered, &self.own, output);
        match leftovers {
            Leftovers::Nothing => {}
            // The start waits for the end of the channel, and so for all of these.
            Leftovers::Processes => process::await_childless(),
            // The start notices the end of the channel, and the next start makes another resident.
            Leftovers::Ruin => process::exit_now(1),
        }
        leftovers == Leftovers::Nothing
    }
}

/// Makes these variables, and no others, those that nextest has set for a start.
fn set_variables(variables: &[(CString, CString)]) {
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
