//! What is wrong with the routers and hosts of a topology.

use crate::dhcp::AddressSource;
use crate::dhcp6::check::asks;
use crate::ndp::advertisement::advertises;
use crate::ndp::spec::AdvertiseSpec;
use crate::plan::Plan;
use crate::topology::error::{Problems, Site};
use crate::topology::id::NodeId;
use crate::topology::problem::{AdvertiseProblem, NamedPart};
use crate::topology::value::Topology;

/// The lifetimes that an advertisement can tell, in seconds (RFC 4861, section 4.2).
const LIFETIMES: std::ops::RangeInclusive<u64> = 1..=9000;

/// Checks the value of one router.
pub(crate) fn check(spec: &AdvertiseSpec, site: Site, router: &NamedPart, problems: &mut Problems) {
    let router = || router.clone();
    if !LIFETIMES.contains(&spec.lifetime.as_secs()) {
        problems.add(site, || AdvertiseProblem::Lifetime {
            router: router(),
            lifetime: spec.lifetime,
            least: *LIFETIMES.start(),
            most: *LIFETIMES.end(),
        });
    }
    if let Err(wrong) = spec.parsed_prefix() {
        let router = router();
        problems.add(site, || AdvertiseProblem::WrongPrefix { router, wrong });
    }
    if spec.delegated && spec.prefix.is_some() {
        problems.add(site, || AdvertiseProblem::TwoPrefixes { router: router() });
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
            problems.add(Site::new(id, "autoconfigure"), || {
                AdvertiseProblem::NoRouter {
                    node: topology.named(id),
                    interface: interface.name.clone(),
                }
            });
        }
    }
}
