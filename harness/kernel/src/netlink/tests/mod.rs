//! The layer against the kernel, in network namespaces of the tests' own threads.

mod peer;
mod ready;
mod refusals;
mod views;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

pub(super) use super::*;
use crate::netns::Netns;
use crate::testing::{netns, sealed};

pub(crate) const ETH0: Device<'static> = Device {
    index: 2,
    name: "eth0",
};
pub(crate) const BRIDGE: BridgeRequest<'static> = BridgeRequest {
    device: Device {
        index: 2,
        name: "br0",
    },
    mac: [2, 0xff, 0, 0, 0, 1],
    querier: Some(Querier::Quiet),
};

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

pub(crate) fn v4(node: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, node).into()
}

pub(crate) fn v6(node: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, node.into())
}

pub(crate) fn default_via(router: IpAddr) -> RouteRequest<'static> {
    let destination = match router {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    RouteRequest {
        destination,
        prefix: 0,
        via: Some(router),
        device: ETH0,
        metric: None,
        table: None,
    }
}

pub(crate) fn link_local(node: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, node.into())
}

pub(crate) fn address(batch: &mut Batch, node: u8) {
    batch.set_up(Device::LOOPBACK);
    batch.disable_address_generation(ETH0);
    batch.set_up(ETH0);
    batch.add_address(ETH0, v4(node), 24);
    batch.add_address(ETH0, v6(node).into(), 64);
    batch.add_address(ETH0, link_local(node).into(), 64);
}

/// Makes a bound socket of that namespace, which waits long enough for any datagram that is under
/// way.
pub(crate) fn udp(netns: &Netns, address: IpAddr) -> UdpSocket {
    let socket = Netns::visit(netns.as_fd(), || UdpSocket::bind((address, 0)));
    let socket = socket.expect("a namespace").expect("a socket");
    let timeout = Some(Duration::from_secs(10));
    socket.set_read_timeout(timeout).expect("a timeout");
    socket
}

/// Returns the first byte of the next datagram.
pub(crate) fn next(socket: &UdpSocket) -> u8 {
    let mut byte = [0];
    socket.recv(&mut byte).expect("a datagram");
    byte[0]
}

/// Makes two namespaces and a cable between their `eth0`s.
pub(crate) fn pair() -> [(Netns, Netlink); 2] {
    let (alice, bob) = (netns(), netns());
    let mut near = Netlink::open_in(alice.as_fd()).expect("alice");
    let mut far = Netlink::open_in(bob.as_fd()).expect("bob");
    let mut batch = Batch::new();
    let end = |mac| VethEnd {
        mac: Some([2, 0, 0, 0, 0, mac]),
        mtu: Some(1400),
        ..VethEnd::new(ETH0)
    };
    batch.add_veth(&Veth {
        near: end(1),
        far: VethEnd {
            netns: Some(bob.as_fd()),
            ..end(2)
        },
    });
    near.execute(batch).expect("a cable");
    for (node, netlink) in [(1, &mut near), (2, &mut far)] {
        let mut batch = Batch::new();
        address(&mut batch, node);
        netlink.execute(batch).expect("addresses");
    }
    for (node, netlink) in [(1, &mut near), (2, &mut far)] {
        netlink.wait_until_up(&[ETH0], soon()).expect("up");
        netlink
            .wait_until_addresses_usable(ETH0, &[v6(node), link_local(node)], soon())
            .expect("heard");
    }
    [(alice, near), (bob, far)]
}

/// Makes three namespaces on one bridge in the current namespace.
pub(crate) fn star() -> (Netlink, Vec<Netns>) {
    let nodes: Vec<Netns> = (0..3).map(|_| netns()).collect();
    let mut hub = Netlink::open().expect("hub");
    let ports = ports();
    let mut batch = Batch::new();
    batch.add_bridge(&BRIDGE);
    for (node, port) in nodes.iter().zip(ports) {
        let near = VethEnd {
            master: Some(BRIDGE.device.index),
            ..VethEnd::new(port)
        };
        batch.add_veth(&Veth {
            near,
            far: VethEnd {
                netns: Some(node.as_fd()),
                ..VethEnd::new(ETH0)
            },
        });
        batch.disable_address_generation(port);
        batch.set_up(port);
    }
    hub.execute_reusing(&mut batch).expect("cables");
    for (at, node) in (1..).zip(&nodes) {
        let mut inside = Netlink::open_in(node.as_fd()).expect("a node");
        address(&mut batch, at);
        inside.execute_reusing(&mut batch).expect("addresses");
        inside
            .wait_until_addresses_usable(ETH0, &[v6(at), link_local(at)], soon())
            .expect("heard");
    }
    batch.start_bridge(&BRIDGE);
    for (at, port) in (1..).zip(ports) {
        batch.add_membership(BRIDGE.device, port, v6(at));
    }
    hub.execute(batch).expect("the bridge");
    hub.wait_until_ports_up(&ports, soon()).expect("ready");
    (hub, nodes)
}

pub(crate) fn ports() -> [Device<'static>; 3] {
    [(10, "p1"), (11, "p2"), (12, "p3")].map(|(index, name)| Device { index, name })
}

pub(crate) fn connect(from: &Netns, to: &Netns, address: SocketAddr) -> Duration {
    let home = Netns::current().expect("procfs");
    let bind = |port| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port));
    let _listener = home
        .excursion(to.as_fd(), || bind(address.port()))
        .expect("bob")
        .expect("a port");
    home.excursion(from.as_fd(), || {
        let start = Instant::now();
        TcpStream::connect_timeout(&address, Duration::from_secs(5)).expect("a connection");
        start.elapsed()
    })
    .expect("alice")
}
