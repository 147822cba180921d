//! Changes of a translation while the lab runs, and its mappings as values.

use std::net::SocketAddrV4;

use snowglobe::prelude::*;
use snowglobe::topology::Dscp;
use snowglobe::topology::nat::{Hairpinning, NatEngine, NatProtocol, NatSpec, preset};

use crate::world::World;

#[snowglobe::test]
fn mappings_are_values_and_rebinding_and_flushing_change_them() -> TestResult {
    let world = World::new(preset::restricted_cone())?;
    let (server, client) = (world.server(), world.inside());
    let outside = server.sees(&client, [0, 0]);
    let nat = world.lab.nat(world.router)?;
    assert_eq!(nat.engine(), NatEngine::Userspace);
    let mappings = nat.mappings()?;
    let [mapping] = &mappings[..] else {
        panic!("one mapping: {mappings:?}");
    };
    assert_eq!(mapping.protocol, NatProtocol::Udp);
    assert_eq!(mapping.outside, outside);
    assert_eq!(mapping.inside.port(), client.local_addr()?.port());
    assert_eq!(mapping.peers.len(), 1);
    assert!(mapping.expires_in > Some(Duration::from_secs(200)));
    nat.rebind_ports()?;
    let rebound = server.sees(&client, [0, 0]);
    assert_ne!(rebound, outside);
    // The answer to the old port is lost, and the one to the new port comes.
    server.send([0, 0], outside);
    assert_eq!(server.let_in(&[[0, 0]], rebound, &client).len(), 1);
    nat.flush()?;
    assert!(nat.mappings()?.is_empty());
    Ok(())
}

#[snowglobe::test]
fn a_router_gets_another_public_address_and_mappings_go_on() -> TestResult {
    let world = World::new(preset::port_restricted_cone())?;
    let (server, client) = (world.server(), world.inside());
    let before = server.sees(&client, [0, 0]);
    let address = other_address(*before.ip());
    world.lab.nat(world.router)?.rebind_address(address)?;
    // The server answers to the old port at the new address: the mapping has gone on.
    let after = SocketAddrV4::new(address, before.port());
    assert_eq!(server.let_in(&[[0, 0]], after, &client).len(), 1);
    assert_eq!(server.sees(&client, [1, 1]), after);
    Ok(())
}

#[snowglobe::test]
fn a_router_gets_other_behaviours_and_another_engine_while_it_runs() -> TestResult {
    let mut world = World::new(preset::home())?;
    let (server, client) = (world.server(), world.inside());
    let outside = server.sees(&client, [0, 0]);
    assert_eq!(server.let_in(&[[1, 1], [0, 0]], outside, &client).len(), 1);
    world
        .lab
        .change_router(world.router, |spec| spec.nat(preset::full_cone()))?;
    assert_eq!(world.lab.nat(world.router)?.engine(), NatEngine::Userspace);
    let outside = server.sees(&client, [0, 0]);
    assert_eq!(server.let_in(&[[1, 1], [0, 0]], outside, &client).len(), 2);
    world.lab.change_router(world.router, |spec| {
        spec.nat(preset::port_restricted_cone())
    })?;
    assert_eq!(server.let_in(&[[1, 1], [0, 0]], outside, &client).len(), 1);
    world
        .lab
        .change_router(world.router, |spec| spec.nat(preset::home()))?;
    assert_eq!(world.lab.nat(world.router)?.engine(), NatEngine::Nftables);
    let outside = server.sees(&client, [0, 0]);
    assert_eq!(server.let_in(&[[1, 1], [0, 0]], outside, &client).len(), 1);
    Ok(())
}

/// Checks that two sockets behind a full cone reach one another at its external address if it
/// hairpins: at that of the uplink, or at another one that the router is given.
pub(crate) fn check_hairpins(has_other_address: bool) -> TestResult {
    for hairpinning in [
        Hairpinning::ExternalSource,
        Hairpinning::ToRouter,
        Hairpinning::Off,
    ] {
        let world = World::new(NatSpec {
            hairpinning,
            ..preset::full_cone()
        })?;
        let (server, one, two) = (world.server(), world.inside(), world.inside());
        let mut external = *server.sees(&one, [0, 0]).ip();
        assert_eq!(IpAddr::from(external), world.lab[world.router].ip());
        if has_other_address {
            external = other_address(external);
            world.lab.nat(world.router)?.rebind_address(external)?;
        }
        let [outside_1, outside_2] = [&one, &two].map(|socket| server.sees(socket, [0, 0]));
        assert_eq!([*outside_1.ip(), *outside_2.ip()], [external; 2]);
        one.send_to(&[9], outside_2)?;
        // Datagrams of one direction stay in their order: when the server has the next one, the
        // router has decided on the first.
        server.sees(&one, [0, 0]);
        let expected = match hairpinning {
            Hairpinning::ToRouter | Hairpinning::Off => {
                server.send([0, 0], outside_2);
                server.at(0, 0)
            }
            Hairpinning::ExternalSource | Hairpinning::InternalSource => outside_1.into(),
        };
        let (_, from) = two.recv_from(&mut [0; 10])?;
        assert_eq!(from, expected, "{hairpinning:?}");
    }
    Ok(())
}

/// Returns another address of the same network.
fn other_address(address: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d + 100)
}

#[snowglobe::test]
fn a_change_of_a_nat_on_the_wire_leaves_the_rules_of_the_kernel_alone() -> TestResult {
    let mut world = World::new(preset::full_cone())?;
    let (server, client) = (world.server(), world.inside());
    let marked = |world: &World| -> TestResult<u64> {
        let counters = world.lab[world.router].firewall_counters()?;
        let marks = counters.iter().filter(|it| it.rule == "dscp");
        Ok(marks.map(|it| it.packets).sum())
    };
    // Rules are put in place, and others in theirs.
    for class in [0b101_110, 0b001_010] {
        let dscp = Dscp::Set(class);
        let change = |spec: RouterSpec| spec.dscp(dscp);
        world.lab.change_router(world.router, change)?;
        assert_eq!(marked(&world)?, 0);
        server.sees(&client, [0, 0]);
        assert_eq!(marked(&world)?, 1);
    }
    let change = |spec: RouterSpec| spec.nat(preset::symmetric());
    world.lab.change_router(world.router, change)?;
    assert_eq!(marked(&world)?, 1);
    server.sees(&client, [1, 1]);
    assert_eq!(marked(&world)?, 2);
    // At last there are none.
    let change = |spec: RouterSpec| spec.dscp(Dscp::Keep);
    world.lab.change_router(world.router, change)?;
    let counters = world.lab[world.router].firewall_counters()?;
    assert!(counters.is_empty(), "{counters:?}");
    Ok(())
}

#[snowglobe::test]
fn two_hosts_behind_one_router_meet_at_its_external_address() -> TestResult {
    check_hairpins(true)
}

#[snowglobe::test]
fn mappings_of_nftables_are_values_too_and_are_flushed() -> TestResult {
    let inside = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 80);
    let world = World::new(preset::home().forward(NatProtocol::Tcp, 8080, inside))?;
    let (server, client) = (world.server(), world.inside());
    let outside = server.sees(&client, [0, 0]);
    server.sees(&client, [1, 1]);
    let nat = world.lab.nat(world.router)?;
    assert_eq!(nat.engine(), NatEngine::Nftables);
    let mappings = nat.mappings()?;
    let [forward, first, second] = &mappings[..] else {
        panic!("a connection for each remote host, and a forwarded port: {mappings:?}");
    };
    let (first, second, forward) = match forward.protocol {
        NatProtocol::Tcp => (first, second, forward),
        NatProtocol::Udp | NatProtocol::Icmp => (forward, first, second),
    };
    for (mapping, [address, port]) in [(first, [0, 0]), (second, [1, 1])] {
        assert_eq!(mapping.protocol, NatProtocol::Udp);
        assert_eq!(mapping.inside.port(), client.local_addr()?.port());
        assert_eq!(mapping.outside, outside, "the port is kept");
        let remote = server.at(address, port);
        assert_eq!(SocketAddr::from(mapping.remote), remote);
        assert_eq!(mapping.peers, [mapping.remote]);
        assert!(mapping.expires_in <= Some(preset::home().timeouts.udp));
        assert!(mapping.expires_in > Some(Duration::from_secs(10)));
    }
    assert_eq!((forward.inside, forward.outside.port()), (inside, 8080));
    assert_eq!(forward.expires_in, None);
    nat.flush()?;
    let mappings = nat.mappings()?;
    assert_eq!(mappings.len(), 1, "the forwarded port: {mappings:?}");
    // The answer to the old mapping is lost, and the one to the new mapping comes.
    server.send([0, 0], outside);
    let outside = server.sees(&client, [0, 0]);
    assert_eq!(server.let_in(&[[0, 0]], outside, &client).len(), 1);
    Ok(())
}

#[snowglobe::test]
fn a_router_that_loses_its_power_forgets_its_mappings() -> TestResult {
    for nat in [preset::home(), preset::full_cone()] {
        let inside = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 80);
        let world = World::new(nat.forward(NatProtocol::Tcp, 8080, inside))?;
        let (server, client) = (world.server(), world.inside());
        server.sees(&client, [0, 0]);
        let router = &world.lab[world.router];
        // The network of a router whose programs end stays as it is.
        router.kill_processes()?;
        router.restart()?;
        let nat = world.lab.nat(world.router)?;
        assert_eq!(nat.mappings()?.len(), 2, "{}", nat.engine());
        router.crash()?;
        router.restart()?;
        let mappings = nat.mappings()?;
        assert_eq!(mappings.len(), 1, "the forwarded port: {mappings:?}");
        // Another mapping is made, which lets answers in.
        let outside = server.sees(&client, [0, 0]);
        assert_eq!(server.let_in(&[[0, 0]], outside, &client).len(), 1);
    }
    Ok(())
}
