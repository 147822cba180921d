//! The addresses that a server gives on one network.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::dhcp::given::{parse_range, seconds};
use crate::dhcp::spec::DhcpSpec;
use crate::plan::stack::InterfacePlan;
use crate::plan::{Plan, StackId};
use crate::topology::Subnet;

/// The addresses that a server gives on one network, and what it tells with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasePool {
    /// The address of the server.
    pub server: Ipv4Addr,
    /// The length of the prefix of the network, in bits.
    pub prefix: u8,
    /// The first and the last address.
    pub range: [Ipv4Addr; 2],
    /// Addresses in this range that are not given: somebody has them.
    pub taken: HashSet<Ipv4Addr>,
    /// The router of the network, if there is one.
    pub router: Option<Ipv4Addr>,
    /// The name servers.
    pub dns: Vec<Ipv4Addr>,
    /// The domain.
    pub domain: String,
    /// Seconds for which an address is given.
    pub lease: u32,
    /// Seconds after which a client asks for more.
    pub renew_after: u32,
}

impl LeasePool {
    /// Returns what a server gives on one of its interfaces; nothing where the pool lies on another
    /// network, or the interface has no IPv4 address, or leads to networks that somebody else gives
    /// addresses to.
    pub fn of(
        spec: &DhcpSpec,
        plan: &Plan,
        stack: StackId,
        interface: &InterfacePlan,
    ) -> Option<Self> {
        if interface.uplink {
            return None;
        }
        let mut addresses = interface.addresses.iter();
        let (server, prefix) = addresses.find_map(|it| Some((v4(it.ip)?, it.prefix)))?;
        let subnet = Subnet::around(server.into(), prefix)?;
        let [first, last] = match &spec.pool {
            Some(text) => parse_range(text).ok()?,
            None => whole(&subnet)?,
        };
        if ![first, last].iter().all(|it| subnet.contains((*it).into())) {
            return None;
        }
        let on_it = |it: &&InterfacePlan| it.segment == interface.segment;
        let others = plan
            .stacks
            .iter()
            .flat_map(|it| &it.interfaces)
            .filter(on_it);
        let taken = others.flat_map(InterfacePlan::v4);
        let forwards = plan[stack].sets("net/ipv4/ip_forward", "1");
        let dns = plan.name_servers.iter().filter_map(|id| {
            let own = *id == stack;
            let near = plan[*id].interfaces.iter().filter(on_it);
            let far = plan[*id].primary().filter_map(v4);
            let mut all = near.flat_map(InterfacePlan::v4).chain(far);
            if own { Some(server) } else { all.next() }
        });
        let [lease, renew_after] = seconds(spec.lease, spec.renew_after);
        Some(Self {
            server,
            prefix,
            range: [first, last],
            taken: taken.collect(),
            router: forwards.then_some(server),
            dns: dns.collect(),
            domain: plan.domain.clone(),
            lease,
            renew_after,
        })
    }

    /// Returns whether the server may give an address.
    pub(crate) fn has(&self, address: Ipv4Addr) -> bool {
        let [first, last] = self.range;
        (first..=last).contains(&address) && !self.taken.contains(&address)
    }

    /// Returns whether there is an address to give, and a time to give it for.
    pub fn gives_something(&self) -> bool {
        self.lease > 0 && self.addresses().next().is_some()
    }

    /// Returns all addresses that the server may give.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let [first, last] = self.range.map(u32::from);
        (first..=last)
            .map(Ipv4Addr::from)
            .filter(|it| self.has(*it))
    }
}

/// Returns the first and the last address of a host.
fn whole(subnet: &Subnet) -> Option<[Ipv4Addr; 2]> {
    let (first, last) = subnet.host_range();
    Some([v4(subnet.host(first))?, v4(subnet.host(last))?])
}

fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}
