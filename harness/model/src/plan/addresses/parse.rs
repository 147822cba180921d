//! Addresses and subnets given by hand, read from their texts, and the sites of problems with them.

use std::net::IpAddr;

use crate::plan::id::SegmentId;
use crate::plan::stack::is_link_local;
use crate::plan::wiring::{Segment, Wiring};
use crate::side::Side;
use crate::topology::error::{Problems, Site, TopologySubject};
use crate::topology::id::LinkId;
use crate::topology::link::Families;
use crate::topology::problem::{AddressMistake, AddressProblem, LinkProblem, NamedPart};
use crate::topology::subnet::{Subnet, parse_address};
use crate::topology::value::Topology;

/// An address with the prefix length that it was given, if any.
pub(crate) type Given = (IpAddr, Option<u8>);

pub(crate) fn given_subnets(
    topology: &Topology,
    segment: &Segment,
    problems: &mut Problems,
) -> Vec<Subnet> {
    let of_switches = segment.switches.iter().flat_map(|id| {
        let site = Site::new(*id, "subnets");
        topology[*id].subnets.iter().map(move |text| (text, site))
    });
    let of_cable = segment.cable.into_iter().flat_map(|id| {
        let site = Site::new(id, "subnets");
        topology[id].subnets.iter().map(move |text| (text, site))
    });
    let mut subnets: Vec<Subnet> = Vec::new();
    for (text, site) in of_switches.chain(of_cable) {
        let segment = || named_stretch(topology, segment);
        match text.parse::<Subnet>() {
            Err(wrong) => problems.add(site, || AddressProblem::NotASubnet {
                segment: segment(),
                wrong,
            }),
            Ok(subnet) => match unusable(subnet.network()) {
                Some(mistake) => problems.add(site, || AddressProblem::UnusableSubnet {
                    segment: segment(),
                    subnet,
                    mistake,
                }),
                None if subnets.contains(&subnet) => {}
                None => subnets.push(subnet),
            },
        }
    }
    subnets
}

pub(crate) fn families(
    topology: &Topology,
    segment: &Segment,
    problems: &mut Problems,
) -> Families {
    let of_cable = segment.cable.and_then(|id| topology[id].families);
    let asked: Vec<_> = segment
        .switches
        .iter()
        .filter_map(|id| Some((*id, topology[*id].families?)))
        .collect();
    if let Some((id, _)) = asked.iter().find(|(_, families)| *families != asked[0].1) {
        problems.add(Site::new(*id, "families"), || LinkProblem::FamiliesDiffer {
            switches: [asked[0].0, *id].map(|switch| topology[switch].name().to_owned()),
        });
    }
    asked
        .first()
        .map(|(_, families)| *families)
        .or(of_cable)
        .unwrap_or(topology.settings.families)
}

pub(crate) fn given_address(
    topology: &Topology,
    link: LinkId,
    side: Side,
    text: &str,
    problems: &mut Problems,
) -> Option<Given> {
    let given = parse_address(text);
    let mistake = given.and_then(|(ip, _)| unusable(ip));
    if given.is_some() && mistake.is_none() {
        return given;
    }
    problems.add(site(link, side), || {
        let (end, text) = (topology.link_end(link, side), text.to_owned());
        match mistake {
            None => AddressProblem::NotAnAddress { end, text },
            Some(mistake) => AddressProblem::UnusableAddress { end, text, mistake },
        }
    });
    None
}

/// Returns the reason why no interface can have the address, if there is one.
pub(crate) fn unusable(ip: IpAddr) -> Option<AddressMistake> {
    match ip {
        _ if ip.is_unspecified() => Some(AddressMistake::Unspecified),
        _ if ip.is_loopback() => Some(AddressMistake::Loopback),
        _ if ip.is_multicast() => Some(AddressMistake::Multicast),
        IpAddr::V4(ip) if ip.octets()[0] == 0 || ip.octets()[0] >= 240 => {
            Some(AddressMistake::Reserved)
        }
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => Some(AddressMistake::MappedIpv4),
        _ if is_link_local(ip) => Some(AddressMistake::LinkLocal),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

pub(crate) fn site(link: LinkId, side: Side) -> Site {
    Site::new(link, side.letter())
}

/// Returns a segment by its first switch, or by its cable.
pub(crate) fn named_segment(topology: &Topology, wiring: &Wiring, segment: SegmentId) -> NamedPart {
    named_stretch(topology, &wiring.segments[segment.index()])
}

fn named_stretch(topology: &Topology, segment: &Segment) -> NamedPart {
    match (segment.switches.first(), segment.cable) {
        (Some(id), _) => topology.named(*id),
        (None, Some(id)) => topology.named_link(id),
        (None, None) => NamedPart::Segment,
    }
}

pub(crate) fn segment_site(wiring: &Wiring, segment: SegmentId) -> Site {
    let segment = &wiring.segments[segment.index()];
    match (segment.switches.first(), segment.cable) {
        (Some(id), _) => Site::new(*id, "subnets"),
        (None, cable) => Site::new(
            cable.map_or(TopologySubject::Topology, TopologySubject::Link),
            "subnets",
        ),
    }
}
