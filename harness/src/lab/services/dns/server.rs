//! The sockets of a name server, and the thread that serves them.
//!
//! One thread does it all: a question is answered in microseconds, and answers that come late wait
//! in a list of their own.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kernel::datagrams::{receive, send_from, tell_arrival};
use crate::kernel::frames::Poller;
use crate::lab::error::Result;
use crate::lab::services::dns::knowledge::Knowledge;
use crate::lab::services::dns::stream::QueryStream;
use crate::lab::services::service::{ServicePlace, ServiceThread, ServiceWork, open_inside};
use crate::model::dns::message::{ParsedMessage, hear};

/// The port of name servers.
const PORT: u16 = 53;

/// Number of datagrams that are answered before other sockets are looked at.
const AT_ONCE: usize = 64;

/// The most connections at a time. Further ones wait in the queue of the listener.
const CONNECTIONS: usize = 128;

/// Longest time for which an answer is held back.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// Tokens of the sockets; connections have the following ones.
const UDP: u64 = 0;
const TCP: u64 = 1;

/// Starts a name server in a node.
pub(crate) fn start(place: &dyn ServicePlace, knowledge: Arc<Knowledge>) -> Result<ServiceThread> {
    let (udp, tcp) = open_inside(place, "port 53 of the name server", open)?;
    let server = Server {
        udp,
        tcp,
        knowledge,
        streams: HashMap::new(),
        next: TCP + 1,
        late: Vec::new(),
    };
    ServiceThread::start("dns", place, server)
}

/// Opens the sockets: for both families, or for IPv4 on a host without IPv6.
fn open() -> io::Result<(UdpSocket, TcpListener)> {
    let open_at = |any: IpAddr| -> io::Result<(UdpSocket, TcpListener)> {
        // A socket of IPv6 for all addresses takes IPv4 too, unless `bindv6only` is set (ipv6(7)).
        let udp = UdpSocket::bind((any, PORT))?;
        tell_arrival(&udp, any)?;
        let tcp = TcpListener::bind((any, PORT))?;
        udp.set_nonblocking(true)?;
        // A connection may be gone between the wait and the accept: accept(2), "Error handling".
        tcp.set_nonblocking(true)?;
        Ok((udp, tcp))
    };
    match open_at(Ipv6Addr::UNSPECIFIED.into()) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            open_at(Ipv4Addr::UNSPECIFIED.into())
        }
        done => done,
    }
}

/// The destination of an answer.
#[derive(Clone, Copy)]
enum To {
    /// A sender of datagrams, from the address that was asked.
    Datagram(SocketAddr, IpAddr),
    /// The connection with this token.
    Stream(u64),
}

struct Server {
    udp: UdpSocket,
    tcp: TcpListener,
    knowledge: Arc<Knowledge>,
    streams: HashMap<u64, QueryStream>,
    /// Token of the next connection.
    next: u64,
    /// Answers that are held back.
    late: Vec<(Instant, To, Vec<u8>)>,
}

impl ServiceWork for Server {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.udp.as_fd(), self.tcp.as_fd()]
    }

    /// Sends the answers that were held back until now, and closes connections that say nothing.
    fn step(&mut self) -> Option<Duration> {
        // Answers first: a connection stays open for an answer that is held back.
        self.send_late();
        self.close_idle();
        let late = self.late.iter().map(|(when, ..)| *when);
        let idle = self.streams.values().map(QueryStream::deadline);
        let next = late.chain(idle).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn hear(&mut self, token: u64, poller: &Poller) {
        match token {
            UDP => self.take_datagrams(),
            TCP => self.accept(poller),
            stream => self.read(stream),
        }
    }
}

impl Server {
    fn take_datagrams(&mut self) {
        // The buffer takes the longest datagram: one that is cut off would be a malformed message.
        let mut buffer = vec![0; usize::from(u16::MAX)];
        for _ in 0..AT_ONCE {
            let arrival = match receive(self.udp.as_fd(), &mut buffer) {
                Ok(Some(arrival)) => arrival,
                Ok(None) => continue,
                // Nothing more has come, or an ICMP error for an answer was reported: udp(7).
                Err(_) => return,
            };
            let to = To::Datagram(arrival.from, arrival.at);
            self.answer(&buffer[..arrival.length], arrival.from, to);
        }
    }

    fn answer(&mut self, message: &[u8], from: SocketAddr, to: To) {
        let tcp = matches!(to, To::Stream(_));
        match hear(message) {
            ParsedMessage::Nothing => {}
            ParsedMessage::Unfit(bytes) => self.send(to, &bytes),
            ParsedMessage::Question(question) => {
                let reply = self.knowledge.reply(&question, from, tcp);
                let Some(bytes) = reply.bytes else { return };
                if reply.delay.is_zero() {
                    self.send(to, &bytes);
                } else {
                    let when = Instant::now() + reply.delay.min(LONGEST_DELAY);
                    self.late.push((when, to, bytes));
                    if let To::Stream(token) = to
                        && let Some(stream) = self.streams.get_mut(&token)
                    {
                        stream.keep_until(when);
                    }
                }
            }
        }
    }

    fn send(&mut self, to: To, bytes: &[u8]) {
        match to {
            // An answer that cannot be sent is lost, as on any other way.
            To::Datagram(to, from) => drop(send_from(self.udp.as_fd(), bytes, to, from)),
            To::Stream(token) => {
                let sent = self.streams.get_mut(&token).map(|it| it.send(bytes));
                if let Some(Err(_)) = sent {
                    self.close(token);
                }
            }
        }
    }

    fn send_late(&mut self) {
        let now = Instant::now();
        let late = std::mem::take(&mut self.late);
        let (due, later): (Vec<_>, Vec<_>) = late.into_iter().partition(|(when, ..)| *when <= now);
        self.late = later;
        // In the order in which they were asked, as from a server that is slow.
        for (_, to, bytes) in due {
            self.send(to, &bytes);
        }
    }

    fn accept(&mut self, poller: &Poller) {
        while self.streams.len() < CONNECTIONS {
            let Ok((stream, from)) = self.tcp.accept() else {
                return;
            };
            let token = self.next;
            self.next += 1;
            // A connection that cannot be waited for is closed.
            // The set is told before the connection may wait: what has come by now is reported.
            if poller.add(stream.as_fd(), token).is_ok()
                && let Ok(stream) = QueryStream::new(stream, from)
            {
                self.streams.insert(token, stream);
            }
        }
        // The queue is full of connections that say nothing: those are closed before their time.
        self.drop_idlest();
    }

    fn drop_idlest(&mut self) {
        let idlest = self.streams.iter().min_by_key(|(_, it)| it.deadline());
        if let Some((token, _)) = idlest {
            let token = *token;
            self.close(token);
        }
    }

    fn read(&mut self, token: u64) {
        let Some(stream) = self.streams.get_mut(&token) else {
            return;
        };
        let from = stream.from();
        let messages = stream.receive();
        let closed = messages.is_err();
        for message in messages.unwrap_or_default() {
            self.answer(&message, from, To::Stream(token));
        }
        if closed {
            self.close(token);
        }
    }

    fn close_idle(&mut self) {
        let now = Instant::now();
        let idle = self.streams.iter().filter(|(_, it)| it.deadline() <= now);
        let idle: Vec<u64> = idle.map(|(token, _)| *token).collect();
        for token in idle {
            self.close(token);
        }
    }

    fn close(&mut self, token: u64) {
        // The descriptor leaves the set when it is closed: epoll(7).
        self.streams.remove(&token);
        self.late
            .retain(|(_, to, _)| !matches!(to, To::Stream(it) if *it == token));
    }
}
