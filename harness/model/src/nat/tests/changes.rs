//! Changes of a NAT at work.

use super::*;

#[test]
fn a_rebinding_of_ports_gives_each_mapping_another_one() {
    for (name, preset) in preset::ALL {
        let mut world = World::new(preset());
        let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 1));
        let before = world.udp(inside, remote);
        world.nat.rebind_ports();
        assert_eq!(world.udp_back(remote, before), None, "{name}");
        let after = world.udp(inside, remote);
        assert_ne!(after, before, "{name}");
        assert_eq!(world.udp_back(remote, after), Some(inside), "{name}");
        assert_eq!(world.nat.count(), 1);
    }
}

#[test]
fn a_rebinding_of_the_address_keeps_mappings() {
    let server = at(INSIDE, 80);
    let spec = preset::port_restricted_cone().forward(NatProtocol::Udp, 8080, server);
    let mut world = World::new(spec);
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 1));
    let before = world.udp(inside, remote);
    let address = Ipv4Addr::new(203, 0, 113, 99);
    world.nat.rebind_addresses(&[address]);
    // The old address is the NAT's no more.
    assert_eq!(world.inbound(remote, before, UDP), Ok([remote, before]));
    assert_eq!(world.udp_back(remote, at(address, 5000)), Some(inside));
    assert_eq!(
        world.udp_back(at(REMOTE_2, 3), at(address, 8080)),
        Some(server)
    );
    assert_eq!(world.udp(inside, remote), at(address, 5000));
}

#[test]
fn flushed_mappings_are_gone_and_forwarded_ports_stay() {
    let server = at(INSIDE, 80);
    let mut world =
        World::new(preset::port_restricted_cone().forward(NatProtocol::Udp, 8080, server));
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 1));
    let outside = world.udp(inside, remote);
    assert_eq!(world.nat.count(), 2);
    world.nat.flush();
    assert_eq!(world.udp_back(remote, outside), None);
    assert_eq!(world.udp_back(remote, at(PUBLIC, 8080)), Some(server));
}

#[test]
fn a_change_of_filtering_keeps_mappings_and_one_of_mapping_forgets_them() {
    let mut world = World::new(preset::full_cone());
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 1));
    let outside = world.udp(inside, remote);
    assert_eq!(world.udp_back(at(REMOTE_2, 1), outside), Some(inside));
    world.nat.change(preset::port_restricted_cone());
    assert_eq!(world.udp_back(at(REMOTE_2, 1), outside), None);
    assert_eq!(world.udp_back(remote, outside), Some(inside));
    world.nat.change(preset::symmetric());
    assert_eq!(world.udp_back(remote, outside), None);
    assert_ne!(world.udp(inside, remote), outside);
}

#[test]
fn a_requested_mapping_lives_as_long_as_asked() {
    let mut world = World::new(preset::symmetric());
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 1));
    let hour = Duration::from_secs(3600).as_nanos() as u64;
    let request = |world: &mut World, inside, port| {
        let now = world.now;
        let wanted = RequestedPort {
            protocol: NatProtocol::Udp,
            inside,
            port,
            exact: false,
            until: now + hour,
        };
        world.nat.request(&wanted, now)
    };
    let outside = request(&mut world, inside, 7000);
    assert_eq!(outside, Some(at(PUBLIC, 7000)));
    let other = request(&mut world, at(INSIDE_2, 1), 7000).expect("another port");
    assert_ne!(other.port(), 7000);
    assert_eq!(world.udp_back(remote, at(PUBLIC, 7000)), Some(inside));
    assert_eq!(world.udp(inside, remote), at(PUBLIC, 7000));
    world.wait(3599);
    assert_eq!(request(&mut world, inside, 7000), outside, "prolonged");
    world.wait(3599);
    assert_eq!(world.udp_back(remote, at(PUBLIC, 7000)), Some(inside));
    assert!(world.nat.withdraw(NatProtocol::Udp, inside));
    assert!(!world.nat.withdraw(NatProtocol::Udp, inside));
    assert_eq!(world.udp_back(remote, at(PUBLIC, 7000)), None);
}

#[test]
fn what_goes_on_keeps_its_port_when_a_host_asks_for_another_one() {
    for mapping in [
        Dependence::AddressDependent,
        Dependence::AddressAndPortDependent,
    ] {
        let mut world = World::new(NatSpec {
            ports: PortAssignment::Random,
            ..NatSpec::new(mapping, Dependence::AddressAndPortDependent)
        });
        let inside = at(INSIDE, 5000);
        let remotes = [at(REMOTE, 1), at(REMOTE, 2), at(REMOTE_2, 1)];
        let before = world.udp(inside, remotes[0]);
        let wanted = RequestedPort {
            protocol: NatProtocol::Udp,
            inside,
            port: 7000,
            exact: true,
            until: u64::MAX,
        };
        let requested = world.nat.request(&wanted, world.now);
        assert_eq!(requested, Some(at(PUBLIC, 7000)));
        let seen = |world: &mut World| remotes.map(|remote| world.udp(inside, remote));
        let [one, two, three] = seen(&mut world);
        assert_eq!(one, before, "{mapping:?}");
        // Mappings of PCP are for all remote hosts (RFC 6887, section 11).
        assert_eq!([two, three], [at(PUBLIC, 7000); 2], "{mapping:?}");
        world.wait(400);
        assert_eq!(seen(&mut world), [at(PUBLIC, 7000); 3], "{mapping:?}");
    }
}

#[test]
fn mappings_are_values() {
    let mut world = World::new(preset::restricted_cone());
    let inside = at(INSIDE, 5000);
    world.udp(inside, at(REMOTE, 2));
    world.udp(inside, at(REMOTE, 1));
    world.wait(10);
    let mapping = NatMapping {
        protocol: NatProtocol::Udp,
        inside,
        outside: at(PUBLIC, 5000),
        remote: at(Ipv4Addr::UNSPECIFIED, 0),
        peers: vec![at(REMOTE, 1), at(REMOTE, 2)],
        expires_in: Some(Duration::from_secs(290)),
    };
    assert_eq!(world.nat.mappings(world.now), [mapping]);
}

#[test]
fn a_rebinding_of_the_address_keeps_the_ports_that_hosts_have_asked_for() {
    for (name, preset) in preset::ALL {
        let mut world = World::new(preset());
        let hour = world.now + Duration::from_secs(3600).as_nanos() as u64;
        let mut wanted = RequestedPort {
            protocol: NatProtocol::Udp,
            inside: at(INSIDE, 5000),
            port: 60_001,
            exact: false,
            until: hour,
        };
        let before = world.nat.request(&wanted, world.now).expect("a port");
        // A mapping of a packet has the port in its way, or is made before it.
        world.udp(at(INSIDE_2, before.port()), at(REMOTE, 1));
        let address = Ipv4Addr::new(203, 0, 113, 99);
        world.nat.rebind_addresses(&[address]);
        (wanted.port, wanted.exact) = (before.port(), true);
        let after = at(address, before.port());
        let renewed = world.nat.request(&wanted, world.now);
        assert_eq!(renewed, Some(after), "{name}");
        let came = world.udp_back(at(REMOTE_2, 9), after);
        assert_eq!(came, Some(wanted.inside), "{name}");
    }
}
