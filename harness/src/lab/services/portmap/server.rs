//! The thread that hears the hosts behind a router which ask for ports.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::mapper::LeaseState;
use super::site::InsideNetwork;
use super::stream::RequestStream;
use crate::kernel::clock::monotonic;
use crate::kernel::datagrams::{Arrival, receive, send_from, tell_arrival};
use crate::kernel::fd::bind_to_interface;
use crate::kernel::frames::Poller;
use crate::lab::error::Result;
use crate::lab::services::service::{ServicePlace, ServiceThread, ServiceWork, open_inside};
use crate::model::portmap::PortMappingSpec;
use crate::model::portmap::datagram::{self, ALL_HOSTS, CLIENT_PORT, SERVER_PORT};
use crate::model::portmap::server::MappingServer;
use crate::model::portmap::upnp::device::{Igd, UPNP_PORT};
use crate::model::portmap::upnp::http::HttpPart;
use crate::model::portmap::upnp::{serve, ssdp};

/// Number of datagrams that are answered before other sockets are looked at.
const AT_ONCE: usize = 64;
/// The most connections at a time. Further ones wait in the queue of the listener.
const CONNECTIONS: usize = 64;
/// Time between two messages by which a device says that it is there: half of that for which the
/// message holds (UPnP Device Architecture 1.1, section 1.2.2).
const ALIVE: Duration = Duration::from_secs(900);

/// Starts to serve in a node.
pub(super) fn start(
    place: &dyn ServicePlace,
    node: &str,
    spec: &PortMappingSpec,
    inside: &[InsideNetwork],
    state: &Arc<LeaseState>,
) -> Result<ServiceThread> {
    let mut sockets = Vec::new();
    if spec.nat_pmp || spec.pcp {
        let what = "port 5351 of the port mapping";
        let socket = open_inside(place, what, || datagrams(SERVER_PORT))?;
        sockets.push(MappingSocket::Mapping(socket));
    }
    if spec.upnp {
        let what = "port 1900 of UPnP";
        let socket = open_inside(place, what, || {
            let socket = datagrams(ssdp::PORT)?;
            for network in inside {
                // The kernel joins a group on the interface that has the address (ip(7)).
                socket.join_multicast_v4(&ssdp::GROUP, &network.address)?;
            }
            Ok(socket)
        })?;
        sockets.push(MappingSocket::Discovery(socket));
        for network in inside {
            let what = format!("port {UPNP_PORT} of UPnP at {}", network.address);
            let listener = open_inside(place, &what, || {
                let listener = TcpListener::bind((network.address, UPNP_PORT))?;
                // Nobody in front of the router may ask, whichever address they ask.
                bind_to_interface(&listener, &network.name)?;
                listener.set_nonblocking(true)?;
                Ok(listener)
            })?;
            sockets.push(MappingSocket::Control(listener, network.igd(node)));
        }
    }
    let thread = MappingThread {
        next: sockets.len() as u64,
        sockets,
        inside: inside.to_vec(),
        node: node.to_owned(),
        streams: HashMap::new(),
        alive: Instant::now(),
        state: Arc::clone(state),
    };
    ServiceThread::start("port mapping", place, thread)
}

fn datagrams(port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    tell_arrival(&socket, Ipv4Addr::UNSPECIFIED.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl InsideNetwork {
    fn igd(&self, node: &str) -> Igd {
        Igd {
            name: node.to_owned(),
            mac: self.mac,
            at: SocketAddrV4::new(self.address, UPNP_PORT),
        }
    }
}

/// A socket at which hosts ask.
enum MappingSocket {
    /// NAT-PMP and PCP.
    Mapping(UdpSocket),
    /// SSDP.
    Discovery(UdpSocket),
    /// The listener for HTTP on one network.
    Control(TcpListener, Igd),
}

impl AsFd for MappingSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            MappingSocket::Mapping(socket) | MappingSocket::Discovery(socket) => socket.as_fd(),
            MappingSocket::Control(listener, _) => listener.as_fd(),
        }
    }
}

struct MappingThread {
    /// The sockets, whose tokens are their places.
    sockets: Vec<MappingSocket>,
    inside: Vec<InsideNetwork>,
    node: String,
    /// Connections, with the place of their socket.
    streams: HashMap<u64, (usize, RequestStream)>,
    /// Token of the next connection.
    next: u64,
    /// The moment of the next message by which the device says that it is there.
    alive: Instant,
    state: Arc<LeaseState>,
}

impl ServiceWork for MappingThread {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.sockets.iter().map(AsFd::as_fd).collect()
    }

    /// Ends leases whose time is over, and tells hosts what they are to hear.
    fn step(&mut self) -> Option<Duration> {
        // Leases end before anything is told: what has ended is not announced.
        let now = monotonic();
        let next = self
            .state
            .with(|book, engine, now| book.expire(engine, now));
        let next = next.map(|next| Duration::from_nanos(next.saturating_sub(now)));
        if self.state.take_announcement() {
            self.announce();
            self.alive = Instant::now();
        }
        self.say_alive();
        // A client that says nothing would keep one of few connections.
        let begin = Instant::now();
        self.streams
            .retain(|_, (_, stream)| stream.deadline() > begin);
        let streams = self.streams.values();
        let idle = streams.map(|(_, stream)| stream.deadline().saturating_duration_since(begin));
        let alive = self.alive.saturating_duration_since(begin);
        next.into_iter().chain(idle).chain([alive]).min()
    }

    fn hear(&mut self, token: u64, poller: &Poller) {
        match usize::try_from(token)
            .ok()
            .and_then(|at| self.sockets.get(at))
        {
            Some(MappingSocket::Mapping(socket)) => self.take_requests(socket),
            Some(MappingSocket::Discovery(socket)) => self.take_searches(socket),
            Some(MappingSocket::Control(..)) => self.accept(token, poller),
            None => self.read(token),
        }
    }
}

impl MappingThread {
    /// Takes the datagrams that have come from hosts behind the router. Those in front of it are
    /// not heard (RFC 6886, section 3.2; RFC 6887, section 8.3).
    fn datagrams(&self, socket: &UdpSocket, mut hear: impl FnMut(&[u8], &Arrival, &InsideNetwork)) {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        for _ in 0..AT_ONCE {
            let arrival = match receive(socket.as_fd(), &mut buffer) {
                Ok(Some(arrival)) => arrival,
                Ok(None) => continue,
                // Nothing more has come, or an ICMP error for an answer was reported: udp(7).
                Err(_) => return,
            };
            let mut inside = self.inside.iter();
            if let Some(network) = inside.find(|it| it.index == arrival.interface) {
                hear(&buffer[..arrival.length], &arrival, network);
            }
        }
    }

    fn take_requests(&self, socket: &UdpSocket) {
        self.datagrams(socket, |bytes, arrival, _| {
            let SocketAddr::V4(from) = arrival.from else {
                return;
            };
            let answer = self
                .state
                .with(|book, engine, now| datagram::hear(book, engine, bytes, from, now));
            if let Some(answer) = answer {
                // An answer that cannot be sent is lost, as on any wire, and the host asks again.
                let _ = send_from(socket.as_fd(), &answer, arrival.from, arrival.at);
            }
        });
    }

    fn take_searches(&self, socket: &UdpSocket) {
        self.datagrams(socket, |bytes, arrival, network| {
            for answer in ssdp::hear(&network.igd(&self.node), bytes) {
                // An answer that cannot be sent is lost, as on any wire, and the host asks again.
                let _ = send_from(
                    socket.as_fd(),
                    &answer,
                    arrival.from,
                    network.address.into(),
                );
            }
        });
    }

    /// Tells all hosts behind the router the external address and the epoch.
    fn announce(&self) {
        let messages = self
            .state
            .with(|book, engine, now| datagram::announcements(book, engine, now));
        let to = SocketAddrV4::new(ALL_HOSTS, CLIENT_PORT).into();
        for socket in &self.sockets {
            if let MappingSocket::Mapping(socket) = socket {
                self.tell(socket, to, |_| messages.clone());
            }
        }
    }

    fn say_alive(&mut self) {
        let now = Instant::now();
        if self.alive > now {
            return;
        }
        self.alive = now + ALIVE;
        let to = SocketAddrV4::new(ssdp::GROUP, ssdp::PORT).into();
        for socket in &self.sockets {
            if let MappingSocket::Discovery(socket) = socket {
                self.tell(socket, to, |network| ssdp::alive(&network.igd(&self.node)));
            }
        }
    }

    /// Sends messages to a group on each network behind the router.
    fn tell(
        &self,
        socket: &UdpSocket,
        group: SocketAddr,
        messages: impl Fn(&InsideNetwork) -> Vec<Vec<u8>>,
    ) {
        for network in &self.inside {
            for message in messages(network) {
                // The kernel takes the interface of the source for groups (net/ipv4/route.c,
                // ip_route_output_key_hash_rcu). One that is down tells nobody.
                let _ = send_from(socket.as_fd(), &message, group, network.address.into());
            }
        }
    }

    fn accept(&mut self, token: u64, poller: &Poller) {
        let at = token as usize;
        while self.streams.len() < CONNECTIONS {
            let Some(MappingSocket::Control(listener, _)) = self.sockets.get(at) else {
                return;
            };
            let Ok((stream, _)) = listener.accept() else {
                return;
            };
            // A connection that cannot be waited for is closed.
            if let Ok(stream) = RequestStream::new(stream)
                && poller.add(stream.descriptor(), self.next).is_ok()
            {
                self.streams.insert(self.next, (at, stream));
                self.next += 1;
            }
        }
        // The oldest has had the most time for its request.
        let streams = self.streams.iter();
        let oldest = streams.min_by_key(|(_, (_, stream))| stream.deadline());
        if let Some(token) = oldest.map(|(token, _)| *token) {
            self.streams.remove(&token);
        }
    }

    fn read(&mut self, token: u64) {
        let Some((at, stream)) = self.streams.get_mut(&token) else {
            return;
        };
        let answer = match (stream.receive(), self.sockets.get(*at)) {
            (Ok(HttpPart::More), _) => return,
            (Ok(HttpPart::Wrong(answer)), _) => Some(answer),
            (Ok(HttpPart::Whole(request)), Some(MappingSocket::Control(_, igd))) => {
                let from = stream.from();
                let serve = self.state.with(|book, engine, now| {
                    let mut server = MappingServer {
                        book,
                        engine,
                        client: from,
                        now,
                    };
                    serve(igd, &mut server, &request)
                });
                Some(serve)
            }
            (Ok(HttpPart::Whole(_)) | Err(_), _) => None,
        };
        if let Some(answer) = answer {
            stream.answer(&answer);
        }
        // The descriptor leaves the set when it is closed: epoll(7).
        self.streams.remove(&token);
    }
}
