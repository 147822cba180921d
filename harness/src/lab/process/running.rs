//! A program of a node, as the lab knows it.
//!
//! A test may drop its [`Process`](crate::lab::Process) while the program runs on. The lab still
//! has to end the program, and to report a bad end that nobody asked for.

use std::ffi::OsString;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::events::ProcessName;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::poll::{is_readable, wait_readable};
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::signal::Signal;
use crate::kernel::process::{pid_of, pidfd_kill};
use crate::kernel::procfs::process_table;
use crate::kernel::sync::Lock;
use crate::lab::error::Subject;
use crate::lab::process::holds::Holds;
use crate::lab::process::log::Log;
use crate::lab::process::program::{OnDrop, ProgramSpec};
use crate::lab::process::readiness::Readiness;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::node::{LONGEST_REPLY, ProcessReply};
use crate::topology::StartCommand;
use crate::trial::running as trial;
use crate::trial::time_scale::stretched;

/// Time for what follows a signal or an end: the last output, the report of the end, stopped
/// threads.
pub(crate) const SETTLE_LIMIT: Duration = Duration::from_secs(1);

/// A program that was started in a node.
#[derive(Debug)]
pub(crate) struct Running {
    label: String,
    /// Name of the program in events.
    process: Arc<ProcessName>,
    /// Process id in the PID namespace of the node.
    pid: i32,
    pidfd: OwnedFd,
    /// The channel on which the node's first process reports the end of the program.
    end: MessageChannel,
    status: Lock<Option<ExitStatus>>,
    log: Arc<Log>,
    /// Words of the program about its readiness, if it was given a socket for that.
    readiness: Option<Arc<Readiness>>,
    /// The holds of the processes of the node.
    holds: Arc<Lock<Holds>>,
    on_drop: OnDrop,
    /// The program, to be started once more.
    again: ProgramSpec,
    /// Whether somebody asked for the end of the program, or has heard of it.
    expected: AtomicBool,
    /// Number of faults in force because of which the program may end.
    excuses: AtomicUsize,
}

/// Names by which a program is known to the kernel, and to the node's first process.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) end: MessageChannel,
}

/// Data of a program that exists before the program runs.
#[derive(Debug)]
pub(crate) struct ProgramContext {
    /// Name by which reports call the program.
    pub(crate) label: String,
    /// Messages by which the program says that it is ready, if it was asked for them.
    pub(crate) readiness: Option<Arc<Readiness>>,
    /// Holds that keep processes of the node from running.
    pub(crate) holds: Arc<Lock<Holds>>,
}

/// A program has not said that it is ready.
#[derive(Debug)]
pub(crate) struct NotNotified {
    label: String,
    /// The last status that the program told, as a clause.
    status: String,
}

impl fmt::Display for NotNotified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, status } = self;
        write!(f, "`{label}` has not sent READY=1; {status}")
    }
}

impl Running {
    pub(crate) fn new(
        context: ProgramContext,
        process: Arc<ProcessName>,
        started: Started,
        log: Arc<Log>,
        spec: &ProgramSpec,
    ) -> Self {
        let ProgramContext {
            label,
            readiness,
            holds,
        } = context;
        let Started { pid, pidfd, end } = started;
        Self {
            label,
            process,
            pid,
            pidfd,
            end,
            status: Lock::new(None),
            log,
            readiness,
            holds,
            on_drop: spec.on_drop,
            again: spec.again(),
            expected: AtomicBool::new(spec.may_die),
            excuses: AtomicUsize::new(0),
        }
    }

    /// Returns the name by which reports call the program: `bob/nginx`.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Returns the subject of errors about the program.
    pub(crate) fn subject(&self) -> Subject {
        Subject::Process(self.label().to_owned())
    }

    /// Returns the name of the program in events.
    pub(crate) fn process(&self) -> &Arc<ProcessName> {
        &self.process
    }

    /// Returns who keeps processes of the node from running.
    pub(crate) fn holds(&self) -> &Lock<Holds> {
        &self.holds
    }

    /// Returns the pidfd, which is readable when the program has exited: pidfd_open(2).
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Returns whether the program has exited. Its status may not have been reported yet.
    pub(crate) fn has_exited(&self) -> bool {
        is_readable(self.pidfd())
    }

    /// Returns whether the program has exited, or is about to and can do nothing more.
    fn is_ending(&self) -> bool {
        self.has_exited()
            || pid_of(self.pidfd()).is_some_and(|pid| process_table::any_dying(&[pid]))
    }

    /// Returns the program, to be started once more.
    pub(crate) fn again(&self) -> ProgramSpec {
        self.again.again()
    }

    /// Returns whether the program goes by a name: a label, a path, or the last part of a path.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.label == name
            || self.process.program == name
            || self.again.name() == name
            || self.process.program.rsplit('/').next() == Some(name)
    }

    /// Returns whether the program is that of a command of the node's start.
    pub(crate) fn is_of(&self, command: &StartCommand) -> bool {
        let StartCommand { program, args, .. } = command;
        let given = self.again.args.iter().map(OsString::as_os_str);
        self.again.program == program.as_str() && given.eq(args.iter().map(String::as_str))
    }

    /// Returns the process id in the node.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Returns the process id in the trial, of a program that runs.
    pub(crate) fn pid_in_trial(&self) -> Option<i32> {
        pid_of(self.pidfd())
    }

    /// Returns the lines that the program has written.
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Checks that the program has said that it is ready. A program without a socket for readiness
    /// counts as ready.
    ///
    /// # Errors
    /// The program has not said so. The error has the last status that the program told.
    pub(crate) fn has_notified(&self) -> Result<(), NotNotified> {
        match &self.readiness {
            Some(readiness) if !readiness.wait(Instant::now()) => Err(NotNotified {
                label: self.label.clone(),
                status: readiness.status(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns the last lines of the program, for an error.
    ///
    /// Another thread reads what the program writes, so the end of a program may be known before
    /// its last lines are. The function waits for the last lines of a program that has ended.
    pub(crate) fn last_lines(&self) -> String {
        if self.ended().is_some() {
            self.log
                .wait_for_end(Instant::now() + stretched(SETTLE_LIMIT));
        }
        self.log.tail()
    }

    /// Returns what the program tells of its readiness, if it was given a socket for that.
    pub(crate) fn readiness(&self) -> Option<&Arc<Readiness>> {
        self.readiness.as_ref()
    }

    /// Returns whether the program is asked to end, and not killed, when the lab is dropped.
    pub(crate) fn is_terminated_on_drop(&self) -> bool {
        match self.on_drop {
            OnDrop::Terminate => true,
            OnDrop::Kill => false,
        }
    }

    /// Notes that the end of the program is no surprise from now on.
    pub(crate) fn expect(&self) {
        self.expected.store(true, Ordering::Relaxed);
    }

    /// Notes that a fault has begun because of which the program may end.
    pub(crate) fn excuse(&self) {
        self.excuses.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a fault has ended because of which the program might have ended.
    pub(crate) fn end_excuse(&self) {
        self.excuses.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns whether the end of the program is no surprise.
    pub(crate) fn is_expected(&self) -> bool {
        self.expected.load(Ordering::Relaxed)
    }

    /// Returns whether a fault is in force because of which the program may end.
    pub(crate) fn is_excused(&self) -> bool {
        self.excuses.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn signal(&self, number: i32) -> std::io::Result<()> {
        pidfd_kill(&self.pidfd, number)
    }

    /// Waits until the program ends, or until `deadline`. Returns the status if the program ended.
    pub(crate) fn ended_by(&self, deadline: Option<Instant>) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                // Time is up, and the program still runs.
                return None;
            }
            // An interrupted wait (EINTR) is no answer; the loop looks at the state and the clock.
            let _ = wait_readable([self.end.as_fd()], left);
        }
    }

    /// Returns how the program ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        // The report can be received once only, so the status is kept for all who ask.
        let mut status = self.status.lock();
        if status.is_none() {
            let mut buffer = [0; LONGEST_REPLY];
            // The node's first process reports the end. A closed channel means that this process
            // was killed, and the kernel kills a whole PID namespace with its init:
            // pid_namespaces(7).
            let killed = Some(ExitStatus::from_raw(Signal::SIGKILL as i32));
            *status = match self.end.try_receive(&mut buffer) {
                Ok(None) => None,
                Ok(Some(message)) => match ProcessReply::decode(message) {
                    Some(ProcessReply::Ended(raw)) => Some(ExitStatus::from_raw(raw)),
                    Some(ProcessReply::Runs(_) | ProcessReply::Refused(_)) | None => killed,
                },
                Err(_) => killed,
            };
        }
        *status
    }

    /// Returns whether the program has ended, and nobody is to be told how.
    pub(crate) fn is_over(&self) -> bool {
        let well = |status: ExitStatus| status.success() || self.expected.load(Ordering::Relaxed);
        self.ended().is_some_and(well)
    }

    /// Returns whether the program has ended badly, and nobody has expected or heard of that.
    pub(crate) fn has_ended_by_surprise(&self) -> bool {
        let is_expected = self.expected.load(Ordering::Relaxed);
        !is_expected && self.ended_or_ending().is_some_and(|it| !it.success())
    }

    /// Returns how the program ended, if it has. Waits for the end of a program that is ending.
    ///
    /// The peer of a program that ends sees the end of a connection before anybody hears of the
    /// program's own end (kernel/exit.c, do_exit).
    fn ended_or_ending(&self) -> Option<ExitStatus> {
        match self.ended() {
            None if self.is_ending() => {
                self.ended_by(Some(Instant::now() + stretched(SETTLE_LIMIT)))
            }
            ended => ended,
        }
    }

    /// Returns a sentence about the end of the program, if nobody has waited for the end so far.
    pub(crate) fn death(&self, status: ExitStatus) -> Option<String> {
        if self.expected.load(Ordering::Relaxed) {
            return None;
        }
        let how = ExitKind::from(status);
        Some(format!("`{}` {how}; {}", self.label, self.log.tail()))
    }

    /// Returns a sentence about a bad end that nobody expected, once. Of a good end that nobody
    /// has waited for, a trial that fails has a note.
    pub(crate) fn surprise(&self) -> Option<String> {
        // The heal of a fault that ends programs starts the program again, but another fault may
        // stop the node before that heal.
        if self.is_excused() || self.expected.load(Ordering::Relaxed) {
            return None;
        }
        // A test may fail at once when the peer of its program is gone.
        let status = self.ended_or_ending()?;
        // The end is told once: the end of a lab asks again for all that a restart has asked for.
        // Somebody may have asked for the end since the look above.
        if self.expected.swap(true, Ordering::Relaxed) {
            return None;
        }
        let how = ExitKind::from(status);
        if status.success() {
            // A server that has ended well is not there for the test, which may have failed for it.
            trial::note_if_failed(format!("`{}` {how} and nobody waited for it", self.label));
            return None;
        }
        Some(format!(
            "`{}` {how} and nobody waited for it; {}",
            self.label,
            self.last_lines()
        ))
    }
}

impl AsRawFd for Running {
    /// Returns the pidfd.
    fn as_raw_fd(&self) -> i32 {
        self.pidfd.as_raw_fd()
    }
}
