//! Requests that come over TCP.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::model::portmap::upnp::http::{HttpPart, read};

/// The time that a client has for its request.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time that a client has to take an answer for which the kernel has no room.
const TAKE: Duration = Duration::from_millis(100);

/// A connection, which has one request.
pub(super) struct RequestStream {
    stream: TcpStream,
    from: Ipv4Addr,
    begun: Vec<u8>,
    deadline: Instant,
}

impl RequestStream {
    /// Takes a connection of a host that has an IPv4 address.
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        let from = match stream.peer_addr()?.ip() {
            IpAddr::V4(v4) => v4,
            IpAddr::V6(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        // One slow client would hold up all others of the thread.
        stream.set_nonblocking(true)?;
        stream.set_write_timeout(Some(TAKE))?;
        Ok(Self {
            stream,
            from,
            begun: Vec::new(),
            deadline: Instant::now() + PATIENCE,
        })
    }

    pub(super) fn from(&self) -> Ipv4Addr {
        self.from
    }

    /// Returns the moment at which the connection is closed if there is no request until then.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Returns what has come so far. The end of the stream is an error.
    pub(super) fn receive(&mut self) -> io::Result<HttpPart> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.begun.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(HttpPart::More);
                }
                Err(error) => return Err(error),
            }
            // The request is read after each piece: a request that is too long ends the reading.
            match read(&self.begun) {
                HttpPart::More => {}
                done @ (HttpPart::Whole(_) | HttpPart::Wrong(_)) => return Ok(done),
            }
        }
    }

    /// Sends the answer.
    pub(super) fn answer(&mut self, bytes: &[u8]) {
        // A client that takes nothing holds up the others for a moment. One that is gone needs no
        // answer.
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.write_all(bytes);
    }
}
