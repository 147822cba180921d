//! Default routes: of hosts to their router, and of routers over their uplinks.

use std::net::IpAddr;

use super::realms::{asks_at, is_uplink, router};
use crate::packet::ip::IpVersion;
use crate::plan::id::StackId;
use crate::plan::stack::{Address, RoutePlan};
use crate::plan::wiring::{Attachment, Wiring};
use crate::topology::subnet::Subnet;
use crate::topology::value::Topology;

/// The metric of the first default route of a stack that has none by hand, and the distance to the
/// next.
const METRIC: u32 = 100;

/// Returns the metric of a default route over an interface that is learnt from a server there, as
/// the routes of the plan would have it.
pub(crate) fn metric(topology: &Topology, ports: &[Attachment], interface: usize) -> u32 {
    let asks = |port: &&Attachment| asks_at(topology, ports, port);
    let before = ports[..interface].iter().filter(asks).count();
    let next = METRIC * (before as u32 + 1);
    topology[ports[interface].link].metric.unwrap_or(next)
}

/// The addresses of routers on each segment that lead further, of one family.
pub(crate) struct Gateways<'a> {
    topology: &'a Topology,
    wiring: &'a Wiring,
    version: IpVersion,
    of_segment: Vec<Vec<(StackId, IpAddr)>>,
}

impl<'a> Gateways<'a> {
    /// Finds the gateways among addresses by stack and interface.
    pub(crate) fn of(
        topology: &'a Topology,
        wiring: &'a Wiring,
        addresses: &[Vec<Vec<Address>>],
        version: IpVersion,
    ) -> Self {
        let mut of_segment = vec![Vec::new(); wiring.segments.len()];
        for (segment, gateways) in wiring.segments.iter().zip(&mut of_segment) {
            for port in &segment.ports {
                let stack = &wiring.stacks[port.stack.index()];
                let attachment = &stack.interfaces[port.interface.index()];
                // A router does not lead further where its own way out is.
                let leads =
                    router(topology, stack.owner).is_some() && !is_uplink(topology, attachment);
                let given = &addresses[port.stack.index()][port.interface.index()];
                let mut ips = given.iter().map(|address| address.ip);
                if let (true, Some(ip)) = (leads, ips.find(|ip| IpVersion::of(*ip) == version)) {
                    gateways.push((port.stack, ip));
                }
            }
        }
        Self {
            topology,
            wiring,
            version,
            of_segment,
        }
    }

    /// Returns the version of the Internet protocol that the gateways serve.
    pub(crate) fn version(&self) -> IpVersion {
        self.version
    }

    /// Returns the neighbour to which the default route over an interface leads.
    pub(crate) fn beyond(&self, stack: StackId, port: &Attachment) -> Option<IpAddr> {
        self.gateway(stack, port).map(|(_, ip)| ip)
    }

    fn gateway(&self, stack: StackId, port: &Attachment) -> Option<(StackId, IpAddr)> {
        let gateways = self.of_segment[port.segment.index()].iter();
        let mut others = gateways.filter(|(other, _)| *other != stack);
        others.next().copied()
    }

    /// Returns, for each stack, whether a path of default routes from the stack comes to an end: at
    /// a router without a default route, as the Internet is. From the other stacks all paths lead
    /// into circles, which forward packets to unknown networks until the hop limit of each packet
    /// is used up.
    pub(crate) fn ways_out(&self) -> Vec<bool> {
        let stacks = &self.wiring.stacks;
        let mut before = vec![Vec::new(); stacks.len()];
        let mut reached = Vec::new();
        for (index, stack) in stacks.iter().enumerate() {
            let id = StackId::new(index);
            let uplinks = stack.interfaces.iter();
            let uplinks = uplinks.filter(|port| is_uplink(self.topology, port));
            let mut is_end = true;
            for (next, _) in uplinks.filter_map(|port| self.gateway(id, port)) {
                before[next.index()].push(index);
                is_end = false;
            }
            if is_end {
                reached.push(index);
            }
        }
        let mut ways_out = vec![false; stacks.len()];
        while let Some(index) = reached.pop() {
            if !std::mem::replace(&mut ways_out[index], true) {
                reached.extend(&before[index]);
            }
        }
        ways_out
    }

    /// Returns the default routes of a stack, with the numbers of their interfaces.
    pub(crate) fn defaults(&self, stack: StackId) -> Vec<(usize, RoutePlan)> {
        let wired = &self.wiring.stacks[stack.index()];
        let uplinks = |port: &Attachment| is_uplink(self.topology, port);
        let is_router = router(self.topology, wired.owner).is_some();
        let by_uplinks = is_router || wired.interfaces.iter().any(uplinks);
        let mut routes: Vec<(usize, RoutePlan)> = Vec::new();
        for (interface, port) in wired.interfaces.iter().enumerate() {
            if by_uplinks && !uplinks(port) {
                continue;
            }
            let Some(via) = self.beyond(stack, port) else {
                continue;
            };
            let next = METRIC * (routes.len() as u32 + 1);
            let metric = self.topology[port.link].metric.unwrap_or(next);
            let to = Subnet::from_bits(self.version, 0, 0);
            let metric = Some(metric);
            routes.push((
                interface,
                RoutePlan {
                    to,
                    via,
                    metric,
                    table: None,
                },
            ));
        }
        routes
    }
}
