//! Topologies with addresses by DHCP, as values.

use snowglobe::dhcp::{AddressSource, DhcpSpec};
use snowglobe::prelude::*;
use snowglobe::topology::TopologyErrorKind;

#[snowglobe::test]
fn a_topology_with_leases_is_written_and_read() -> TestResult {
    let mut topology = Topology::new();
    let dhcp = DhcpSpec::new()
        .lease(Duration::from_secs(60))
        .pool("10.0.0.9-10.0.0.19");
    let server = topology.node(NodeSpec::new("server").dhcp(dhcp));
    let one = topology.node(NodeSpec::new("one").addresses(AddressSource::Dhcp));
    let two = topology.node(NodeSpec::new("two").addresses(AddressSource::Program));
    let lan = topology.switch("lan");
    for node in [server, one, two] {
        topology.plug(node, lan);
    }
    let text = topology.to_toml()?;
    assert_eq!(Topology::from_toml(&text)?, topology, "{text}");

    let plan = topology.plan()?;
    let v4 = |node| {
        let addresses = plan.stack(node).interfaces[0].addresses.clone();
        addresses.iter().filter(|it| it.ip.is_ipv4()).count()
    };
    assert_eq!([v4(server), v4(one), v4(two)], [1, 0, 0]);
    Ok(())
}

#[snowglobe::test]
fn hosts_without_a_prefix_reach_each_other_by_link_local_addresses() -> TestResult {
    let text = r#"
        [[switch]]
        name = "lan"
        families = "link_local"
        [[node]]
        name = "one"
        [[node]]
        name = "two"
        [[link]]
        ends = ["one", "lan"]
        [[link]]
        ends = ["two", "lan"]
    "#;
    let lab = Topology::from_toml(text)?.start()?;
    let node = |name: &str| lab.node(name).ok_or("a node");
    let (one, two) = (node("one")?, node("two")?);
    let own = |id| -> TestResult<Vec<Ipv6Addr>> {
        let inspection = lab.inspect(id)?;
        let all = inspection.addresses.iter().map(|it| it.address);
        let v6 = all.filter(|it| !it.is_loopback());
        Ok(v6
            .filter_map(|it| match it {
                IpAddr::V6(v6) => Some(v6),
                IpAddr::V4(_) => None,
            })
            .collect())
    };
    assert_eq!([one.ipv4(), two.ipv4()], [None, None]);
    let [address] = own(two.id())?[..] else {
        return Err("one address".into());
    };
    assert!(address.is_unicast_link_local(), "{address}");
    let listener = two.run(|| TcpListener::bind("[::]:80"))?;
    one.run(|| {
        let index = std::fs::read_to_string("/sys/class/net/eth0/ifindex")?;
        let index = index.trim().parse().map_err(std::io::Error::other)?;
        TcpStream::connect(std::net::SocketAddrV6::new(address, 80, 0, index))
    })?;
    let peer = listener.accept()?.1.ip();
    assert_eq!(own(one.id())?.first().copied().map(IpAddr::V6), Some(peer));
    Ok(())
}

#[snowglobe::test]
fn a_client_without_a_server_is_refused_before_anything_starts() -> TestResult {
    let mut topology = Topology::new();
    let one = topology.node(NodeSpec::new("one").addresses(AddressSource::Dhcp));
    let two = topology.node("two");
    topology.link(one, two);
    let error = topology.start().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("there is no server on its network"),
        "{error}"
    );
    let error = topology.validate().unwrap_err();
    assert_eq!(error.kind(), TopologyErrorKind::Missing);
    Ok(())
}

/// A provider with users of its own that serves both families, a home, and a phone in a region.
const TEXT: &str = r#"
[regions]
places = { eu = ["isp"], us = [] }
others = "10ms"

[[router]]
name = "isp"
users = "one"
dhcp = { lease = "10m" }
dhcp6 = { delegate = { prefix = "2001:db8:100::/40", length = 56 } }

[[router]]
name = "home"
advertise = { delegated = true }

[[node]]
name = "laptop"
addresses_v6 = "dhcp"

[[node]]
name = "phone"

[[link]]
ends = ["home", "isp"]
uplink = true

[[link]]
ends = ["laptop", "home"]

[[link]]
ends = ["phone", "us"]
"#;

#[snowglobe::test]
fn a_home_and_its_provider_are_read_from_a_file_and_what_is_wrong_there_has_its_place() -> TestResult
{
    let lab = Topology::from_toml(TEXT)?.start()?;
    let node = |name: &str| lab.nodes().find(|it| it.name() == name);
    let prefix = node("home").and_then(|it| it.delegated_prefix());
    assert_eq!(
        prefix.map(|it| it.to_string()).as_deref(),
        Some("2001:db8:100::/56")
    );
    let laptop = node("laptop")
        .and_then(|it| it.ipv6())
        .ok_or("an address")?;
    assert_eq!(laptop.segments()[..4], [0x2001, 0xdb8, 0x100, 0]);
    // From another region, over the provider's own.
    let phone = node("phone").ok_or("a phone")?;
    let to = SocketAddr::new(laptop.into(), 80);
    let refused = phone.run(|| TcpStream::connect(to)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    for (right, wrong, says) in [
        (
            "length = 56",
            "length = 72",
            ":10:9: the DHCPv6 server of node `isp` delegates",
        ),
        ("length = 56", "length = \"x\"", ":10:"),
        (
            "lease = \"10m\"",
            "leese = \"10m\"",
            ":9:10: unknown field `leese`",
        ),
        (
            "users = \"one\"",
            "users = \"two\"",
            ":8:9: unknown variant `two`",
        ),
        (
            "[\"isp\"]",
            "[\"ips\"]",
            ":3:18: region `eu`: there is no node `ips`",
        ),
        (
            "[\"phone\", \"us\"]",
            "[\"phone\", \"them\"]",
            ":31:18: there is no node",
        ),
    ] {
        std::fs::write("/tmp/home.toml", TEXT.replace(right, wrong))?;
        let error = Topology::from_toml_file("/tmp/home.toml").unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with(&format!("/tmp/home.toml{says}")),
            "{error}"
        );
    }
    Ok(())
}
