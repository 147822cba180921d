//! The first process of a node: makes the node, and then runs programs on request.
//!
//! A program in a node must live in all of the node's namespaces, be reaped, and die with the node.
//! A process that entered the node from outside would not be in its PID namespace, and would be
//! nobody's child there. So programs are children of this process. It has no thread, allocates
//! little, and sleeps while nothing happens.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use super::factory::FactoryPlace;
use crate::kernel::errno::Errno;
use crate::kernel::namespace::{self, CloneFlags};
use crate::kernel::namespace::{NamespaceKind, Task};
use crate::kernel::process::Pid;
use crate::kernel::process::signal::{Signal, kill};
use crate::kernel::process::{become_subreaper, die_with_parent};

use super::clock::NodeClock;
use super::stop_polling::StopPolling;
use super::{launch, mounts, visitor_mounts};
use crate::Isolation;
use crate::kernel::errno::errno;
use crate::kernel::fd::close_all_but;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::poll;
use crate::kernel::process;
use crate::kernel::process::Reaped;
use crate::kernel::process::signal;
use crate::kernel::process::signal::SignalFd;
use crate::kernel::procfs::process_table;
use crate::kernel::procfs::sysctls;
use crate::kernel::thread::show_as;
use crate::sandbox::process_numbers;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::node::{
    CommandReply, IDS_MAPPED, Joins, NodeCommand, NodeReply, NodeRequest, ProcessReply, Program,
};
use crate::sandbox::refused::{Doing, Refused};
use crate::sandbox::trial::mounts::SandboxSpec;

/// Everything of which a first process makes its node.
pub(super) struct Origin<'a> {
    /// Request of the lab for the node.
    pub(super) request: &'a NodeRequest,
    /// Sandbox of the trial, of which the node's is a variant.
    pub(super) spec: &'a SandboxSpec<'a>,
    /// Process or network whose namespaces the node joins.
    pub(super) joined: Option<&'a OwnedFd>,
    /// Number of the first program in a PID namespace of the node's own.
    pub(super) first_number: u32,
    /// User namespace of the process that makes nodes. Outside of the trial's user namespace,
    /// nobody can copy the trial's mounts, and the lab cannot send the trial's `/proc`.
    pub(super) place: FactoryPlace,
}

/// Lives until it is killed, or nobody is left to command anything.
pub(super) fn live(origin: &Origin<'_>, channel: &MessageChannel, signals: &SignalFd) -> ! {
    let MadeNode {
        network,
        trials_proc,
    } = match become_node(origin, channel) {
        Ok(made) => made,
        Err(refused) => {
            let _ = channel.send(&NodeReply::Refused(refused).encode());
            process::exit_now(1)
        }
    };
    let _ = channel.send_with(&NodeReply::Ready.encode(), &[network.as_raw_fd()]);
    drop(network);
    let clock = NodeClock::of(origin.request.faulty_clock);
    // This process is a copy of the init, and has its descriptors: it must not keep a trial's
    // channels open, whose end says that the trial is over.
    let kept = [channel.as_raw_fd(), signals.as_fd().as_raw_fd()].into_iter();
    let kept: Vec<i32> = kept
        .chain(trials_proc.iter().map(AsRawFd::as_raw_fd))
        .collect();
    if close_all_but(&kept).is_err() {
        process::exit_now(1)
    }
    FirstProcess {
        channel,
        signals,
        own_pids: origin.request.own_pids,
        may_make_users: origin.spec.nested,
        trials_proc,
        running: HashMap::new(),
        clock,
        orphans_asked: HashSet::new(),
        orphans_gone: None,
    }
    .serve()
}

/// Descriptors of a node that was made.
struct MadeNode {
    /// Network namespace of the node.
    network: OwnedFd,
    /// Copy of the trial's `/proc`, where the lab cannot send one.
    trials_proc: Option<OwnedFd>,
}

/// Makes the node of the calling process' namespaces.
fn become_node(origin: &Origin<'_>, channel: &MessageChannel) -> Result<MadeNode, Refused> {
    let Origin {
        request,
        spec,
        joined,
        first_number,
        place,
    } = *origin;
    // A node that shares the trial's PID namespace would outlive an init that is killed.
    die_with_parent().doing("set the parent-death signal")?;
    // Without a mapping this process is nobody, and may do nothing in its user namespace.
    if request.ids.is_some() && request.joins == Joins::Nothing {
        signal::wait_for(IDS_MAPPED).doing("wait for the ids")?;
    }
    // Tools of the test, such as `ps`, show this process by this name.
    show_as(&format!("node:{}", request.name));
    if let Some(joined) = joined {
        let kinds = match request.joins {
            // The owner of a network was entered before this process was cloned.
            Joins::Nothing | Joins::Owner => CloneFlags::empty(),
            Joins::Network => CloneFlags::CLONE_NEWNET,
            Joins::Pod | Joins::PodAndPids => {
                CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC
            }
        };
        // Without a kind, setns(2) enters whatever the descriptor refers to.
        if !kinds.is_empty() {
            namespace::enter(joined.as_fd(), kinds).doing("enter the namespaces that it shares")?;
        }
    }
    if !request.own_pids {
        // Orphans come to us and not to the pod (PR_SET_CHILD_SUBREAPER, prctl(2)).
        become_subreaper().doing("become a subreaper")?;
    }
    let trials_proc = if place == FactoryPlace::Apart && request.own_mounts {
        let copy = mount::detach_copy(Path::new("/proc"), mount::MountsBelow::Copied);
        Some(copy.doing("copy the trial's /proc")?)
    } else {
        None
    };
    mounts::make(request, &node_spec(request, spec), &|note| {
        let _ = channel.send(&NodeReply::Note(note.to_owned()).encode());
    })?;
    if request.own_pids {
        process_numbers::count_from(spec.number_counter, first_number)?;
    }
    let network = Task::Process.namespace(NamespaceKind::Net);
    let network = network.doing("open its network namespace")?;
    Ok(MadeNode {
        network: network.into(),
        trials_proc,
    })
}

/// Returns the sandbox of a node in a trial with this one.
fn node_spec<'a>(request: &'a NodeRequest, trial: &SandboxSpec<'a>) -> SandboxSpec<'a> {
    let mut isolation = Isolation::ALL.without(Isolation::USER);
    if request.hostname.is_none() {
        isolation = isolation.without(Isolation::UTS);
    }
    if !request.own_mounts {
        isolation = isolation.without(Isolation::MNT);
    }
    SandboxSpec {
        isolation,
        hostname: request.hostname.as_deref().unwrap_or_default(),
        nested: true,
        hidden: trial.hidden,
        working_dir: trial.working_dir,
        // The lab lays its own file over it.
        hosts: None,
        plain: &[],
        is_ordinary_user: false,
        guards_host: trial.guards_host,
        sys_read_only: trial.sys_read_only,
        patient: true,
        // The recipe for a node does that.
        ping_groups: None,
        number_counter: trial.number_counter,
        // A network that others have made, or that the node has had before, stays as it is.
        corrections: trial
            .corrections
            .filter(|_| matches!(request.joins, Joins::Nothing | Joins::Owner)),
    }
}

/// The first process of a node that is ready.
struct FirstProcess<'a> {
    channel: &'a MessageChannel,
    signals: &'a SignalFd,
    own_pids: bool,
    /// Whether the trial may make user namespaces.
    may_make_users: bool,
    /// Copy of the trial's `/proc` for visitors, where the lab sends none.
    trials_proc: Option<OwnedFd>,
    /// Channels on which the ends of programs are told, by process id.
    running: HashMap<i32, MessageChannel>,
    /// The time of day that programs see.
    clock: NodeClock,
    /// Orphans that were asked to end, by process id.
    orphans_asked: HashSet<i32>,
    /// The channel on which it is told when no orphan is left.
    orphans_gone: Option<MessageChannel>,
}

impl FirstProcess<'_> {
    fn serve(mut self) -> ! {
        loop {
            let fds = [self.channel.as_fd(), self.signals.as_fd()];
            let Ok([commanded, signalled]) = poll::wait_readable(fds, None) else {
                continue;
            };
            if signalled {
                self.reap();
            }
            if commanded {
                self.obey();
            }
        }
    }

    /// Does what the next command says.
    fn obey(&mut self) {
        let (command, passed) = match self.channel.receive_whole_with() {
            Ok(received) => received,
            // The one who asked learns it, since the channel for the answer has just been closed.
            Err(Errno::EMFILE) => return,
            Err(_) => self.end(),
        };
        if command.is_empty() {
            self.end()
        }
        let mut passed = passed.into_iter();
        match NodeCommand::decode(&command) {
            Some(NodeCommand::Run(program)) => {
                let (Some(channel), Some(stdin), Some(stdout), Some(stderr)) =
                    (passed.next(), passed.next(), passed.next(), passed.next())
                else {
                    return;
                };
                self.run(
                    &program,
                    MessageChannel::from(channel),
                    [stdin, stdout, stderr],
                );
            }
            Some(NodeCommand::SignalAll(number)) => self.signal_all(number),
            Some(NodeCommand::SetSysctl { path, value }) => {
                let reply = match sysctls::write(&path, &value) {
                    Ok(()) => CommandReply::Done,
                    Err(errno) => CommandReply::Refused(errno as i32),
                };
                answer(passed.next(), reply, None);
            }
            Some(NodeCommand::SetClock(clock)) => {
                answer(passed.next(), self.clock.set(clock), None);
            }
            Some(NodeCommand::EndUnheard) => self.end_unheard(),
            Some(NodeCommand::Ping) => answer(passed.next(), CommandReply::Done, None),
            Some(NodeCommand::TerminateOrphans) => {
                self.orphans_gone = passed.next().map(MessageChannel::from);
                self.terminate_orphans();
            }
            Some(NodeCommand::AdmitVisitors { process }) => {
                let (channel, sent) = (passed.next(), passed.next());
                if let (Some(channel), Some(proc)) = (channel, sent.or(self.trials_proc.take())) {
                    admit_visitors(channel, &proc, process);
                }
            }
            None => {}
        }
    }

    fn run(&mut self, program: &Program, channel: MessageChannel, streams: [OwnedFd; 3]) {
        let tracing = self.clock.tracing(self.signals);
        let traced = tracing.is_some();
        let started = launch::start(program, streams, self.may_make_users, tracing);
        let started = started.and_then(|pid| {
            // The id is still the program's, for nobody but this process can reap it.
            let pidfd = process::pidfd_open(pid).map_err(|e| errno(&e))?;
            Ok((pid, pidfd))
        });
        match started {
            Ok((pid, pidfd)) => {
                let reply = ProcessReply::Runs(pid).encode();
                let _ = channel.send_with(&reply, &[pidfd.as_raw_fd()]);
                // The end of a program is not missed: nothing is reaped before the next turn of the
                // loop.
                self.running.insert(pid, channel);
            }
            Err(errno) => {
                let _ = channel.send(&ProcessReply::Refused(errno as i32).encode());
            }
        }
        if traced {
            // The start has taken signals that told of other ends.
            self.reap();
        }
    }

    /// Ends the programs whose channels are closed. Each is the leader of a process group, and is
    /// reaped like others.
    fn end_unheard(&self) {
        for (pid, channel) in &self.running {
            // Nobody sends on the other end, so that it can only be closed.
            if poll::is_readable(channel.as_fd()) {
                let _ = kill(Pid::from_raw(-pid), Signal::SIGKILL);
            }
        }
    }

    /// Reaps whoever has ended, and tells those who wait for the end of a program.
    fn reap(&mut self) {
        // Signals are not queued (signal(7)): one SIGCHLD may stand for many ends.
        while self.signals.next().is_some() {}
        let mut polling = StopPolling::default();
        loop {
            let (pid, status) = match process::reap() {
                Reaped::One(pid, status) => (pid, status),
                Reaped::Stopped(id, code) => {
                    if self.clock.handle_stop(id, code) {
                        polling.renew(id);
                    }
                    continue;
                }
                Reaped::NoneYet if polling.looks_again() => continue,
                Reaped::NoneYet | Reaped::Childless => break,
            };
            self.orphans_asked.remove(&pid);
            if let Some(channel) = self.running.remove(&pid) {
                let _ = channel.send(&ProcessReply::Ended(status).encode());
            }
        }
        // The processes that a program leaves behind become orphans by its end.
        self.terminate_orphans();
    }

    /// Asks orphans to end, where that is wanted, and tells when none is left.
    fn terminate_orphans(&mut self) {
        let Some(channel) = &self.orphans_gone else {
            return;
        };
        // Where the children cannot be listed, some may be left. The children are listed again when
        // the next process ends.
        let Ok(mut orphans) = process_table::children(std::process::id().cast_signed()) else {
            return;
        };
        orphans.retain(|pid| !self.running.contains_key(pid));
        if orphans.is_empty() {
            let _ = channel.send(&CommandReply::Done.encode());
            self.orphans_gone = None;
        }
        for pid in orphans {
            // Each is asked once: some programs take a second request for impatience, and end at
            // once.
            if self.orphans_asked.insert(pid) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
                // A stopped process gets the SIGTERM only when it goes on: signal(7).
                let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
            }
        }
    }

    fn signal_all(&self, number: i32) {
        let Ok(signal) = Signal::try_from(number) else {
            return;
        };
        if self.own_pids {
            // All processes but the sender and the init of the namespace, which are one (kill(2)).
            let _ = kill(Pid::from_raw(-1), signal);
            return;
        }
        // In a pod's PID namespace there are others. Each of ours may have forked meanwhile, so the
        // table is read until there is nobody new.
        let mut known = Vec::new();
        loop {
            let members = process_table::descendants(std::process::id() as i32);
            let new: Vec<i32> = members
                .into_iter()
                .filter(|pid| !known.contains(pid))
                .collect();
            if new.is_empty() {
                return;
            }
            for pid in new {
                let _ = kill(Pid::from_raw(pid), signal);
                known.push(pid);
            }
        }
    }

    /// Ends the node: nobody is left to command anything.
    fn end(&self) -> ! {
        // With a PID namespace the kernel kills the others when this process ends
        // (pid_namespaces(7)).
        if !self.own_pids {
            self.signal_all(Signal::SIGKILL as i32);
        }
        process::exit_now(0)
    }
}

/// Makes and sends the mount namespace in which threads of the process `visitor` visit the node.
fn admit_visitors(channel: OwnedFd, proc: &OwnedFd, visitor: u32) {
    match visitor_mounts::make(proc.as_fd(), visitor) {
        Ok(mounts) => answer(Some(channel), CommandReply::Done, Some(&mounts)),
        Err(errno) => answer(Some(channel), CommandReply::Refused(errno as i32), None),
    }
}

/// Sends the answer to a command, with a descriptor where one comes along.
fn answer(channel: Option<OwnedFd>, reply: impl EdgeMessage, along: Option<&OwnedFd>) {
    if let Some(channel) = channel.map(MessageChannel::from) {
        let along: Vec<i32> = along.iter().map(|fd| fd.as_raw_fd()).collect();
        let _ = channel.send_with(&reply.encode(), &along);
    }
}
