//! NAT64: hosts of IPv6 reach hosts of IPv4.

use std::io::ErrorKind;

use snowglobe::prelude::*;
use snowglobe::topology::nat::{NatEngine, NatProtocol, NatSpec, preset};
use snowglobe::topology::{Families, Nat64Spec, NodeId};

use crate::traffic::{IMPATIENCE, PATIENCE, bulk, echo, exchange, ping, refused, seen_as};

/// A phone of IPv6 alone behind a carrier with NAT64, and a server of IPv4 alone with an echo.
pub(crate) struct Mobile {
    pub(crate) lab: Lab,
    pub(crate) carrier: NodeId,
    pub(crate) phone: NodeId,
    pub(crate) server: NodeId,
}

pub(crate) fn mobile(carrier: RouterSpec, phone: NodeSpec, at: LinkSpec) -> TestResult<Mobile> {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let carrier = topology.router(carrier);
    topology.uplink(carrier, internet);
    let phone = topology.node(phone);
    topology.link_with(phone, carrier, LinkSpec::new().families(Families::V6));
    let server = topology.node("server");
    topology.link_with(server, internet, at.families(Families::V4));
    let lab = topology.start()?;
    echo(&lab[server]);
    Ok(Mobile {
        lab,
        carrier,
        phone,
        server,
    })
}

pub(crate) fn carrier() -> RouterSpec {
    RouterSpec::new("carrier").nat64(Nat64Spec::new())
}

/// Starts the lab with a carrier and a phone that have nothing special.
fn ordinary() -> TestResult<Mobile> {
    mobile(carrier(), NodeSpec::new("phone"), LinkSpec::new())
}

impl Mobile {
    /// Returns the address by which the phone reaches the server.
    fn server(&self) -> TestResult<IpAddr> {
        let v4 = self.lab[self.server].ipv4().ok_or("no IPv4")?;
        Ok(self.lab.nat64(self.carrier)?.embed(v4).into())
    }

    /// Returns the address by which the server sees the phone, or nothing if its answer to so many
    /// bytes does not come in time.
    fn seen_as(&self, bytes: usize, patience: Duration) -> TestResult<Option<SocketAddr>> {
        let phone = &self.lab[self.phone];
        Ok(seen_as(phone, self.server()?, bytes, patience))
    }
}

#[snowglobe::test(fixtures("busybox"))]
fn udp_tcp_echoes_and_errors_pass_with_either_engine() -> TestResult {
    let mut linux = preset::home();
    linux.engine = NatEngine::Nftables;
    for (nat, engine) in [
        (None, NatEngine::Userspace),
        (Some(linux), NatEngine::Nftables),
        (Some(preset::symmetric()), NatEngine::Userspace),
    ] {
        let spec = match nat {
            Some(nat) => carrier().nat(nat),
            None => carrier(),
        };
        let world = mobile(spec, NodeSpec::new("phone"), LinkSpec::new())?;
        let (lab, to) = (&world.lab, world.server()?);
        let (phone, carrier) = (&lab[world.phone], &lab[world.carrier]);
        assert_eq!(phone.ipv4(), None);
        bulk(&lab[world.server]);
        assert!(to.to_string().starts_with("64:ff9b::"), "{to}");
        let seen = world.seen_as(100, PATIENCE)?.ok_or("no answer")?;
        assert_eq!(Some(seen.ip()), carrier.ipv4().map(IpAddr::from));
        exchange(phone, to, 500_000)?;
        ping(phone, to)?;
        assert_eq!(refused(phone, (to, 9)), ErrorKind::ConnectionRefused);
        assert_eq!(lab.nat(world.carrier)?.engine(), engine);
        let nat64 = lab.nat64(world.carrier)?;
        let own = phone.ipv6().ok_or("no IPv6")?;
        assert_eq!(nat64.hosts(), [(own, Ipv4Addr::new(198, 18, 64, 1))]);
        let counters = nat64.counters();
        assert!(counters.to_v4 > 5 && counters.to_v6 > 5, "{counters:?}");
    }
    Ok(())
}

#[snowglobe::test]
fn mappings_are_those_of_the_nat_of_ipv4() -> TestResult {
    let world = ordinary()?;
    let seen = world.seen_as(9, PATIENCE)?.ok_or("no answer")?;
    let mappings = world.lab.nat(world.carrier)?.mappings()?;
    let [mapping] = &mappings[..] else {
        return Err(format!("one mapping: {mappings:?}").into());
    };
    assert_eq!(mapping.protocol, NatProtocol::Udp);
    assert_eq!(*mapping.inside.ip(), Ipv4Addr::new(198, 18, 64, 1));
    assert_eq!(SocketAddr::from(mapping.outside), seen);
    // RFC 6146, section 3.5: one mapping for all servers.
    assert!(mapping.remote.ip().is_unspecified());
    Ok(())
}

#[snowglobe::test]
fn datagrams_that_are_longer_than_any_link_come_in_fragments() -> TestResult {
    let world = ordinary()?;
    for bytes in [1200, 1300, 1500, 4000, 20_000] {
        let seen = world.seen_as(bytes, PATIENCE)?;
        assert!(seen.is_some(), "{bytes} bytes");
    }
    Ok(())
}

#[snowglobe::test]
fn private_addresses_are_behind_an_own_prefix_only() -> TestResult {
    for (prefix, reaches) in [("64:ff9b::/96", false), ("2001:db8:64::/48", true)] {
        let carrier = RouterSpec::new("carrier").nat64(Nat64Spec::new().prefix(prefix));
        let at = LinkSpec::new().subnet("192.168.77.0/24");
        let world = mobile(carrier, NodeSpec::new("phone"), at)?;
        let seen = world.seen_as(10, if reaches { PATIENCE } else { IMPATIENCE })?;
        assert_eq!(seen.is_some(), reaches, "{prefix}");
        if !reaches {
            // The sender is told (administratively prohibited).
            let told = refused(&world.lab[world.phone], (world.server()?, 7));
            assert_eq!(told, ErrorKind::PermissionDenied);
            let why = snowglobe::topology::v6::TranslationDrop::NotPublic;
            let counters = world.lab.nat64(world.carrier)?.counters();
            assert!(counters.dropped(why) >= 2);
        }
    }
    Ok(())
}

#[snowglobe::test]
fn a_carrier_that_was_restarted_translates_again() -> TestResult {
    let world = ordinary()?;
    let (lab, to) = (&world.lab, world.server()?);
    let carrier = &lab[world.carrier];
    let is_reached = |patience| seen_as(&lab[world.phone], to, 10, patience).is_some();
    assert!(is_reached(PATIENCE));
    carrier.kill_processes()?;
    assert!(!is_reached(IMPATIENCE), "nobody translates");
    carrier.restart()?;
    lab.wait_until(|| is_reached(IMPATIENCE))?;
    carrier.crash()?;
    carrier.restart()?;
    lab.wait_until(|| is_reached(IMPATIENCE))?;
    Ok(())
}

#[snowglobe::test]
fn a_running_nat64_does_not_change() -> TestResult {
    let mut world = ordinary()?;
    let other = Nat64Spec::new().prefix("2001:db8:64::/96");
    let changed = world
        .lab
        .change_router(world.carrier, |spec| spec.nat64(other));
    let said = changed.expect_err("it runs").to_string();
    assert!(
        said.contains("its NAT64") && said.contains("cannot change"),
        "{said}"
    );
    let other = NatSpec {
        port_range: [50_000, 50_010],
        ..preset::restricted_cone()
    };
    world
        .lab
        .change_router(world.carrier, |spec| spec.nat(other))?;
    let seen = world.seen_as(10, PATIENCE)?;
    let port = seen.ok_or("no answer")?.port();
    assert!((50_000..=50_010).contains(&port), "{port}");
    Ok(())
}
