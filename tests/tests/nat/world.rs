//! A host behind a router that translates, and a server on the Internet with two addresses.

use std::net::SocketAddrV4;

use snowglobe::lab::{Lab, Node};
use snowglobe::prelude::*;
use snowglobe::topology::nat::NatSpec;
use snowglobe::topology::{EndSpec, NodeId};
pub(crate) use snowglobe_tests::traffic::{PATIENCE, socket};

/// The addresses of the server.
pub(crate) const SERVER: [Ipv4Addr; 2] = [
    Ipv4Addr::new(203, 0, 113, 10),
    Ipv4Addr::new(203, 0, 113, 11),
];

/// A lab with a host `inside`, its router `router`, and the server.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) inside: NodeId,
    pub(crate) router: NodeId,
    pub(crate) server: NodeId,
}

impl World {
    pub(crate) fn new(nat: NatSpec) -> TestResult<World> {
        Self::with_server(nat, NodeSpec::new("server"))
    }

    /// Starts the lab with another server.
    pub(crate) fn with_server(nat: NatSpec, server: NodeSpec) -> TestResult<World> {
        Self::with(RouterSpec::new("router").nat(nat), server)
    }

    /// Starts the lab with another router.
    pub(crate) fn with_router(router: RouterSpec) -> TestResult<World> {
        Self::with(router, NodeSpec::new("server"))
    }

    fn with(router: RouterSpec, server: NodeSpec) -> TestResult<World> {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let router = topology.router(router);
        topology.uplink(router, internet);
        let inside = topology.node("inside");
        topology.link(inside, router);
        let server = add_server(&mut topology, internet, server);
        Ok(World {
            lab: topology.start()?,
            inside,
            router,
            server,
        })
    }

    pub(crate) fn inside(&self) -> UdpSocket {
        socket(&self.lab[self.inside], Ipv4Addr::UNSPECIFIED, 0)
    }

    pub(crate) fn server(&self) -> Server {
        Server::new(&self.lab[self.server])
    }
}

/// Adds the server to the Internet.
pub(crate) fn add_server(topology: &mut Topology, internet: NodeId, spec: NodeSpec) -> NodeId {
    let server = topology.node(spec);
    let [first, second] = SERVER;
    let end = EndSpec::new()
        .address(format!("{first}/24"))
        .address(format!("{second}/24"));
    let link = LinkSpec::new().subnet("203.0.113.0/24").a(end);
    topology.link_with(server, internet, link);
    server
}

/// The sockets of the server: two ports at each of two addresses.
pub(crate) struct Server {
    sockets: [[UdpSocket; 2]; 2],
}

impl Server {
    pub(crate) fn new(node: &Node) -> Server {
        let sockets = SERVER.map(|address| [7001, 7002].map(|port| socket(node, address, port)));
        Server { sockets }
    }

    pub(crate) fn at(&self, address: usize, port: usize) -> SocketAddr {
        self.sockets[address][port]
            .local_addr()
            .expect("an address")
    }

    /// Sends a datagram from a socket to one of the server's, and returns its source there.
    pub(crate) fn sees(&self, from: &UdpSocket, [address, port]: [usize; 2]) -> SocketAddrV4 {
        from.send_to(b"hello", self.at(address, port))
            .expect("sent");
        let mut buffer = [0; 100];
        let (_, source) = self.sockets[address][port]
            .recv_from(&mut buffer)
            .expect("came");
        match source {
            SocketAddr::V4(source) => source,
            SocketAddr::V6(_) => panic!("not IPv4"),
        }
    }

    /// Sends a datagram from one of the server's sockets.
    pub(crate) fn send(&self, [address, port]: [usize; 2], to: SocketAddrV4) {
        let sender = &self.sockets[address][port];
        sender.send_to(&[200], to).expect("sent");
    }

    /// Sends datagrams to `to` from each of these sockets, the last of which is let in, and returns
    /// which of them `socket` has received.
    ///
    /// Datagrams stay in their order, so that nothing that was let in can come after the last one.
    pub(crate) fn let_in(
        &self,
        from: &[[usize; 2]],
        to: SocketAddrV4,
        socket: &UdpSocket,
    ) -> Vec<[usize; 2]> {
        for (number, [address, port]) in from.iter().enumerate() {
            let sender = &self.sockets[*address][*port];
            sender.send_to(&[number as u8], to).expect("sent");
        }
        let mut received = Vec::new();
        let mut buffer = [0; 100];
        loop {
            socket
                .recv_from(&mut buffer)
                .expect("the last datagram comes");
            let number = usize::from(buffer[0]);
            received.push(from[number]);
            if number + 1 == from.len() {
                return received;
            }
        }
    }
}
