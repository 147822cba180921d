//! Topologies with translations that cannot be.

use super::*;
use crate::topology::{
    Families, LinkSpec, NodeSpec, RouterSpec, Topology, TopologyErrorKind as Kind,
};

/// Plans a carrier before a host, and returns what is wrong with it.
fn refused(
    carrier: RouterSpec,
    uplink: LinkSpec,
    access: LinkSpec,
    host: NodeSpec,
) -> (Kind, String) {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let carrier = topology.router(carrier);
    topology.uplink_with(carrier, internet, uplink);
    let host = topology.node(host);
    topology.link_with(host, carrier, access);
    let error = topology.validate().expect_err("something is wrong");
    (error.kind(), error.to_string())
}

fn v6() -> LinkSpec {
    LinkSpec::new().families(Families::V6)
}

fn v4() -> LinkSpec {
    LinkSpec::new().families(Families::V4)
}

fn carrier() -> RouterSpec {
    RouterSpec::new("carrier")
}

#[test]
fn wrong_nat64s_are_refused() {
    let nat64 = |spec| carrier().nat64(spec);
    let host = || NodeSpec::new("host");
    let plain = LinkSpec::new;
    for (router, uplink, access, kind, text) in [
        (
            nat64(Nat64Spec::new().prefix("64:ff9b::/95")),
            plain(),
            v6(),
            Kind::Invalid,
            "32, 40, 48, 56, 64 or 96",
        ),
        (
            nat64(Nat64Spec::new().prefix("2a00:5347:77::/96")),
            plain(),
            v6(),
            Kind::Conflict,
            "of the NAT64 of node `carrier` overlaps network",
        ),
        (
            nat64(Nat64Spec::new().pool("5.0.0.0/8")),
            plain(),
            v6(),
            Kind::Conflict,
            "set another with `Nat64Spec::pool`",
        ),
        (
            nat64(Nat64Spec::new().pool("198.18.0.0/31")),
            plain(),
            v6(),
            Kind::Invalid,
            "8 to 29 bits",
        ),
        (
            nat64(Nat64Spec::new()),
            v6(),
            v6(),
            Kind::Missing,
            "none of its uplinks has an IPv4 address",
        ),
        (
            nat64(Nat64Spec::new()),
            plain(),
            v4(),
            Kind::Missing,
            "no network behind it has IPv6",
        ),
    ] {
        let (found, said) = refused(router, uplink, access, host());
        assert!(said.contains(text), "{text}: {said}");
        assert_eq!(found, kind, "{said}");
    }
    let mut topology = Topology::new();
    let alone = topology.router(carrier().nat64(Nat64Spec::new()));
    let host = topology.node("host");
    topology.link(host, alone);
    let said = topology.validate().unwrap_err().to_string();
    assert!(said.contains("has no uplink"), "{said}");
}

#[test]
fn wrong_prefixes_are_refused() {
    let npt =
        |inside, outside| carrier().nat_v6(V6Nat::Prefix(PrefixTranslation::new(inside, outside)));
    let inside = || LinkSpec::new().subnet("fd01:203:405:1::/64");
    let plain = LinkSpec::new;
    for (router, uplink, access, kind, text) in [
        (
            npt("fd01:203:405::/48", "2001:db8::/32"),
            plain(),
            inside(),
            Kind::Invalid,
            "differ in length",
        ),
        (
            npt("fd01:203:405::/80", "2001:db8::/80"),
            plain(),
            inside(),
            Kind::Invalid,
            "has 1 to 64",
        ),
        (
            npt("10.0.0.0/8", "11.0.0.0/8"),
            plain(),
            inside(),
            Kind::Invalid,
            "is no prefix of IPv6",
        ),
        (
            npt("fd01:203:405::/48", "fd01:203:405::/48"),
            plain(),
            inside(),
            Kind::Invalid,
            "exchanged for itself",
        ),
        (
            npt("fd01:203:405::/48", "2a00:5347:77::/48"),
            plain(),
            inside(),
            Kind::Conflict,
            "overlaps network",
        ),
        (
            npt("fd02:203:405::/48", "2001:db8:1::/48"),
            plain(),
            inside(),
            Kind::Missing,
            "has no network behind it",
        ),
        (
            npt("fd01:203:405::/48", "2001:db8:1::/48"),
            v4(),
            inside(),
            Kind::Missing,
            "none of its uplinks has one",
        ),
        (
            carrier().nat_v6(V6Nat::Masquerade),
            v4(),
            v6(),
            Kind::Missing,
            "none of its uplinks has one",
        ),
    ] {
        let (found, said) = refused(router, uplink, access, NodeSpec::new("host"));
        assert!(said.contains(text), "{text}: {said}");
        assert_eq!(found, kind, "{said}");
    }
}

#[test]
fn prefixes_to_which_no_router_forwards_are_refused() {
    use crate::dhcp6::Dhcp6Spec;
    use crate::ndp::AdvertiseSpec;

    let serves = |prefix: &str| {
        let dhcp6 = Dhcp6Spec::new().delegate(prefix, 64);
        RouterSpec::new("carrier").node(|node| node.dhcp6(dhcp6))
    };
    let advertises = |prefix: &str| {
        let advertise = AdvertiseSpec::new().prefix(prefix);
        RouterSpec::new("carrier").node(|node| node.advertise(advertise))
    };
    let exchanges = PrefixTranslation::new("fd01::/48", "ff05::/48");
    for router in [
        serves("fe80::/56"),
        serves("ff05::/56"),
        advertises("fe80::/64"),
        advertises("ff05::/64"),
        carrier().nat_v6(V6Nat::Prefix(exchanges)),
        carrier().nat64(Nat64Spec::new().prefix("fe80::/96")),
        carrier().nat64(Nat64Spec::new().pool("224.0.0.0/24")),
        carrier().nat64(Nat64Spec::new().pool("127.0.0.0/24")),
    ] {
        let plain = LinkSpec::new;
        let (kind, said) = refused(router, plain(), plain(), NodeSpec::new("host"));
        assert!(said.contains("forward"), "{said}");
        assert_eq!(kind, Kind::Invalid, "{said}");
    }
}

#[test]
fn wrong_clients_of_464xlat_are_refused() {
    let phone = |clat| NodeSpec::new("phone").clat(clat);
    let nat64 = || carrier().nat64(Nat64Spec::new());
    let plain = LinkSpec::new;
    for (router, access, host, kind, text) in [
        (
            nat64(),
            v6(),
            phone(ClatSpec::new().prefix("64:ff9b::/90")),
            Kind::Invalid,
            "32, 40, 48, 56, 64 or 96",
        ),
        (
            nat64(),
            v6(),
            phone(ClatSpec::new().prefix("2001:db8:64::/96")),
            Kind::Missing,
            "no router has one",
        ),
        (
            carrier(),
            v6(),
            phone(ClatSpec::new()),
            Kind::Missing,
            "no router has one",
        ),
    ] {
        let (found, said) = refused(router, plain(), access, host);
        assert!(said.contains(text), "{text}: {said}");
        assert_eq!(found, kind, "{said}");
    }
}

#[test]
fn an_error_has_the_malformed_subnet_as_its_source() {
    use std::error::Error;

    use crate::topology::SubnetError;
    use crate::v6::PrefixError;

    let mut topology = Topology::new();
    let internet = topology.internet();
    let carrier = carrier().nat64(Nat64Spec::new().prefix("64:ff9b::1/96"));
    let carrier = topology.router(carrier);
    topology.uplink(carrier, internet);
    let host = topology.node("host");
    topology.link(host, carrier);
    let error = topology.validate().expect_err("no prefix");
    let prefix = error.source().expect("the error of the prefix");
    let subnet = prefix.source().expect("the error of the subnet");
    let malformed = prefix.downcast_ref::<PrefixError>();
    assert!(matches!(malformed, Some(PrefixError::Malformed(_))));
    let within = subnet.downcast_ref::<SubnetError>();
    assert!(matches!(within, Some(SubnetError::Within { .. })));
}
