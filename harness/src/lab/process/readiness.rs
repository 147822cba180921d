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
use std::time::Instant;

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

    /// Returns the last status, for an error.
    pub(crate) fn status(&self) -> String {
        match &self.told.lock().status {
            Some(status) => format!("its last status: {status:?}"),
            None => "it told no status".to_owned(),
        }
    }
}
