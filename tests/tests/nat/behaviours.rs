//! Behaviours of a router as hosts on both sides see them, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};

use snowglobe::prelude::*;
use snowglobe::topology::nat::{
    Dependence, NatDrop, NatEngine, NatProtocol, NatSpec, PortAssignment, UnknownFlow, preset,
};
use snowglobe::topology::{
    EndSpec, Engine, Firewall, FirewallAction, FirewallRule, TopologyErrorKind,
};

use crate::world::{PATIENCE, SERVER, World};

/// Returns the mapping and the filtering that a router shows.
fn found_out(world: &World) -> [Dependence; 2] {
    let server = world.server();
    let client = world.inside();
    let first = server.sees(&client, [0, 0]);
    let lets_in = server.let_in(&[[1, 1], [0, 1], [0, 0]], first, &client);
    let filtering = match lets_in.len() {
        3 => Dependence::EndpointIndependent,
        2 => Dependence::AddressDependent,
        _ => Dependence::AddressAndPortDependent,
    };
    let (other_port, other_address) = (server.sees(&client, [0, 1]), server.sees(&client, [1, 0]));
    let mapping = match [other_port == first, other_address == first] {
        [true, true] => Dependence::EndpointIndependent,
        [true, false] => Dependence::AddressDependent,
        [false, _] => Dependence::AddressAndPortDependent,
    };
    [mapping, filtering]
}

// Nine labs, one after the other, take more than a minute on a machine with ten times the load.
#[snowglobe::test(timeout = "300s")]
fn each_of_the_nine_behaviours_is_what_hosts_find_out() -> TestResult {
    for mapping in Dependence::ALL {
        for filtering in Dependence::ALL {
            let world = World::new(NatSpec {
                ports: PortAssignment::Random,
                engine: NatEngine::Userspace,
                ..NatSpec::new(mapping, filtering)
            })?;
            assert_eq!(found_out(&world), [mapping, filtering]);
        }
    }
    Ok(())
}

#[snowglobe::test(timeout = "300s")]
fn a_home_with_another_nat_lets_in_whom_that_nat_lets_in() -> TestResult {
    for (name, preset) in preset::ALL {
        let nat = preset();
        let mut world = World::with_router(RouterSpec::home("router").nat(nat.clone()))?;
        assert_eq!(found_out(&world)[1], nat.filtering, "{name}");
        // The firewall of the home keeps strangers out where nothing is translated.
        let to = world.lab[world.inside].ipv6().ok_or("an address")?;
        let _listener = world.lab[world.inside].run(|| TcpListener::bind((to, 80)))?;
        let limit = Duration::from_millis(300);
        let connect = || TcpStream::connect_timeout(&(to, 80).into(), limit);
        assert!(world.lab[world.server].run(connect).is_err(), "{name}");
        if nat.filtering != Dependence::EndpointIndependent {
            continue;
        }
        // A rule holds all the same, and so does a block that was asked for.
        let rule = FirewallRule::inbound(FirewallAction::Drop).udp();
        for firewall in [Firewall::home().rule(rule), Firewall::inbound_block()] {
            world.lab.set_firewall(world.router, firewall.clone())?;
            let strict = Dependence::AddressAndPortDependent;
            assert_eq!(found_out(&world)[1], strict, "{name} behind {firewall:?}");
        }
    }
    Ok(())
}

#[snowglobe::test]
fn an_external_address_that_nobody_would_find_is_refused() -> TestResult {
    let with = |nat: NatSpec| {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let router = topology.router(RouterSpec::new("router").nat(nat));
        let uplink = LinkSpec::new().addresses("198.51.100.2/24", "198.51.100.1");
        topology.uplink_with(router, internet, uplink);
        topology.validate().map_err(|error| error.to_string())
    };
    let pool = |address: &str| -> TestResult<NatSpec> {
        Ok(NatSpec {
            pool: vec![address.parse()?],
            ..preset::full_cone()
        })
    };
    assert_eq!(with(pool("198.51.100.7")?), Ok(()));
    let error = with(pool("192.0.2.7")?).unwrap_err();
    assert!(error.contains("in no subnet of an uplink"), "{error}");
    let error = with(pool("198.51.100.1")?).unwrap_err();
    assert!(error.contains("has already"), "{error}");
    let world = World::new(preset::full_cone())?;
    let nat = world.lab.nat(world.router)?;
    let error = nat.rebind_address("192.0.2.7".parse()?).unwrap_err();
    assert!(
        error.to_string().contains("in no subnet of an uplink"),
        "{error}"
    );
    Ok(())
}

#[snowglobe::test]
fn tcp_passes_both_engines_in_bulk() -> TestResult {
    for nat in [preset::home(), preset::full_cone(), preset::cloud()] {
        let world = World::new(nat)?;
        let listener = world.lab[world.server].run(|| TcpListener::bind((SERVER[0], 80)))?;
        let sender = std::thread::spawn(move || -> std::io::Result<SocketAddr> {
            let (mut stream, from) = listener.accept()?;
            stream.write_all(&vec![7; 20_000_000])?;
            Ok(from)
        });
        let mut stream = world.lab[world.inside].run(|| TcpStream::connect((SERVER[0], 80)))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received)?;
        assert_eq!(received.len(), 20_000_000);
        let from = sender.join().expect("no panic")?;
        assert_eq!(
            from.ip(),
            world.lab[world.router].ip(),
            "the router's address"
        );
        assert_ne!(stream.local_addr()?.ip(), from.ip());
    }
    Ok(())
}

#[snowglobe::test]
fn a_full_cone_leads_a_stranger_in_and_a_forwarded_port_does() -> TestResult {
    let inside = SocketAddrV4::new(Ipv4Addr::new(192, 168, 7, 2), 5000);
    for nat in [preset::full_cone(), preset::home()] {
        let engine = nat.carried_by();
        let mut topology = Topology::new();
        let internet = topology.internet();
        let nat = nat.forward(NatProtocol::Udp, 8000, inside);
        let router = topology.router(RouterSpec::new("router").nat(nat));
        topology.uplink(router, internet);
        let host = topology.node("host");
        let end = EndSpec::new().address("192.168.7.2/24");
        topology.link_with(
            host,
            router,
            LinkSpec::new().subnet("192.168.7.0/24").a(end),
        );
        let stranger = topology.node("stranger");
        topology.link(stranger, internet);
        let lab = topology.start()?;
        assert_eq!(lab.nat(router)?.engine(), engine);
        let at = crate::world::socket(&lab[host], Ipv4Addr::UNSPECIFIED, 5000);
        let from = crate::world::socket(&lab[stranger], Ipv4Addr::UNSPECIFIED, 0);
        from.send_to(b"ping", (lab[router].ip(), 8000))?;
        let mut buffer = [0; 100];
        let (_, source) = at.recv_from(&mut buffer)?;
        assert_eq!(source.ip(), lab[stranger].ip());
        at.send_to(b"pong", source)?;
        let (_, answered) = from.recv_from(&mut buffer)?;
        assert_eq!(
            answered,
            SocketAddr::new(lab[router].ip(), 8000),
            "{engine}"
        );
    }
    Ok(())
}

#[snowglobe::test]
fn a_connection_whose_mapping_is_gone_is_reset_where_asked() -> TestResult {
    let world = World::new(NatSpec {
        unknown_flow: UnknownFlow::Reset,
        ..preset::port_restricted_cone()
    })?;
    let listener = world.lab[world.server].run(|| TcpListener::bind((SERVER[0], 80)))?;
    let mut stream = world.lab[world.inside].run(|| TcpStream::connect((SERVER[0], 80)))?;
    let (mut accepted, _) = listener.accept()?;
    stream.write_all(b"first")?;
    accepted.read_exact(&mut [0; 5])?;
    world.lab.nat(world.router)?.flush()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"second")?;
    let error = stream.read(&mut [0; 1]).expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    Ok(())
}

#[snowglobe::test]
fn what_nobody_asked_for_stays_out_and_is_counted() -> TestResult {
    let world = World::new(preset::symmetric())?;
    let (server, client) = (world.server(), world.inside());
    let outside = server.sees(&client, [0, 0]);
    let received = server.let_in(&[[1, 0], [0, 1], [1, 1], [0, 0]], outside, &client);
    assert_eq!(received, [[0, 0]]);
    let counters = &world.lab.nat(world.router)?.counters()?[0];
    // Mappings depend on the remote port, so that the others find none.
    let refused = counters.dropped(NatDrop::Filtered) + counters.dropped(NatDrop::NoMapping);
    assert_eq!(refused, 3, "{counters:?}");
    Ok(())
}

#[snowglobe::test]
fn an_icmp_error_from_outside_reaches_the_sender() -> TestResult {
    for nat in [preset::full_cone(), preset::symmetric(), preset::home()] {
        let world = World::new(nat)?;
        // Nobody listens there, and the server's kernel says so.
        let client = world.inside();
        client.connect((SERVER[0], 9))?;
        client.send(b"anybody?")?;
        let error = client.recv(&mut [0; 10]).expect_err("port unreachable");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    }
    Ok(())
}

#[snowglobe::test]
fn a_delayed_uplink_lets_in_what_was_opened_meanwhile() -> TestResult {
    let world = World::new(preset::port_restricted_cone())?;
    let link = world.lab.topology().links().next().expect("the uplink");
    let delay = Impairment::delayed(Duration::from_millis(150));
    world.lab[link].impair_one_way(Direction::BToA, &delay)?;
    let (server, client) = (world.server(), world.inside());
    let outside = server.sees(&client, [0, 0]);
    // While this one is under way, the client opens the way for it.
    server.send([1, 1], outside);
    client.send_to(b"open", server.at(1, 1))?;
    let mut buffer = [0; 100];
    let (_, from) = client.recv_from(&mut buffer)?;
    assert_eq!(from, server.at(1, 1));
    // The mappings stay when the link gets another impairment.
    world.lab[link].impair(Impairment::NONE)?;
    assert_eq!(server.sees(&client, [1, 0]), outside);
    Ok(())
}

#[snowglobe::test]
fn what_an_engine_cannot_do_is_refused_by_name() -> TestResult {
    let with = |nat: NatSpec, engine: Engine| {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let router = topology.router(RouterSpec::new("router").nat(nat));
        topology.uplink_with(router, internet, LinkSpec::new().engine(engine));
        topology.validate()
    };
    let nftables = NatSpec {
        engine: NatEngine::Nftables,
        ..preset::full_cone()
    };
    let error = with(nftables, Engine::Auto).expect_err("no full cone");
    assert_eq!(error.kind(), TopologyErrorKind::Invalid);
    assert!(error.to_string().contains("`mapping`"), "{error}");
    let error = with(preset::full_cone(), Engine::Netem).expect_err("a wire is needed");
    assert_eq!(error.kind(), TopologyErrorKind::Conflict);
    let no_port = NatSpec {
        port_range: [9, 8],
        ..preset::full_cone()
    };
    let error = with(no_port, Engine::Auto).expect_err("no port");
    assert!(error.to_string().contains("holds no port"), "{error}");
    let world = World::new(preset::home())?;
    let nat = world.lab.nat(world.router)?;
    let error = nat.rebind_ports().expect_err("the kernel's");
    assert!(
        error.to_string().contains("NatEngine::Userspace"),
        "{error}"
    );
    assert!(world.lab.nat(world.inside).is_err());
    Ok(())
}

#[snowglobe::test]
fn a_nat_is_read_from_toml() -> TestResult {
    let text = r#"
        [[router]]
        name = "internet"
        kind = "internet"
        [[router]]
        name = "home"
        nat = "full_cone"
        [[router]]
        name = "office"
        nat = { mapping = "address_dependent", filtering = "address_dependent", timeouts = { udp = "45s" } }
        [[router]]
        name = "cloud"
        nat = { port_range = [1, 65535], unsolicited = { to_host = "172.31.0.1" } }
        [[node]]
        name = "machine"
        [[link]]
        ends = ["machine", "cloud"]
        subnets = ["172.31.0.0/24"]
        [[link]]
        ends = ["home", "internet"]
        uplink = true
        [[link]]
        ends = ["office", "internet"]
        uplink = true
        [[link]]
        ends = ["cloud", "internet"]
        uplink = true
    "#;
    let topology = Topology::from_toml(text)?;
    let nat = |name: &str| {
        let node = topology.find(name).expect("a node");
        let plan = topology
            .plan()
            .map(|plan| plan.stack(node).own.netfilter.clone());
        plan.ok()
            .flatten()
            .and_then(|it| it.router)
            .and_then(|it| it.nat)
    };
    assert_eq!(nat("home"), Some(preset::full_cone()));
    let machine = Ipv4Addr::new(172, 31, 0, 1);
    assert_eq!(nat("cloud"), Some(NatSpec::one_to_one(machine)));
    let office = nat("office").expect("a NAT");
    assert_eq!(office.mapping, Dependence::AddressDependent);
    assert_eq!(office.timeouts.udp, Duration::from_secs(45));
    assert_eq!(Topology::from_toml(&topology.to_toml()?)?, topology);
    let error = Topology::from_toml(&text.replace("full_cone", "half_cone"));
    let error = error.expect_err("no such preset").to_string();
    assert!(error.contains("port_restricted_cone"), "{error}");
    Ok(())
}
