//! What is wrong with the DHCP servers and clients of a topology.

use std::time::Duration;

use crate::dhcp::pool::{LeasePool, parse_range};
use crate::dhcp::spec::{AddressSource, DhcpSpec};
use crate::plan::Plan;
use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind};
use crate::topology::id::NodeId;
use crate::topology::name::show;
use crate::topology::value::Topology;

/// The least and the longest lease: times are counted in whole seconds, in 32 bits, of which all
/// ones mean "for ever" (RFC 2131, section 3.3).
const LEASES: std::ops::Range<u64> = 1..u32::MAX as u64;

/// Checks the value of one server.
pub(crate) fn check(spec: &DhcpSpec, site: Site, place: &str, problems: &mut Problems) {
    let DhcpSpec { lease, pool } = spec;
    if !LEASES.contains(&lease.as_secs()) || *lease != Duration::from_secs(lease.as_secs()) {
        problems.add(Kind::Invalid, site, || {
            format!("the DHCP server of {place} gives leases of {lease:?}; a lease is whole seconds, at least one")
        });
    }
    if let Some(Err(wrong)) = pool.as_deref().map(parse_range) {
        problems.add(Kind::Invalid, site, || {
            let pool = pool.as_deref().unwrap_or_default();
            format!(
                "the pool {} of the DHCP server of {place} {wrong}",
                show(pool)
            )
        });
    }
}

/// Checks that servers have something to give, and that clients have a server.
pub(crate) fn check_with_plan(topology: &Topology, plan: &Plan, problems: &mut Problems) {
    let mut served = Vec::new();
    for id in topology.nodes() {
        let Some(spec) = &topology[id].dhcp else {
            continue;
        };
        let stack = plan.nodes[id.index()].stack;
        let interfaces = plan[stack].interfaces.iter();
        let pools: Vec<_> = interfaces
            .filter_map(|it| Some((it.segment, LeasePool::of(spec, plan, stack, it)?)))
            .collect();
        let given = pools
            .iter()
            .any(|(_, pool)| pool.addresses().next().is_some());
        if !given {
            problems.add(Kind::Invalid, Site::new(id, "dhcp"), || {
                let node = show(&topology.node_name(id));
                match &spec.pool {
                    Some(pool) => format!(
                        "the pool {} of the DHCP server of node {node} has no free address on any of its networks",
                        show(pool)
                    ),
                    None => format!("node {node} has a DHCP server, and no network with a free IPv4 address"),
                }
            });
        }
        served.extend(pools.into_iter().map(|(segment, _)| segment));
    }
    let asks = |id: &NodeId| topology[*id].addresses == AddressSource::Dhcp;
    for id in topology.nodes().filter(asks) {
        let interfaces = &plan.stack(id).interfaces;
        for interface in interfaces.iter().filter(|it| !served.contains(&it.segment)) {
            problems.add(Kind::Missing, Site::new(id, "addresses"), || {
                format!(
                    "interface {} of node {} asks for an address by DHCP, and there is no server on its network; give a node there one by `NodeSpec::dhcp`",
                    interface.name,
                    show(&topology.node_name(id))
                )
            });
        }
    }
}
