//! The first process of a trial's PID namespace. It never runs test code.
//!
//! A test may crash, hang, or leave daemons behind, and a supervisor may be killed at any moment.
//! In each case somebody has to know how the test body ended, to name the processes that outlive
//! it, and to take them along. Only the init of a PID namespace can: the kernel makes it the parent
//! of orphans, and kills everybody in the namespace when it ends (`pid_namespaces(7)`).
//!
//! An init makes the sandbox, forks the test body, reaps, passes signals on, makes the nodes of
//! labs ([`crate::sandbox::node`]), and ends when the supervisor does.
//!
//! An init lives in its zygote's memory ([`crate::kernel::process::shared_memory_child`]) while the
//! zygote sleeps. So whatever it allocates has to be freed before it ends, and it may not take a
//! lock that the zygote could hold.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::kernel::process::{ForkResult, Pid, lead_process_group};

use super::body;
use super::body_process::BodyProcess;
use super::denials::DenialWatch;
use super::descendants;
use super::mounts::SandboxSpec;
use super::program::{self, ProgramBody, map_own_ids};
use crate::Isolation;
use crate::kernel::fd;
use crate::kernel::id_map::IdMap;
use crate::kernel::message_channel::{MessageChannel, Received};
use crate::kernel::poll;
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::seccomp::{Question, WatchedCall};
use crate::kernel::process::signal::{self, SignalFd};
use crate::kernel::process::{self, Reaped};
use crate::kernel::procfs::process_table;
use crate::kernel::thread::{show_as_before, shown_as};
use crate::sandbox::disk;
use crate::sandbox::node::apart;
use crate::sandbox::node::factory::{Factory, FactoryPlace};
use crate::sandbox::process_numbers::{self, TrialNumbers};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::trial::{BodyReport, Finish, InitRequest, TrialReport, WAKE_INIT};
use crate::sandbox::refused::{Doing, Refused};
use crate::sandbox::within;
use crate::trial::running::Remark;
use crate::trial::time_scale::stretched;

/// An init, with all that it inherits from its zygote.
pub(crate) struct Init<'a> {
    /// The sandbox that the init makes of its namespaces.
    pub(crate) spec: SandboxSpec<'a>,
    /// Ids that the init maps itself, if nobody else does.
    pub(crate) own_ids: Option<IdMap>,
    /// Numbers that the processes of this trial have.
    pub(crate) numbers: TrialNumbers,
    /// Channel to the supervisor, which the zygote has when there is no init.
    pub(crate) channel: &'a MessageChannel,
    /// Channel on which the test body reports.
    pub(crate) reports: &'a MessageChannel,
    /// Pidfd of the supervisor.
    pub(crate) supervisor: &'a OwnedFd,
    /// Channel at whose end the init ends too, where its zygote is beside the sandbox: the kernel
    /// ends everybody in the sandbox with its keeper, and nobody beside.
    pub(crate) keeper: Option<&'a MessageChannel>,
    /// Signals that wait for this process.
    pub(crate) signals: &'a SignalFd,
    /// Differences if the body becomes a program for which somebody waits.
    pub(crate) program: Option<ProgramBody>,
    /// Whether stdout and stderr belong to somebody who ends before this process does.
    pub(crate) lends_output: bool,
    /// Watch over calls whose refusal has to be explained, where the kernel has one.
    pub(crate) denials: Option<DenialWatch<'a>>,
}

/// A message on the channel of the body.
struct Heard {
    /// Process that has sent the message, as the kernel says.
    sender: Option<i32>,
    /// Report, unless the message is none.
    report: Option<BodyReport>,
}

/// The reasons for which an init was woken.
struct Wakeup {
    /// The supervisor asks for something.
    asked: bool,
    /// A signal waits.
    signalled: bool,
    /// The supervisor is gone.
    orphaned: bool,
    /// The body reports something, if the init listens.
    reported: bool,
    /// The body asks for nodes.
    wants_nodes: bool,
    /// The kernel asks about a call of a process of the trial.
    asks_about_call: bool,
}

/// Time in which a process that has been killed is gone, on a busy machine as well.
const PATIENCE: Duration = Duration::from_secs(10);
/// The calling process, as `setpgid(2)` takes it.
const OURSELVES: Pid = Pid::from_raw(0);

/// Length of a report for which the stack has room, in bytes. Nearly all reports are shorter.
const SHORT: usize = 256;

/// Remark on a trial that has closed the channel of its body.
const CHANNEL_CLOSED: &str = "the test has closed a descriptor that it had not opened, the one on which its process reports (as `close_range(3, ~0)` does); the verdict is true all the same, but notes and labs do not work from there on: close what the test has opened, and the rest in a child only";

impl Init<'_> {
    /// Lives until the trial is over. `body` is run in a process of its own and does not return.
    ///
    /// Returns true if the body has passed, and nobody is left who has anything of what was given
    /// to it.
    pub(crate) fn live(self, output: Option<&OwnedFd>, body: impl FnOnce()) -> bool {
        let well = match self.start(output, body) {
            Ok(body) => self.watch(&body),
            Err(refused) => {
                let _ = self.channel.send(&TrialReport::Refused(refused).encode());
                false
            }
        };
        if self.program.is_some_and(|program| program.keeps_failed) && !well {
            program::linger(self.channel, self.supervisor);
        }
        self.end();
        well
    }

    fn start(&self, output: Option<&OwnedFd>, run: impl FnOnce()) -> Result<BodyProcess, Refused> {
        // A supervisor that died before this init had asked for a parent-death signal would never
        // be noticed: that signal alone left 874 of 1,000 processes alive (measured for this
        // project, 2026-08). The pidfd says so however early the death was.
        if poll::is_readable(self.supervisor.as_fd()) {
            process::exit_now(1);
        }
        if self.spec.isolation.contains(Isolation::USER) {
            map_own_ids(self.own_ids)?;
        }
        if !self.spec.isolation.contains(Isolation::PID) {
            // Orphans come to us all the same (PR_SET_CHILD_SUBREAPER, prctl(2)).
            process::become_subreaper().doing("become a subreaper")?;
        }
        self.spec.make()?;
        // The nursery ignores SIGCHLD, which is inherited. Children of a process that ignores it
        // leave no status to wait for (wait(2), NOTES).
        signal::default_children().doing("wait for children")?;
        if self.program.is_none() {
            // The group is out of reach of the terminal: the supervisor passes signals on as it
            // sees fit.
            lead_process_group().doing("make a process group")?;
        }
        if self.spec.isolation.contains(Isolation::PID) {
            process_numbers::count_from(self.spec.number_counter, self.numbers.of_body())?;
        }
        // The mark is set before the fork, so that it is there whenever the body looks.
        let name = shown_as();
        within::mark_first_process(&self.spec);
        let pid = if self.program.is_some_and(|program| program.starts_at_once) {
            self.start_program(&name, run)?
        } else {
            match process::fork().doing("fork the test body")? {
                ForkResult::Child => {
                    show_as_before(&name);
                    self.become_body(output, run)
                }
                ForkResult::Parent { child } => child,
            }
        };
        if self.program.is_some() {
            // A reader of the program's output waits until nobody has the pipe any more.
            let _ = program::let_go_of(0..3);
        }
        Ok(BodyProcess::new(pid))
    }

    /// Watches until the body is gone, or nobody wants to hear of it any more. Returns what
    /// [`Init::live`] returns.
    fn watch(&self, body: &BodyProcess) -> bool {
        // The body's end is read when its process is gone, together with how that ended. Only a
        // body that hangs says something that is wanted at once.
        let mut listening = false;
        loop {
            let Wakeup {
                asked,
                signalled,
                orphaned,
                reported,
                wants_nodes,
                asks_about_call,
            } = self.wait(body, listening);
            if orphaned {
                return false;
            }
            let woken_by_body = signalled && self.read_signals();
            if signalled && let Some(end) = self.reap(body.pid) {
                return self.finish(body, end);
            }
            if signalled && self.program.is_some() {
                program::report_stop(body.pid, &body.stopped, self.channel);
            }
            if wants_nodes {
                self.make_nodes(body);
            }
            if asks_about_call {
                self.answer_about_call(body);
            }
            if reported || woken_by_body {
                let received = self.forward_reports(body);
                // A channel that is readable without a report is closed: the body will report no
                // more.
                listening &= received || !reported;
            }
            if asked {
                match self.handle_request(body) {
                    ControlFlow::Continue(more) => listening |= more,
                    ControlFlow::Break(()) => return false,
                }
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&self, body: &BodyProcess, listening: bool) -> Wakeup {
        let channel = self.channel.as_fd();
        let (signals, supervisor) = (self.signals.as_fd(), self.supervisor.as_fd());
        let node_requests = body.node_requests.borrow();
        let reports = listening.then(|| self.reports.as_fd());
        let nodes = node_requests.as_ref().map(AsFd::as_fd);
        let denials = self.denials.as_ref().map(|watch| watch.fd.as_fd());
        let keeper = self.keeper.map(AsFd::as_fd);
        // In place of a descriptor that is not there, the init's own channel is watched once more,
        // which does no harm.
        let watched = [
            channel,
            signals,
            supervisor,
            reports.unwrap_or(channel),
            nodes.unwrap_or(channel),
            denials.unwrap_or(channel),
            keeper.unwrap_or(channel),
        ];
        let [
            asked,
            signalled,
            supervisor_gone,
            reported,
            wants_nodes,
            asks_about_call,
            keeper_gone,
        ] = poll::wait_readable(watched, None).unwrap_or_default();
        Wakeup {
            asked,
            signalled,
            orphaned: supervisor_gone || (keeper.is_some() && keeper_gone),
            reported: reports.is_some() && reported,
            wants_nodes: nodes.is_some() && wants_nodes,
            asks_about_call: denials.is_some() && asks_about_call,
        }
    }

    /// Makes the nodes that the body has asked for.
    fn make_nodes(&self, body: &BodyProcess) {
        let mut node_requests = body.node_requests.borrow_mut();
        let serve = |requests| self.factory(body, requests, FactoryPlace::Init).serve(None);
        if !node_requests.as_ref().is_some_and(serve) {
            *node_requests = None;
        }
    }

    /// Listens to the requests of the body for nodes. If the body comes with a user namespace of
    /// its own, another process does.
    fn listen_for_nodes(&self, body: &BodyProcess, passed: [Option<OwnedFd>; 2]) {
        let [requests, users] = passed;
        let requests = requests.map(MessageChannel::from);
        if let (Some(requests), Some(users)) = (&requests, &users) {
            // Without the process the channel is closed, which the body notices.
            let labs = apart::start(&self.factory(body, requests, FactoryPlace::Apart), users);
            body.labs.set(labs.ok());
        } else {
            *body.node_requests.borrow_mut() = requests;
        }
    }

    fn factory<'a>(
        &'a self,
        body: &'a BodyProcess,
        requests: &'a MessageChannel,
        place: FactoryPlace,
    ) -> Factory<'a> {
        Factory {
            requests,
            spec: &self.spec,
            signals: self.signals,
            numbers: self.numbers,
            made: &body.nodes_made,
            disks: &body.disks,
            place,
        }
    }

    /// Answers the kernel, and tells the supervisor what a process of the trial lacks.
    fn answer_about_call(&self, body: &BodyProcess) {
        let Some(watch) = &self.denials else { return };
        // A process that was killed asks no more.
        let Ok(question) = Question::receive(watch.fd.as_fd()) else {
            return;
        };
        if let WatchedCall::Sync | WatchedCall::SyncFilesystem(_) = question.call {
            disk::sync::answer(question, &body.disks.borrow());
        } else if let Some(denial) = watch.answer(question) {
            let _ = self.channel.send(&TrialReport::Denied(denial).encode());
        }
    }

    /// Passes on what the body reports before its end. Returns whether there was a report.
    fn forward_reports(&self, body: &BodyProcess) -> bool {
        let mut received = false;
        while let Some(Heard { sender, report }) = self.receive_report(body) {
            received = true;
            let report = match report {
                // A fork of the body has inherited the channel, but the verdict is the body's.
                report if sender != Some(body.pid.as_raw()) => TrialReport::Forked {
                    pid: sender.unwrap_or_default(),
                    report,
                },
                // The supervisor hears of the end together with the end of the process.
                Some(BodyReport::Finished(finish)) => {
                    *body.finish.borrow_mut() = Some(finish);
                    continue;
                }
                // The channel is there: `receive_report` has kept it.
                Some(BodyReport::WantsNodes) => continue,
                Some(BodyReport::Traced) => TrialReport::Traced,
                Some(BodyReport::Remarked(remark)) => TrialReport::Remarked(remark),
                Some(BodyReport::StackOverflowed) => TrialReport::StackOverflowed,
                Some(BodyReport::ProgramEnded(end)) => TrialReport::ProgramEnded(end),
                // This report comes by memory only, since the channel is closed.
                Some(BodyReport::ChannelClosed) => continue,
                // Bytes that the code of the test has written to a descriptor that it has guessed.
                None => continue,
            };
            let _ = self.channel.send(&report.encode());
        }
        received
    }

    /// Returns the next message on the channel of the body, if there is one.
    fn receive_report(&self, body: &BodyProcess) -> Option<Heard> {
        let mut short = [0; SHORT];
        let length = self.reports.peek(&mut short).ok()??;
        if length == 0 {
            return None;
        }
        // The heap is left alone where it can be: its pages are the zygote's.
        let mut long = Vec::new();
        let buffer = if length > SHORT {
            long.resize(length, 0);
            &mut long[..]
        } else {
            &mut short[..]
        };
        let Received {
            message,
            passed,
            sender,
        } = self.reports.receive_few_with(buffer).ok()?;
        let report = BodyReport::decode(message);
        if report == Some(BodyReport::WantsNodes) && sender == Some(body.pid.as_raw()) {
            self.listen_for_nodes(body, passed);
        }
        Some(Heard { sender, report })
    }

    /// Does what the supervisor asks. Returns whether the body will have something to report, or
    /// breaks where there is no supervisor any more.
    fn handle_request(&self, body: &BodyProcess) -> ControlFlow<(), bool> {
        let mut buffer = [0; InitRequest::LONGEST];
        let request = match self.channel.try_receive(&mut buffer) {
            Ok(None) => return ControlFlow::Continue(false),
            Ok(Some([])) | Err(_) => return ControlFlow::Break(()),
            Ok(Some(bytes)) => InitRequest::decode(bytes),
        };
        match request {
            Some(InitRequest::Signal(number)) => {
                descendants::signal_all(number, self.spec.isolation.contains(Isolation::PID));
            }
            Some(InitRequest::PassOn(number)) => {
                program::pass_on(body.pid, &body.stopped, number);
            }
            Some(InitRequest::Forget(number)) => {
                let _ = signal::take_pending(number);
            }
            Some(InitRequest::ConfirmStop) => program::confirm_stop(body.pid, self.channel),
            Some(InitRequest::Describe) => {
                let description = process_table::describe(&descendants::descendants());
                if self.program.is_none() {
                    let _ = signal::send_trace(body.pid);
                }
                let report = TrialReport::Described(description);
                let _ = self.channel.send(&report.encode());
                return ControlFlow::Continue(true);
            }
            // Nothing that the supervisor sends to an init.
            None => {}
        }
        ControlFlow::Continue(false)
    }

    /// Takes the signals that have come. Returns whether the body's [`WAKE_INIT`] was among them.
    fn read_signals(&self) -> bool {
        let mut woken_by_body = false;
        while let Some(signal) = self.signals.next() {
            woken_by_body |= signal == WAKE_INIT as i32;
        }
        woken_by_body
    }

    /// Reaps whoever has ended. Returns the end of the body, if the body was among them.
    fn reap(&self, body: Pid) -> Option<ExitKind> {
        let mut end = None;
        while let Reaped::One(pid, status) = process::reap() {
            if pid == body.as_raw() {
                end = Some(ExitKind::from_wait_status(status));
            }
        }
        end
    }

    /// Reports that the body is gone, and who is left. Returns what [`Init::live`] returns.
    fn finish(&self, body: &BodyProcess, end: ExitKind) -> bool {
        self.forward_reports(body);
        if let Some(labs) = body.labs.take() {
            apart::end(labs);
        }
        let finish = body.finish.take().or_else(|| self.finish_without_channel());
        // Everybody in the sandbox descends from this process: without children it is alone.
        let empty = matches!(process::reap(), Reaped::Childless);
        if empty && finish == Some(Finish::Passed) && end == ExitKind::SUCCESS {
            if self.lends_output {
                // No other process has stdout and stderr of the trial, whose reader waits for
                // their end.
                fd::close_output();
            }
            let _ = self.channel.send(&TrialReport::ALL_WELL);
            return true;
        }
        if empty && self.program.is_some_and(ProgramBody::leaves_nothing) && finish.is_none() {
            let _ = self.channel.send(&TrialReport::ProgramGone(end).encode());
            return true;
        }
        let survivors = if empty {
            Vec::new()
        } else {
            descendants::end_symbolizers();
            self.await_dying();
            descendants::survivors()
        };
        let exited = TrialReport::Exited {
            end,
            survivors,
            finish,
        };
        let _ = self.channel.send(&exited.encode());
        false
    }

    /// Returns the verdict of a body whose channel is gone, and reports that it is.
    fn finish_without_channel(&self) -> Option<Finish> {
        let last = body::report_without_channel()?;
        let report = TrialReport::Remarked(Remark::Note(CHANNEL_CLOSED.to_owned()));
        let _ = self.channel.send(&report.encode());
        let BodyReport::Finished(finish) = last else {
            return None;
        };
        Some(finish)
    }

    /// Waits for processes that are dying already: they are no survivors.
    fn await_dying(&self) {
        let end = Instant::now() + stretched(PATIENCE);
        while process_table::any_dying(&descendants::descendants()) && Instant::now() < end {
            // A SIGCHLD wakes us for our own children. Of the end of others nothing tells, so the
            // table is read again after 10 ms.
            let limit = Some(Duration::from_millis(10));
            let _ = poll::wait_readable([self.signals.as_fd()], limit);
            let _ = self.read_signals();
            let _ = self.reap(OURSELVES);
        }
    }

    /// Ends everybody. With a PID namespace the kernel does that when this process ends.
    fn end(&self) {
        if !self.spec.isolation.contains(Isolation::PID) {
            descendants::kill_all();
        }
    }
}
