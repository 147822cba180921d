//! Routes given by hand: the neighbours that they lead over, and their tables.

use std::net::IpAddr;

use super::check::named_with_subject;
use super::realms::{network, owner_name};
use crate::plan::stack::{Address, RoutePlan, SourceRule, StackPlan};
use crate::plan::wiring::{Attachment, Wiring};
use crate::topology::error::{Problems, Site, TopologyError};
use crate::topology::id::Owner;
use crate::topology::problem::{RouteMistake, RouterProblem};
use crate::topology::router::RouteSpec;
use crate::topology::subnet::Subnet;
use crate::topology::validate::firewall::network_of;
use crate::topology::value::Topology;

/// The table of the first source that has routes of its own. Below 256 are those that the kernel
/// and other programs use.
const FIRST_TABLE: u32 = 1000;

/// Gives stacks the routes that were written by hand.
pub(crate) fn add_routes_by_hand(
    topology: &Topology,
    wiring: &Wiring,
    addresses: &[Vec<Vec<Address>>],
    stacks: &mut [StackPlan],
) -> Result<(), TopologyError> {
    let mut problems = Problems::default();
    for (index, stack) in stacks.iter_mut().enumerate() {
        let owner = wiring.stacks[index].owner;
        let own = addresses[index].iter().flatten();
        let own = own.filter_map(|it| Subnet::around(it.ip, it.prefix));
        let own: Vec<Subnet> = own.collect();
        let mut before: Vec<HandRoute> = Vec::new();
        for (number, asked) in network(topology, owner).routes.iter().enumerate() {
            let (part, subject) = named_with_subject(topology, owner);
            let found = route(topology, wiring, addresses, index, asked);
            let found = found.and_then(|found| match collision(&found, &own, &before, stack) {
                None => Ok(found),
                Some(mistake) => Err(mistake),
            });
            match found {
                Ok(found) => {
                    before.push(found);
                    add(stack, found);
                }
                Err(mistake) => {
                    let site = Site {
                        item: Some(number),
                        ..Site::new(subject, "routes")
                    };
                    problems.add(site, || RouterProblem::Route {
                        part,
                        to: asked.to.clone(),
                        mistake,
                    });
                }
            }
        }
    }
    problems.check()
}

/// A route with the interface that it leads over.
#[derive(Clone, Copy, PartialEq)]
struct HandRoute {
    interface: usize,
    to: Subnet,
    via: IpAddr,
    from: Option<Subnet>,
    metric: Option<u32>,
}

/// Returns why the kernel would have no room for a route, or the route would push another one out.
///
/// Of routes to one network in one table, each has a metric of its own (net/ipv4/fib_trie.c,
/// fib_table_insert; net/ipv6/ip6_fib.c, fib6_add_rt2node).
fn collision(
    found: &HandRoute,
    own: &[Subnet],
    before: &[HandRoute],
    stack: &StackPlan,
) -> Option<RouteMistake> {
    let HandRoute {
        to, from, metric, ..
    } = *found;
    let is_same = |it: &&HandRoute| (it.to, it.from, it.metric) == (to, from, metric);
    if before.iter().find(is_same).is_some_and(|it| it != found) {
        return Some(RouteMistake::Twice);
    }
    if from.is_some() {
        return None;
    }
    // The kernel makes the route to the network of an address, without a metric.
    if metric.is_none() && own.contains(&to) {
        return Some(RouteMistake::OwnNetwork);
    }
    let routes = stack.interfaces.iter().flat_map(|it| &it.routes);
    let mut automatic = routes.filter(|it| it.to == to && it.table.is_none());
    let is_new = !before.contains(found);
    let is_taken = is_new && automatic.any(|it| metric.is_some() && it.metric == metric);
    is_taken.then_some(RouteMistake::MetricOfAutomatic(metric.unwrap_or(0)))
}

fn route(
    topology: &Topology,
    wiring: &Wiring,
    addresses: &[Vec<Vec<Address>>],
    stack: usize,
    asked: &RouteSpec,
) -> Result<HandRoute, RouteMistake> {
    let RouteSpec {
        to,
        via,
        from,
        metric,
    } = asked;
    let read =
        |text: &str| network_of(text).ok_or_else(|| RouteMistake::NotANetwork(text.to_owned()));
    let to = read(to)?;
    let from = from.as_deref().map(read).transpose()?;
    if from.is_some_and(|from| from.is_ipv6() != to.is_ipv6()) {
        return Err(RouteMistake::FamiliesDiffer);
    }
    let wanted: Option<IpAddr> = via.parse().ok();
    let is_wanted = |owner: Owner, ip: IpAddr| match wanted {
        Some(wanted) => ip == wanted,
        None => owner_name(topology, owner) == via && ip.is_ipv6() == to.is_ipv6(),
    };
    for (interface, port) in wiring.stacks[stack].interfaces.iter().enumerate() {
        let neighbours = &wiring.segments[port.segment.index()].ports;
        for other in neighbours
            .iter()
            .filter(|other| other.stack.index() != stack)
        {
            let given = &addresses[other.stack.index()][other.interface.index()];
            let owner = wiring.stacks[other.stack.index()].owner;
            let found = given.iter().find(|address| is_wanted(owner, address.ip));
            if let Some(found) = found.filter(|found| found.ip.is_ipv6() == to.is_ipv6()) {
                return Ok(HandRoute {
                    interface,
                    to,
                    via: found.ip,
                    from,
                    metric: *metric,
                });
            }
        }
    }
    Err(RouteMistake::NoNeighbour {
        via: via.clone(),
        version: to.version(),
        neighbours: neighbours_of(topology, wiring, &wiring.stacks[stack].interfaces, stack),
    })
}

/// Returns the names of the first neighbours, for an error.
fn neighbours_of(
    topology: &Topology,
    wiring: &Wiring,
    ports: &[Attachment],
    stack: usize,
) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for port in ports {
        for other in &wiring.segments[port.segment.index()].ports {
            let owner = wiring.stacks[other.stack.index()].owner;
            let name = owner_name(topology, owner);
            let is_known = names.iter().any(|known| known == name);
            if other.stack.index() != stack && !is_known && names.len() < 8 {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Gives a stack a route, in place of automatic ones to the same network.
fn add(stack: &mut StackPlan, found: HandRoute) {
    let HandRoute {
        interface,
        to,
        via,
        from,
        metric,
    } = found;
    let table = from.map(|from| {
        let known = stack.own.source_rules.iter().find(|rule| rule.from == from);
        known.map(|rule| rule.table).unwrap_or_else(|| {
            let table = FIRST_TABLE + stack.own.source_rules.len() as u32;
            stack.own.source_rules.push(SourceRule { from, table });
            table
        })
    });
    let route = RoutePlan {
        to,
        via,
        metric,
        table,
    };
    if table.is_none() && metric.is_none() {
        for interface in &mut stack.interfaces {
            interface
                .routes
                .retain(|other| other.to != to || other.table.is_some());
        }
    }
    let routes = &mut stack.interfaces[interface].routes;
    if !routes.contains(&route) {
        routes.push(route);
    }
}
