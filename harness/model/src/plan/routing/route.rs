//! Static routes along the shortest paths.
//!
//! A node needs routes only beyond its own segments, so a thousand nodes on one switch need none.
//! Routes to neighbouring subnets over the same hop are merged. So a node in a long line needs a
//! few routes, and not one for each segment.
//!
//! A node is known by its first address. The shortest way to a node may differ from the way to the
//! segment of that address, as in a full mesh. Then the node gets a route of its own.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::packet::ip::IpVersion;
use crate::plan::stack::{Address, RoutePlan};
use crate::topology::subnet::{Subnet, to_bits};

/// The network as routing sees it, in one address family.
pub(crate) struct RouteMap<'a> {
    version: IpVersion,
    /// The subnets to reach, in order, each with its segment: subnets of the pool, which may be
    /// merged, and others.
    inside: Vec<(Subnet, usize)>,
    outside: Vec<(Subnet, usize)>,
    /// The interfaces of each stack that have an address of the family.
    stacks: Vec<Vec<RoutePort>>,
    forwards: &'a [bool],
    /// The stacks that lead no packet from one side of theirs to the other.
    separates: Vec<bool>,
    /// The stacks on each segment that are on other segments too, with their addresses there.
    multihomed: Vec<Vec<MetPort>>,
}

/// The stacks between which routes are looked for.
pub(crate) struct RoutedStacks<'a> {
    /// The subnets of each segment.
    pub(crate) subnets: &'a [Vec<Subnet>],
    /// Place of each interface of each stack.
    pub(crate) sites: &'a [Vec<PortSite>],
    /// Addresses of each interface of each stack.
    pub(crate) addresses: &'a [Vec<Vec<Address>>],
    /// Whether each stack forwards packets.
    pub(crate) forwards: &'a [bool],
}

/// An interface as the map is told of it.
#[derive(Clone, Copy)]
pub(crate) struct PortSite {
    /// The segment that the interface is on.
    pub(crate) segment: usize,
    /// Length that the link adds to a path.
    pub(crate) cost: u32,
    /// Whether the interface is an uplink.
    pub(crate) outside: bool,
}

/// An interface on a segment, of a stack that is on other segments too.
#[derive(Clone, Copy)]
struct MetPort {
    stack: usize,
    ip: IpAddr,
    outside: bool,
}

#[derive(Clone, Copy)]
struct RoutePort {
    interface: usize,
    site: PortSite,
    ip: IpAddr,
}

/// The first hop of a packet.
#[derive(Clone, Copy)]
struct Hop {
    via: IpAddr,
    interface: usize,
}

/// Results of the search from one stack. The memory is used again for the next stack.
#[derive(Default)]
struct RouteSearch {
    /// The ways by which packets leave.
    hops: Vec<Hop>,
    /// The shortest way to each segment.
    ways: Vec<Way>,
    /// The shortest way to each stack that is on several segments, by the number of the stack,
    /// with the side on which it is met.
    met: Vec<(usize, bool, Way)>,
    seen: Vec<bool>,
    /// The ends of ways that are still to be followed: the length and the segment. Shorter ways
    /// come first, and equal ones in the order in which they were found.
    queue: VecDeque<(u32, usize)>,
}

/// A way to a segment or stack.
#[derive(Clone, Copy)]
struct Way {
    /// The number of the first hop in [`RouteSearch::hops`], or [`NOWHERE`] or [`HERE`].
    hop: u32,
    /// The sum of the costs of the links over which stacks on the way forward: one for each stack,
    /// if no link has another cost. On the way to a stack, the stack counts too.
    length: u32,
    /// The last stack on the way.
    entry: usize,
}

/// Marks a destination to which no way leads.
const NOWHERE: u32 = u32::MAX;
/// Marks a segment that the stack itself is on.
const HERE: u32 = u32::MAX - 1;

impl<'a> RouteMap<'a> {
    /// Prepares a map.
    ///
    /// Subnets that may be merged are those of the pool; none without a pool.
    pub(crate) fn new(
        version: IpVersion,
        pool: Option<Subnet>,
        stacks: &RoutedStacks<'a>,
        separates: Vec<bool>,
    ) -> Self {
        let RoutedStacks {
            subnets,
            sites,
            addresses,
            forwards,
        } = *stacks;
        let port = |(interface, (site, given)): (usize, (&PortSite, &Vec<Address>))| {
            let ip = given
                .iter()
                .map(|address| address.ip)
                .find(|ip| IpVersion::of(*ip) == version)?;
            Some(RoutePort {
                interface,
                site: *site,
                ip,
            })
        };
        let ports = |(sites, given): (&Vec<PortSite>, &Vec<Vec<Address>>)| -> Vec<RoutePort> {
            sites
                .iter()
                .zip(given)
                .enumerate()
                .filter_map(port)
                .collect()
        };
        let stacks: Vec<Vec<RoutePort>> = sites.iter().zip(addresses).map(ports).collect();
        let mut multihomed = vec![Vec::new(); subnets.len()];
        for (stack, ports) in stacks.iter().enumerate() {
            if ports
                .iter()
                .any(|port| port.site.segment != ports[0].site.segment)
            {
                for port in ports {
                    multihomed[port.site.segment].push(MetPort {
                        stack,
                        ip: port.ip,
                        outside: port.site.outside,
                    });
                }
            }
        }
        let of_segment = |(segment, subnets): (usize, &Vec<Subnet>)| -> Vec<(Subnet, usize)> {
            subnets
                .iter()
                .filter(|subnet| subnet.version() == version)
                .map(|subnet| (*subnet, segment))
                .collect()
        };
        let mut all: Vec<(Subnet, usize)> =
            subnets.iter().enumerate().flat_map(of_segment).collect();
        all.sort();
        let (inside, outside) = all
            .into_iter()
            .partition(|(subnet, _)| pool.is_some_and(|pool| pool.contains(subnet.network())));
        RouteMap {
            version,
            inside,
            outside,
            stacks,
            forwards,
            separates,
            multihomed,
        }
    }

    /// Returns the routes of every stack, each with the number of its interface. Returns nothing if
    /// all stacks together have more than `limit` routes.
    pub(crate) fn routes(&self, limit: usize) -> Option<Vec<Vec<(usize, RoutePlan)>>> {
        let mut leaves: Vec<Option<Vec<(usize, RoutePlan)>>> = vec![None; self.multihomed.len()];
        let mut all = Vec::with_capacity(self.stacks.len());
        let mut count = 0;
        let mut view = RouteSearch::default();
        for (stack, ports) in self.stacks.iter().enumerate() {
            // Stacks with one interface on the same segment have the same routes.
            let routes = match ports[..] {
                [] => Vec::new(),
                [
                    RoutePort {
                        interface: 0, site, ..
                    },
                ] => leaves[site.segment]
                    .get_or_insert_with(|| self.routes_from(stack, &mut view))
                    .clone(),
                _ => self.routes_from(stack, &mut view),
            };
            count += routes.len();
            if count > limit {
                return None;
            }
            all.push(routes);
        }
        Some(all)
    }

    fn routes_from(&self, from: usize, view: &mut RouteSearch) -> Vec<(usize, RoutePlan)> {
        let gateway = |port: &RoutePort| {
            self.multihomed[port.site.segment]
                .iter()
                .any(|met| met.stack != from)
        };
        if !self.stacks[from].iter().any(gateway) {
            return Vec::new();
        }
        self.search(from, view);
        let mut routes: Vec<(Subnet, u32)> = Vec::new();
        merge(&self.inside, &view.ways, &mut routes);
        routes.extend(
            self.outside
                .iter()
                .map(|(subnet, segment)| (*subnet, view.ways[*segment].hop)),
        );
        routes.extend(self.exceptions(view));
        let route = |(to, hop): (Subnet, u32)| {
            let Hop { via, interface } = *view.hops.get(hop as usize)?;
            let (metric, table) = (None, None);
            Some((
                interface,
                RoutePlan {
                    to,
                    via,
                    metric,
                    table,
                },
            ))
        };
        routes.into_iter().filter_map(route).collect()
    }

    /// Finds the shortest ways from a stack to all others, nearest first, over stacks that forward.
    /// Of equal ways, the one that was found first is taken.
    fn search(&self, from: usize, view: &mut RouteSearch) {
        view.clear(self.multihomed.len(), self.stacks.len());
        view.seen[from] = true;
        for port in &self.stacks[from] {
            view.reach(
                port.site.segment,
                Way {
                    hop: HERE,
                    // A link of the usual cost adds nothing to the way of who sends.
                    length: port.site.cost.saturating_sub(1),
                    entry: from,
                },
            );
        }
        while let Some((length, segment)) = view.queue.pop_front() {
            let way = view.ways[segment];
            if way.length != length {
                continue; // a shorter way was found meanwhile, and followed
            }
            for MetPort { stack, ip, outside } in &self.multihomed[segment] {
                if std::mem::replace(&mut view.seen[*stack], true) {
                    continue;
                }
                let hop = if way.hop == HERE {
                    self.first_hop(from, segment, *ip, view)
                } else {
                    way.hop
                };
                let beyond = |cost: u32| Way {
                    hop,
                    length: way.length.saturating_add(cost),
                    entry: *stack,
                };
                view.met.push((*stack, *outside, beyond(1)));
                let leads =
                    |port: &&RoutePort| !self.separates[*stack] || port.site.outside == *outside;
                if self.forwards[*stack] {
                    for port in self.stacks[*stack].iter().filter(leads) {
                        view.reach(port.site.segment, beyond(port.site.cost));
                    }
                }
            }
        }
    }

    /// Returns the number of a new first hop: a neighbour on a segment of the stack.
    fn first_hop(&self, from: usize, segment: usize, via: IpAddr, view: &mut RouteSearch) -> u32 {
        let port = self.stacks[from]
            .iter()
            .filter(|port| port.site.segment == segment)
            .min_by_key(|port| port.site.cost);
        view.hops.push(Hop {
            via,
            interface: port.map_or(0, |port| port.interface),
        });
        (view.hops.len() - 1) as u32
    }

    /// Returns routes to stacks that are nearer than the segment of their first address.
    fn exceptions(&self, view: &RouteSearch) -> Vec<(Subnet, u32)> {
        let exception = |(stack, outside, way): &(usize, bool, Way)| {
            let first = self.stacks[*stack].first()?;
            // The other side of the stack is not to be known here.
            if self.separates[*stack] && first.site.outside != *outside {
                return None;
            }
            let worse = match view.ways[first.site.segment] {
                Way { hop: HERE, .. } => false,
                Way { hop: NOWHERE, .. } => true,
                Way { length, entry, .. } => entry != *stack && length + 1 > way.length,
            };
            worse.then(|| {
                (
                    Subnet::from_bits(self.version, to_bits(first.ip), self.version.address_bits()),
                    way.hop,
                )
            })
        };
        view.met.iter().filter_map(exception).collect()
    }
}

impl RouteSearch {
    fn clear(&mut self, segments: usize, stacks: usize) {
        self.hops.clear();
        self.met.clear();
        self.queue.clear();
        self.ways.clear();
        self.ways.resize(
            segments,
            Way {
                hop: NOWHERE,
                length: 0,
                entry: 0,
            },
        );
        self.seen.clear();
        self.seen.resize(stacks, false);
    }

    /// Takes a way to a segment, unless a shorter one is known.
    fn reach(&mut self, segment: usize, way: Way) {
        let known = self.ways[segment];
        if known.hop == NOWHERE || known.hop != HERE && way.length < known.length {
            self.ways[segment] = way;
            // Without costs each way is as long as the last one, or longer.
            let longer = |(length, _): &&(u32, usize)| *length > way.length;
            let behind = self.queue.iter().rev().take_while(longer).count();
            let at = self.queue.len() - behind;
            self.queue.insert(at, (way.length, segment));
        }
    }
}

/// Merges routes over the same hop, if no other subnet lies between them by address. Subnets that
/// cannot be reached stay apart too: a merged route over them would make two nodes send such a
/// packet to and fro. Subnets of the stack itself do not matter, since their routes are more
/// specific. The subnets are in order.
fn merge(subnets: &[(Subnet, usize)], ways: &[Way], merged: &mut Vec<(Subnet, u32)>) {
    let hop = |(_, segment): &(Subnet, usize)| ways[*segment].hop;
    let foreign = |subnet: &(Subnet, usize)| hop(subnet) != HERE;
    let (Some(start), Some(end)) = (
        subnets.iter().position(foreign),
        subnets.iter().rposition(foreign),
    ) else {
        return;
    };
    let subnets = &subnets[start..=end];
    let (first, last) = (&subnets[0], &subnets[subnets.len() - 1]);
    let differing = 128 - (first.0.base() ^ last.0.last()).leading_zeros() as u8;
    let prefix = (first.0.version().address_bits() - differing).min(first.0.prefix());
    let around = |prefix| Subnet::from_bits(first.0.version(), first.0.base(), prefix);
    if subnets
        .iter()
        .all(|subnet| hop(subnet) == hop(first) || hop(subnet) == HERE)
    {
        return merged.push((around(prefix), hop(first)));
    }
    let middle = around(prefix + 1).last();
    let (low, high) =
        subnets.split_at(subnets.partition_point(|(subnet, _)| subnet.base() <= middle));
    merge(low, ways, merged);
    merge(high, ways, merged);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merges the routes to subnets by these ways.
    fn merged(routes: &[(&str, u32)]) -> Vec<(String, u32)> {
        let subnets: Vec<_> = routes
            .iter()
            .enumerate()
            .map(|(n, (to, _))| (to.parse().unwrap(), n))
            .collect();
        let ways: Vec<_> = routes
            .iter()
            .map(|(_, hop)| Way {
                hop: *hop,
                length: 0,
                entry: 0,
            })
            .collect();
        let mut merged = Vec::new();
        merge(&subnets, &ways, &mut merged);
        merged
            .into_iter()
            .filter(|(_, hop)| *hop != NOWHERE)
            .map(|(to, hop)| (to.to_string(), hop))
            .collect()
    }

    #[test]
    fn routes_by_the_same_way_merge() {
        assert_eq!(merged(&[]), []);
        assert_eq!(
            merged(&[("10.0.1.0/24", 1)]),
            [("10.0.1.0/24".to_string(), 1)]
        );
        assert_eq!(
            merged(&[("10.0.1.0/24", 1), ("10.0.2.0/24", 1)]),
            [("10.0.0.0/22".to_string(), 1)]
        );
    }

    #[test]
    fn own_segments_do_not_keep_routes_apart() {
        let routes = [
            ("10.0.0.0/24", HERE),
            ("10.0.2.0/24", 1),
            ("10.0.3.0/24", HERE),
            ("10.0.4.0/24", 1),
        ];
        assert_eq!(merged(&routes), [("10.0.0.0/21".to_string(), 1)]);
    }

    #[test]
    fn routes_by_other_ways_stay_apart() {
        let routes = [
            ("10.0.0.0/24", 1),
            ("10.0.1.0/24", 1),
            ("10.0.2.0/24", 2),
            ("10.0.3.0/24", 2),
            ("10.0.4.0/24", 1),
        ];
        let expected = [("10.0.0.0/23", 1), ("10.0.2.0/23", 2), ("10.0.4.0/24", 1)]
            .map(|(to, n)| (to.to_string(), n));
        assert_eq!(merged(&routes), expected);
        let routes = [
            ("10.0.0.0/24", 1),
            ("10.0.1.0/24", NOWHERE),
            ("10.0.2.0/24", 1),
        ];
        let expected = [("10.0.0.0/24", 1), ("10.0.2.0/24", 1)].map(|(to, n)| (to.to_string(), n));
        assert_eq!(merged(&routes), expected);
    }
}
