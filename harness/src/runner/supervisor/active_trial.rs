//! A trial that runs, as the supervisor sees it: what it is heard of by, and what its time is.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::capture::Capture;
use crate::kernel::message_channel::MessageChannel;
use crate::runner::result::Heard;

/// After this long a running trial is named.
pub(crate) const SLOW: Duration = Duration::from_secs(10);

/// A trial that runs.
pub(crate) struct Active {
    pub(crate) trial: usize,
    pub(crate) seed: u64,
    pub(crate) channel: MessageChannel,
    pub(crate) output: Option<File>,
    pub(crate) capture: Capture,
    pub(crate) heard: Heard,
    pub(crate) started: Instant,
    pub(crate) phase: Phase,
    pub(crate) slow_at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Until its time is over.
    Running(Instant),
    /// Its time is over, and it says what it is doing until then.
    Describing(Instant),
    /// It has been asked to end, until then.
    Ending(Instant),
    /// It has been killed.
    Killed,
}

impl Active {
    pub(crate) fn due(&self) -> Instant {
        match self.phase {
            Phase::Running(until) => until.min(self.slow_at),
            Phase::Describing(until) | Phase::Ending(until) => until,
            Phase::Killed => self.slow_at + Duration::from_secs(3600),
        }
    }

    pub(crate) fn postpone(&mut self, pause: Duration) {
        self.started += pause;
        self.slow_at += pause;
        self.phase = match self.phase {
            Phase::Running(until) => Phase::Running(until + pause),
            Phase::Describing(until) => Phase::Describing(until + pause),
            Phase::Ending(until) => Phase::Ending(until + pause),
            Phase::Killed => Phase::Killed,
        };
    }

    /// Reads what there is, at most so many pieces, never waiting.
    pub(crate) fn read(&mut self, pieces: usize, buffer: &mut [u8]) {
        for _ in 0..pieces {
            let Some(output) = &mut self.output else {
                return;
            };
            match output.read(buffer) {
                Ok(0) => self.output = None,
                Ok(n) => self.capture.push(&buffer[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

/// A pipe whose reading end never blocks and whose writing end does.
pub(crate) fn pipe() -> nix::Result<(File, OwnedFd)> {
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    nix::fcntl::fcntl(&read, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((File::from(read), write))
}
