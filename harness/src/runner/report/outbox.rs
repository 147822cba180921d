//! Standard output that never makes its writer wait.
//!
//! A terminal that is stopped or a pager that is not read would otherwise stop the supervisor, and
//! with it every trial that writes.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::kernel::errno::Errno;
use crate::kernel::poll::wait_writable;

/// Text on its way to standard output.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Vec<u8>,
    broken: bool,
}

/// A pipe that is writable takes this much without blocking (PIPE_BUF).
const PIECE: usize = 4096;

impl Outbox {
    pub(crate) fn push(&mut self, text: &str) {
        if !self.broken {
            self.waiting.extend_from_slice(text.as_bytes());
        }
    }

    /// Standard output, if there is something for it.
    pub(crate) fn pending(&self) -> Option<BorrowedFd<'_>> {
        // Standard output lives as long as the program.
        (!self.waiting.is_empty()).then(|| STDOUT.as_fd())
    }

    /// Writes what can be written without waiting.
    pub(crate) fn flush_some(&mut self) {
        self.flush(Some(Duration::ZERO));
    }

    /// Writes everything.
    pub(crate) fn flush_all(&mut self) {
        self.flush(None);
    }

    fn flush(&mut self, patience: Option<Duration>) {
        let mut written = 0;
        while written < self.waiting.len() && !self.broken {
            match wait_writable(STDOUT.as_fd(), patience) {
                Ok(false) => break,
                Err(Errno::EINTR) => continue,
                _ => {}
            }
            let end = self.waiting.len().min(written + PIECE);
            match raw_write(&self.waiting[written..end]) {
                Ok(n) => written += n,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if patience == Some(Duration::ZERO) => break,
                Err(Errno::EAGAIN) => {}
                // Nobody reads any more (`| head`): the exit code will tell.
                Err(_) => self.broken = true,
            }
        }
        match self.broken {
            true => self.waiting.clear(),
            false => drop(self.waiting.drain(..written)),
        }
    }
}

static STDOUT: std::sync::LazyLock<io::Stdout> = std::sync::LazyLock::new(io::stdout);

/// Past std's buffer, which would write more than we know to be safe.
fn raw_write(bytes: &[u8]) -> crate::kernel::Result<usize> {
    let _ = io::stdout().flush();
    crate::kernel::fd::write(STDOUT.as_fd(), bytes)
}
