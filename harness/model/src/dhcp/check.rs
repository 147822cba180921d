//! What is wrong with the DHCP servers and clients of a topology.

use std::net::Ipv4Addr;

use crate::dhcp::given::{self, Given};
use crate::dhcp::pool::LeasePool;
use crate::dhcp::spec::{AddressSource, DhcpSpec};
use crate::plan::Plan;
use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind};
use crate::topology::id::NodeId;
use crate::topology::name::show;
use crate::topology::value::Topology;

/// Checks the value of one server.
pub(crate) fn check(spec: &DhcpSpec, site: Site, place: &str, problems: &mut Problems) {
    let DhcpSpec {
        lease,
        renew_after,
        pool,
    } = spec;
    let pool = pool.as_deref();
    let given = Given {
        lease: *lease,
        renew_after: *renew_after,
        pool,
    };
    given::check::<Ipv4Addr>(&given, site, place, problems);
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
        let interfaces = plan.stack(id).asking();
        for interface in interfaces.filter(|it| !served.contains(&it.segment)) {
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
