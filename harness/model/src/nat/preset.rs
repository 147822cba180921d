//! Behaviours of routers as they have been observed, as values.
//!
//! The classic four are the terms of RFC 3489, section 5, in the words of RFC 4787. The others name
//! what their behaviours were taken from. A value can be changed: `NatSpec { parity: true,
//! ..preset::home() }`.

use std::time::Duration;

use snowglobe_text::is_name;

use super::spec::{
    Dependence, Exhausted, Hairpinning, NatSpec, NatTimeouts, PortAssignment, UnknownFlow,
    Unsolicited,
};

use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};

/// A preset: its name, and the function that makes its value.
pub type NamedPreset = (&'static str, fn() -> NatSpec);

/// All presets with their names, as TOML and tables name them.
pub const ALL: [NamedPreset; 11] = [
    ("full_cone", full_cone),
    ("restricted_cone", restricted_cone),
    ("port_restricted_cone", port_restricted_cone),
    ("symmetric", symmetric),
    ("symmetric_port_preserving", symmetric_port_preserving),
    ("carrier_grade", carrier_grade),
    ("home", home),
    ("office", office),
    ("hotel", hotel),
    ("cloud", cloud),
    ("mobile", mobile),
];

/// Returns the preset with a name.
pub fn by_name(name: &str) -> Option<NatSpec> {
    let preset = ALL.iter().find(|(known, _)| is_name(name, known));
    preset.map(|(_, preset)| preset())
}

/// Returns a full cone (RFC 3489, section 5): one mapping for all remote hosts, and all of them are
/// let in.
pub fn full_cone() -> NatSpec {
    NatSpec::new(EndpointIndependent, EndpointIndependent)
}

/// Returns a restricted cone (RFC 3489, section 5): one mapping for all remote hosts; those are let
/// in to whose address a packet went.
pub fn restricted_cone() -> NatSpec {
    NatSpec::new(EndpointIndependent, AddressDependent)
}

/// Returns a port-restricted cone (RFC 3489, section 5): one mapping for all remote hosts; those
/// are let in to whose address and port a packet went.
pub fn port_restricted_cone() -> NatSpec {
    NatSpec::new(EndpointIndependent, AddressAndPortDependent)
}

/// Returns a symmetric translation (RFC 3489, section 5): another random port for each remote
/// address and port, which alone is let in.
pub fn symmetric() -> NatSpec {
    NatSpec {
        ports: PortAssignment::Random,
        ..NatSpec::new(AddressAndPortDependent, AddressAndPortDependent)
    }
}

/// Translates as Linux: symmetric, and the port inside is kept as long as that is unambiguous
/// (net/netfilter/nf_nat_core.c, `get_unique_tuple`), with conntrack's timeouts
/// (nf_conntrack-sysctl.rst) and connections picked up in the middle.
///
/// A host that asks a STUN server sees one external port for all remote hosts, as behind a
/// port-restricted cone, until another host inside has the same port.
pub fn symmetric_port_preserving() -> NatSpec {
    NatSpec {
        ports: PortAssignment::Overloading,
        unknown_flow: UnknownFlow::Adopt,
        hairpinning: Hairpinning::ToRouter,
        timeouts: NatTimeouts {
            udp: Duration::from_secs(120),
            tcp_transitory: Duration::from_secs(120),
            tcp_established: Duration::from_secs(432_000),
            icmp: Duration::from_secs(30),
        },
        ..NatSpec::new(AddressAndPortDependent, AddressAndPortDependent)
    }
}

/// Returns a carrier's NAT, as RFC 6888 asks for: the behaviours of RFC 4787, paired addresses,
/// ports in blocks and a limit for each subscriber (REQ-2, REQ-4, REQ-14). Behind it usually stands
/// the NAT of a home, so that there are two levels.
pub fn carrier_grade() -> NatSpec {
    NatSpec {
        ports: PortAssignment::Blocks {
            size: 512,
            per_subscriber: 4,
        },
        exhausted: Exhausted::IcmpError,
        ..NatSpec::new(EndpointIndependent, EndpointIndependent)
    }
}

/// Returns the NAT of a home router, most of which run Linux: [`symmetric_port_preserving`]. The
/// kernel carries this NAT.
pub fn home() -> NatSpec {
    symmetric_port_preserving()
}

/// Returns the NAT of an office behind FreeBSD's or OpenBSD's pf: symmetric, with random ports from
/// 50001 to 65535 and the timeouts of pf.conf(5).
pub fn office() -> NatSpec {
    NatSpec {
        ports: PortAssignment::Random,
        port_range: [50_001, 65_535],
        hairpinning: Hairpinning::ToRouter,
        timeouts: NatTimeouts {
            udp: Duration::from_secs(60),
            tcp_transitory: Duration::from_secs(30),
            tcp_established: Duration::from_secs(86_400),
            icmp: Duration::from_secs(20),
        },
        ..NatSpec::new(AddressAndPortDependent, AddressAndPortDependent)
    }
}

/// Returns the NAT of a hotel: symmetric, no ICMP errors, and mappings of UDP that are forgotten
/// after half a minute. An assumption of this project: nobody has published a survey of hotels.
pub fn hotel() -> NatSpec {
    NatSpec {
        ports: PortAssignment::Sequential,
        hairpinning: Hairpinning::Off,
        icmp_errors: false,
        inbound_refresh: false,
        timeouts: NatTimeouts {
            udp: Duration::from_secs(30),
            tcp_transitory: Duration::from_secs(60),
            tcp_established: Duration::from_secs(600),
            icmp: Duration::from_secs(10),
        },
        ..NatSpec::new(AddressAndPortDependent, AddressAndPortDependent)
    }
}

/// Returns the NAT gateway of a cloud: symmetric, every connection is forgotten after 350 seconds,
/// and who goes on with it gets a RST. Amazon's documentation of NAT gateways says so of theirs.
pub fn cloud() -> NatSpec {
    let idle = Duration::from_secs(350);
    NatSpec {
        ports: PortAssignment::Random,
        unknown_flow: UnknownFlow::Reset,
        hairpinning: Hairpinning::Off,
        timeouts: NatTimeouts {
            udp: idle,
            tcp_transitory: idle,
            tcp_established: idle,
            icmp: idle,
        },
        ..NatSpec::new(AddressAndPortDependent, AddressAndPortDependent)
    }
}

/// Returns the gateway of a mobile network: another port for each remote address, one after the
/// other, and mappings of UDP that are forgotten after a minute. An assumption of this project:
/// carriers differ, and change.
pub fn mobile() -> NatSpec {
    NatSpec {
        ports: PortAssignment::Sequential,
        unsolicited: Unsolicited::Drop,
        timeouts: NatTimeouts {
            udp: Duration::from_secs(60),
            tcp_established: Duration::from_secs(1800),
            ..NatTimeouts::default()
        },
        ..NatSpec::new(AddressDependent, AddressAndPortDependent)
    }
}
