//! Problems as data: their kinds, subjects and sources, and numbers in their sentences.

use std::error::Error;

use crate::nat::{NatProblem, NatSpec, preset};
use crate::plan::Limits;
use crate::portmap::{PortMappingProblem, PortMappingSpec};
use crate::topology::{
    EndSpec, LinkSpec, Mac, MacError, RouterSpec, Subnet, Topology, TopologyErrorKind,
    TopologySubject, shape,
};

fn source_of<E: Error + Clone + 'static>(topology: &Topology) -> E {
    let error = topology.validate().unwrap_err();
    let source = error.source().expect("the error that was the cause");
    let source: &E = source.downcast_ref().expect("the error of the value");
    let text = source.to_string();
    assert!(error.to_string().contains(&text), "{error} has no {text}");
    source.clone()
}

#[test]
fn a_problem_keeps_the_error_of_a_value() {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let nat = NatSpec {
        port_range: [2000, 1000],
        ..preset::full_cone()
    };
    let wrong = nat.validate().unwrap_err();
    let home = topology.router(RouterSpec::new("home").nat(nat));
    topology.uplink(home, internet);
    assert_eq!(source_of::<NatProblem>(&topology), wrong);

    let mut topology = Topology::new();
    let internet = topology.internet();
    let served = PortMappingSpec {
        longest: std::time::Duration::ZERO,
        ..PortMappingSpec::default()
    };
    let wrong = served.validate().unwrap_err();
    let home = topology.router(RouterSpec::home("home").port_mapping(served));
    topology.uplink(home, internet);
    assert_eq!(source_of::<PortMappingProblem>(&topology), wrong);

    let mut topology = Topology::new();
    let (alice, bob) = (topology.node("alice"), topology.node("bob"));
    topology.link_with(
        alice,
        bob,
        LinkSpec::new().a(EndSpec::new().mac("02:00:00:00:00:zz")),
    );
    let wrong = "02:00:00:00:00:zz".parse::<Mac>().unwrap_err();
    assert_eq!(source_of::<MacError>(&topology), wrong);
}

#[test]
fn the_kind_and_the_subject_are_those_of_the_first_problem() {
    let mut topology = shape::pair();
    let link = topology.links().next().unwrap();
    topology.edit_link(link, |spec| spec.subnet("10.0.0.0/33"));
    let error = topology.validate().unwrap_err();
    assert_eq!(error.kind(), TopologyErrorKind::Invalid);
    assert_eq!(error.subject(), TopologySubject::Link(link));
    let wrong = "10.0.0.0/33".parse::<Subnet>().unwrap_err();
    assert!(error.to_string().ends_with(&wrong.to_string()), "{error}");
    assert_eq!(error, topology.validate().unwrap_err());
    topology.edit_link(link, |spec| spec.subnet("10.0.0.0/34"));
    assert_ne!(error, topology.validate().unwrap_err());
}

#[test]
fn one_of_a_resource_is_not_told_as_many() {
    let mut topology = Topology::new();
    topology.node("alone");
    let limits = Limits {
        pid_namespaces: Some(0),
        ..Limits::default()
    };
    let error = topology.check_limits(&limits).unwrap_err().to_string();
    let begin = "1 node needs 1 PID namespace, but this machine allows 0 more";
    assert!(error.starts_with(begin), "{error}");
}

#[test]
fn an_address_in_no_subnet_is_shown_with_a_prefix_of_its_family() {
    let refused = |spec: LinkSpec| {
        let mut topology = Topology::new();
        let (alice, bob) = (topology.node("alice"), topology.node("bob"));
        topology.link_with(alice, bob, spec);
        topology.validate().unwrap_err().to_string()
    };
    let v6 = refused(LinkSpec::new().addresses("2001:db8::1", "2001:db8::2"));
    assert!(v6.contains("write it like `2001:db8::1/64`"), "{v6}");
    let v4 = refused(LinkSpec::new().addresses("10.9.0.1", "10.9.0.2"));
    assert!(v4.contains("write it like `10.9.0.1/24`"), "{v4}");
}
