//! What a program says about its readiness, as to a service manager: sd_notify(3).
//!
//! The program finds the path of a datagram socket in `NOTIFY_SOCKET`, and sends lines such as
//! `READY=1` there. The thread that hears of all programs reads the socket at once: a program would
//! be kept waiting by a full socket, and one that asks for a barrier waits until its message was
//! read (sd_notify_barrier(3)).

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::kernel::sync::{Lock, Notifier};

/// Variable by which a program finds the socket.
pub(crate) const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// A socket to which a program tells of its readiness, and what it has told.
#[derive(Debug)]
pub(crate) struct Readiness {
    socket: UnixDatagram,
    told: Lock<Told>,
    changed: Notifier,
}

/// Reason why a wait for a program has ended before the program was ready.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NeverReady<E> {
    /// Nobody is left who could become ready.
    Ended(E),
    /// The time is over.
    TimedOut,
}

#[derive(Debug, Default)]
struct Told {
    ready: bool,
    status: Option<String>,
}

impl Readiness {
    /// Makes a socket in the files of the calling thread, and returns its path.
    pub(crate) fn open(number: u64) -> io::Result<(Self, PathBuf)> {
        const DIRECTORY: &str = "/run/snowglobe";
        fs::create_dir_all(DIRECTORY)?;
        let path = PathBuf::from(format!("{DIRECTORY}/notify-{number}"));
        let socket = UnixDatagram::bind(&path)?;
        // To send to a socket takes the permission to write to its file (unix(7)), and the program
        // may run as another user.
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        socket.set_nonblocking(true)?;
        let readiness = Self {
            socket,
            told: Lock::default(),
            changed: Notifier::new(),
        };
        Ok((readiness, path))
    }

    /// Returns the socket, to be waited for.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes in what the program has told by now.
    pub(crate) fn read(&self) {
        // A message may have the whole environment of a program in it, and is seldom longer.
        let mut buffer = [0; 8192];
        // The lock is held while messages are read: two threads may do so, and the last status is
        // to be the last.
        let mut told = self.told.lock();
        // Descriptors that come along, as those of a barrier, are closed by the kernel: recv(2)
        // takes none.
        while let Ok(length) = self.socket.recv(&mut buffer) {
            for line in String::from_utf8_lossy(&buffer[..length]).lines() {
                match line.split_once('=') {
                    Some(("READY", "1")) => told.ready = true,
                    // A program that reloads is ready again when it says so.
                    Some(("RELOADING", "1")) => told.ready = false,
                    Some(("STATUS", status)) => told.status = Some(status.to_owned()),
                    Some(_) | None => {}
                }
            }
        }
        self.changed.notify_all();
    }

    /// Waits until the program is ready, or until `deadline`. Returns whether it is.
    pub(crate) fn wait(&self, deadline: Instant) -> bool {
        // The last message of a program may be there and not read yet.
        self.read();
        let mut told = self.told.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if told.ready || left.is_zero() {
                return told.ready;
            }
            told = self.changed.wait_timeout(told, left);
        }
    }

    /// Waits until the program is ready, until `deadline`, or until `ended` returns something:
    /// nobody is left who could become ready.
    pub(crate) fn wait_while<E>(
        &self,
        deadline: Instant,
        mut ended: impl FnMut() -> Option<E>,
    ) -> Result<(), NeverReady<E>> {
        loop {
            let now = Instant::now();
            // The waits are short, as the program may end meanwhile.
            if self.wait(deadline.min(now + Duration::from_millis(10))) {
                return Ok(());
            }
            let end = ended();
            if end.is_none() && now < deadline {
                continue;
            }
            // What has ended by now may have said that it is ready after the look above, and the
            // thread that reads the socket may not have run since.
            return match (self.wait(now), end) {
                (true, _) => Ok(()),
                (false, Some(end)) => Err(NeverReady::Ended(end)),
                (false, None) => Err(NeverReady::TimedOut),
            };
        }
    }

    /// Returns the last status, for an error.
    pub(crate) fn status(&self) -> String {
        match &self.told.lock().status {
            Some(status) => format!("its last status: {status:?}"),
            None => "it told no status".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The thread that reads the sockets of all programs does not run here, as on a busy machine.
    fn unread() -> (Readiness, UnixDatagram) {
        let (socket, program) = UnixDatagram::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let readiness = Readiness {
            socket,
            told: Lock::default(),
            changed: Notifier::new(),
        };
        (readiness, program)
    }

    #[test]
    fn the_last_word_of_a_program_that_ends_is_heard() {
        let (readiness, program) = unread();
        let ended = || program.send(b"READY=1").ok();
        let deadline = Instant::now() + Duration::from_secs(60);
        assert_eq!(readiness.wait_while(deadline, ended), Ok(()));
    }

    #[test]
    fn a_program_that_ends_without_a_word_is_not_waited_for() {
        let (readiness, program) = unread();
        let ended = || program.send(b"STATUS=bye").ok();
        let deadline = Instant::now() + Duration::from_secs(60);
        let never = readiness.wait_while(deadline, ended);
        assert_eq!(never, Err(NeverReady::Ended("STATUS=bye".len())));
        assert_eq!(readiness.status(), "its last status: \"bye\"");
        let never = readiness.wait_while(Instant::now(), || None::<()>);
        assert_eq!(never, Err(NeverReady::TimedOut));
    }
}
