//! Routers in TOML: all settings that routers can have in Rust, and errors with their places.

use std::net::SocketAddrV4;

use crate::dhcp::{AddressSource, DhcpSpec};
use crate::nat::{NatProtocol, preset};
use crate::topology::{Dscp, Ecn, Firewall, LinkSpec, NodeSpec, PathMtu, RouterSpec};
use crate::topology::{RouteSpec, Topology, situation};

#[test]
fn every_situation_is_written_and_read() {
    for (name, situation) in situation::ALL {
        let topology = situation().topology;
        let text = topology.to_toml().unwrap();
        assert_eq!(Topology::from_toml(&text).unwrap(), topology, "{name}");
    }
}

#[test]
fn a_router_in_text_is_that_of_chained_calls() {
    let text = r#"
        [[router]]
        name = "isp"
        public = true
        dhcp = {}
        advertise = {}

        [[router]]
        name = "home"
        kind = "home"
        nat = { mapping = "endpoint_independent", forwards = [
            { protocol = "tcp", port = 80, to = "192.168.1.2:8080" },
        ] }
        nat_v6 = "masquerade"
        port_mapping = {}
        path_mtu = "blackhole"
        dscp = "bleach"
        ecn = "bleach"
        firewall = "open"
        addresses = "dhcp"
        autoconfigure = true
        faulty_clock = true
        commands = [{ program = "sleep", args = ["9"] }]
        network.aliases = ["gateway"]
        network.routes = [{ to = "203.0.113.0/24", via = "isp" }]

        [[link]]
        ends = ["home", "isp"]
        uplink = true
    "#;
    let read = Topology::from_toml(text).unwrap();
    let mut topology = Topology::new();
    let isp = RouterSpec::new("isp").public(true);
    let isp = topology.router(isp.node(|node| {
        let node = node.dhcp(DhcpSpec::new());
        node.advertise(crate::ndp::AdvertiseSpec::new())
    }));
    let to: SocketAddrV4 = "192.168.1.2:8080".parse().unwrap();
    let nat = preset::full_cone().forward(NatProtocol::Tcp, 80, to);
    let home = RouterSpec::home("home")
        .nat(nat)
        .nat_v6(crate::v6::V6Nat::Masquerade)
        .port_mapping(crate::portmap::PortMappingSpec::all())
        .path_mtu(PathMtu::Blackhole)
        .dscp(Dscp::Bleach)
        .ecn(Ecn::Bleach)
        .firewall(Firewall::open())
        .route(RouteSpec::new("203.0.113.0/24", "isp"))
        .node(|node: NodeSpec| {
            let node = node.addresses(AddressSource::Dhcp).autoconfigure();
            node.faulty_clock().alias("gateway").command(["sleep", "9"])
        });
    let home = topology.router(home);
    topology.link_with(home, isp, LinkSpec::new().uplink());
    assert_eq!(read, topology);
    assert_eq!(
        Topology::from_toml(&topology.to_toml().unwrap()).unwrap(),
        topology
    );
}

/// Returns a router at home, with this line, a network in front of it and a host behind it.
fn home(line: &str) -> String {
    let routers = format!("[[router]]\nname = \"net\"\n[[router]]\nname = \"home\"\n{line}\n");
    let links = "[[link]]\nends = [\"home\", \"net\"]\nuplink = true\n[[link]]\nends = [\"host\", \"home\"]\n";
    format!("{routers}[[node]]\nname = \"host\"\n{links}")
}

/// Invalid lines of a router, each with the column of its error and a part of the error's text.
#[rustfmt::skip]
const WRONG: [(&str, usize, &str); 17] = [
    ("network.firewall = \"open\"", 20, "write it as `firewall` of the router"),
    ("network.router = { nat = \"home\" }", 18, "as those of the router"),
    ("nat = \"fullcone\"", 7, "there is no NAT preset `fullcone`"),
    ("nat = { port_range = [0, 0] }", 7, "the port range 0 to 0 holds no port"),
    ("nat = { engine = \"nftables\" }", 7, "nftables cannot carry this NAT, because of `mapping`"),
    ("nat = { timeouts = { udp = \"0s\" } }", 7, "the timeout `udp` is zero"),
    ("firewall = \"opn\"", 12, "there is no firewall `opn`"),
    ("network.routes = [{ to = \"203.0.113.0/24\", via = \"moon\" }]", 19, "no neighbour"),
    ("network.routes = [{ to = \"203.0.113.0/33\", via = \"net\" }]", 19, "is no network"),
    ("dns = { zones = [{ name = \"a\", records = [] }, { name = \"a\", records = [] }] }", 7, "twice"),
    ("dns = { zones = [{ name = \"a.test\", records = [\"x A 1.2.3\"] }] }", 7, "an IPv4 address"),
    ("network.aliases = [\"host\"]", 20, "is a name of `host` already"),
    ("network.sysctls = { x = \"1\" }", 19, "sysctl `x`"),
    ("nat_v6.prefix = { inside = \"fd00::/48\", outside = \"2001:db8::/40\" }", 1, "in length"),
    ("nat64 = { prefix = \"64:ff9b::/95\" }", 9, "is no prefix for IPv4 addresses"),
    ("dscp = { set = 99 }", 8, "code points are 0 to 63"),
    ("port_mapping = {}", 16, "translates no addresses"),
];

#[test]
fn an_error_has_the_place_of_its_setting() {
    for (line, column, what) in WRONG {
        let error = Topology::from_toml(&home(line)).unwrap_err().to_string();
        let place = format!("line 5, column {column}: ");
        assert!(error.contains(&place), "{line}\n{error}");
        assert!(error.contains(what), "{line}\n{error}");
    }
    let no_uplink = home("nat = \"home\"").replace("uplink = true\n", "");
    let error = Topology::from_toml(&no_uplink).unwrap_err().to_string();
    assert!(
        error.contains("line 5, column 7: node `home` translates"),
        "{error}"
    );
    // A router that is written as a node has the same settings in tables of its own.
    let text = home("").replace("[[router]]\nname = \"home\"\n", "");
    let node = "[[node]]\nname = \"home\"\nnetwork.router = { dscp = { set = 99 } }\n";
    let error = Topology::from_toml(&format!("{text}{node}"));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("line 13, column 27: node `home` sets"),
        "{error}"
    );
}

/// Values of topologies have underscores, and those of schedules have hyphens. Values of topologies
/// are read with hyphens too.
#[test]
fn names_of_values_have_underscores_or_hyphens() {
    let text = |apart: char| {
        r#"
            [[router]]
            name = "home"
            nat = "port_restricted_cone"
            firewall = "udp_blocked"

            [[router]]
            name = "isp"

            [[node]]
            name = "laptop"

            [[link]]
            ends = ["home", "isp"]
            engine = "packet_socket"
            preset = "lossy_cafe"
            uplink = true

            [[link]]
            ends = ["laptop", "home"]
            "#
        .lines()
        .map(|line| match line.split_once('=') {
            Some((key, value)) => format!("{key}={}\n", value.replace('_', &apart.to_string())),
            None => format!("{line}\n"),
        })
        .collect::<String>()
    };
    let read = |apart| Topology::from_toml(&text(apart)).unwrap();
    assert!(text('-').contains("nat = \"port-restricted-cone\""));
    assert_eq!(read('-'), read('_'));
}
