//! Questions that come over TCP: each with its length in front (RFC 1035, section 4.2.2).

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::lab::services::client_stream::ClientStream;

/// Time for which a connection may say nothing (RFC 7766, section 6.2.3: "a few seconds").
const IDLE: Duration = Duration::from_secs(10);

/// A connection.
pub(super) struct QueryStream {
    stream: ClientStream,
    from: SocketAddr,
    deadline: Instant,
}

impl QueryStream {
    pub(super) fn new(stream: TcpStream, from: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            stream: ClientStream::new(stream)?,
            from,
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
        self.stream.read_piece()?;
        // The deadline is later for a connection whose answer is held back for longer than that.
        self.deadline = self.deadline.max(Instant::now() + IDLE);
        let begun = &mut self.stream.begun;
        let mut messages = Vec::new();
        while let Some(length) = begun.first_chunk() {
            let end = 2 + usize::from(u16::from_be_bytes(*length));
            if begun.len() < end {
                break;
            }
            let rest = begun.split_off(end);
            messages.push(std::mem::replace(begun, rest).split_off(2));
        }
        Ok(messages)
    }

    /// Sends a message. The connection of an asker that takes nothing is dropped.
    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        self.stream.send(&[&length.to_be_bytes(), message].concat())
    }
}
