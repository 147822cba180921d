//! What is wrong with the routers and hosts of a topology.

use crate::ndp::advertisement::advertised_prefix;
use crate::ndp::spec::AdvertiseSpec;
use crate::plan::Plan;
use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind};
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
        problems.add(Kind::Invalid, site, || {
            format!("{place} advertises a prefix: {wrong}")
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
                .filter(|it| advertised_prefix(spec, it).is_some())
                .map(|it| it.segment)
        })
        .collect();
    for id in topology.nodes().filter(|id| topology[*id].autoconfigure) {
        let interfaces = plan.stack(id).interfaces.iter();
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
