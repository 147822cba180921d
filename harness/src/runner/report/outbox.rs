//! Standard output that never makes its writer wait.
//!
//! A terminal that is stopped or a pager that is not read would otherwise stop the supervisor, and
//! with it every trial that writes.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::kernel::errno::Errno;
use crate::kernel::fd;
use crate::kernel::poll::wait_writable;

/// Text on its way to standard output.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Bytes that are not written yet.
    waiting: Vec<u8>,
    /// Errno with which the kernel refused a write. Nothing is written after that.
    failure: Option<Errno>,
    /// Time of the next try, where the terminal had no room for the next character although `poll`
    /// calls it writable: the end of a line takes the room of two (drivers/tty/n_tty.c,
    /// do_output_char).
    retry_at: Option<Instant>,
}

/// Time between tries to write to a terminal whose room `poll` cannot tell. A person takes text
/// that comes 20 ms later for text that comes at once.
const RETRY: Duration = Duration::from_millis(20);

/// Number of bytes that a pipe takes without blocking when `poll` calls it writable (`pipe(7)`,
/// `PIPE_BUF`).
const PIECE: usize = 4096;

impl Outbox {
    /// Appends text, which the methods that flush will write.
    pub(crate) fn push(&mut self, text: &str) {
        if self.failure.is_none() {
            self.waiting.extend_from_slice(text.as_bytes());
            self.retry_at = None;
        }
    }

    /// Returns standard output if something is to be written there as soon as `poll` allows it.
    pub(crate) fn pending(&self) -> Option<BorrowedFd<'_>> {
        (!self.waiting.is_empty() && self.retry_at.is_none()).then(|| STDOUT.as_fd())
    }

    /// Returns the time of the next try to write, where `poll` cannot tell when there is room.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Writes as much as can be written without waiting.
    pub(crate) fn flush_some(&mut self) {
        self.flush(Some(Duration::ZERO));
    }

    /// Writes everything, unless the reader reads nothing for a moment.
    pub(crate) fn flush_for_a_reader(&mut self) {
        // A pager that nobody reads, or a terminal that is stopped, would take for ever.
        self.flush(Some(Duration::from_millis(500)));
    }

    /// Writes everything.
    pub(crate) fn flush_all(&mut self) {
        self.flush(None);
    }

    /// Returns the errno with which the kernel refused a write, if it has refused one.
    pub(crate) fn failure(&self) -> Option<Errno> {
        self.failure
    }

    fn flush(&mut self, patience: Option<Duration>) {
        let mut written = 0;
        let mut read_last = Instant::now();
        self.retry_at = None;
        while written < self.waiting.len() && self.failure.is_none() {
            match wait_writable(STDOUT.as_fd(), patience) {
                Ok(false) => break,
                Err(Errno::EINTR) => continue,
                // An error of `poll` will be one of `write` as well.
                Ok(_) | Err(_) => {}
            }
            let end = self.waiting.len().min(written + PIECE);
            match raw_write(&self.waiting[written..end], patience) {
                Ok(n) => {
                    written += n;
                    read_last = Instant::now();
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if patience.is_some_and(|it| read_last.elapsed() >= it) => {
                    self.retry_at = Some(Instant::now() + RETRY);
                    break;
                }
                Err(Errno::EAGAIN) => std::thread::sleep(RETRY),
                // The reader is gone (`| head`), or the disk is full. The trials go on: whoever
                // waits for the exit code learns of both from there.
                Err(errno) => self.failure = Some(errno),
            }
        }
        if self.failure.is_some() {
            self.waiting.clear();
        } else {
            self.waiting.drain(..written);
        }
    }
}

static STDOUT: LazyLock<io::Stdout> = LazyLock::new(io::stdout);

/// Standard output once more, where it is a terminal that this user may open. `poll` calls a
/// terminal writable that has room for one character, and a write of more then waits for the
/// reader (drivers/tty/n_tty.c, n_tty_write).
static TERMINAL: LazyLock<Option<OwnedFd>> = LazyLock::new(|| {
    let terminal = STDOUT.is_terminal();
    terminal.then(|| fd::open_to_write_at_once(STDOUT.as_fd()).ok())?
});

/// Writes past the buffer of std, which would write more at a time than a pipe takes without
/// blocking. Stdout is not made non-blocking, for other processes may share
/// it (`open(2)`: the flag belongs to the open file).
fn raw_write(bytes: &[u8], patience: Option<Duration>) -> crate::kernel::Result<usize> {
    let _ = io::stdout().flush();
    match &*TERMINAL {
        Some(terminal) if patience.is_some() => fd::write(terminal, bytes),
        _ => fd::write(STDOUT.as_fd(), bytes),
    }
}
