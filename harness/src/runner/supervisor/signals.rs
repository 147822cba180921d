//! The signals that a user, a shell or nextest sends to the supervisor.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};

use crate::kernel::process::signal::SignalFd;

/// Catches them as long as it lives.
pub(crate) struct Signals {
    fd: SignalFd,
    before: SigSet,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caught {
    /// To end, with the signal's number.
    End(i32),
    /// To stop for a while (Ctrl-Z).
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
    /// From now on they are read, and do nothing by themselves.
    pub(crate) fn catch() -> nix::Result<Signals> {
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_SETMASK, None, Some(&mut before))?;
        let fd = SignalFd::of(&CAUGHT)?;
        Ok(Signals { fd, before })
    }

    /// What has come since the last call.
    pub(crate) fn caught(&self) -> Vec<Caught> {
        let mut caught = Vec::new();
        while let Some(number) = self.fd.next() {
            caught.push(match number {
                libc::SIGTSTP => Caught::Suspend,
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
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}
