//! The channels from a test body to its init.
//!
//! Code of the test may want to report from any thread, or from a signal handler, so the channels
//! are the process' and not a thread's. That code may also close any descriptor, or put another
//! file in its place. The verdict is told all the same, by memory that the body shares with its
//! init.

use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::kernel::errno::errno;
use crate::kernel::fd::FileIdentity;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::namespace::{NamespaceKind, Task};
use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::signal::kill;
use crate::kernel::process::{Pid, SharedNote};
use crate::kernel::sync::{Lock, SharedLock};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::trial::{BodyReport, Finish, WAKE_INIT};
use crate::trial::running;

/// Channel on which the body reports to its init.
static REPORTS: SharedLock<Option<Reports>> = SharedLock::new(None);

#[derive(Clone, Copy)]
struct Reports {
    channel: &'static MessageChannel,
    /// Identity of the channel's socket.
    identity: Option<FileIdentity>,
}

impl Reports {
    /// Returns the channel, unless the test has closed its descriptor or given the number to
    /// another file.
    fn intact(self) -> Option<&'static MessageChannel> {
        (FileIdentity::of(self.channel) == self.identity).then_some(self.channel)
    }
}

/// Id of the body's process.
static BODY: AtomicU32 = AtomicU32::new(0);

/// Verdict of a body whose channel is gone. A zygote shares it with the bodies that are its copies.
static VERDICT: OnceLock<Option<SharedNote>> = OnceLock::new();

fn reports() -> Option<&'static MessageChannel> {
    (*REPORTS.read()).and_then(Reports::intact)
}

/// Makes room, in the zygote, for the verdict of a body whose channel is gone.
pub(super) fn prepare() {
    VERDICT.get_or_init(|| SharedNote::new().ok());
}

/// Makes `channel` the one on which this process, the body's, reports.
pub(super) fn open(channel: MessageChannel) {
    let identity = FileIdentity::of(&channel);
    let channel = Box::leak(Box::new(channel));
    BODY.store(std::process::id(), Ordering::Relaxed);
    *REPORTS.write() = Some(Reports { channel, identity });
}

/// Returns whether the calling process is the body's, and not one that the test has forked.
pub(super) fn is_of_this_process() -> bool {
    BODY.load(Ordering::Relaxed) == std::process::id()
}

/// Returns the place for a verdict in memory, if the calling process is the body's.
fn own_verdict() -> Option<&'static SharedNote> {
    let verdict = VERDICT.get()?.as_ref();
    verdict.filter(|_| is_of_this_process())
}

/// Returns whether the calling process is one that a test has forked. Values of the test that are
/// dropped there must leave alone what the test goes on to use.
pub(crate) fn is_fork() -> bool {
    let body = BODY.load(Ordering::Relaxed);
    body != 0 && body != std::process::id()
}

/// Sends a report to the init. Without an init there is nobody to hear of a failure to do so.
pub(super) fn send(report: &BodyReport) {
    if let Some(channel) = reports() {
        let _ = channel.send(&report.encode());
    }
}

/// Tells the init how the program has ended that the body has run in a node.
pub(crate) fn report_program_end(end: ExitKind) {
    send(&BodyReport::ProgramEnded(end));
}

/// Tells the init how the body has come to its end.
pub(super) fn send_finish(finish: Finish) {
    let report = BodyReport::Finished(finish).encode();
    let is_sent = reports().is_some_and(|channel| channel.send(&report).is_ok());
    if !is_sent && let Some(verdict) = own_verdict() {
        verdict.leave(&report);
    }
}

/// Leaves a report for the init in memory, if the test has closed the channel.
///
/// Such a test may end before it has a verdict: a process of Rust aborts when a value closes a
/// descriptor that is closed already (`library/std/src/sys/fs/unix.rs`, `debug_assert_fd_is_open`).
pub(crate) fn tell_if_closed() {
    if let Some(verdict) = own_verdict()
        && reports().is_none()
    {
        verdict.leave(&BodyReport::CHANNEL_CLOSED);
    }
}

/// Does the same in a process that aborts. Runs in a signal handler, so it neither waits for a lock
/// nor touches the heap.
pub(super) fn tell_if_closed_at_abort() {
    let is_closed = || {
        let reports = REPORTS.try_read();
        reports.is_some_and(|reports| reports.is_some_and(|it| it.intact().is_none()))
    };
    // A verdict that was left before counts more.
    if let Some(verdict) = own_verdict()
        && verdict.is_empty()
        && is_closed()
    {
        verdict.leave(&BodyReport::CHANNEL_CLOSED);
    }
}

/// Returns, in the init, the last report of a body whose channel was gone.
pub(crate) fn report_without_channel() -> Option<BodyReport> {
    BodyReport::decode(&VERDICT.get()?.as_ref()?.take()?)
}

/// Tells the init that a stack has overflowed. Runs in a signal handler, so it neither waits for a
/// lock nor touches the heap.
pub(super) fn send_stack_overflow() {
    if let Some(channel) = REPORTS.try_read().and_then(|reports| (*reports)?.intact()) {
        let _ = channel.send(&BodyReport::STACK_OVERFLOWED);
    }
}

/// Returns the channel on which the init is asked for nodes, or `None` outside of a trial and in a
/// process that the test has forked.
///
/// # Errors
/// The kernel refuses to make a channel, or the init is gone.
pub(crate) fn node_factory() -> crate::kernel::Result<Option<&'static MessageChannel>> {
    static REQUESTS: OnceLock<MessageChannel> = OnceLock::new();
    static OPENING: Lock<()> = Lock::new(());
    let _alone = OPENING.lock();
    // The answers to a fork would come to the body, and the signal below go to the body.
    if !is_of_this_process() {
        return Ok(None);
    }
    let (Some(reports), None) = (reports(), REQUESTS.get()) else {
        return Ok(REQUESTS.get());
    };
    let (ours, theirs) = MessageChannel::pair()?;
    let report = BodyReport::WantsNodes.encode();
    // Nodes of an ordinary user belong to the user namespace of the body.
    let users = if running::is_ordinary_user() {
        Some(
            Task::Process
                .namespace(NamespaceKind::User)
                .map_err(|e| errno(&e))?,
        )
    } else {
        None
    };
    let users = users.iter().map(AsRawFd::as_raw_fd);
    let passed: Vec<i32> = [theirs.as_raw_fd()].into_iter().chain(users).collect();
    reports.send_with(&report, &passed)?;
    // Most trials want no nodes, so the init does not poll for reports; a signal makes it read
    // them.
    kill(Pid::parent(), WAKE_INIT)?;
    Ok(Some(REQUESTS.get_or_init(|| ours)))
}
