//! What is wrong with the DHCP servers and clients of a topology.

use std::net::Ipv4Addr;

use crate::dhcp::given::{self, Given};
use crate::dhcp::pool::LeasePool;
use crate::dhcp::spec::{AddressSource, DhcpSpec};
use crate::packet::ip::IpVersion;
use crate::plan::Plan;
use crate::topology::error::{Problems, Site};
use crate::topology::id::NodeId;
use crate::topology::problem::{LeaseProblem, NamedPart};
use crate::topology::value::Topology;

/// Checks the value of one server.
pub(crate) fn check(spec: &DhcpSpec, site: Site, server: &NamedPart, problems: &mut Problems) {
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
    given::check::<Ipv4Addr>(&given, site, server, problems);
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
            problems.add(Site::new(id, "dhcp"), || {
                LeaseProblem::nothing_to_give(
                    IpVersion::V4,
                    topology.named(id),
                    spec.pool.as_deref(),
                )
            });
        }
        served.extend(pools.into_iter().map(|(segment, _)| segment));
    }
    let asks = |id: &NodeId| topology[*id].addresses == AddressSource::Dhcp;
    for id in topology.nodes().filter(asks) {
        let interfaces = plan.stack(id).asking();
        for interface in interfaces.filter(|it| !served.contains(&it.segment)) {
            problems.add(Site::new(id, "addresses"), || LeaseProblem::NoServer {
                node: topology.named(id),
                interface: interface.name.clone(),
            });
        }
    }
}
