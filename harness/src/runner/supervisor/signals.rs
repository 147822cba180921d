//! The signals that a user, a shell or nextest sends to the supervisor.
//!
//! By default these signals would end the supervisor at once, and nobody would be told which trials
//! ran.

use std::os::fd::{AsFd, BorrowedFd};

use crate::kernel::process::signal::{BlockedSignals, Signal, SignalFd};

/// Catches the signals as long as the value lives.
pub(crate) struct Signals {
    fd: SignalFd,
    /// Signals that were blocked before.
    before: BlockedSignals,
}

/// Wish of whoever sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caught {
    /// The run should end, for the signal of this number.
    End(i32),
    /// The run should stop for a while (Ctrl-Z).
    Suspend,
}

const CAUGHT: [Signal; 5] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
];

impl Signals {
    /// Blocks the signals, so that they do nothing but wait to be read.
    ///
    /// # Errors
    /// Fails if the kernel has no descriptor left.
    pub(crate) fn catch() -> crate::kernel::Result<Signals> {
        // The mask is kept to be restored: a caller of `run` goes on when the run is over.
        let before = BlockedSignals::current()?;
        let fd = SignalFd::of(&CAUGHT)?;
        Ok(Signals { fd, before })
    }

    /// Returns the signals that have come since the last call.
    pub(crate) fn caught(&self) -> Vec<Caught> {
        let mut caught = Vec::new();
        while let Some(number) = self.fd.next() {
            caught.push(match number {
                number if number == Signal::SIGTSTP as i32 => Caught::Suspend,
                number => Caught::End(number),
            });
        }
        caught
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.before.restore();
    }
}
