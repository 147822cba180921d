//! The first process of a node or pod, which keeps the namespaces and forks the programs.
//!
//! A process in new PID, mount and network namespaces can only be made by a single-threaded
//! process, and a test has threads. So the trial's init makes the nodes (`sandbox::node::factory`).
//! A lab sends a request for each, many ahead of time, and hears from each on a channel of its own.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use crate::events::{EventKind, note_in_all};
use crate::kernel::errno::Errno;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::poll::{is_readable, wait_readable};
use crate::kernel::process::pidfd_kill;
use crate::kernel::process::signal::Signal;
use crate::kernel::sync::Lock;
use crate::lab::attempt::{LabAttempt, NodeAttempt};
use crate::lab::error::{LabError, NodeState, Result};
use crate::lab::failure::FailureReason;
use crate::model::clock::ClockRule;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::node::{
    ClockReply, CommandReply, LONGEST_REPLY, NodeCommand, NodeReply, NodeRequest,
};
use crate::sandbox::trial::body;
use crate::sandbox::within::is_within_trial;
use crate::topology::plan::Sysctl;
use crate::trial::running;

/// The first process of a node or pod.
#[derive(Debug)]
pub(crate) struct FirstProcessHandle {
    /// The channel for commands. The process ends when the other end is closed.
    channel: MessageChannel,
    pidfd: OwnedFd,
    /// Process id in the PID namespace of the trial.
    pid: i32,
    /// Mount namespace for threads of the test, made for the first of them.
    visitor_mounts: OnceLock<OwnedFd>,
    /// Held while that namespace is made.
    admitting: Lock<()>,
}

impl FirstProcessHandle {
    /// Kills the process, and so everything in a PID namespace of its own: pid_namespaces(7).
    pub(crate) fn kill(&self) {
        // A process that is dead already (ESRCH) is what is wanted.
        let _ = pidfd_kill(&self.pidfd, Signal::SIGKILL as i32);
    }

    /// Returns the pidfd, by which threads enter the namespaces of the process.
    pub(crate) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Returns the process id, in the PID namespace of the trial.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Returns whether the process has ended: its pidfd is readable then, see pidfd_open(2).
    pub(crate) fn is_dead(&self) -> bool {
        is_readable(self.pidfd.as_fd())
    }

    /// Waits until the process has ended. The kernel ends an init after all processes of its
    /// namespace.
    pub(crate) fn wait_for_death(&self) {
        while wait_readable([self.pidfd.as_fd()], None) == Err(Errno::EINTR) {}
    }

    /// Sends a command, with descriptors.
    pub(crate) fn ask(&self, command: &NodeCommand, fds: &[i32]) -> crate::kernel::Result<()> {
        self.channel.send_whole_with(&command.encode(), fds)
    }

    /// Sends a command that is answered by nothing but whether it was obeyed, with a descriptor.
    /// Returns the descriptor that came with the answer.
    fn request(
        &self,
        command: &NodeCommand,
        along: Option<BorrowedFd<'_>>,
    ) -> crate::kernel::Result<Option<OwnedFd>> {
        let (reply, with_it) = self.converse(command, along, &mut [0; LONGEST_REPLY])?;
        match reply {
            CommandReply::Done => Ok(with_it),
            CommandReply::Refused(errno) => Err(Errno::from_raw(errno)),
        }
    }

    /// Sends a command, with a descriptor, and waits for the answer, for which `buffer` has room.
    /// Returns the answer and the descriptor that came with it.
    fn converse<Reply: EdgeMessage>(
        &self,
        command: &NodeCommand,
        along: Option<BorrowedFd<'_>>,
        buffer: &mut [u8],
    ) -> crate::kernel::Result<(Reply, Option<OwnedFd>)> {
        let (ours, theirs) = MessageChannel::pair()?;
        // Each command that is answered has a channel of its own, so that answers to several
        // threads are not mixed up.
        let fds: Vec<i32> = [theirs.as_raw_fd()]
            .into_iter()
            .chain(along.map(|fd| fd.as_raw_fd()))
            .collect();
        self.ask(command, &fds)?;
        // Our copy of the other end would keep the channel open after the death of the process.
        drop(theirs);
        let (message, passed) = ours.receive_with(buffer)?;
        // A channel that was closed without an answer: the process died.
        let reply = Reply::decode(message).ok_or(Errno::ESRCH)?;
        Ok((reply, passed.into_iter().next()))
    }

    /// Asks processes without a parent to end. The channel is readable when none of them is left,
    /// or the process is dead.
    pub(crate) fn terminate_orphans(&self) -> crate::kernel::Result<MessageChannel> {
        let (ours, theirs) = MessageChannel::pair()?;
        self.ask(&NodeCommand::TerminateOrphans, &[theirs.as_raw_fd()])?;
        Ok(ours)
    }

    /// Waits until the commands before this one have been obeyed.
    pub(crate) fn ping(&self) -> crate::kernel::Result<()> {
        self.request(&NodeCommand::Ping, None).map(drop)
    }

    /// Sets the time of day of all programs of the node.
    pub(crate) fn set_clock(&self, clock: ClockRule) -> crate::kernel::Result<ClockReply> {
        let command = NodeCommand::SetClock(clock);
        let (reply, _) = self.converse(&command, None, &mut [0; ClockReply::LONGEST])?;
        Ok(reply)
    }

    /// Writes a sysctl of the namespaces of the process.
    pub(crate) fn set(&self, sysctl: &Sysctl) -> crate::kernel::Result<()> {
        let command = NodeCommand::SetSysctl {
            path: sysctl.path.clone(),
            value: sysctl.value.clone(),
        };
        self.request(&command, None).map(drop)
    }

    /// Returns the mount namespace in which threads of the test visit the node: the mounts of the
    /// node, with the `/proc` that the calling thread sees.
    ///
    /// # Errors
    /// The process is dead, or the kernel refuses the namespace.
    pub(crate) fn visitor_mounts(&self) -> crate::kernel::Result<BorrowedFd<'_>> {
        if let Some(mounts) = self.visitor_mounts.get() {
            return Ok(mounts.as_fd());
        }
        let _alone = self.admitting.lock();
        if let Some(mounts) = self.visitor_mounts.get() {
            return Ok(mounts.as_fd());
        }
        // An ordinary user has no right to copy mounts of the trial: its nodes have copies already.
        let proc = if running::is_ordinary_user() {
            None
        } else {
            Some(mount::detach_copy(
                Path::new("/proc"),
                mount::MountsBelow::Copied,
            )?)
        };
        let command = NodeCommand::AdmitVisitors {
            process: std::process::id(),
        };
        let made = self.request(&command, proc.as_ref().map(AsFd::as_fd))?;
        // The process sends the descriptor with each good answer.
        let made = made.ok_or(Errno::EPROTO)?;
        Ok(self.visitor_mounts.get_or_init(|| made).as_fd())
    }
}

/// Kills the process: a lab that fails to start half-way leaves none behind.
impl Drop for FirstProcessHandle {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A node or pod whose first process runs.
#[derive(Debug)]
pub(crate) struct StartedNode {
    pub(crate) first_process: FirstProcessHandle,
    /// The network namespace of the process.
    pub(crate) netns: OwnedFd,
}

/// A node or pod that was asked for.
pub(crate) struct PendingNode {
    /// None once the node was waited for: then the channel is the one for commands.
    channel: Option<MessageChannel>,
    /// Id and pidfd of the process, from when it is known to be cloned.
    process: Option<(i32, OwnedFd)>,
    name: String,
}

/// Kills a node for which nobody waits any more: none must be left when a lab has failed to start.
impl Drop for PendingNode {
    fn drop(&mut self) {
        if let Some((_, pidfd)) = &self.process {
            // A process that is dead already (ESRCH) is what is wanted.
            let _ = pidfd_kill(pidfd, Signal::SIGKILL as i32);
            return;
        }
        let Some(channel) = self.channel.take() else {
            return;
        };
        // The process may be cloned and its pidfd under way. That answer or a refusal ends the
        // wait, and so does an answer for whose descriptor there is no room: the process then ends
        // by itself, as the channel is closed here.
        let mut buffer = [0; NodeReply::LONGEST];
        while let Ok((message, passed)) = channel.receive_with(&mut buffer) {
            match (NodeReply::decode(message), passed.into_iter().next()) {
                (Some(NodeReply::Cloned(_)), Some(pidfd)) => {
                    // A process that is dead already (ESRCH) is what is wanted.
                    let _ = pidfd_kill(&pidfd, Signal::SIGKILL as i32);
                    return;
                }
                (Some(NodeReply::Ready | NodeReply::Note(_)), _) => {}
                (Some(NodeReply::Cloned(_) | NodeReply::Refused(_)) | None, _) => return,
            }
        }
    }
}

/// Asks for a node, with the namespaces that the node joins, and does not wait for the answer.
pub(crate) fn request(
    request: &NodeRequest,
    joined: Option<BorrowedFd<'_>>,
) -> Result<PendingNode> {
    let failed = |errno| LabError::refused(NodeAttempt::AskFor.with(&request.name), errno);
    // Only the trial's init, which is single-threaded, can make namespaces for processes.
    let Some(factory) = body::node_factory().map_err(failed)? else {
        let why = if is_within_trial() {
            FailureReason::StartedByTrial
        } else {
            FailureReason::NoTrial
        };
        return Err(LabError::failed(LabAttempt::Start, why));
    };
    // The other end is for two processes: the init that clones, and the process that is cloned.
    let (ours, theirs) = MessageChannel::pair().map_err(failed)?;
    let fds: Vec<i32> = [theirs.as_raw_fd()]
        .into_iter()
        .chain(joined.map(|fd| fd.as_raw_fd()))
        .collect();
    // The answer is not waited for: the caller asks for more nodes while the init is at this one.
    factory
        .send_whole_with(&request.encode(), &fds)
        .map_err(failed)?;
    Ok(PendingNode {
        channel: Some(ours),
        process: None,
        name: request.name.clone(),
    })
}

/// Starts the process that serves a disk. Returns the channel for commands and the pidfd.
pub(crate) fn start_disk_server(name: &str) -> Result<(MessageChannel, OwnedFd)> {
    let mut pending = request(
        &NodeRequest {
            name: name.to_owned(),
            serves_disk: true,
            ..NodeRequest::default()
        },
        None,
    )?;
    let answer = pending.receive()?;
    match (answer, pending.channel.take()) {
        (Answer::Cloned(_, pidfd), Some(channel)) => Ok((channel, pidfd)),
        (Answer::Cloned(..) | Answer::Ready(_) | Answer::Note(_), _) => {
            let name = name.to_owned();
            let what = LabAttempt::StartServer { name };
            Err(LabError::failed(what, FailureReason::ServerSaidNothing))
        }
    }
}

impl PendingNode {
    /// Waits until the first process runs and its namespaces are as requested.
    pub(crate) fn wait(mut self) -> Result<StartedNode> {
        // Two processes answer on the channel, in either order: the trial's init has cloned the
        // process, and the process itself is ready.
        let mut netns = None;
        loop {
            match (self.process.take(), netns.take(), self.channel.take()) {
                (Some((pid, pidfd)), Some(netns), Some(channel)) => {
                    let first_process = FirstProcessHandle {
                        channel,
                        pidfd,
                        pid,
                        visitor_mounts: OnceLock::new(),
                        admitting: Lock::new(()),
                    };
                    return Ok(StartedNode {
                        first_process,
                        netns,
                    });
                }
                missing => (self.process, netns, self.channel) = missing,
            }
            let answer = self.receive().inspect_err(|_| {
                // What has not been heard may have been the pidfd, and does not come again. A
                // process that was cloned ends by itself when its channel is closed.
                self.channel = None;
            })?;
            match answer {
                Answer::Cloned(pid, pidfd) => self.process = Some((pid, pidfd)),
                Answer::Ready(namespace) => netns = Some(namespace),
                Answer::Note(sentence) => note_in_all(EventKind::FellBack {
                    node: self.name.clone(),
                    sentence,
                }),
            }
        }
    }

    fn receive(&self) -> Result<Answer> {
        let died = || {
            let what = NodeAttempt::Make(None).with(&self.name);
            LabError::crashed(what, &self.name, NodeState::Died)
        };
        let channel = self.channel.as_ref().ok_or_else(died)?;
        let mut buffer = [0; NodeReply::LONGEST];
        let received = channel.receive_with(&mut buffer);
        let (message, passed) =
            received.map_err(|e| LabError::refused(NodeAttempt::HearFrom.with(&self.name), e))?;
        match (NodeReply::decode(message), passed.into_iter().next()) {
            (Some(NodeReply::Cloned(pid)), Some(pidfd)) => Ok(Answer::Cloned(pid, pidfd)),
            (Some(NodeReply::Ready), Some(netns)) => Ok(Answer::Ready(netns)),
            (Some(NodeReply::Note(sentence)), _) => Ok(Answer::Note(sentence)),
            (Some(NodeReply::Refused(refused)), _) => {
                let what = NodeAttempt::Make(Some(refused.step)).with(&self.name);
                Err(LabError::refused(what, refused.errno).about_node(&self.name))
            }
            (Some(NodeReply::Cloned(_) | NodeReply::Ready) | None, _) => Err(died()),
        }
    }
}

/// A good answer from a node that was asked for, with the descriptor that comes along.
enum Answer {
    Cloned(i32, OwnedFd),
    Ready(OwnedFd),
    Note(String),
}
