//! A TCP connection of one client among many of a thread.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Time that a client has to take an answer for which the kernel has no room.
const TAKE: Duration = Duration::from_millis(100);

/// A connection that holds up the thread's other clients for a moment at most.
pub(crate) struct ClientStream {
    stream: TcpStream,
    /// Bytes that have come, and were not taken yet.
    pub(crate) begun: Vec<u8>,
}

impl ClientStream {
    /// Takes a connection that was accepted.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        // One slow client would hold up all others of the thread.
        stream.set_nonblocking(true)?;
        stream.set_write_timeout(Some(TAKE))?;
        Ok(Self {
            stream,
            begun: Vec::new(),
        })
    }

    /// Returns the descriptor that is readable when something has come.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Reads a piece of what has come, and returns whether there was one. The end of the stream is
    /// an error.
    pub(crate) fn read_piece(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                self.begun.extend_from_slice(&buffer[..length]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends bytes. A client that takes nothing holds up the others for a moment.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        let sent = self.stream.write_all(bytes);
        self.stream.set_nonblocking(true)?;
        sent
    }
}
