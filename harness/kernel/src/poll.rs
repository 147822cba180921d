//! Waiting for a few descriptors (`poll(2)`), without an epoll instance.
//!
//! The inits of trials and nodes wait for the same two to five descriptors all their lives, and
//! keep away from the heap while they do.

pub mod file_watch;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Result;

/// Tells whether something can be read from `fd` right now. The end of a stream counts.
pub fn is_readable(fd: BorrowedFd<'_>) -> bool {
    wait_readable([fd], Some(Duration::ZERO)).is_ok_and(|[ready]| ready)
}

/// Waits until one of the descriptors is readable, and tells for each whether it is.
///
/// The end of a stream counts as readable. Without a timeout the wait may last for ever.
///
/// # Errors
/// `EINTR` if a signal ended the wait.
pub fn wait_readable<const N: usize>(
    fds: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> Result<[bool; N]> {
    let mut polled = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    poll(&mut polled, rounded_up(timeout))?;
    Ok(polled.map(is_ready))
}

/// Waits until something can be written to `fd`, and tells whether that is so.
///
/// # Errors
/// `EINTR` if a signal ended the wait.
pub fn wait_writable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<bool> {
    // A pipe counts as writable when PIPE_BUF bytes fit (pipe(7)).
    let mut polled = [PollFd::new(fd, PollFlags::POLLOUT)];
    poll(&mut polled, rounded_up(timeout))?;
    Ok(polled.map(is_ready)[0])
}

/// Descriptors for which one wait is to be made, as many as are known at run time.
#[derive(Debug, Default)]
pub struct PollSet<'fd> {
    polled: Vec<PollFd<'fd>>,
}

impl<'fd> PollSet<'fd> {
    /// Makes an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a descriptor from which something is to be read.
    pub fn add_readable(&mut self, fd: BorrowedFd<'fd>) {
        self.polled.push(PollFd::new(fd, PollFlags::POLLIN));
    }

    /// Adds a descriptor to which something is to be written.
    pub fn add_writable(&mut self, fd: BorrowedFd<'fd>) {
        self.polled.push(PollFd::new(fd, PollFlags::POLLOUT));
    }

    /// Returns the number of descriptors in the set.
    pub fn len(&self) -> usize {
        self.polled.len()
    }

    /// Tells whether the set has no descriptors.
    pub fn is_empty(&self) -> bool {
        self.polled.is_empty()
    }

    /// Waits until one of the descriptors is ready, and tells for each whether it is, in the order
    /// in which they were added.
    ///
    /// # Errors
    /// `EINTR` if a signal ended the wait.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Vec<bool>> {
        poll(&mut self.polled, rounded_up(timeout))?;
        Ok(self.ready())
    }

    fn ready(&self) -> Vec<bool> {
        let events = self.polled.iter();
        events.map(|fd| fd.any().unwrap_or(false)).collect()
    }
}

fn is_ready(fd: PollFd<'_>) -> bool {
    // The flag is also set for an error or the end of a stream: the next read or write tells which.
    fd.any().unwrap_or(false)
}

/// Converts a timeout to whole milliseconds.
fn rounded_up(timeout: Option<Duration>) -> PollTimeout {
    let Some(timeout) = timeout else {
        return PollTimeout::NONE;
    };
    // Rounded up: a wait of zero would spin through the last millisecond.
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
    let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::fd::pipe;

    #[test]
    fn a_pipe_is_readable_when_something_was_written() {
        let (read, write) = pipe().expect("a pipe");
        assert!(!is_readable(read.as_fd()));
        let soon = Some(Duration::from_micros(1));
        assert_eq!(wait_readable([read.as_fd()], soon), Ok([false]));
        assert_eq!(wait_writable(write.as_fd(), None), Ok(true));
        nix::unistd::write(&write, b"!").expect("written");
        let mut set = PollSet::new();
        set.add_readable(read.as_fd());
        set.add_writable(write.as_fd());
        assert_eq!(set.wait(None), Ok(vec![true, true]));
        drop(write);
        assert!(is_readable(read.as_fd()));
    }

    #[test]
    fn a_timeout_is_never_shorter_than_asked_for() {
        let wait = |nanoseconds| rounded_up(Some(Duration::from_nanos(nanoseconds)));
        assert_eq!(wait(0), PollTimeout::ZERO);
        assert_eq!(wait(1), PollTimeout::from(1u8));
        assert_eq!(wait(1_000_001), PollTimeout::from(2u8));
        assert_eq!(rounded_up(Some(Duration::MAX)), PollTimeout::MAX);
        assert_eq!(rounded_up(None), PollTimeout::NONE);
    }
}
