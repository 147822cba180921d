//! The addresses that a server gives on one of its networks, and what it tells with them.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use crate::dhcp::given::parse_range;
use crate::dhcp6::spec::Dhcp6Spec;
use crate::plan::stack::InterfacePlan;
use crate::plan::{Plan, StackId};
use crate::topology::Subnet;

/// The first and the last host number that are given where no pool is named.
const HOSTS: [u128; 2] = [0x1000, 0x1fff];

/// Addresses and prefixes of a server on one network, and the facts that go with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dhcp6Network {
    /// The subnet of the network, if it has one.
    pub subnet: Option<Subnet>,
    /// The first and the last address that are given, if the network has any.
    pub range: Option<[Ipv6Addr; 2]>,
    /// Addresses in this range that are not given: somebody has them.
    pub taken: HashSet<Ipv6Addr>,
    /// The name servers.
    pub dns: Vec<Ipv6Addr>,
    /// The domain.
    pub domain: String,
}

impl Dhcp6Network {
    /// Returns what a server gives on one of its interfaces; nothing where the interface leads to
    /// networks of others, or has no IPv6.
    pub fn of(
        spec: &Dhcp6Spec,
        plan: &Plan,
        stack: StackId,
        interface: &InterfacePlan,
    ) -> Option<Self> {
        if interface.uplink || link_local(interface).is_none() {
            return None;
        }
        let mut own = interface.addresses.iter();
        let own = own.find(|it| it.ip.is_ipv6() && !it.is_link_local());
        let subnet = own.and_then(|it| Subnet::around(it.ip, it.prefix));
        let range = match &spec.pool {
            Some(text) => parse_range(text).ok(),
            None => subnet.and_then(|subnet| {
                let [first, last] = HOSTS.map(|host| v6(subnet.host(host)));
                // A smaller network has no such host numbers.
                (subnet.prefix() <= 112).then_some([first?, last?])
            }),
        };
        let on_it = |ip: &Ipv6Addr| subnet.is_some_and(|it| it.contains((*ip).into()));
        let segment = |it: &&InterfacePlan| it.segment == interface.segment;
        let others = plan.stacks.iter().flat_map(|it| &it.interfaces);
        let taken = others.filter(segment).flat_map(|it| &it.addresses);
        Some(Self {
            subnet,
            range: range.filter(|range| range.iter().all(on_it)),
            taken: taken.filter_map(|it| v6(it.ip)).collect(),
            dns: name_servers(plan, stack, interface),
            domain: plan.domain.clone(),
        })
    }

    /// Returns whether the server may give an address.
    pub(crate) fn has(&self, address: Ipv6Addr) -> bool {
        let within = |[first, last]: [Ipv6Addr; 2]| (first..=last).contains(&address);
        self.range.is_some_and(within) && !self.taken.contains(&address)
    }

    /// Returns all addresses that the server may give.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        let ranges = self.range.into_iter();
        let all = ranges.flat_map(|[first, last]| first.to_bits()..=last.to_bits());
        all.map(Ipv6Addr::from_bits).filter(|it| self.has(*it))
    }
}

/// Returns the IPv6 addresses at which hosts on the network of an interface of a stack reach the
/// name servers of the lab.
pub fn name_servers(plan: &Plan, stack: StackId, interface: &InterfacePlan) -> Vec<Ipv6Addr> {
    let global = |it: &InterfacePlan| -> Vec<IpAddr> {
        let addresses = it.addresses.iter().filter(|it| !it.is_link_local());
        addresses.map(|it| it.ip).collect()
    };
    let servers = plan.name_servers.iter();
    let reached = servers.filter_map(|id| {
        let near = plan[*id].interfaces.iter();
        let near = near.filter(|it| it.segment == interface.segment);
        let own = (*id == stack).then(|| global(interface));
        own.into_iter()
            .flatten()
            .chain(near.flat_map(global))
            .chain(plan[*id].primary())
            .find_map(v6)
    });
    reached.collect()
}

/// Returns the link-local address of an interface that speaks IPv6, by which clients and servers
/// talk.
pub fn link_local(interface: &InterfacePlan) -> Option<Ipv6Addr> {
    let mut own = interface.addresses.iter().filter(|it| it.is_link_local());
    own.find_map(|it| v6(it.ip))
}

fn v6(ip: IpAddr) -> Option<Ipv6Addr> {
    match ip {
        IpAddr::V6(v6) => Some(v6),
        IpAddr::V4(_) => None,
    }
}
