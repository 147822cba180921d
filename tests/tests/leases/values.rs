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
