//! What is wrong with the DHCPv6 servers and clients of a topology.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use crate::dhcp::AddressSource;
use crate::dhcp::given::{self, Given};
use crate::dhcp6::delegated;
use crate::dhcp6::network::Dhcp6Network;
use crate::dhcp6::spec::Dhcp6Spec;
use crate::ndp::spec::AdvertiseSpec;
use crate::packet::ip::IpVersion;
use crate::plan::Plan;
use crate::plan::id::SegmentId;
use crate::topology::Subnet;
use crate::topology::error::{Problems, Site};
use crate::topology::id::NodeId;
use crate::topology::problem::{AdvertiseProblem, DelegationProblem, LeaseProblem, NamedPart};
use crate::topology::value::Topology;

/// Checks the value of one server.
pub(crate) fn check(spec: &Dhcp6Spec, site: Site, server: &NamedPart, problems: &mut Problems) {
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
    given::check::<Ipv6Addr>(&given, site, server, problems);
    if let Some(Err(wrong)) = delegate.as_ref().map(|it| it.parsed()) {
        let server = server.clone();
        problems.add(site, || DelegationProblem::Delegation { server, wrong });
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
            problems.add(Site::new(id, "dhcp6"), || {
                let pool = spec.pool.as_deref();
                LeaseProblem::nothing_to_give(IpVersion::V6, self.topology.named(id), pool)
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
        let server = || topology.named(id);
        let mut subnets = self.plan.segments.iter().flat_map(|it| &it.subnets);
        if let Some(subnet) = subnets.find(|it| it.overlaps(&range)) {
            problems.add(Site::new(id, "dhcp6"), || {
                DelegationProblem::OverlapsNetwork {
                    server: server(),
                    range,
                    network: *subnet,
                }
            });
        }
        if let Some((other, whose)) = ranges.iter().find(|(it, _)| it.overlaps(&range)) {
            problems.add(Site::new(id, "dhcp6"), || {
                DelegationProblem::OverlapsOther {
                    server: server(),
                    range,
                    other: *other,
                    whose: topology.named(*whose),
                }
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
        let site = Site::new(id, "advertise");
        let named = || (topology.named(id), interface.name.clone());
        if service.is_none() && spec.other {
            problems.add(site, || {
                let (router, interface) = named();
                AdvertiseProblem::NoServerOfNames { router, interface }
            });
        }
        if spec.managed && !service.unwrap_or_default().addresses {
            problems.add(site, || {
                let (router, interface) = named();
                AdvertiseProblem::NoServerOfAddresses { router, interface }
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
    let router = || topology.named(id);
    let Some(uplink) = delegated::uplinks(stack).next() else {
        let router = router();
        problems.add(site, || DelegationProblem::DelegatedWithoutUplink {
            router,
        });
        return None;
    };
    let downlinks = delegated::downlinks(stack).count();
    if downlinks == 0 {
        let router = router();
        problems.add(site, || DelegationProblem::DelegatedWithoutNetwork {
            router,
        });
    }
    let service = served.get(&uplink.segment).copied().unwrap_or_default();
    let Some((server, length)) = service.delegates else {
        problems.add(site, || DelegationProblem::NothingDelegated {
            router: router(),
            interface: uplink.name.clone(),
        });
        return None;
    };
    let room = 1u128.checked_shl(u32::from(64u8.saturating_sub(length)));
    if room.is_some_and(|room| (downlinks as u128) > room) {
        problems.add(site, || DelegationProblem::DelegatedTooSmall {
            router: router(),
            server: topology.named(server),
            length,
            networks: downlinks,
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
        problems.add(Site::new(id, "dhcp6"), || {
            DelegationProblem::RangeTooSmall {
                server: topology.named(id),
                range,
                length: delegation.length,
                routers,
            }
        });
    }
}

/// Returns whether a node has its IPv6 addresses from a client of the lab.
pub(crate) fn asks(topology: &Topology, id: NodeId) -> bool {
    topology[id].addresses_v6 == AddressSource::Dhcp
}
