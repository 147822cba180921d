//! Prefixes that a provider delegates to home routers, and that change.

use snowglobe::dhcp6::Dhcp6Spec;
use snowglobe::events::EventKind;
use snowglobe::ndp::AdvertiseSpec;
use snowglobe::observe::Packet;
use snowglobe::prelude::*;
use snowglobe::topology::{Firewall, NodeId, Subnet};

use super::{FIRST, Home, SECOND};

fn provider(lease: u64) -> Dhcp6Spec {
    let spec = Dhcp6Spec::new().lease(Duration::from_secs(lease));
    spec.delegate(FIRST, 56)
}

/// Returns a provider of which routers soon hear of a change.
fn soon(lease: u64) -> Dhcp6Spec {
    provider(lease).renew_after(Duration::from_secs(1))
}

/// Returns the prefixes that the home has got and lost so far.
fn changes(lab: &Lab) -> Vec<Option<String>> {
    let events = lab.events().so_far();
    let delegated = events.iter().filter_map(|it| match &it.kind {
        EventKind::Delegated { node, prefix, .. } if node == "home" => Some(*prefix),
        _ => None,
    });
    delegated.map(|it| it.map(|it| it.to_string())).collect()
}

/// Returns the addresses of a prefix that a host has, and of them those from which it begins no
/// connection any more.
fn deprecated(lab: &Lab, host: NodeId, prefix: &str) -> TestResult<[usize; 2]> {
    let prefix: Subnet = prefix.parse()?;
    let inspection = lab.inspect(host)?;
    let own = inspection.addresses.iter();
    let own: Vec<_> = own.filter(|it| prefix.contains(it.address)).collect();
    Ok([own.len(), own.iter().filter(|it| it.deprecated).count()])
}

/// Returns whether a host begins no connection from addresses of a prefix.
fn is_over(lab: &Lab, host: NodeId, prefix: &str) -> bool {
    deprecated(lab, host, prefix).is_ok_and(|[all, over]| all == over)
}

#[snowglobe::test]
fn a_home_numbers_its_networks_out_of_the_prefix_that_it_is_delegated() -> TestResult {
    let it = Home::start(provider(600))?;
    let prefix = it.lab[it.home].delegated_prefix().ok_or("a prefix")?;
    assert_eq!(prefix.to_string(), "2001:db8:100::/56");
    let leases = it.lab[it.isp].dhcp6().ok_or("a server")?.leases();
    assert_eq!(
        leases.iter().map(|it| it.range).collect::<Vec<_>>(),
        [prefix]
    );
    assert_eq!(changes(&it.lab), [Some(prefix.to_string())]);
    // A /64 for each network, in their order.
    let [laptop, tablet] = it.hosts;
    let laptop_has = it
        .address(laptop, "2001:db8:100::/64")
        .ok_or("an address")?;
    let tablet_has = it
        .address(tablet, "2001:db8:100:1::/64")
        .ok_or("an address")?;

    // Nothing is translated, each way: the prefix is routed.
    let server = it.lab[it.server].ipv6().ok_or("an address")?;
    assert_eq!(it.reach(laptop, it.server, server)?, IpAddr::V6(laptop_has));
    assert_eq!(it.reach(it.server, tablet, tablet_has)?, IpAddr::V6(server));
    assert_eq!(
        it.reach(laptop, tablet, tablet_has)?,
        IpAddr::V6(laptop_has)
    );
    assert_eq!(it.routes()?, ["2001:db8:100::"]);

    // What nobody has is unreachable at once, and goes round in no circle (which ends in
    // `HostUnreachable`): beside the networks of the home, and beside the homes.
    for nobody in ["[2001:db8:100:77::1]:80", "[2001:db8:177::1]:80"] {
        let to: SocketAddr = nobody.parse()?;
        let error = it.lab[it.server]
            .run(|| TcpStream::connect(to))
            .unwrap_err();
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::NetworkUnreachable,
            "{nobody}"
        );
    }
    Ok(())
}

#[snowglobe::test]
fn the_messages_are_on_the_wire() -> TestResult {
    for (rapid, expected) in [(true, &[1, 7][..]), (false, &[1, 2, 3, 7])] {
        let it = Home::start(provider(600).rapid_commit(rapid))?;
        let seen = it.lab[it.uplink].record()?;
        it.lab[it.home].restart()?;
        let ports = |packet: &&Packet| {
            let ports = [packet.source_port(), packet.destination_port()];
            [[Some(546), Some(547)], [Some(547), Some(546)]].contains(&ports)
        };
        let packets = seen.packets();
        let messages = packets.iter().filter(ports);
        let kinds = messages.map(|it| it.payload()[0]);
        // What was asked twice, on a busy machine, was answered twice.
        let mut seen: Vec<u8> = Vec::new();
        for kind in kinds.skip_while(|kind| *kind != 1) {
            if !seen.contains(&kind) {
                seen.push(kind);
            }
        }
        assert_eq!(seen, expected);
    }
    Ok(())
}

#[snowglobe::test]
fn a_provider_changes_the_prefix_while_hosts_are_connected() -> TestResult {
    let mut it = Home::start(soon(600))?;
    let [laptop, tablet] = it.hosts;
    let before = it.address(laptop, FIRST).ok_or("an address")?;
    let second = Dhcp6Spec::new();
    it.lab.set_dhcp6(it.isp, second.delegate(SECOND, 60))?;
    it.lab
        .wait_until(|| it.address(laptop, "2001:db8:200::/64").is_some())?;
    it.lab
        .wait_until(|| it.address(tablet, "2001:db8:200:1::/64").is_some())?;
    it.lab.wait_until(|| is_over(&it.lab, laptop, FIRST))?;
    let expected = ["2001:db8:100::/56", "", "2001:db8:200::/60"];
    let said = changes(&it.lab).into_iter().map(Option::unwrap_or_default);
    assert_eq!(said.collect::<Vec<_>>(), expected);

    // Connections come from the new address and go to it, and the old one is nobody's.
    let server = it.lab[it.server].ipv6().ok_or("an address")?;
    let now = it.address(laptop, SECOND).ok_or("an address")?;
    assert_eq!(it.reach(laptop, it.server, server)?, IpAddr::V6(now));
    assert_eq!(it.reach(it.server, laptop, now)?, IpAddr::V6(server));
    assert_eq!(it.routes()?, [""; 0]);
    let old = SocketAddr::new(before.into(), 80);
    let timeout = Duration::from_secs(20);
    let gone = it.lab[it.server].run(|| TcpStream::connect_timeout(&old, timeout));
    assert!(gone.is_err());

    // What cannot be is refused, and changes nothing.
    let short = Dhcp6Spec::new().delegate("2001:db8:300::/56", 64);
    let error = it.lab.set_dhcp6(it.isp, short).unwrap_err().to_string();
    assert!(error.contains("which is too small"), "{error}");
    let error = it
        .lab
        .set_dhcp6(it.server, provider(6))
        .unwrap_err()
        .to_string();
    assert!(error.contains("has no DHCPv6 server"), "{error}");
    assert!(it.address(laptop, SECOND).is_some());
    Ok(())
}

#[snowglobe::test]
fn a_router_that_starts_again_with_another_prefix_tells_hosts_that_the_old_one_is_over()
-> TestResult {
    // With an hour for each lease, nobody would hear of the change by itself (RFC 9096).
    let mut it = Home::start(provider(3600))?;
    let [laptop, _] = it.hosts;
    it.lab
        .set_dhcp6(it.isp, Dhcp6Spec::new().delegate(SECOND, 56))?;
    assert!(it.address(laptop, FIRST).is_some());
    it.lab[it.home].restart()?;
    it.lab.wait_until(|| it.address(laptop, SECOND).is_some())?;
    // The kernel keeps the address for two hours more (RFC 4862, section 5.5.3).
    assert_eq!(deprecated(&it.lab, laptop, FIRST)?, [1, 1]);
    let own = it.lab.inspect(it.home)?;
    let first: Subnet = FIRST.parse()?;
    assert!(own.addresses.iter().all(|it| !first.contains(it.address)));
    Ok(())
}

#[snowglobe::test]
fn a_prefix_ends_with_its_time_and_comes_back_with_the_server() -> TestResult {
    let mut it = Home::start(provider(6))?;
    let [laptop, _] = it.hosts;
    it.lab[it.isp].kill_processes()?;
    it.lab
        .wait_until(|| it.lab[it.home].delegated_prefix().is_none())?;
    it.lab.wait_until(|| is_over(&it.lab, laptop, FIRST))?;
    // A router without a prefix is a router for nobody.
    let default = |lab: &Lab| {
        let inspection = lab.inspect(laptop)?;
        let mut routes = inspection.routes.iter();
        TestResult::Ok(routes.any(|it| it.prefix == 0 && it.protocol == "ra"))
    };
    it.lab
        .wait_until(|| default(&it.lab).is_ok_and(|has| !has))?;
    // For longer, so that nothing ends on a busy machine while it is looked at.
    it.lab.set_dhcp6(it.isp, provider(600))?;
    it.lab[it.isp].restart()?;
    it.lab
        .wait_until(|| it.lab[it.home].delegated_prefix().is_some())?;
    it.lab.wait_until(|| default(&it.lab).unwrap_or(false))?;
    let server = it.lab[it.server].ipv6().ok_or("an address")?;
    it.lab.wait_until(|| it.address(laptop, FIRST).is_some())?;
    it.reach(laptop, it.server, server)?;
    Ok(())
}

#[snowglobe::test]
fn a_home_behind_a_firewall_is_delegated_a_prefix_and_lets_nothing_else_in() -> TestResult {
    let mut topology = Topology::new();
    let isp = topology.router(RouterSpec::new("isp").node(|node| node.dhcp6(soon(600))));
    let advertise = AdvertiseSpec::new().delegated();
    let home = topology.router(RouterSpec::home("home").node(|node| node.advertise(advertise)));
    topology.uplink(home, isp);
    let laptop = topology.node(NodeSpec::new("laptop").autoconfigure());
    topology.link(laptop, home);
    let mut lab = topology.start()?;
    let before = lab[laptop].ipv6().ok_or("an address")?;
    let other = Dhcp6Spec::new().lease(Duration::from_secs(600));
    lab.set_dhcp6(isp, other.delegate(SECOND, 56))?;
    // The router hears of it when it asks for more time, through the firewall again.
    lab.wait_until(|| lab[laptop].ipv6().is_some_and(|now| now != before))?;
    let after = lab[laptop].ipv6().ok_or("an address")?;
    let _listener = lab[laptop].run(|| TcpListener::bind("[::]:80"))?;
    let to = SocketAddr::new(after.into(), 80);
    let limit = Duration::from_millis(500);
    let refused = lab[isp].run(|| TcpStream::connect_timeout(&to, limit));
    assert!(refused.is_err(), "a connection from outside: {refused:?}");
    lab.set_firewall(home, Firewall::open())?;
    lab[isp].run(|| TcpStream::connect(to))?;
    Ok(())
}

#[snowglobe::test]
fn networks_and_homes_that_are_added_later_have_their_parts() -> TestResult {
    let mut it = Home::start(provider(600))?;
    let (isp, home) = (it.isp, it.home);
    let (guest, other, neighbour) = it.lab.grow(|topology| {
        let guest = topology.node(NodeSpec::new("guest").autoconfigure());
        topology.link(guest, home);
        let advertise = AdvertiseSpec::new().delegated();
        let other = RouterSpec::new("other").node(|node| node.advertise(advertise));
        let other = topology.router(other);
        topology.uplink(other, isp);
        let neighbour = topology.node(NodeSpec::new("neighbour").autoconfigure());
        topology.link(neighbour, other);
        (guest, other, neighbour)
    })?;
    let guest_has = it
        .address(guest, "2001:db8:100:2::/64")
        .ok_or("an address")?;
    let prefix = it.lab[other].delegated_prefix().map(|it| it.to_string());
    assert_eq!(prefix.as_deref(), Some("2001:db8:100:100::/56"));
    let neighbour_has = it.address(neighbour, "2001:db8:100:100::/64");
    let from = it.reach(guest, neighbour, neighbour_has.ok_or("an address")?)?;
    assert_eq!(from, IpAddr::V6(guest_has));
    assert_eq!(it.lab[isp].dhcp6().ok_or("a server")?.leases().len(), 2);
    Ok(())
}

#[snowglobe::test]
fn a_prefix_too_short_to_delegate_is_refused_before_anything_starts() -> TestResult {
    let error = Home::start(Dhcp6Spec::new().delegate("2001:db8:100::/56", 64));
    let Err(error) = error else {
        return Err("a /64 for two networks".into());
    };
    let error = error.to_string();
    assert!(
        error.contains("numbers 2 networks, a /64 each, out of the /64 that node `isp` delegates"),
        "{error}"
    );
    assert!(
        error.contains("delegate a /63 or a shorter prefix"),
        "{error}"
    );
    Ok(())
}
