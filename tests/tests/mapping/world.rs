//! A home whose router gives ports to hosts that ask.

use std::io::ErrorKind;
use std::net::SocketAddrV4;

use snowglobe::lab::{Lab, Node, Output};
use snowglobe::prelude::*;
use snowglobe::topology::nat::{NatEngine, NatMapping, NatProtocol, NatSpec, preset};
use snowglobe::topology::{EndSpec, NodeId, PortMappingSpec};
use snowglobe_tests::traffic;
pub(crate) use snowglobe_tests::traffic::PATIENCE;

pub(crate) const ENGINES: [NatEngine; 2] = [NatEngine::Nftables, NatEngine::Userspace];

/// The address of the router at home, and of its two hosts.
pub(crate) const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
pub(crate) const HOSTS: [Ipv4Addr; 2] =
    [Ipv4Addr::new(192, 168, 7, 2), Ipv4Addr::new(192, 168, 7, 3)];

/// Two hosts behind a router, and a host in front of it.
pub(crate) struct Home {
    pub(crate) lab: Lab,
    pub(crate) router: NodeId,
    pub(crate) hosts: [NodeId; 2],
    pub(crate) stranger: NodeId,
}

/// Returns a NAT that an engine carries.
pub(crate) fn carried(engine: NatEngine) -> NatSpec {
    match engine {
        NatEngine::Nftables => preset::home(),
        NatEngine::Userspace | NatEngine::Auto => preset::port_restricted_cone(),
    }
}

impl Home {
    /// Starts a home whose router has a firewall, as those of homes have.
    pub(crate) fn new(engine: NatEngine, served: PortMappingSpec) -> TestResult<Home> {
        Self::with_nat(carried(engine), served)
    }

    pub(crate) fn with_nat(nat: NatSpec, served: PortMappingSpec) -> TestResult<Home> {
        Self::with_router(RouterSpec::home("router").nat(nat).port_mapping(served))
    }

    pub(crate) fn with_router(router: RouterSpec) -> TestResult<Home> {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let router = topology.router(router);
        topology.uplink(router, internet);
        let lan = topology.switch(SwitchSpec::new("lan").subnet("192.168.7.0/24"));
        let end = EndSpec::new().address(format!("{ROUTER}/24"));
        topology.plug_with(router, lan, LinkSpec::new().a(end));
        let clients = Fixture::find("portmap-clients")?;
        let hosts = ["one", "two"].map(|name| topology.node(NodeSpec::new(name).rootfs(&clients)));
        for (host, address) in hosts.into_iter().zip(HOSTS) {
            let end = EndSpec::new().address(format!("{address}/24"));
            topology.plug_with(host, lan, LinkSpec::new().a(end));
        }
        let stranger = topology.node("stranger");
        topology.link(stranger, internet);
        Ok(Home {
            lab: topology.start()?,
            router,
            hosts,
            stranger,
        })
    }

    pub(crate) fn host(&self) -> &Node {
        &self.lab[self.hosts[0]]
    }

    pub(crate) fn external(&self) -> IpAddr {
        self.lab[self.router].ip()
    }

    /// Runs a program in a host, and returns what it wrote.
    pub(crate) fn run(&self, host: usize, program: &str, arguments: &[&str]) -> TestResult<String> {
        let mut command = self.lab[self.hosts[host]].command(program);
        let output: Output = command.args(arguments).output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Runs `natpmpc` in a host, until it has the answer to what it was told to ask.
    ///
    /// The client asks for the external address first, and again after 250 ms (RFC 6886, section
    /// 3.1). On a busy machine it gets two answers then, and takes the second one for the answer to
    /// its next request (`readnatpmpresponse` of libnatpmp 20150609 compares no operation), which
    /// the router may not even have heard when the client ends.
    pub(crate) fn natpmpc(&self, host: usize, arguments: &[&str]) -> TestResult<String> {
        let told = self.lab.wait_until(|| {
            let told = self.run(host, "natpmpc", arguments);
            let told = told.map_err(|error| format!("{error:?}"))?;
            match told.contains("protocol UNKNOWN") {
                true => Err(told),
                false => Ok(told),
            }
        });
        Ok(told?)
    }

    /// Runs `upnpc` in a host, which is told where the device is: a search takes two seconds.
    pub(crate) fn upnpc(&self, host: usize, arguments: &[&str]) -> TestResult<String> {
        let device = format!("http://{ROUTER}:5000/rootDesc.xml");
        self.run(host, "upnpc", &[&["-u", &device], arguments].concat())
    }

    /// Sends a request of NAT-PMP or PCP from the first host, and returns the answer of the router.
    pub(crate) fn ask(&self, request: &[u8]) -> TestResult<Vec<u8>> {
        let asker = socket(self.host(), 0);
        asker.send_to(request, (ROUTER, 5351))?;
        let mut buffer = [0; 1100];
        let (length, from) = asker.recv_from(&mut buffer)?;
        assert_eq!(from, SocketAddr::new(ROUTER.into(), 5351));
        Ok(buffer[..length].to_vec())
    }

    /// Returns the mappings of open ports: those that hosts have asked for. A cone has others for
    /// all remote hosts, which begin at ports that the kernel has chosen (ip(7)).
    pub(crate) fn leases(&self) -> TestResult<Vec<NatMapping>> {
        let mut mappings = self.lab.nat(self.router)?.mappings()?;
        mappings.retain(|it| it.remote.ip().is_unspecified() && it.inside.port() < 10_000);
        Ok(mappings)
    }

    /// Returns the only mapping of an open port, or none.
    pub(crate) fn lease(&self) -> TestResult<Option<NatMapping>> {
        let mut leases = self.leases()?;
        assert!(leases.len() < 2, "{leases:?}");
        Ok(leases.pop())
    }

    /// Checks that a host is reached from outside at an external port, or is not.
    pub(crate) fn check_udp(&self, inside: u16, outside: u16, reached: bool) -> TestResult {
        let host = socket(self.host(), inside);
        let stranger = socket(&self.lab[self.stranger], 0);
        stranger.send_to(b"ping", (self.external(), outside))?;
        if reached {
            let (_, source) = host.recv_from(&mut [0; 10])?;
            assert_eq!(source.ip(), self.lab[self.stranger].ip());
            host.send_to(b"pong", source)?;
            let (_, from) = stranger.recv_from(&mut [0; 10])?;
            assert_eq!(from, SocketAddr::new(self.external(), outside));
            return Ok(());
        }
        assert!(!self.has_come(&stranger, &host)?, "the stranger came in");
        Ok(())
    }

    /// Returns whether something has come to a socket of the first host, once the router has seen
    /// all that the stranger has sent from its socket.
    pub(crate) fn has_come(&self, stranger: &UdpSocket, host: &UdpSocket) -> TestResult<bool> {
        // What was asked for passes the router behind what was not. Another port of the host asks,
        // so that the NAT has no mapping for this one.
        let witness = socket(self.host(), 0);
        let port = stranger.local_addr()?.port();
        witness.send_to(b"open", (self.lab[self.stranger].ip(), port))?;
        let (_, seen) = stranger.recv_from(&mut [0; 10])?;
        stranger.send_to(b"answer", seen)?;
        witness.recv_from(&mut [0; 10])?;
        host.set_nonblocking(true)?;
        let heard = host.recv_from(&mut [0; 10]);
        host.set_nonblocking(false)?;
        match heard {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Opens a UDP socket in a node.
pub(crate) fn socket(node: &Node, port: u16) -> UdpSocket {
    traffic::socket(node, Ipv4Addr::UNSPECIFIED, port)
}

/// Checks a mapping of an open port.
pub(crate) fn check_lease(
    lease: &NatMapping,
    protocol: NatProtocol,
    [inside, outside]: [u16; 2],
    longest: Duration,
) {
    let expected = SocketAddrV4::new(HOSTS[0], inside);
    assert_eq!((lease.protocol, lease.inside), (protocol, expected));
    assert_eq!(lease.outside.port(), outside);
    assert!(lease.expires_in <= Some(longest), "{lease:?}");
    assert!(lease.expires_in.is_some(), "{lease:?}");
}
