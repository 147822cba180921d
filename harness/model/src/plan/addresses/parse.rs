//! Addresses and subnets given by hand, read from their texts, and the places that problems with
//! them name.

use std::net::IpAddr;

use crate::plan::id::SegmentId;
use crate::plan::stack::is_link_local;
use crate::plan::wiring::{Segment, Wiring};
use crate::side::Side;
use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind, TopologySubject};
use crate::topology::id::LinkId;
use crate::topology::link::Families;
use crate::topology::name::show;
use crate::topology::subnet::{Subnet, parse_address};
use crate::topology::value::{LinkEntry, Topology};

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
        let place = || stretch_name(topology, segment);
        match text.parse::<Subnet>() {
            Err(wrong) => problems.add_refused(site, &format!("subnet of {}", place()), wrong),
            Ok(subnet) => match unusable(subnet.network()) {
                Some(why) => problems.add(Kind::Invalid, site, || {
                    format!("subnet `{subnet}` of {} is {why}; choose another", place())
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
        problems.add(Kind::Conflict, Site::new(*id, "families"), || {
            let (a, b) = (
                show(topology[asked[0].0].name()),
                show(topology[*id].name()),
            );
            format!("switches {a} and {b} are joined but ask for different families")
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
    let wrong = match parse_address(text) {
        None => format!(
            "{} is not an address; write it like `10.9.0.1/24`",
            show(text)
        ),
        Some(given) => match unusable(given.0) {
            None => return Some(given),
            Some(why) => format!("{} is {why}; choose another", show(text)),
        },
    };
    problems.add(Kind::Invalid, site(link, side), || {
        format!("address {}: {wrong}", place(topology, link, side))
    });
    None
}

/// Returns the reason why no interface can have the address, if there is one.
pub(crate) fn unusable(ip: IpAddr) -> Option<&'static str> {
    match ip {
        _ if ip.is_unspecified() => Some("no address at all"),
        _ if ip.is_loopback() => Some("every node's own loopback"),
        _ if ip.is_multicast() => Some("for multicast"),
        IpAddr::V4(ip) if ip.octets()[0] == 0 || ip.octets()[0] >= 240 => Some("reserved"),
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => Some("an IPv4 address in disguise"),
        _ if is_link_local(ip) => Some("link-local, which every interface has without being asked"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

pub(crate) fn site(link: LinkId, side: Side) -> Site {
    Site::new(link, side.letter())
}

pub(crate) fn place(topology: &Topology, link: LinkId, side: Side) -> String {
    let LinkEntry { ends, .. } = &topology.links[link.index()];
    format!(
        "at {} of link {}",
        show(&topology.end_name(ends[side])),
        topology.shown_link(link)
    )
}

pub(crate) fn segment_name(topology: &Topology, wiring: &Wiring, segment: SegmentId) -> String {
    stretch_name(topology, &wiring.segments[segment.index()])
}

fn stretch_name(topology: &Topology, segment: &Segment) -> String {
    match (segment.switches.first(), segment.cable) {
        (Some(id), _) => format!("switch {}", show(topology[*id].name())),
        (None, Some(id)) => format!("link {}", topology.shown_link(id)),
        (None, None) => "a segment".into(),
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
