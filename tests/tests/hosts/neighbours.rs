//! A node whose MAC address changes is found by its neighbours.

use snowglobe::dhcp::{AddressSource, DhcpSpec};
use snowglobe::lab::{Lab, Node};
use snowglobe::prelude::*;
use snowglobe::topology::{EndSpec, Families, Neighbours};

/// Makes a connection by each family, in less time than a kernel forgets a neighbour by itself.
fn connect(from: &Node, to: &Node) -> TestResult {
    connect_at(from, to, &addresses(to))
}

fn connect_at(from: &Node, to: &Node, addresses: &[Option<IpAddr>]) -> TestResult {
    let listener = to.run(|| TcpListener::bind("[::]:80"))?;
    for ip in addresses {
        let address = SocketAddr::new(ip.ok_or("an address")?, 80);
        from.run(|| TcpStream::connect_timeout(&address, Duration::from_secs(10)))
            .map_err(|e| format!("{} to {address}: {e}", from.name()))?;
        listener.accept()?;
    }
    Ok(())
}

/// Returns the address of a node of each family.
fn addresses(node: &Node) -> [Option<IpAddr>; 2] {
    [node.ipv4().map(IpAddr::from), node.ipv6().map(IpAddr::from)]
}

fn set_mac(node: &Node, mac: &str) -> TestResult {
    let ip = Fixture::find("iproute2")?.command("ip")?;
    let line = ["link", "set", "dev", "eth0", "address", mac];
    let output = node.command_like(&ip).args(line).output()?;
    assert!(output.status.success(), "{}", output.stderr_str());
    Ok(())
}

fn the_change_is_learned(lab: &Lab, talk_first: bool) -> TestResult {
    let nodes: Vec<&Node> = lab.nodes().collect();
    let (a, b) = (nodes[0], nodes[1]);
    if talk_first {
        connect(a, b)?;
    }
    // Whoever is asked first, by a neighbour that knew the old address or by the changed node.
    set_mac(b, "02:00:00:00:aa:01")?;
    connect(a, b)?;
    connect(b, a)?;
    set_mac(a, "02:00:00:00:aa:02")?;
    connect(a, b)?;
    connect(b, a)?;
    Ok(())
}

#[snowglobe::test(fixtures("iproute2"))]
fn a_changed_mac_address_is_learned_on_a_cable_and_on_a_switch() -> TestResult {
    for talk_first in [false, true] {
        the_change_is_learned(&shape::pair().start()?, talk_first)?;
        the_change_is_learned(&shape::star(3).start()?, talk_first)?;
        let mut fixed = shape::star(3);
        fixed.neighbours(Neighbours::Fixed);
        the_change_is_learned(&fixed.start()?, talk_first)?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("iproute2"))]
fn a_changed_mac_address_is_learned_over_a_link_with_another_carrier() -> TestResult {
    let lab = shape::pair().start()?;
    let link = lab.links().next().ok_or("a link")?;
    link.impair(Impairment::delayed(Duration::from_millis(1)))?;
    the_change_is_learned(&lab, true)
}

/// A host without power forgets the address that a program gave it, and its neighbours do not.
#[snowglobe::test(fixtures("iproute2"))]
fn a_host_that_starts_again_is_found_at_the_mac_address_of_the_plan() -> TestResult {
    for topology in [shape::pair(), shape::star(3)] {
        let lab = topology.start()?;
        let nodes: Vec<&Node> = lab.nodes().collect();
        set_mac(nodes[1], "02:00:00:00:aa:01")?;
        connect(nodes[0], nodes[1])?;
        nodes[1].crash()?;
        nodes[1].restart()?;
        connect(nodes[0], nodes[1])?;
        connect(nodes[1], nodes[0])?;
    }
    Ok(())
}

#[snowglobe::test]
fn a_host_that_moves_to_an_address_which_another_one_had_is_found_there() -> TestResult {
    let mut topology = Topology::new();
    let (lan, other) = (topology.switch("lan"), topology.switch("other"));
    let [goes, comes, stays] = ["goes", "comes", "stays"].map(|name| topology.node(name));
    let leaving = topology.plug(goes, lan);
    let arriving = topology.plug(comes, other);
    topology.plug(stays, lan);
    let mut lab = topology.start()?;
    let before = addresses(&lab[goes]);
    connect(&lab[stays], &lab[goes])?;
    lab.move_link(leaving, other)?;
    lab.move_link(arriving, lan)?;
    assert_eq!(addresses(&lab[comes]), before);
    connect(&lab[stays], &lab[comes])
}

#[snowglobe::test]
fn a_host_that_is_leased_an_address_which_another_one_had_is_found_there() -> TestResult {
    let mut topology = Topology::new();
    topology.families(Families::V4);
    let lan = topology.switch("lan");
    let dhcp = DhcpSpec::new().pool("10.0.0.100-10.0.0.100");
    let server = topology.node(NodeSpec::new("server").dhcp(dhcp));
    let leased = |name| NodeSpec::new(name).addresses(AddressSource::Dhcp);
    let first = topology.node(leased("first"));
    for node in [server, first] {
        topology.plug(node, lan);
    }
    let mut lab = topology.start()?;
    let before = Some(lab[first].ip());
    connect_at(&lab[server], &lab[first], &[before])?;
    lab.remove_node(first)?;
    lab[server].dhcp().ok_or("a server")?.forget_leases();
    let second = lab.grow(|topology| {
        let second = topology.node(leased("second"));
        topology.plug(second, lan);
        second
    })?;
    assert_eq!(Some(lab[second].ip()), before);
    connect_at(&lab[server], &lab[second], &[before])
}

/// Two homes have the same subnet, and a host brings no address of the one to the other.
#[snowglobe::test]
fn a_leased_address_stays_in_the_network_that_leased_it() -> TestResult {
    let mut topology = Topology::new();
    topology.families(Families::V4);
    let internet = topology.internet();
    let mut home = |name: &str, pool: &str| {
        let server = |node: NodeSpec| node.dhcp(DhcpSpec::new().pool(pool));
        let router = topology.router(RouterSpec::home(name).node(server));
        topology.uplink(router, internet);
        let lan = SwitchSpec::new(format!("{name}-lan")).subnet("192.168.1.0/24");
        let lan = topology.switch(lan);
        topology.plug(router, lan);
        lan
    };
    let [left, right] = [
        home("left", "192.168.1.50-192.168.1.50"),
        home("right", "192.168.1.60-192.168.1.60"),
    ];
    let phone = topology.node(NodeSpec::new("phone").addresses(AddressSource::Dhcp));
    let cable = topology.plug(phone, left);
    let [rival, asks] = ["rival", "asks"].map(|name| topology.node(name));
    let address = EndSpec::new().address("192.168.1.50/24");
    topology.plug_with(rival, right, LinkSpec::new().a(address));
    topology.plug(asks, right);
    let mut lab = topology.start()?;
    let contested = lab[rival].ip();
    assert_eq!(lab[phone].ip(), contested);
    connect_at(&lab[asks], &lab[rival], &[Some(contested)])?;
    let known = |lab: &Lab| -> TestResult<Option<String>> {
        let neighbours = lab.inspect(asks)?.neighbours;
        let mut found = neighbours.into_iter();
        let found = found.find(|it| it.address == Some(contested));
        Ok(found.and_then(|it| it.mac))
    };
    let before = known(&lab)?;
    assert!(before.is_some());
    lab.move_link(cable, right)?;
    assert_ne!(lab[phone].ip(), contested);
    assert_eq!(known(&lab)?, before);
    connect_at(&lab[asks], &lab[rival], &[Some(contested)])
}
