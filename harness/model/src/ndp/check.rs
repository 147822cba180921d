//! What is wrong with the routers and hosts of a topology.

use crate::dhcp::AddressSource;
use crate::dhcp6::check::asks;
use crate::ndp::advertisement::advertises;
use crate::ndp::spec::AdvertiseSpec;
use crate::plan::Plan;
use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind};
use crate::topology::id::NodeId;
use crate::topology::name::show;
use crate::topology::value::Topology;

/// The lifetimes that an advertisement can tell, in seconds (RFC 4861, section 4.2).
const LIFETIMES: std::ops::RangeInclusive<u64> = 1..=9000;

/// Checks the value of one router.
pub(crate) fn check(spec: &AdvertiseSpec, site: Site, place: &str, problems: &mut Problems) {
    if !LIFETIMES.contains(&spec.lifetime.as_secs()) {
        problems.add(Kind::Invalid, site, || {
            let time = spec.lifetime;
            format!("{place} advertises itself for {time:?}; it is 1 to 9000 seconds")
        });
    }
    if let Err(wrong) = spec.parsed_prefix() {
        problems.add_refused(site, &format!("{place} advertises a prefix"), wrong);
    }
    if spec.delegated && spec.prefix.is_some() {
        problems.add(Kind::Conflict, site, || {
            format!("{place} advertises the prefix that it is delegated, and another one; choose one of both")
        });
    }
}

/// Checks that there is a router on each network with a host that waits for one.
pub(crate) fn check_with_plan(topology: &Topology, plan: &Plan, problems: &mut Problems) {
    let advertised: Vec<_> = topology
        .nodes()
        .filter_map(|id| Some((id, topology[id].advertise.as_ref()?)))
        .flat_map(|(id, spec)| {
            let interfaces = plan.stack(id).interfaces.iter();
            interfaces
                .filter(|it| advertises(spec, it))
                .map(|it| it.segment)
        })
        .collect();
    // A program of the node may do without.
    let waits = |id: &NodeId| topology[*id].autoconfigure || asks(topology, *id);
    let waits = |id: &NodeId| waits(id) && topology[*id].addresses_v6 != AddressSource::Program;
    for id in topology.nodes().filter(waits) {
        let interfaces = plan.stack(id).asking();
        for interface in interfaces.filter(|it| !advertised.contains(&it.segment)) {
            problems.add(Kind::Missing, Site::new(id, "autoconfigure"), || {
                format!(
                    "interface {} of node {} makes its address of a router's prefix, and no router advertises one on its network; give a node there `NodeSpec::advertise`",
                    interface.name,
                    show(&topology.node_name(id))
                )
            });
        }
    }
}
