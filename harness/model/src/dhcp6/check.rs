//! What is wrong with the DHCPv6 servers and clients of a topology.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use snowglobe_text::counted;

use crate::dhcp::AddressSource;
use crate::dhcp::given::{self, Given};
use crate::dhcp6::delegated;
use crate::dhcp6::network::Dhcp6Network;
use crate::dhcp6::spec::Dhcp6Spec;
use crate::ndp::spec::AdvertiseSpec;
use crate::plan::Plan;
use crate::plan::id::SegmentId;
use crate::topology::Subnet;
use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind};
use crate::topology::id::NodeId;
use crate::topology::name::show;
use crate::topology::value::Topology;

/// Checks the value of one server.
pub(crate) fn check(spec: &Dhcp6Spec, site: Site, place: &str, problems: &mut Problems) {
    let Dhcp6Spec {
        lease,
        renew_after,
        pool,
        delegate,
        rapid_commit: _,
    } = spec;
    let pool = pool.as_deref();
    let given = Given {
        lease: *lease,
        renew_after: *renew_after,
        pool,
    };
    given::check::<Ipv6Addr>(&given, site, place, problems);
    if let Some(Err(wrong)) = delegate.as_ref().map(|it| it.parsed()) {
        problems.add_caused(Kind::Invalid, site, wrong, |wrong| {
            format!("the DHCPv6 server of {place} {wrong}")
        });
    }
}

/// Addresses and prefixes that the servers of a topology have for one segment.
#[derive(Clone, Copy, Default)]
struct SegmentService {
    addresses: bool,
    /// The server that delegates, and the length of its prefixes.
    delegates: Option<(NodeId, u8)>,
}

/// Checks that servers have something to give, that what they give belongs to nobody else, and that
/// clients have a server.
pub(crate) fn check_with_plan(topology: &Topology, plan: &Plan, problems: &mut Problems) {
    let mut served: HashMap<SegmentId, SegmentService> = HashMap::new();
    let mut ranges: Vec<(Subnet, NodeId)> = Vec::new();
    for id in topology.nodes() {
        if let Some(spec) = &topology[id].dhcp6 {
            let server = CheckedServer {
                topology,
                plan,
                id,
                spec,
            };
            server.check_gifts(&mut served, problems);
            if let Some(range) = spec.delegated_range() {
                server.check_range(range, &mut ranges, problems);
            }
        }
    }
    let mut asking: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    for id in topology.nodes() {
        check_hosts(topology, plan, id, &served, problems);
        if topology[id]
            .advertise
            .as_ref()
            .is_some_and(|it| it.delegated)
        {
            let server = check_router(topology, plan, id, &served, problems);
            if let Some(server) = server {
                asking.entry(server).or_default().push(id);
            }
        }
    }
    for (server, routers) in asking {
        check_number(topology, server, routers.len(), problems);
    }
}

/// A server whose addresses and prefixes are checked.
struct CheckedServer<'a> {
    topology: &'a Topology,
    plan: &'a Plan,
    id: NodeId,
    spec: &'a Dhcp6Spec,
}

impl CheckedServer<'_> {
    /// Checks that the server has something to give, and notes for whom.
    fn check_gifts(
        &self,
        served: &mut HashMap<SegmentId, SegmentService>,
        problems: &mut Problems,
    ) {
        let Self { plan, id, spec, .. } = *self;
        let stack = plan.nodes[id.index()].stack;
        let interfaces = plan[stack].interfaces.iter();
        let networks = interfaces.filter_map(|it| {
            let network = Dhcp6Network::of(spec, plan, stack, it)?;
            Some((it.segment, network))
        });
        let mut something = false;
        for (segment, network) in networks {
            let service = served.entry(segment).or_default();
            let addresses = network.addresses().next().is_some();
            service.addresses |= addresses;
            if let Some(delegation) = &spec.delegate {
                service.delegates = Some((id, delegation.length));
            }
            something |= addresses || spec.delegate.is_some();
        }
        if !something {
            problems.add(Kind::Invalid, Site::new(id, "dhcp6"), || {
                let node = show(&self.topology.node_name(id));
                match &spec.pool {
                    Some(pool) => format!(
                        "the pool {} of the DHCPv6 server of node {node} has no free address on any of its networks",
                        show(pool)
                    ),
                    None => format!("node {node} has a DHCPv6 server, and no network of IPv6 behind it"),
                }
            });
        }
    }

    /// Checks that the prefixes of the server are those of nobody else.
    fn check_range(
        &self,
        range: Subnet,
        ranges: &mut Vec<(Subnet, NodeId)>,
        problems: &mut Problems,
    ) {
        let Self { topology, id, .. } = *self;
        let name = || show(&topology.node_name(id));
        let mut subnets = self.plan.segments.iter().flat_map(|it| &it.subnets);
        if let Some(subnet) = subnets.find(|it| it.overlaps(&range)) {
            problems.add(Kind::Conflict, Site::new(id, "dhcp6"), || {
                format!("the DHCPv6 server of node {} delegates parts of `{range}`, which overlaps network `{subnet}` of the lab; take a range that no network has", name())
            });
        }
        if let Some((other, whose)) = ranges.iter().find(|(it, _)| it.overlaps(&range)) {
            problems.add(Kind::Conflict, Site::new(id, "dhcp6"), || {
                format!("the DHCPv6 server of node {} delegates parts of `{range}`, which overlaps `{other}` of node {}; give each server its own", name(), show(&topology.node_name(*whose)))
            });
        }
        ranges.push((range, id));
    }
}

/// Checks that there is a server where hosts are told to ask one.
fn check_hosts(
    topology: &Topology,
    plan: &Plan,
    id: NodeId,
    served: &HashMap<SegmentId, SegmentService>,
    problems: &mut Problems,
) {
    let asks = |it: &&AdvertiseSpec| it.managed || it.other;
    let Some(spec) = topology[id].advertise.as_ref().filter(asks) else {
        return;
    };
    let interfaces = plan.stack(id).interfaces.iter();
    for interface in interfaces.filter(|it| crate::ndp::advertisement::advertises(spec, it)) {
        let service = served.get(&interface.segment).copied();
        if service.is_none() && spec.other {
            problems.add(Kind::Missing, Site::new(id, "advertise"), || {
                format!(
                    "node {} tells hosts on {} to ask for name servers by DHCPv6, and no server is there; give a node there one by `NodeSpec::dhcp6`",
                    show(&topology.node_name(id)),
                    interface.name
                )
            });
        }
        if spec.managed && !service.unwrap_or_default().addresses {
            problems.add(Kind::Missing, Site::new(id, "advertise"), || {
                format!(
                    "node {} tells hosts on {} to get their addresses by DHCPv6, and no server gives any there; give a node there one by `NodeSpec::dhcp6`",
                    show(&topology.node_name(id)),
                    interface.name
                )
            });
        }
    }
}

/// Checks a router that asks for a prefix, and returns its server.
fn check_router(
    topology: &Topology,
    plan: &Plan,
    id: NodeId,
    served: &HashMap<SegmentId, SegmentService>,
    problems: &mut Problems,
) -> Option<NodeId> {
    let stack = plan.stack(id);
    let site = Site::new(id, "advertise");
    let name = || show(&topology.node_name(id));
    let Some(uplink) = delegated::uplinks(stack).next() else {
        problems.add(Kind::Missing, site, || {
            format!("node {} advertises the prefix that it is delegated, and has no uplink with IPv6 by which it could ask for one", name())
        });
        return None;
    };
    let downlinks = delegated::downlinks(stack).count();
    if downlinks == 0 {
        problems.add(Kind::Missing, site, || {
            format!("node {} advertises the prefix that it is delegated, and has no network of IPv6 behind it", name())
        });
    }
    let service = served.get(&uplink.segment).copied().unwrap_or_default();
    let Some((server, length)) = service.delegates else {
        problems.add(Kind::Missing, site, || {
            format!("node {} asks for a prefix by its uplink {}, and no DHCPv6 server delegates any there; give the router there one by `NodeSpec::dhcp6` with `Dhcp6Spec::delegate`", name(), uplink.name)
        });
        return None;
    };
    let room = 1u128.checked_shl(u32::from(64u8.saturating_sub(length)));
    if room.is_some_and(|room| (downlinks as u128) > room) {
        problems.add(Kind::TooLarge, site, || {
            let networks = counted(downlinks, "network");
            let least = 64 - downlinks.next_power_of_two().trailing_zeros();
            format!(
                "node {} numbers {networks}, a /64 each, out of the /{length} that node {} delegates to it, which is too short; delegate a /{least} or more",
                name(),
                show(&topology.node_name(server))
            )
        });
    }
    Some(server)
}

/// Checks that a server has a prefix for each router that asks.
fn check_number(topology: &Topology, id: NodeId, routers: usize, problems: &mut Problems) {
    let delegation = topology[id]
        .dhcp6
        .as_ref()
        .and_then(|it| it.delegate.as_ref());
    let Some((delegation, range)) = delegation.and_then(|it| Some((it, it.parsed().ok()?))) else {
        return;
    };
    if range.part(delegation.length, routers as u128 - 1).is_none() {
        problems.add(Kind::TooLarge, Site::new(id, "dhcp6"), || {
            let routers = counted(routers, "router");
            format!(
                "the DHCPv6 server of node {} is asked for a prefix by {routers}, and `{range}` is too short to delegate a /{} to each; take a larger range or longer prefixes",
                show(&topology.node_name(id)),
                delegation.length
            )
        });
    }
}

/// Returns whether a node has its IPv6 addresses from a client of the lab.
pub(crate) fn asks(topology: &Topology, id: NodeId) -> bool {
    topology[id].addresses_v6 == AddressSource::Dhcp
}
