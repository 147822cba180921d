//! What is different for a body that becomes a program for which somebody waits.

use std::cell::Cell;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use crate::kernel::errno::errno;
use crate::kernel::fd::replace_standard;
use crate::kernel::id_map::{GroupChange, IdMap};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::poll;
use crate::kernel::process::signal::{
    Signal, await_signals_to_groups, is_in_our_group, is_stop_pending, kill, take_pending,
};
use crate::kernel::process::{self, Pid};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::trial::{InitRequest, TrialReport};
use crate::sandbox::refused::{Doing, Refused};

/// A body that becomes a program: it keeps the process group and the terminal of its caller, and is
/// sent no signal but the caller's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgramBody {
    /// The sandbox stays after the end of a program that has failed.
    pub(crate) keeps_failed: bool,
    /// The body does nothing else before it becomes the program.
    pub(crate) starts_at_once: bool,
}

impl ProgramBody {
    /// Returns whether nobody has anything of a program that has ended without children.
    pub(crate) fn leaves_nothing(self) -> bool {
        self.starts_at_once && !self.keeps_failed
    }
}

/// Sends a signal to the body, unless the body has got the signal with its process group.
///
/// The caller of a program, this init and the body are in one group, and this init blocks the
/// signals of the group. The kernel sends a signal to the members of a group from the youngest to
/// the oldest (`kernel/pid.c`, `attach_pid`, puts a new one in front). So when the supervisor, an
/// older one, asks, a signal to the group waits for this process already.
///
/// `is_stopped` says whether the body was reported as stopped, and its caller has not told since
/// that it goes on. Such a body is sent nothing that stops: the signal has stopped it already, and
/// would stop it again where SIGCONT comes first.
///
/// A SIGCONT that the supervisor tells of late may be one of the group whose trace here a SIGTSTP
/// has wiped out since (signal(7)), as after `fg` and a quick Ctrl-Z. It must not continue the
/// body, which that SIGTSTP has stopped.
///
/// A program that leads a group of its own does not get the group's SIGCONT, and would never learn
/// that its caller goes on.
pub(super) fn pass_on(body: Pid, is_stopped: &Cell<bool>, number: i32) {
    let Ok(signal) = Signal::try_from(number) else {
        return;
    };
    let to_group = take_pending(number);
    #[expect(clippy::wildcard_enum_match_arm, reason = "other signals do not stop")]
    let needs = match signal {
        Signal::SIGCONT if !to_group && is_stop_pending() => false,
        Signal::SIGCONT => {
            is_stopped.set(false);
            !to_group || !is_in_our_group(body)
        }
        Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU => !to_group && !is_stopped.get(),
        _ => !to_group,
    };
    if needs {
        let _ = kill(body, signal);
    }
}

/// Puts `/dev/null` in the place of these descriptors.
pub(crate) fn let_go_of(descriptors: Range<i32>) -> crate::kernel::Result<()> {
    let null = std::fs::File::open("/dev/null").map_err(|error| errno(&error))?;
    descriptors
        .into_iter()
        .try_for_each(|number| replace_standard(null.as_fd(), number))
}

/// Reports that the body was stopped, if it was.
///
/// The supervisor may be stopped itself by then, with its whole group, and read the report when all
/// of them go on. So it asks before it stops ([`confirm_stop`]): else it would stop a second time,
/// for a stop that is over.
pub(super) fn report_stop(body: Pid, is_stopped: &Cell<bool>, channel: &MessageChannel) {
    if process::is_stop_of_child_untold(body.as_raw()) {
        is_stopped.set(true);
        let _ = channel.send(&TrialReport::StopSeen.encode());
    }
}

/// Reports the signal that has stopped the body, if the body is stopped.
///
/// The kernel continues the body before the supervisor, since it sends a signal to the members of a
/// group from the youngest to the oldest. So the answer to a supervisor that goes on
/// describes the body as it is after SIGCONT.
pub(super) fn confirm_stop(body: Pid, channel: &MessageChannel) {
    if let Some(number) = process::stop_of_child(body.as_raw()) {
        // The signal that has stopped the group is answered by this, and waits for nobody here. It
        // has come to the body first.
        await_signals_to_groups();
        let _ = take_pending(number);
        let _ = channel.send(&TrialReport::Stopped(number).encode());
    }
}

/// Lets the sandbox be until the supervisor is done or gone.
pub(super) fn linger(channel: &MessageChannel, supervisor: &OwnedFd) {
    loop {
        let fds = [channel.as_fd(), supervisor.as_fd()];
        let Ok([asked, orphaned]) = poll::wait_readable(fds, None) else {
            continue;
        };
        let mut buffer = [0; InitRequest::LONGEST];
        let is_done = asked && matches!(channel.try_receive(&mut buffer), Ok(Some([])) | Err(_));
        if orphaned || is_done {
            return;
        }
    }
}

/// Maps a single id, which a process may do by itself.
pub(super) fn map_own_ids(map: Option<IdMap>) -> Result<(), Refused> {
    let Some(map) = map else {
        return Ok(());
    };
    // An unprivileged process may write a gid_map only after it has given up setgroups
    // (user_namespaces(7)), which `true` says.
    map.write(map, "self", GroupChange::Denied)
        .doing("map the ids")
}
