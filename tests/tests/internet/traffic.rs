//! Traffic between nodes: datagrams that are answered, and routes as packets meet them.

use std::os::fd::AsRawFd;

use nix::sys::socket::{setsockopt, sockopt};
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;
use snowglobe::topology::plan::Plan;
use snowglobe_tests::traffic::answer_each;
pub(crate) use snowglobe_tests::traffic::{ECHO, reaches};

/// Long enough for an answer on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough for an answer that is never to come.
pub(crate) const IMPATIENCE: Duration = Duration::from_secs(1);

/// Answers each datagram with the address from which it came, and the bytes, until the process
/// ends.
pub(crate) fn echo(node: &Node) {
    let sockets = node.run(|| {
        ["0.0.0.0", "::"].map(|any| {
            let socket = if any == "::" {
                v6_only(ECHO)
            } else {
                UdpSocket::bind((any, ECHO))
            };
            socket.expect("the port is free")
        })
    });
    for socket in sockets {
        answer_each(socket, |bytes, from| {
            format!("{from} {}", bytes.len()).into_bytes()
        });
    }
}

fn v6_only(port: u16) -> std::io::Result<UdpSocket> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn6, bind, socket};
    let kind = SockType::Datagram;
    let made = socket(AddressFamily::Inet6, kind, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&made, sockopt::Ipv6V6Only, &true)?;
    let any = std::net::SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0);
    bind(made.as_raw_fd(), &SockaddrIn6::from(any))?;
    Ok(made.into())
}

/// Returns the address by which the echo of another node sees this node, or nothing if no answer
/// comes in time.
pub(crate) fn seen_as(from: &Node, to: IpAddr, patience: Duration) -> Option<SocketAddr> {
    let answer = from.run(|| -> std::io::Result<String> {
        let any: IpAddr = match to {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((to, ECHO))?;
        socket.set_read_timeout(Some(patience))?;
        socket.send(b"who am I?")?;
        let mut buffer = [0; 100];
        let length = socket.recv(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    });
    answer.ok()?.split(' ').next()?.parse().ok()
}

/// Returns whether an interface of a node has an address.
pub(crate) fn has_address(plan: &Plan, node: NodeId, ip: Ipv4Addr) -> bool {
    let mut interfaces = plan.stack(node).interfaces.iter();
    interfaces.any(|it| it.addresses.iter().any(|address| address.ip == ip))
}

/// Returns the routers on the way to a node whose echo answers, as `traceroute` finds them.
pub(crate) fn traceroute(from: &Node, to: Ipv4Addr) -> Vec<Ipv4Addr> {
    way(from, to).expect("each router on the way answers")
}

/// Returns the routers on the way, or nothing if one does not answer: routes change meanwhile.
pub(crate) fn way(from: &Node, to: Ipv4Addr) -> Option<Vec<Ipv4Addr>> {
    snowglobe_tests::traffic::way(from, to, PATIENCE)
}

/// Listens at TCP ports until the process ends, and closes each connection at once.
pub(crate) fn listen(node: &Node, ports: &[u16]) {
    for port in ports {
        let listener = node.run(|| TcpListener::bind(("::", *port)).expect("the port is free"));
        std::thread::spawn(move || while listener.accept().is_ok() {});
    }
}

/// Returns how long to wait for an answer, which is shorter if no answer is `expected`.
pub(crate) fn patience_if(expected: bool) -> Duration {
    if expected { PATIENCE } else { IMPATIENCE }
}
