//! The zygotes' and the nursery's end of their channels to the supervisor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::kernel::poll;

use crate::kernel::errno::errno;
use crate::kernel::message_channel::{MessageChannel, Received};
use crate::kernel::process;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::trial::TrialReport;
use crate::sandbox::protocol::zygote::LONGEST_ORDER;
use crate::sandbox::refused::{Refused, SetupStep};

/// A message that has come from the supervisor.
pub(super) enum Ordered<M> {
    /// The order, unless the message is of another kind, and the descriptor that came along.
    Message(Option<M>, Option<OwnedFd>),
    /// The supervisor has let go of the channel: it is done.
    Done,
    /// The supervisor is gone.
    Orphaned,
}

/// Waits for a message. Returns the order, unless the message is of another kind, and the
/// descriptor that came along. Ends the process when the supervisor is gone or done.
pub(crate) fn await_order<M: EdgeMessage>(
    channel: &MessageChannel,
    supervisor: &OwnedFd,
) -> (Option<M>, Option<OwnedFd>) {
    match next_order(channel, supervisor) {
        Ordered::Message(order, passed) => (order, passed),
        Ordered::Done => {
            // Whoever waits for this process waits for all that has descended from it.
            process::await_childless();
            process::exit_now(0)
        }
        Ordered::Orphaned => process::exit_now(0),
    }
}

/// Waits for a message of the supervisor, or for its end.
pub(super) fn next_order<M: EdgeMessage>(
    channel: &MessageChannel,
    supervisor: &OwnedFd,
) -> Ordered<M> {
    loop {
        // A pidfd is readable when its process is gone (`pidfd_open(2)`), even if a copy of the
        // supervisor's end of the channel lives on somewhere.
        let fds = [channel.as_fd(), supervisor.as_fd()];
        let Ok([is_ordered, is_orphaned]) = poll::wait_readable(fds, None) else {
            continue;
        };
        if is_orphaned {
            return Ordered::Orphaned;
        }
        if !is_ordered {
            continue;
        }
        let mut buffer = [0; LONGEST_ORDER];
        match channel.receive_few_with(&mut buffer) {
            Ok(Received { message: [], .. }) => return Ordered::Done,
            Ok(Received {
                message,
                passed: [passed, _],
                sender: _,
            }) => return Ordered::Message(M::decode(message), passed),
            Err(_) => {}
        }
    }
}

/// Reports to the supervisor why a trial was not run.
pub(crate) fn refuse(channel: &MessageChannel, step: impl Into<SetupStep>, error: &io::Error) {
    let refused = TrialReport::Refused(Refused {
        step: step.into(),
        errno: errno(error),
    });
    // If the supervisor is gone, nobody is left who would want to know.
    let _ = channel.send(&refused.encode());
}
