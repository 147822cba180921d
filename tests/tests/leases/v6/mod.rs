//! IPv6 addresses and prefixes by DHCPv6.

mod hosts;
mod prefixes;
mod programs;

use snowglobe::dhcp6::Dhcp6Spec;
use snowglobe::ndp::AdvertiseSpec;
use snowglobe::prelude::*;
use snowglobe::topology::{LinkId, NodeId, Subnet};

/// The range of which the provider delegates prefixes, and another.
const FIRST: &str = "2001:db8:100::/40";
const SECOND: &str = "2001:db8:200::/40";

/// A provider, a home router with two networks and a host in each, and a server elsewhere.
struct Home {
    lab: Lab,
    isp: NodeId,
    home: NodeId,
    /// The link from the home to the provider.
    uplink: LinkId,
    hosts: [NodeId; 2],
    server: NodeId,
}

impl Home {
    fn start(provider: Dhcp6Spec) -> TestResult<Self> {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let isp = topology.router(RouterSpec::new("isp").node(|node| node.dhcp6(provider)));
        topology.uplink(isp, internet);
        let advertise = AdvertiseSpec::new().delegated();
        let home = RouterSpec::new("home").node(|node| node.advertise(advertise));
        let home = topology.router(home);
        let uplink = topology.uplink(home, isp);
        let hosts = ["laptop", "tablet"].map(|name| {
            let host = topology.node(NodeSpec::new(name).autoconfigure());
            topology.link(host, home);
            host
        });
        let server = topology.node("server");
        topology.link(server, internet);
        let lab = topology.start()?;
        lab.set_patience(Duration::from_secs(40));
        Ok(Self {
            lab,
            isp,
            home,
            uplink,
            hosts,
            server,
        })
    }

    /// Returns the address of a host, if it is one of a prefix.
    fn address(&self, host: NodeId, prefix: &str) -> Option<Ipv6Addr> {
        let prefix: Subnet = prefix.parse().ok()?;
        let address = self.lab[host].ipv6();
        address.filter(|it| prefix.contains((*it).into()))
    }

    /// Connects from a node to an address of another, and returns the address from which it did.
    fn reach(&self, from: NodeId, to: NodeId, address: Ipv6Addr) -> TestResult<IpAddr> {
        let lab = &self.lab;
        let listener = lab[to].run(|| TcpListener::bind("[::]:0"))?;
        let at = SocketAddr::new(address.into(), listener.local_addr()?.port());
        let timeout = Duration::from_secs(20);
        lab[from].run(|| TcpStream::connect_timeout(&at, timeout))?;
        Ok(listener.accept()?.1.ip())
    }

    /// Returns the routes of the provider to delegated prefixes.
    fn routes(&self) -> TestResult<Vec<String>> {
        let inspection = self.lab.inspect(self.isp)?;
        let routes = inspection.routes.iter().filter(|it| it.kind == "unicast");
        let routes = routes.filter(|it| it.prefix == 56);
        let text = |it: Option<IpAddr>| it.map(|it| it.to_string()).unwrap_or_default();
        Ok(routes.map(|it| text(it.destination)).collect())
    }
}
