//! Prefixes that a router answers for, though no segment has them: those outside of a translation,
//! and those that a DHCPv6 server delegates.
//!
//! Hosts in front of the router need a route to them. To the search for routes, each is a segment
//! at the router, which nobody else is on: behind the uplink for a translation, and beside the
//! networks of a server.

use std::borrow::Cow;

use super::realms::{Realms, is_uplink, router};
use super::route::PortSite;
use crate::plan::stack::Address;
use crate::plan::wiring::{Attachment, Wiring};
use crate::topology::id::Owner;
use crate::topology::subnet::Subnet;
use crate::topology::value::Topology;

/// The networks of a topology, with the addresses that they have been given.
pub(crate) struct AddressedNetworks<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) wiring: &'a Wiring,
    /// The subnets of each segment.
    pub(crate) subnets: &'a [Vec<Subnet>],
    /// The addresses of each interface of each stack.
    pub(crate) addresses: &'a [Vec<Vec<Address>>],
    /// Whether each stack forwards packets.
    pub(crate) forwards: &'a [bool],
    /// The realms of IPv4, and those of IPv6.
    pub(crate) realms: &'a [Realms; 2],
}

/// Returns the place of each interface of each stack.
pub(crate) fn port_sites(topology: &Topology, wiring: &Wiring) -> Vec<Vec<PortSite>> {
    let site = |port: &Attachment| PortSite {
        segment: port.segment.index(),
        cost: topology[port.link].cost.unwrap_or(1),
        outside: is_uplink(topology, port),
    };
    let stacks = wiring.stacks.iter();
    stacks
        .map(|stack| stack.interfaces.iter().map(site).collect())
        .collect()
}

/// The networks of a topology as the search for routes sees them.
pub(crate) struct RoutedNetworks<'a> {
    /// The subnets of each segment.
    pub(crate) subnets: Cow<'a, [Vec<Subnet>]>,
    /// The addresses of each interface of each stack.
    pub(crate) addresses: Cow<'a, [Vec<Vec<Address>>]>,
    /// The segments of the uplinks behind which the further ones are.
    before: Vec<usize>,
    real: usize,
}

impl<'a> RoutedNetworks<'a> {
    /// Adds a segment for each prefix, and its port to `sites`.
    pub(crate) fn of(
        topology: &Topology,
        wiring: &Wiring,
        subnets: &'a [Vec<Subnet>],
        addresses: &'a [Vec<Vec<Address>>],
        sites: &mut [Vec<PortSite>],
    ) -> Self {
        let mut networks = Self {
            subnets: Cow::Borrowed(subnets),
            addresses: Cow::Borrowed(addresses),
            before: Vec::new(),
            real: subnets.len(),
        };
        for (index, stack) in wiring.stacks.iter().enumerate() {
            let router = router(topology, stack.owner);
            let pair = router.and_then(|router| router.nat_v6.prefixes());
            let announced = [
                (pair.map(|pair| pair.outside()), true),
                (delegated(topology, stack.owner), false),
            ];
            for (prefix, outside) in announced {
                let mut ports = stack.interfaces.iter();
                let port = ports.find(|port| is_uplink(topology, port) == outside);
                if let (Some(prefix), Some(port)) = (prefix, port) {
                    networks.add(index, prefix, outside, port, sites);
                }
            }
        }
        networks
    }

    fn add(
        &mut self,
        stack: usize,
        prefix: Subnet,
        outside: bool,
        port: &Attachment,
        sites: &mut [Vec<PortSite>],
    ) {
        let address = Address {
            ip: prefix.host(1),
            prefix: prefix.prefix(),
        };
        sites[stack].push(PortSite {
            segment: self.subnets.len(),
            cost: 1,
            outside,
        });
        self.subnets.to_mut().push(vec![prefix]);
        self.addresses.to_mut()[stack].push(vec![address]);
        self.before.push(port.segment.index());
    }

    /// Returns the segment of the topology that packets to a segment come to.
    pub(crate) fn segment(&self, segment: usize) -> usize {
        match segment.checked_sub(self.real) {
            Some(further) => self.before[further],
            None => segment,
        }
    }
}

/// Returns the range of which the DHCPv6 server of a stack delegates prefixes.
fn delegated(topology: &Topology, owner: Owner) -> Option<Subnet> {
    match owner {
        Owner::Node(id) => topology[id].dhcp6.as_ref()?.delegated_range(),
        Owner::Pod(_) => None,
    }
}
