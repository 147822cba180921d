//! Two network namespaces and a wire between them, for the tests of wires.

use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::super::{UplinkNat, UplinkTranslators, WireHandle, WirePort, WireSpec};
use crate::kernel::frames::PacketSocket;
use crate::kernel::frames::TapDevice;
use crate::kernel::netlink::{Batch, Device, NeighbourRequest, Netlink, Veth, VethEnd};
use crate::kernel::netns::Netns;
use crate::kernel::testing::netns;
use crate::model::impair::Counters;
use crate::model::impair::Direction;
use crate::model::impair::Impairment;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Tap,
    Packet,
}

impl Kind {
    /// Returns the kinds of ports that this machine has.
    pub(super) fn available() -> Vec<Self> {
        if TapDevice::is_available() {
            vec![Self::Tap, Self::Packet]
        } else {
            vec![Self::Packet]
        }
    }
}

/// Alice, Bob, and what is between them.
pub(super) struct Pair {
    pub(super) wire: WireHandle,
    nodes: [Netns; 2],
    /// Namespace that has the inner ends of cables.
    _middle: Netns,
}

pub(super) const ETH0: Device<'static> = Device {
    index: 7,
    name: "eth0",
};

fn address(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, 1 + node as u8)
}

fn mac(node: usize) -> [u8; 6] {
    [2, 0, 0, 0, 0, 1 + node as u8]
}

impl Pair {
    pub(super) fn new(kind: Kind, impairments: [Impairment; 2]) -> Pair {
        let nodes = [netns(), netns()];
        let middle = netns();
        let ports = [0, 1].map(|node| match kind {
            Kind::Tap => tap(&nodes[node]),
            Kind::Packet => packet(&nodes[node], &middle, node),
        });
        for (node, netns) in nodes.iter().enumerate() {
            furnish(netns, node);
        }
        let spec = WireSpec {
            name: "alice–bob".into(),
            seed: 1,
            impairments,
            cut: [false; 2],
            spin: false,
            // Each wire of a node has such a NAT.
            nat: Some(UplinkNat::new(UplinkTranslators::default())),
        };
        Pair {
            wire: WireHandle::start(spec, ports).expect("a wire"),
            nodes,
            _middle: middle,
        }
    }

    /// Ends the wire, and gives back the namespaces.
    pub(super) fn end(self) -> [Netns; 2] {
        drop(self.wire);
        self.nodes
    }

    pub(super) fn wait_until_up(&self, deadline: Instant) {
        for node in &self.nodes {
            let mut netlink = Netlink::open_in(node.as_fd()).expect("netlink");
            netlink.wait_until_up(&[ETH0], deadline).expect("up");
        }
    }

    pub(super) fn visit<T: Send>(&self, node: usize, work: impl FnOnce() -> T + Send) -> T {
        Netns::visit(self.nodes[node].as_fd(), work).expect("a visit")
    }

    /// Makes Alice's and Bob's socket, connected to each other.
    pub(super) fn udp(&self) -> [UdpSocket; 2] {
        [0, 1].map(|node| {
            self.visit(node, || {
                let socket = UdpSocket::bind((address(node), 9)).expect("a port");
                socket.connect((address(1 - node), 9)).expect("an address");
                socket
                    .set_read_timeout(Some(Duration::from_secs(10)))
                    .expect("a time limit");
                socket
            })
        })
    }

    /// Returns both ends of a TCP connection from Alice to Bob.
    pub(super) fn tcp(&self) -> [TcpStream; 2] {
        let listener = self.visit(1, || TcpListener::bind((address(1), 80)).expect("a port"));
        let alice = self.visit(0, || {
            TcpStream::connect((address(1), 80)).expect("connected")
        });
        let (bob, _) = listener.accept().expect("accepted");
        for stream in [&alice, &bob] {
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .expect("a time limit");
        }
        [alice, bob]
    }

    /// Waits until the wire has counted that much.
    pub(super) fn until(&self, direction: Direction, holds: impl Fn(&Counters) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let counters = self.wire.counters(direction);
            if holds(&counters) {
                return;
            }
            assert!(Instant::now() < deadline, "{counters:?}");
            std::thread::yield_now();
        }
    }
}

fn tap(netns: &Netns) -> WirePort {
    let create = || TapDevice::create(ETH0.name, ETH0.index);
    let made = Netns::visit(netns.as_fd(), create).expect("a visit");
    WirePort::Tap(made.expect("a device"))
}

fn packet(netns: &Netns, middle: &Netns, node: usize) -> WirePort {
    let name = ["a", "b"][node];
    let near = Device {
        index: 2 + node as u32,
        name,
    };
    let mut netlink = Netlink::open_in(middle.as_fd()).expect("netlink");
    let mut batch = Batch::new();
    batch.add_veth(&Veth {
        near: VethEnd::new(near),
        far: VethEnd {
            netns: Some(netns.as_fd()),
            ..VethEnd::new(ETH0)
        },
    });
    batch.disable_address_generation(near);
    batch.set_up(near);
    netlink.execute(batch).expect("a cable");
    WirePort::Packet(PacketSocket::for_wire(middle.as_fd(), near.index).expect("a socket"))
}

fn furnish(netns: &Netns, node: usize) {
    let mut netlink = Netlink::open_in(netns.as_fd()).expect("netlink");
    let mut batch = Batch::new();
    batch.set_mac(ETH0, mac(node));
    batch.disable_address_generation(ETH0);
    batch.set_up(ETH0);
    batch.add_address(ETH0, address(node).into(), 24);
    batch.add_neighbour(&NeighbourRequest {
        device: ETH0,
        address: address(1 - node).into(),
        mac: mac(1 - node),
    });
    netlink.execute(batch).expect("addresses");
    let deadline = Instant::now() + Duration::from_secs(10);
    netlink.wait_until_up(&[ETH0], deadline).expect("up");
}
