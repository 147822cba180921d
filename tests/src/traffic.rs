//! Datagrams between nodes, and the ways that they take, as several suites look at them.

use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::thread;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use snowglobe::lab::Node;
use snowglobe::prelude::*;

/// The UDP port at which nodes answer: that of the echo protocol (RFC 862).
pub const ECHO: u16 = 7;
/// Long enough for a packet on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Opens a UDP socket in a node, which waits for packets as long as [`PATIENCE`].
pub fn socket(node: &Node, address: Ipv4Addr, port: u16) -> UdpSocket {
    let socket = node
        .run(|| UdpSocket::bind((address, port)))
        .expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket
}

/// Returns whether a TCP port is reached within `limit`.
pub fn reaches(from: &Node, to: IpAddr, port: u16, limit: Duration) -> bool {
    from.run(|| TcpStream::connect_timeout(&(to, port).into(), limit).is_ok())
}

/// Returns how many segments of TCP a node has sent again, SYNs among them (`proc_pid_net(5)`,
/// RFC 4022 tcpRetransSegs): none where the network is ready and loses nothing.
pub fn retransmitted(node: &Node) -> u64 {
    let snmp = node.run(|| std::fs::read_to_string("/proc/net/snmp"));
    let snmp = snmp.expect("the counters of the node");
    let mut lines = snmp.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut counters = names.split_whitespace().zip(values.split_whitespace());
    let counter = counters.find(|(name, _)| *name == "RetransSegs");
    let (_, value) = counter.expect("a counter of segments that were sent again");
    value.parse().expect("a number")
}

/// Answers each datagram of a socket by what `answer` makes of it and its source, until the process
/// ends.
pub fn answer_each(
    socket: UdpSocket,
    answer: impl Fn(&[u8], SocketAddr) -> Vec<u8> + Send + 'static,
) {
    thread::spawn(move || {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            // A client that is gone needs no answer.
            let _ = socket.send_to(&answer(&buffer[..length], from), from);
        }
    });
}

/// Returns the routers on the way to a node that answers at the port [`ECHO`], as `traceroute`
/// finds them, or nothing if one does not answer in time: routes change meanwhile.
pub fn way(from: &Node, to: Ipv4Addr, patience: Duration) -> Option<Vec<Ipv4Addr>> {
    from.run(|| {
        let mut way = Vec::new();
        for ttl in 1..30 {
            let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
            setsockopt(&socket, sockopt::Ipv4RecvErr, &true).ok()?;
            socket.set_read_timeout(Some(patience)).ok()?;
            socket.set_ttl(ttl).ok()?;
            socket.connect((to, ECHO)).ok()?;
            socket.send(b"how far?").ok()?;
            let mut buffer = [0; 100];
            // A pending error ends the wait, and the queue of errors has the router.
            if socket.recv(&mut buffer).is_ok() {
                return Some(way);
            }
            way.push(offender(&socket)?);
        }
        Some(way)
    })
}

/// Returns the router that the last ICMP error on a socket came from.
fn offender(socket: &UdpSocket) -> Option<Ipv4Addr> {
    let mut bytes = [0; 100];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let mut space = nix::cmsg_space!([u8; 128]);
    let flags = MsgFlags::MSG_ERRQUEUE;
    let fd = socket.as_raw_fd();
    let message = recvmsg::<SockaddrIn>(fd, &mut parts, Some(&mut space), flags).ok()?;
    message.cmsgs().ok()?.find_map(|told| match told {
        ControlMessageOwned::Ipv4RecvErr(_, Some(from)) => Some(SockaddrIn::from(from).ip()),
        _ => None,
    })
}
