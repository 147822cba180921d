//! Questions that come over TCP: each with its length in front (RFC 1035, section 4.2.2).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Time for which a connection may say nothing (RFC 7766, section 6.2.3: "a few seconds").
const IDLE: Duration = Duration::from_secs(10);

/// Time that an asker has to take an answer for which the kernel has no room.
const TAKE: Duration = Duration::from_millis(100);

/// A connection.
pub(super) struct QueryStream {
    stream: TcpStream,
    from: SocketAddr,
    /// Bytes that have come, and are no whole message yet.
    begun: Vec<u8>,
    deadline: Instant,
}

impl QueryStream {
    pub(super) fn new(stream: TcpStream, from: SocketAddr) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_write_timeout(Some(TAKE))?;
        Ok(Self {
            stream,
            from,
            begun: Vec::new(),
            deadline: Instant::now() + IDLE,
        })
    }

    pub(super) fn from(&self) -> SocketAddr {
        self.from
    }

    /// Returns the moment at which the connection is closed if nothing is said until then.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Keeps the connection for an answer that is held back until then.
    pub(super) fn keep_until(&mut self, when: Instant) {
        self.deadline = self.deadline.max(when + IDLE);
    }

    /// Returns the messages that have come. The end of the stream is an error.
    pub(super) fn receive(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => self.begun.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        // The deadline is later for a connection whose answer is held back for longer than that.
        self.deadline = self.deadline.max(Instant::now() + IDLE);
        let mut messages = Vec::new();
        while let Some(length) = self.begun.first_chunk() {
            let end = 2 + usize::from(u16::from_be_bytes(*length));
            if self.begun.len() < end {
                break;
            }
            let rest = self.begun.split_off(end);
            messages.push(std::mem::replace(&mut self.begun, rest).split_off(2));
        }
        Ok(messages)
    }

    /// Sends a message.
    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        let bytes = [&length.to_be_bytes(), message].concat();
        // An asker that takes nothing holds up the others for a moment, and is dropped.
        self.stream.set_nonblocking(false)?;
        let sent = self.stream.write_all(&bytes);
        self.stream.set_nonblocking(true)?;
        sent
    }
}
