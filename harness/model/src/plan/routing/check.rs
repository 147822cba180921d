//! What is wrong with uplinks, with networks apart from each other, and with metrics.

use std::net::IpAddr;

use super::defaults::Gateways;
use super::realms::{Realms, has_routers, is_uplink, network};
use crate::nat::{NatEngine, NatSpec};
use crate::plan::id::StackId;
use crate::plan::plan::Plan;
use crate::plan::stack::{InterfacePlan, StackPlan};
use crate::plan::wiring::{Attachment, Wiring};
use crate::topology::error::{
    Problems, Site, TopologyError, TopologyErrorKind as Kind, TopologySubject,
};
use crate::topology::id::Owner;
use crate::topology::link::Engine;
use crate::topology::name::show;
use crate::topology::value::Topology;

/// Refuses a translation without an uplink, and networks that are in front of themselves.
pub(crate) fn check_realms(
    topology: &Topology,
    wiring: &Wiring,
    realms: &[Realms; 2],
) -> Result<(), TopologyError> {
    let mut problems = Problems::default();
    for stack in &wiring.stacks {
        let network = network(topology, stack.owner);
        let Some(router) = network.router.as_ref() else {
            if network
                .firewall
                .as_ref()
                .is_some_and(|it| it.portal.is_some())
            {
                let (name, subject) = whose(topology, stack.owner);
                problems.add(Kind::Misplaced, Site::new(subject, "firewall"), || {
                    format!("{name} has a captive portal but is no router; give it to `topology.router(…)`, in a file to a `[[router]]`")
                });
            }
            continue;
        };
        let (name, subject) = whose(topology, stack.owner);
        let ports = stack.interfaces.iter();
        let (up, down): (Vec<&Attachment>, Vec<_>) =
            ports.partition(|port| is_uplink(topology, port));
        let nat = router.nat.as_ref();
        let translation = if nat.is_some() { "nat" } else { "nat_v6" };
        if (nat.is_some() || router.nat_v6.separates()) && up.is_empty() {
            problems.add(Kind::Missing, Site::new(subject, translation), || {
                format!("{name} translates addresses but has no uplink; add one with `topology.uplink(router, internet)`, in a file with `uplink = true` at a `[[link]]`")
            });
        }
        if network.firewall.is_some() && up.is_empty() {
            problems.add(Kind::Missing, Site::new(subject, "firewall"), || {
                format!("{name} has a firewall, which stands at uplinks of a router, but no uplink; add one with `topology.uplink(router, internet)`, in a file with `uplink = true` at a `[[link]]`")
            });
        }
        let on_wire = [nat.map(NatSpec::carried_by), router.nat_v6.carried_by()]
            .contains(&Some(NatEngine::Userspace));
        for port in &up {
            if on_wire && topology[port.link].engine == Engine::Netem {
                problems.add(Kind::Conflict, Site::new(port.link, "engine"), || {
                    format!("the NAT of {name} works on a wire, and its uplink is to be carried by netem; take `Engine::Auto` or `Engine::Wire`")
                });
            }
        }
        if let Some(Err(why)) = nat.map(NatSpec::validate) {
            problems.add(Kind::Invalid, Site::new(subject, "nat"), || {
                format!("the NAT of {name} cannot be: {why}")
            });
        }
        if let Some(served) = &router.port_mapping {
            if nat.is_none() {
                problems.add(Kind::Missing, Site::new(subject, "port_mapping"), || {
                    format!("{name} gives ports to hosts that ask, and translates no addresses; give it a NAT with `RouterSpec::nat`, or leave `port_mapping` out")
                });
            }
            if let Err(why) = served.validate() {
                problems.add(Kind::Invalid, Site::new(subject, "port_mapping"), || {
                    format!("the port mapping of {name} cannot be: {why}")
                });
            }
        }
        let circular =
            |port: &Attachment| realms.iter().any(|realms| realms.is_circular(port.segment));
        let translates = nat.is_some() || router.nat_v6.separates();
        if translates && down.into_iter().any(circular) {
            problems.add(Kind::Wiring, Site::new(subject, translation), || {
                format!("{name} translates addresses between networks that are joined elsewhere too; let one way lead out, or leave the translation out")
            });
        }
    }
    problems.check()
}

/// Refuses uplinks that lead to no router or in a circle, and two default routes with the same
/// metric.
pub(crate) fn check_uplinks(
    topology: &Topology,
    wiring: &Wiring,
    stacks: &[StackPlan],
    families: &[Gateways<'_>],
) -> Result<(), TopologyError> {
    let mut problems = Problems::default();
    if !has_routers(topology) {
        return Ok(());
    }
    let ways_out = families.iter().map(|it| (it.version(), it.ways_out()));
    let ways_out: Vec<_> = ways_out.collect();
    let mut has_circle = false;
    for (index, stack) in wiring.stacks.iter().enumerate() {
        let id = StackId::new(index);
        let (name, subject) = whose(topology, stack.owner);
        let planned = stack.interfaces.iter().zip(&stacks[index].interfaces);
        // What a running lab has lost leads nowhere, and is no mistake of the topology.
        for (port, _) in planned.filter(|(_, it)| it.uplink && !it.gone) {
            if families
                .iter()
                .all(|family| family.beyond(id, port).is_none())
            {
                problems.add(Kind::Missing, Site::new(port.link, "ends"), || {
                    format!("the uplink of {name} over link {} leads to no router; lead it to `topology.router(…)` (in a file: `[[router]]`) or `topology.internet()`, or to a switch that has one", topology.shown_link(port.link))
                });
            }
        }
        let circular = ways_out.iter().filter(|(_, ways_out)| !ways_out[index]);
        let circular: Vec<&str> = circular.map(|(version, _)| version.name()).collect();
        if !has_circle && !circular.is_empty() {
            // Only the first router of a circle is reported, since all of them have the same cause.
            has_circle = true;
            problems.add(Kind::Wiring, Site::new(subject, "network"), || {
                let versions = circular.join(" and ");
                format!("the uplinks of {name} lead in a circle without a way out for {versions}; give a router of the circle an uplink with {versions} to `topology.internet()`, or make one uplink of the circle a `topology.link(…)`")
            });
        }
        for family in families {
            let mut metrics: Vec<_> = family
                .defaults(id)
                .iter()
                .map(|(_, route)| route.metric)
                .collect();
            metrics.sort_unstable();
            if let Some(same) = metrics.windows(2).find(|two| two[0] == two[1]) {
                let metric = same[0].unwrap_or_default();
                problems.add(Kind::Conflict, Site::new(subject, "network"), || {
                    format!("{name} has two default routes with metric {metric}; give one of its links another metric")
                });
                break;
            }
        }
    }
    problems.check()
}

/// Refuses external addresses of a NAT that nobody would answer for, or that somebody else has.
pub(crate) fn check_pools(topology: &Topology, plan: &Plan, problems: &mut Problems) {
    for stack in &plan.stacks {
        let settings = network(topology, stack.owner).router.as_ref();
        let Some(nat) = settings.and_then(|it| it.nat.as_ref()) else {
            continue;
        };
        let (name, subject) = whose(topology, stack.owner);
        let site = Site::new(subject, "nat");
        for address in nat.pool.iter().map(|it| IpAddr::from(*it)) {
            let Some(uplink) = plan.uplink_to(stack, address) else {
                problems.add(Kind::Invalid, site, || {
                    format!("the NAT of {name} has `{address}` in its pool, which is in no subnet of an uplink of the router, so that no packet would find it; take addresses of the uplink's network")
                });
                continue;
            };
            let mut others = plan.stacks.iter().flat_map(|it| &it.interfaces);
            let has = |it: &&InterfacePlan| {
                let mut own = it.addresses.iter();
                it.segment == uplink.segment
                    && (it.link, it.side) != (uplink.link, uplink.side)
                    && own.any(|it| it.ip == address)
            };
            if let Some(other) = others.find(has) {
                problems.add(Kind::Conflict, site, || {
                    format!("the NAT of {name} has `{address}` in its pool, which interface {} at link {} has already; choose another", other.name, topology.shown_link(other.link))
                });
            }
        }
    }
}

/// Returns the node or pod of a stack, as a text and as the subject of an error.
pub(crate) fn whose(topology: &Topology, owner: Owner) -> (String, TopologySubject) {
    match owner {
        Owner::Node(id) => (format!("node {}", show(&topology.node_name(id))), id.into()),
        Owner::Pod(id) => (format!("pod {}", show(&topology[id].name)), id.into()),
    }
}
