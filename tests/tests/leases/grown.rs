//! Networks that are added while a lab runs.

use snowglobe::dhcp::{AddressSource, DhcpSpec};
use snowglobe::dhcp6::Dhcp6Spec;
use snowglobe::ndp::AdvertiseSpec;
use snowglobe::prelude::*;

/// Returns a node that gives addresses of both families.
fn serves(name: &str) -> NodeSpec {
    let node = NodeSpec::new(name).dhcp(DhcpSpec::new());
    let node = node.dhcp6(Dhcp6Spec::new());
    node.advertise(AdvertiseSpec::new().managed())
}

/// Returns a node that asks for addresses of both families.
fn asks(name: &str) -> NodeSpec {
    let node = NodeSpec::new(name).addresses(AddressSource::Dhcp);
    node.addresses_v6(AddressSource::Dhcp)
}

#[snowglobe::test]
fn servers_serve_a_network_that_is_added_later() -> TestResult {
    let mut topology = Topology::new();
    let router = topology.node(serves("router").forward(true));
    let first = topology.node(asks("first"));
    topology.link(first, router);
    let mut lab = topology.start()?;
    let late = lab.grow(|topology| {
        let late = topology.node(asks("late"));
        topology.link(late, router);
        late
    })?;
    let subnets = &lab.plan()[lab.plan().stack(late).interfaces[0].segment].subnets;
    for address in [
        lab[late].ipv4().map(IpAddr::V4),
        lab[late].ipv6().map(IpAddr::V6),
    ] {
        let address = address.ok_or("an address")?;
        assert!(subnets.iter().any(|it| it.contains(address)), "{address}");
    }
    // The new network works, and so does the old one.
    let listener = lab[first].run(|| TcpListener::bind("[::]:80"))?;
    for to in [
        lab[first].ip(),
        lab[first].ipv6().ok_or("an address")?.into(),
    ] {
        lab[late].run(|| TcpStream::connect(SocketAddr::new(to, 80)))?;
        listener.accept()?;
    }
    assert_eq!(lab[router].dhcp().ok_or("a server")?.leases().len(), 2);
    assert_eq!(lab[router].dhcp6().ok_or("a server")?.leases().len(), 2);
    Ok(())
}

#[snowglobe::test]
fn a_host_asks_on_an_interface_that_is_added_later() -> TestResult {
    let mut topology = Topology::new();
    let [near, far] = ["near", "far"].map(|name| topology.node(serves(name)));
    let host = topology.node(asks("host"));
    topology.link(host, near);
    let other = topology.node("other");
    topology.link(other, far);
    let mut lab = topology.start()?;
    lab.grow(|topology| topology.link(host, far))?;
    let leases = || {
        let v4 = lab[far].dhcp().map(|it| it.leases().len());
        (v4, lab[far].dhcp6().map(|it| it.leases().len()))
    };
    lab.wait_until(|| leases() == (Some(1), Some(1)))?;
    assert_eq!(lab[near].dhcp().ok_or("a server")?.leases().len(), 1);
    Ok(())
}

#[snowglobe::test]
fn servers_serve_a_network_that_is_added_after_another_is_removed() -> TestResult {
    let mut topology = Topology::new();
    let router = topology.node(serves("router").forward(true));
    let [first, second] = ["first", "second"].map(|name| topology.node(asks(name)));
    let gone = topology.link(first, router);
    topology.link(second, router);
    let mut lab = topology.start()?;
    lab.remove_link(gone)?;
    let late = lab.grow(|topology| {
        let late = topology.node(asks("late"));
        topology.link(late, router);
        late
    })?;
    lab[late].ipv4().ok_or("an address")?;
    lab[late].ipv6().ok_or("an address")?;
    // The router starts again with what is left.
    lab[router].crash()?;
    lab[router].restart()?;
    lab[late].crash()?;
    lab[late].restart()?;
    lab[late].ipv6().ok_or("an address")?;
    Ok(())
}
