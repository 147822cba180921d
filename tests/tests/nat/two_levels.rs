//! A home behind the NAT of its carrier: what is found out there, and who can be reached.

use snowglobe::lab::Lab;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;
use snowglobe::topology::nat::{Dependence, NatSpec, PortAssignment, preset};

use crate::coturn::turnserver;
use crate::stun;
use crate::world::{SERVER, Server, add_server, socket};

/// Two hosts behind two levels of translation each, and a server.
struct Carriers {
    lab: Lab,
    hosts: [NodeId; 2],
    homes: [NodeId; 2],
    carrier: NodeId,
    server: NodeId,
}

/// Starts two homes of one carrier.
fn carriers(carrier: NatSpec, home: NatSpec, server: NodeSpec) -> TestResult<Carriers> {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let carrier = topology.router(RouterSpec::new("carrier").nat(carrier));
    topology.uplink(carrier, internet);
    let pairs = ["a", "b"].map(|name| {
        let router = RouterSpec::new(format!("{name}-home")).nat(home.clone());
        let router = topology.router(router);
        // The range between a carrier and its customers: RFC 6598.
        let number = if name == "a" { 1 } else { 2 };
        let access = LinkSpec::new().subnet(format!("100.64.{number}.0/24"));
        topology.uplink_with(router, carrier, access);
        // Both homes have the same plan of addresses.
        let lan = topology.switch(SwitchSpec::new(format!("{name}-lan")).subnet("192.168.1.0/24"));
        topology.plug(router, lan);
        let host = topology.node(name);
        topology.plug(host, lan);
        (host, router)
    });
    let server = add_server(&mut topology, internet, server);
    Ok(Carriers {
        lab: topology.start()?,
        hosts: pairs.map(|(host, _)| host),
        homes: pairs.map(|(_, router)| router),
        carrier,
        server,
    })
}

/// Returns the dependence of two translations, one behind the other. The outer one sees what the
/// inner one makes of a packet, so that the stricter one counts (RFC 4787, section 4.1: the mapping
/// of the path is that of its most dependent NAT).
fn of_path(levels: [Dependence; 2]) -> Dependence {
    levels[0].max(levels[1])
}

/// Returns what mappings of a NAT look like to one host: Linux keeps the port for each remote host.
fn shown(nat: &NatSpec) -> Dependence {
    match nat.ports {
        PortAssignment::Overloading => Dependence::EndpointIndependent,
        PortAssignment::Preserving
        | PortAssignment::Sequential
        | PortAssignment::Random
        | PortAssignment::Blocks { .. } => nat.mapping,
    }
}

#[snowglobe::test(fixtures("coturn"), timeout = "3m")]
fn stun_finds_out_the_stricter_of_two_levels() -> TestResult {
    let pairs = [
        (preset::carrier_grade(), preset::home()),
        (preset::carrier_grade(), preset::full_cone()),
        (preset::symmetric(), preset::full_cone()),
        (preset::full_cone(), preset::symmetric()),
        (preset::restricted_cone(), preset::port_restricted_cone()),
    ];
    for (carrier, home) in pairs {
        let expected = [
            of_path([shown(&carrier), shown(&home)]),
            of_path([carrier.filtering, home.filtering]),
        ];
        let world = carriers(carrier, home, turnserver(SERVER.map(IpAddr::from))?)?;
        let host = &world.lab[world.hosts[0]];
        let open = || socket(host, Ipv4Addr::UNSPECIFIED, 0);
        let server = SocketAddr::new(SERVER[0].into(), 3478);
        let mapping = stun::mapping(&open(), server);
        let filtering = stun::filtering(&open(), server);
        assert_eq!([mapping, filtering], expected);
    }
    Ok(())
}

#[snowglobe::test]
fn a_packet_is_translated_twice_and_both_routers_tell_how() -> TestResult {
    let world = carriers(
        preset::carrier_grade(),
        preset::home(),
        NodeSpec::new("server"),
    )?;
    let server = Server::new(&world.lab[world.server]);
    let client = socket(&world.lab[world.hosts[0]], Ipv4Addr::UNSPECIFIED, 0);
    let seen = server.sees(&client, [0, 0]);
    assert_eq!(IpAddr::from(*seen.ip()), world.lab[world.carrier].ip());
    let [home, carrier] = [world.homes[0], world.carrier].map(|id| world.lab.nat(id));
    let (home, carrier) = (home?.mappings()?, carrier?.mappings()?);
    assert_eq!((home.len(), carrier.len()), (1, 1), "{home:?} {carrier:?}");
    assert_eq!(home[0].inside.port(), client.local_addr()?.port());
    assert_eq!(home[0].outside, carrier[0].inside, "one behind the other");
    assert_eq!(carrier[0].outside, seen);
    assert_eq!(home[0].outside.ip().octets()[..2], [100, 64]);
    Ok(())
}

/// Sends from each of two sockets to what the server sees of the other one, until both have heard
/// of each other or have failed to.
fn punch(world: &Carriers) -> bool {
    let server = Server::new(&world.lab[world.server]);
    let sockets = world
        .hosts
        .map(|host| socket(&world.lab[host], Ipv4Addr::UNSPECIFIED, 0));
    let seen = [0, 1].map(|one| server.sees(&sockets[one], [0, 0]));
    for _ in 0..2 {
        for one in [0, 1] {
            // An ICMP error is a lost packet, as any other.
            let _ = sockets[one].send_to(b"punch", seen[1 - one]);
        }
        // The server's answer comes after what the other one has sent meanwhile.
        for one in [0, 1] {
            server.sees(&sockets[one], [0, 0]);
        }
    }
    let heard = |one: usize| {
        server.send([0, 0], seen[one]);
        let mut buffer = [0; 10];
        let (length, _) = sockets[one]
            .recv_from(&mut buffer)
            .expect("the server's datagram");
        &buffer[..length] == b"punch"
    };
    heard(0) && heard(1)
}

#[snowglobe::test]
fn two_homes_of_one_carrier_meet_only_where_the_carrier_hairpins() -> TestResult {
    use snowglobe::topology::nat::Hairpinning::{ExternalSource, Off};
    for (hairpinning, meets) in [(ExternalSource, true), (Off, false)] {
        let carrier = NatSpec {
            hairpinning,
            ..preset::carrier_grade()
        };
        let home = preset::port_restricted_cone();
        let world = carriers(carrier, home, NodeSpec::new("server"))?;
        // RFC 5128, section 3.3.3: behind one NAT of many homes, the endpoints that the server sees
        // are of use only if that NAT hairpins.
        assert_eq!(punch(&world), meets, "{hairpinning:?}");
    }
    Ok(())
}
