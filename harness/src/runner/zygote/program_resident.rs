//! A resident for programs: a zygote that runs the programs of `snowglobe exec`, for one start
//! after another.
//!
//! It does for the wrappers of a nextest run what [`super::resident`] does for programs with
//! trials. A program belongs to the process group of its caller, and a process enters a group only
//! by a number that the group has in the PID namespace of that process. So this resident is beside
//! the sandbox: it has the user and the mounts of the sandbox, and is in the PID namespace of the
//! caller. A process of which the children would be in another one can make no further PID
//! namespace (Linux, `kernel/pid_namespace.c`, `copy_pid_ns`), so that of a program is not within
//! the sandbox's either.
//!
//! It joins the group of the caller for as long as the clone of the program's init takes. It ends
//! when the keeper of the sandbox does, who ends with nextest; the inits of its programs end with
//! it and with their callers.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::nursery;
use super::ordered_trial::{Leftovers, OrderedTrial, OwnFiles, leave_group};
use super::resident::{READY, set_variables};
use super::setting::{Beside, Setting};
use super::zygote::Zygote;
use crate::kernel::errno::errno;
use crate::kernel::fd::{FileIdentity, close_all_but, replace_standard};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::named_channel::{ClaimedName, NamedListener};
use crate::kernel::poll::wait_readable;
use crate::kernel::process;
use crate::kernel::thread::show_as;
use crate::sandbox::ids::Ids;
use crate::sandbox::inherited::Corrections;
use crate::sandbox::outer::BesideKept;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::resident::{ProgramRequest, ResidentFacts};
use crate::sandbox::trial::body;
use crate::sandbox::trial::program::{ProgramBody, let_go_of};
use crate::trial::{Failed, Options, Trial};

/// Time after which a resident ends that nobody has asked for anything.
const LONELY: Duration = Duration::from_secs(2);

/// Time that a start has for its request, which it sends as soon as it has a channel.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the body of a program's trial becomes the program of these words. It returns only if it
/// cannot.
pub(crate) type BecomeProgram = Arc<dyn Fn(&[CString]) -> Result<(), Failed> + Send + Sync>;

/// How programs are run: alike for all starts of a resident.
pub(crate) struct Runner {
    pub(crate) options: Options,
    pub(crate) become_program: BecomeProgram,
}

/// Things that such a resident has from its maker.
pub(crate) struct ProgramLegacy {
    /// The name at which starts find the resident.
    pub(crate) name: ClaimedName,
    pub(crate) runner: Runner,
    /// Pidfd of the maker.
    pub(crate) supervisor: OwnedFd,
    /// Descriptors that programs have, beside 0, 1 and 2.
    pub(crate) descriptors: Vec<RawFd>,
}

/// Makes the calling process, a copy of the first start beside its sandbox, a resident. `setting`
/// collects whatever all programs find alike.
///
/// # Errors
/// The kernel refuses a step of becoming one.
pub(crate) fn stay_for_programs(
    legacy: ProgramLegacy,
    beside: BesideKept,
    setting: impl FnOnce(OwnedFd, Ids, Option<Corrections>) -> Setting,
) -> crate::kernel::Result<()> {
    let ProgramLegacy {
        name,
        runner,
        supervisor,
        descriptors,
    } = legacy;
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
        supervisor.as_raw_fd(),
        keeper.as_fd().as_raw_fd(),
        procfs.as_raw_fd(),
    ];
    close_all_but(&[&own, descriptors.as_slice()].concat())?;
    let_go_of(0..3)?;
    let mut setting = setting(supervisor, ids, corrections);
    setting.program = Some(ProgramBody {
        keeps_failed: false,
        starts_at_once: true,
    });
    setting.beside = Some(Beside { keeper, procfs });
    nursery::prepare(true)?;
    show_as("snowglobe:exec");
    if let Some(first) = setting.first {
        first.disown();
    }
    let files = OwnFiles::make(&setting, true);
    // The init of the PID namespace that the procfs at /proc shows is the keeper, who is in the
    // same user namespace. This process has no number there.
    let users = File::open("/proc/1/ns/user").map_err(|error| errno(&error))?;
    let this = process::pidfd_open(std::process::id().cast_signed());
    let facts = ResidentFacts {
        isolation: String::new(),
        notes,
        host: None,
    };
    let mut trials = [None];
    let listener = name.listen()?;
    let mut resident = ProgramResident {
        zygote: Zygote::new(&mut trials, setting),
        files,
        runner,
        facts: facts.encode(),
        this: this.map_err(|error| errno(&error))?,
        users: FileIdentity::of(&users),
    };
    drop(users);
    maker.send(READY)?;
    drop(maker);
    resident.serve(&listener);
    Ok(())
}

/// A zygote that stays, with what it gives to each program.
struct ProgramResident<'a> {
    zygote: Zygote<'a>,
    files: OwnFiles,
    runner: Runner,
    /// Message that starts are sent.
    facts: Vec<u8>,
    /// Pidfd of this process.
    this: OwnedFd,
    /// The user namespace of this process.
    users: Option<FileIdentity>,
}

impl ProgramResident<'_> {
    /// Runs programs for those who ask, until nobody has asked for a while or the sandbox is gone.
    fn serve(&mut self, listener: &NamedListener) {
        loop {
            match self.wait(listener, LONELY) {
                Woken::Asked => {
                    if let Ok(channel) = listener.accept() {
                        self.serve_start(&channel);
                    }
                }
                Woken::Lonely => break,
                Woken::Orphaned => return,
            }
        }
        listener.refuse_others();
        while let Ok(channel) = listener.accept() {
            self.serve_start(&channel);
        }
        let _ = std::fs::remove_file(OsStr::from_bytes(self.files.hosts.to_bytes()));
    }

    fn wait(&self, listener: &NamedListener, patience: Duration) -> Woken {
        let keeper = self
            .zygote
            .setting
            .beside
            .as_ref()
            .map(|it| it.keeper.as_fd());
        let keeper = keeper.unwrap_or(listener.as_fd());
        loop {
            match wait_readable([keeper, listener.as_fd()], Some(patience)) {
                Ok([true, _]) => return Woken::Orphaned,
                Ok([false, true]) => return Woken::Asked,
                Ok([false, false]) => return Woken::Lonely,
                Err(_) => {}
            }
        }
    }

    /// Runs the program of a start. One that is not ours, or that asks for something else, reads an
    /// end of file.
    fn serve_start(&mut self, channel: &MessageChannel) {
        if !matches!(wait_readable([channel.as_fd()], Some(PATIENCE)), Ok([true])) {
            return;
        }
        let Ok((message, passed)) = channel.receive_whole_with() else {
            return;
        };
        let (Some(request), Ok([stdin, stdout, stderr, supervisor, users])) =
            (ProgramRequest::decode(&message), <[_; 5]>::try_from(passed))
        else {
            return;
        };
        // Whoever can open the user namespace of this process has a debugger's rights over it: see
        // `super::resident`.
        if FileIdentity::of(&users) != self.users {
            return;
        }
        drop(users);
        let ProgramRequest {
            words,
            supervisor: pid,
            group,
            variables,
        } = request;
        set_variables(&variables);
        body::remember_supervisor(pid);
        let setting = &mut self.zygote.setting;
        setting.numbers = setting.numbers.under(pid);
        setting.supervisor = supervisor;
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
        let facts = &self.facts;
        if is_given
            && channel
                .send_whole_with(facts, &[self.this.as_raw_fd()])
                .is_ok()
        {
            self.run(words, channel);
        }
        // As after the clone of the init, which may have been refused.
        let _ = leave_group();
        let _ = let_go_of(0..3);
    }

    /// Runs a program. Returns when nobody is left who has what the program was given.
    fn run(&mut self, words: Vec<CString>, channel: &MessageChannel) {
        let name = words
            .first()
            .map(|word| Path::new(OsStr::from_bytes(word.as_bytes())));
        let name = name.and_then(Path::file_name).unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let become_program = Arc::clone(&self.runner.become_program);
        let trial = Trial::test(name, move || become_program(&words));
        self.zygote.trials[0] = Some(trial.with_options(self.runner.options));
        let ordered = OrderedTrial {
            index: 0,
            seed: 0,
            share: 0,
            channel,
        };
        match self.zygote.run(&ordered, &self.files, None) {
            Leftovers::Nothing => {}
            // The start waits for the end of the channel, and so for all of these.
            Leftovers::Processes => process::await_childless(),
            // The start notices the end of the channel, and the next start makes another resident.
            Leftovers::Ruin => process::exit_now(1),
        }
    }
}

/// The reason for which a resident was woken.
enum Woken {
    /// A start asks.
    Asked,
    /// Nobody has asked for a while.
    Lonely,
    /// The sandbox is gone.
    Orphaned,
}
