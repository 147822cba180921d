//! Requests that come over TCP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::lab::services::client_stream::ClientStream;
use crate::model::portmap::upnp::http::{HttpPart, read};
use crate::trial::time_scale::stretched;

/// The time that a client has for its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, which has one request.
pub(super) struct RequestStream {
    stream: ClientStream,
    from: Ipv4Addr,
    deadline: Instant,
}

impl RequestStream {
    /// Takes a connection of a host that has an IPv4 address.
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        let from = match stream.peer_addr()?.ip() {
            IpAddr::V4(v4) => v4,
            IpAddr::V6(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Self {
            stream: ClientStream::new(stream)?,
            from,
            deadline: Instant::now() + stretched(PATIENCE),
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
        self.stream.descriptor()
    }

    /// Returns what has come so far. The end of the stream is an error.
    pub(super) fn receive(&mut self) -> io::Result<HttpPart> {
        while self.stream.read_piece()? {
            // The request is read after each piece: a request that is too long ends the reading.
            match read(&self.stream.begun) {
                HttpPart::More => {}
                done @ (HttpPart::Whole(_) | HttpPart::Wrong(_)) => return Ok(done),
            }
        }
        Ok(HttpPart::More)
    }

    /// Sends the answer.
    pub(super) fn answer(&mut self, bytes: &[u8]) {
        // A client that is gone needs no answer, and one that takes nothing gets none.
        let _ = self.stream.send(bytes);
    }
}
