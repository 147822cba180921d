//! Addresses for all interfaces: the ones given by hand, and automatic ones elsewhere.
//!
//! Addresses never overlap, and the same topology always gets the same ones.
//!
//! Segment number *n* gets the *n*-th /24 of the IPv4 pool and the *n*-th /64 of the IPv6 pool, so
//! that `10.0.3.2` and `fd73:6e6f:77:3::2` are the same interface. A segment of more than 254
//! interfaces gets an aligned block of /24s. Automatic subnets avoid the ones given by hand.

mod parse;
mod pool;

use std::collections::HashMap;
use std::net::IpAddr;

use crate::dhcp::AddressSource;
use crate::ndp::host::autoconfigures;
use crate::order::sort_by_key;
use crate::packet::ip::IpVersion;
use crate::plan::id::SegmentId;
use crate::plan::kept::Kept;
use crate::plan::routing::realms::{Realms, asks_at};
use crate::plan::stack::Address;
use crate::plan::wiring::{Segment, StackPort, Wiring};
use crate::side::Side;
use crate::topology::error::{Problems, TopologyError};
use crate::topology::id::{LinkId, Owner};
use crate::topology::link::Families;
use crate::topology::problem::AddressProblem;
use crate::topology::subnet::Subnet;
use crate::topology::value::Topology;
use parse::{Given, families, given_address, given_subnets, named_segment, segment_site, site};
use pool::Pool;

pub(crate) struct Allocation {
    /// The subnets of each segment. Automatic addresses come from the first subnet of each family.
    pub(crate) subnets: Vec<Vec<Subnet>>,
    /// The addresses of each interface of each stack.
    pub(crate) addresses: Vec<Vec<Vec<Address>>>,
}

impl Allocation {
    /// Allocates for all segments. Everything that `kept` has stays as it is there, except at a
    /// cable that was moved.
    pub(crate) fn of(
        topology: &Topology,
        wiring: &Wiring,
        realms: &[Realms; 2],
        kept: Option<&Kept<'_>>,
    ) -> Result<Allocation, TopologyError> {
        let mut problems = Problems::default();
        let mut asked = Asked::read(topology, wiring, &mut problems);
        if let Some(kept) = kept {
            asked.keep(topology, wiring, kept);
        }
        problems.check()?;
        asked.infer_subnets(topology, wiring, &mut problems);
        asked.check_overlaps(topology, wiring, realms, &mut problems);
        problems.check()?;
        asked.fill_subnets(topology, wiring, realms)?;
        asked.check_addresses(topology, wiring, &mut problems);
        problems.check()?;
        asked.fill_addresses(topology, wiring, &mut problems);
        problems.check()?;
        let addresses = asked
            .given
            .into_iter()
            .map(|interfaces| interfaces.into_iter().map(settled).collect())
            .collect();
        Ok(Allocation {
            subnets: asked.subnets,
            addresses,
        })
    }
}

/// Returns the addresses of an interface: IPv4 before IPv6, and within a family in the order given.
fn settled(mut given: Vec<Given>) -> Vec<Address> {
    sort_by_key(&mut given, |(ip, _)| ip.is_ipv6());
    let address = |(ip, prefix): Given| Address {
        ip,
        prefix: prefix.unwrap_or(IpVersion::of(ip).address_bits()),
    };
    given.into_iter().map(address).collect()
}

/// Subnets and addresses as far as they are known. They begin with the ones given by hand.
struct Asked {
    subnets: Vec<Vec<Subnet>>,
    families: Vec<Families>,
    /// The addresses that were given by hand, by stack and interface.
    given: Vec<Vec<Vec<Given>>>,
}

impl Asked {
    fn read(topology: &Topology, wiring: &Wiring, problems: &mut Problems) -> Asked {
        let subnets = wiring
            .segments
            .iter()
            .map(|segment| given_subnets(topology, segment, problems))
            .collect();
        let families = wiring
            .segments
            .iter()
            .map(|segment| families(topology, segment, problems))
            .collect();
        let mut interface = |link: LinkId, side: Side| {
            let texts = &topology[link].ends[side].addresses;
            texts
                .iter()
                .filter_map(|text| given_address(topology, link, side, text, problems))
                .collect()
        };
        let given = wiring.stacks.iter();
        let given = given
            .map(|stack| {
                stack
                    .interfaces
                    .iter()
                    .map(|port| interface(port.link, port.side))
                    .collect()
            })
            .collect();
        Asked {
            subnets,
            families,
            given,
        }
    }

    /// Takes over the subnets and addresses of an earlier plan of a smaller topology.
    fn keep(&mut self, topology: &Topology, wiring: &Wiring, kept: &Kept<'_>) {
        let plan = kept.plan;
        for (segment, subnets) in wiring.segments.iter().zip(&mut self.subnets) {
            let before = match (segment.switches.first(), segment.cable) {
                (Some(switch), _) => plan.segment_of_switch.get(switch.index()),
                (None, cable) => cable.and_then(|link| plan.segment_of_link.get(link.index())),
            };
            for subnet in before.into_iter().flat_map(|index| &plan[*index].subnets) {
                if !subnets.contains(subnet) {
                    subnets.push(*subnet);
                }
            }
        }
        let known = topology.links.len().min(plan.cables.len());
        for (stack, given) in wiring.stacks.iter().zip(&mut self.given) {
            for (port, given) in stack
                .interfaces
                .iter()
                .zip(given)
                .filter(|(port, _)| port.link.index() < known)
            {
                let before = plan
                    .interface(port.link, port.side)
                    .into_iter()
                    .flat_map(|interface| &interface.addresses);
                let before = before
                    .filter(|at| !at.is_link_local())
                    .map(|at| (at.ip, Some(at.prefix)));
                if kept.moved != Some(port.link) {
                    *given = before.collect();
                    continue;
                }
                // Addresses that fit the new segment stay, beside the ones given by hand.
                let known = |ip| given.iter().any(|(known, _)| *known == ip);
                let subnets = &self.subnets[port.segment.index()];
                let fits = |ip| subnets.iter().any(|subnet| subnet.contains(ip));
                let stay: Vec<Given> = before.filter(|(ip, _)| fits(*ip) && !known(*ip)).collect();
                given.extend(stay);
            }
        }
    }

    /// Adds the subnets that are named by addresses with a prefix length.
    fn infer_subnets(&mut self, topology: &Topology, wiring: &Wiring, problems: &mut Problems) {
        for (stack, interfaces) in wiring.stacks.iter().zip(&self.given) {
            for (port, given) in stack.interfaces.iter().zip(interfaces) {
                for (ip, prefix) in given {
                    let Some(subnet) = prefix.and_then(|prefix| Subnet::around(*ip, prefix)) else {
                        continue;
                    };
                    let known = &mut self.subnets[port.segment.index()];
                    if known.contains(&subnet) {
                        continue;
                    }
                    if let Some(other) = known.iter().find(|other| other.overlaps(&subnet)) {
                        problems.add(site(port.link, port.side), || {
                            AddressProblem::PrefixDiffers {
                                end: topology.link_end(port.link, port.side),
                                ip: *ip,
                                prefix: subnet.prefix(),
                                subnet: *other,
                            }
                        });
                    } else {
                        known.push(subnet);
                    }
                }
            }
        }
    }

    fn check_overlaps(
        &self,
        topology: &Topology,
        wiring: &Wiring,
        realms: &[Realms; 2],
        problems: &mut Problems,
    ) {
        let of_segment = |(segment, subnets): (usize, &Vec<Subnet>)| {
            let segment = SegmentId::new(segment);
            subnets
                .iter()
                .map(move |subnet| (*subnet, segment))
                .collect::<Vec<_>>()
        };
        let mut all: Vec<(Subnet, SegmentId)> = self
            .subnets
            .iter()
            .enumerate()
            .flat_map(of_segment)
            .collect();
        all.sort();
        // `open` has the subnets in which a later one may still lie.
        let mut open: Vec<(Subnet, SegmentId)> = Vec::new();
        for (subnet, segment) in all {
            open.retain(|(other, _)| other.overlaps(&subnet));
            let apart = |by| realms[subnet.version().index()].may_overlap(by, segment);
            if let Some((other, by)) = open.iter().find(|(_, by)| !apart(*by)) {
                let site = segment_site(wiring, segment);
                problems.add(site, || AddressProblem::SubnetsOverlap {
                    segment: named_segment(topology, wiring, segment),
                    subnet,
                    other_segment: named_segment(topology, wiring, *by),
                    other: *other,
                });
            }
            open.push((subnet, segment));
        }
    }

    /// Gives subnets to the segments and families that have none.
    fn fill_subnets(
        &mut self,
        topology: &Topology,
        wiring: &Wiring,
        realms: &[Realms; 2],
    ) -> Result<(), TopologyError> {
        let pool = |public| Pool::of(topology, public, self.subnets.iter().flatten());
        let mut pools = [pool(false)?, pool(true)?];
        for (segment, subnets) in self.subnets.iter_mut().enumerate() {
            let lacks = |version| !subnets.iter().any(|subnet| subnet.version() == version);
            let v4 = self.families[segment].has_v4() && lacks(IpVersion::V4);
            let v6 = self.families[segment].has_v6() && lacks(IpVersion::V6);
            let ports = wiring.segments[segment].ports.len();
            if ports == 0 || !(v4 || v6) {
                continue;
            }
            let id = SegmentId::new(segment);
            let [public_v4, public_v6] =
                IpVersion::BOTH.map(|version| realms[version.index()].is_public(id));
            // Both families take the same number where both are of the same kind.
            let together = v4 && v6 && public_v4 == public_v6;
            let mut take = |public: bool, blocks: u128| {
                let pool = &mut pools[usize::from(public)];
                pool.take(blocks).ok_or_else(|| {
                    let problem = AddressProblem::PoolsExhausted {
                        segment: named_segment(topology, wiring, id),
                        pools: [pool.v4, pool.v6],
                        setter: pool.setter(),
                    };
                    TopologyError::one(segment_site(wiring, id), problem)
                })
            };
            let of_v4 = if v4 {
                Some(take(public_v4, Pool::blocks_for(ports))?)
            } else {
                None
            };
            let of_v6 = match of_v4.filter(|_| together) {
                None if v6 => Some(take(public_v6, 1)?),
                shared => shared,
            };
            let pool = |public: bool| &pools[usize::from(public)];
            subnets.extend(of_v4.map(|index| pool(public_v4).v4_block(index, ports)));
            subnets.extend(of_v6.map(|index| pool(public_v6).v6_block(index)));
        }
        Ok(())
    }

    /// Checks the addresses given by hand, and completes them with the prefix lengths of their
    /// subnets.
    fn check_addresses(&mut self, topology: &Topology, wiring: &Wiring, problems: &mut Problems) {
        // Networks apart from each other may have the same addresses.
        let mut owners: HashMap<(SegmentId, IpAddr), (LinkId, Side)> = HashMap::new();
        for (stack, interfaces) in wiring.stacks.iter().zip(&mut self.given) {
            for (port, given) in stack.interfaces.iter().zip(interfaces) {
                let end = || topology.link_end(port.link, port.side);
                for (ip, prefix) in given {
                    let ip = *ip;
                    let site = site(port.link, port.side);
                    let Some(subnet) = self.subnets[port.segment.index()]
                        .iter()
                        .find(|subnet| subnet.contains(ip))
                    else {
                        problems.add(site, || AddressProblem::InNoSubnet { end: end(), ip });
                        continue;
                    };
                    *prefix = Some(subnet.prefix());
                    let (first, last) = subnet.host_range();
                    if !(first..=last).contains(&subnet.host_of(ip)) {
                        let subnet = *subnet;
                        let end = end();
                        problems.add(site, || AddressProblem::NoInterfaceAddress {
                            end,
                            ip,
                            subnet,
                        });
                    }
                    if let Some((link, side)) =
                        owners.insert((port.segment, ip), (port.link, port.side))
                    {
                        problems.add(site, || AddressProblem::AddressTaken {
                            end: end(),
                            ip,
                            by: topology.link_end(link, side),
                        });
                    }
                }
            }
        }
    }

    /// Gives every interface without an address of a family the next free one of its segment.
    fn fill_addresses(&mut self, topology: &Topology, wiring: &Wiring, problems: &mut Problems) {
        for (index, segment) in wiring.segments.iter().enumerate() {
            for version in IpVersion::BOTH {
                let wanted = match version {
                    IpVersion::V4 => self.families[index].has_v4(),
                    IpVersion::V6 => self.families[index].has_v6(),
                };
                let Some(subnet) = self.subnets[index]
                    .iter()
                    .find(|subnet| subnet.version() == version)
                    .copied()
                else {
                    continue;
                };
                if !wanted {
                    continue;
                }
                let planned =
                    |port: &StackPort| has_planned_addresses(topology, wiring, port, version);
                if !self.number(segment, subnet, planned) {
                    let id = SegmentId::new(index);
                    problems.add(segment_site(wiring, id), || {
                        AddressProblem::SubnetTooSmall {
                            segment: named_segment(topology, wiring, id),
                            subnet,
                            plugged: segment.ports.len(),
                        }
                    });
                }
            }
        }
    }

    /// Gives addresses to the interfaces of a segment that have none of this family. Returns
    /// `false` if there is no room.
    fn number(
        &mut self,
        segment: &Segment,
        subnet: Subnet,
        planned: impl Fn(&StackPort) -> bool,
    ) -> bool {
        let mut used: Vec<u128> = Vec::new();
        let mut bare: Vec<StackPort> = Vec::new();
        for port in &segment.ports {
            let given = &self.given[port.stack.index()][port.interface.index()];
            used.extend(
                given
                    .iter()
                    .filter(|(ip, _)| subnet.contains(*ip))
                    .map(|(ip, _)| subnet.host_of(*ip)),
            );
            let has_none = !given
                .iter()
                .any(|(ip, _)| IpVersion::of(*ip) == subnet.version());
            if has_none && planned(port) {
                bare.push(*port);
            }
        }
        used.sort_unstable();
        let mut used = used.into_iter().peekable();
        let (first, last) = subnet.host_range();
        let mut next = first;
        for StackPort { stack, interface } in bare {
            while used.peek().is_some_and(|host| *host <= next) {
                next += u128::from(used.next() == Some(next));
            }
            if next > last {
                return false;
            }
            self.given[stack.index()][interface.index()]
                .push((subnet.host(next), Some(subnet.prefix())));
            next += 1;
        }
        true
    }
}

/// Returns whether the addresses of an interface of a family come from the plan.
fn has_planned_addresses(
    topology: &Topology,
    wiring: &Wiring,
    port: &StackPort,
    version: IpVersion,
) -> bool {
    let stack = &wiring.stacks[port.stack.index()];
    let own = &stack.interfaces[port.interface.index()];
    if !asks_at(topology, &stack.interfaces, own) {
        return true;
    }
    match stack.owner {
        owner if version == IpVersion::V6 => !autoconfigures(topology, owner),
        Owner::Node(node) => topology[node].addresses == AddressSource::Plan,
        Owner::Pod(_) => true,
    }
}
