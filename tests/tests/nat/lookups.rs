//! One mapping of a NAT, found by its end inside or by its external end, by both engines.

use std::net::SocketAddrV4;

use snowglobe::prelude::*;
use snowglobe::topology::nat::{NatEngine, NatMapping, NatProtocol, NatSpec, preset};

use crate::world::World;

/// A forwarded port, and where it leads.
const FORWARDED: u16 = 8000;
const INSIDE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 77), 5000);

/// Takes the time away that passes between two looks.
fn timeless(mapping: NatMapping) -> NatMapping {
    NatMapping {
        expires_in: None,
        ..mapping
    }
}

#[snowglobe::test]
fn one_mapping_is_found_by_either_end() -> TestResult {
    for (nat, engine) in [
        (preset::home(), NatEngine::Nftables),
        (preset::symmetric(), NatEngine::Userspace),
        (preset::full_cone(), NatEngine::Userspace),
    ] {
        let nat = nat.forward(NatProtocol::Tcp, FORWARDED, INSIDE);
        check(nat, engine)?;
    }
    Ok(())
}

fn check(nat: NatSpec, engine: NatEngine) -> TestResult {
    let udp = NatProtocol::Udp;
    let depends = nat.mapping != Default::default();
    let world = World::new(nat)?;
    let (server, client) = (world.server(), world.inside());
    let port = client.local_addr()?.port();
    let inside = SocketAddrV4::new(world.lab[world.inside].ipv4().ok_or("no IPv4")?, port);
    let [remote, other] = [server.at(0, 0), server.at(1, 1)].map(|at| match at {
        SocketAddr::V4(at) => at,
        SocketAddr::V6(at) => panic!("IPv6: {at}"),
    });
    let nat = world.lab.nat(world.router)?;
    assert_eq!(nat.engine(), engine);
    assert_eq!(nat.outbound_mapping(udp, inside, remote)?, None);
    let outside = server.sees(&client, [0, 0]);
    let found = nat.outbound_mapping(udp, inside, remote)?;
    let found = timeless(found.ok_or("no mapping from inside")?);
    assert_eq!((found.inside, found.outside), (inside, outside));
    let all = nat.mappings()?.into_iter().map(timeless);
    assert!(all.into_iter().any(|it| it == found), "{found:?}");
    let back = nat.inbound_mapping(udp, outside, remote)?;
    assert_eq!(back.map(timeless).as_ref(), Some(&found));
    // Nothing was sent to the other end yet, and the mapping may be for that one too.
    let by_other = nat.outbound_mapping(udp, inside, other)?;
    assert_eq!(by_other.is_some(), !depends, "{engine}");
    assert_eq!(
        nat.outbound_mapping(NatProtocol::Tcp, inside, remote)?,
        None
    );
    // A forwarded port is a mapping for whoever asks, before anybody has.
    let tcp = NatProtocol::Tcp;
    let open = SocketAddrV4::new(*outside.ip(), FORWARDED);
    for mapping in [
        nat.outbound_mapping(tcp, INSIDE, other)?,
        nat.inbound_mapping(tcp, open, other)?,
    ] {
        let mapping = mapping.ok_or("no mapping of the forwarded port")?;
        assert_eq!((mapping.inside, mapping.outside), (INSIDE, open));
    }
    nat.flush()?;
    assert_eq!(nat.outbound_mapping(udp, inside, remote)?, None);
    assert_eq!(nat.inbound_mapping(udp, outside, remote)?, None);
    assert!(nat.inbound_mapping(tcp, open, other)?.is_some());
    Ok(())
}
