//! Prefixes that a router answers for, though no segment has them: those outside of a translation.
//!
//! Hosts in front of the router need a route to them. To the search for routes, each is a segment
//! behind the uplink of the router, which nobody else is on.

use std::borrow::Cow;

use super::realms::{is_uplink, router};
use super::route::PortSite;
use crate::plan::stack::Address;
use crate::plan::wiring::Wiring;
use crate::topology::subnet::Subnet;
use crate::topology::value::Topology;

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
            let Some(pair) = router.and_then(|router| router.nat_v6.prefixes()) else {
                continue;
            };
            let mut ports = stack.interfaces.iter();
            let Some(uplink) = ports.find(|port| is_uplink(topology, port)) else {
                continue;
            };
            let outside = pair.outside();
            let address = Address {
                ip: outside.host(1),
                prefix: outside.prefix(),
            };
            sites[index].push(PortSite {
                segment: networks.subnets.len(),
                cost: 1,
                outside: true,
            });
            networks.subnets.to_mut().push(vec![outside]);
            networks.addresses.to_mut()[index].push(vec![address]);
            networks.before.push(uplink.segment.index());
        }
        networks
    }

    /// Returns the segment of the topology that packets to a segment come to.
    pub(crate) fn segment(&self, segment: usize) -> usize {
        match segment.checked_sub(self.real) {
            Some(further) => self.before[further],
            None => segment,
        }
    }
}
