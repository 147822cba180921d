//! What is wrong with uplinks, with networks apart from each other, and with metrics.

use std::net::{IpAddr, Ipv4Addr};

use super::defaults::Gateways;
use super::realms::{Realms, has_routers, is_uplink, network};
use crate::nat::{NatEngine, NatSpec};
use crate::packet::ip::IpVersion;
use crate::plan::id::StackId;
use crate::plan::plan::Plan;
use crate::plan::stack::{InterfacePlan, StackPlan};
use crate::plan::wiring::{Attachment, Wiring};
use crate::topology::error::{Problems, Site, TopologyError, TopologySubject};
use crate::topology::id::Owner;
use crate::topology::link::Engine;
use crate::topology::problem::{LedInside, NamedPart, RouterProblem, UnreachableForward};
use crate::topology::router::RouterSettings;
use crate::topology::subnet::Subnet;
use crate::topology::value::{Routing, Topology};

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
                let (part, subject) = named_with_subject(topology, stack.owner);
                let site = Site::new(subject, "firewall");
                problems.add(site, || RouterProblem::PortalWithoutRouter { part });
            }
            continue;
        };
        let (named, subject) = named_with_subject(topology, stack.owner);
        let router_name = || named.clone();
        let ports = stack.interfaces.iter();
        let (up, down): (Vec<&Attachment>, Vec<_>) =
            ports.partition(|port| is_uplink(topology, port));
        let nat = router.nat.as_ref();
        let translation = if nat.is_some() { "nat" } else { "nat_v6" };
        if (nat.is_some() || router.nat_v6.separates()) && up.is_empty() {
            let site = Site::new(subject, translation);
            problems.add(site, || RouterProblem::NatWithoutUplink {
                router: router_name(),
            });
        }
        if network.firewall.is_some() && up.is_empty() {
            let site = Site::new(subject, "firewall");
            problems.add(site, || RouterProblem::FirewallWithoutUplink {
                router: router_name(),
            });
        }
        let on_wire = [nat.map(NatSpec::carried_by), router.nat_v6.carried_by()]
            .contains(&Some(NatEngine::Userspace));
        for port in &up {
            if on_wire && topology[port.link].engine == Engine::Netem {
                let site = Site::new(port.link, "engine");
                problems.add(site, || RouterProblem::NatOnNetem {
                    router: router_name(),
                });
            }
        }
        check_translation(router, &named, subject, &mut problems);
        let circular =
            |port: &Attachment| realms.iter().any(|realms| realms.is_circular(port.segment));
        let translates = nat.is_some() || router.nat_v6.separates();
        if translates && down.into_iter().any(circular) {
            let site = Site::new(subject, translation);
            problems.add(site, || RouterProblem::NatBypassed {
                router: router_name(),
            });
        }
    }
    problems.check()
}

/// Checks the values of a translation, and of the service that gives its ports to hosts.
fn check_translation(
    settings: &RouterSettings,
    named: &NamedPart,
    subject: TopologySubject,
    problems: &mut Problems,
) {
    let router_name = || named.clone();
    let (nat, port_mapping) = (&settings.nat, &settings.port_mapping);
    if let Some(Err(wrong)) = nat.as_ref().map(NatSpec::validate) {
        problems.add(Site::new(subject, "nat"), || RouterProblem::Nat {
            router: router_name(),
            wrong,
        });
    }
    if let Some(served) = port_mapping {
        let site = Site::new(subject, "port_mapping");
        if nat.is_none() {
            problems.add(site, || RouterProblem::PortMappingWithoutNat {
                router: router_name(),
            });
        }
        if let Err(wrong) = served.validate() {
            problems.add(site, || RouterProblem::PortMapping {
                router: router_name(),
                wrong,
            });
        }
    }
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
        let (named, subject) = named_with_subject(topology, stack.owner);
        let planned = stack.interfaces.iter().zip(&stacks[index].interfaces);
        // What a running lab has lost leads nowhere, and is no mistake of the topology.
        for (port, _) in planned.filter(|(_, it)| it.uplink && !it.gone) {
            if families
                .iter()
                .all(|family| family.beyond(id, port).is_none())
            {
                let site = Site::new(port.link, "ends");
                problems.add(site, || RouterProblem::UplinkToNoRouter {
                    router: named.clone(),
                    link: topology.link_label(port.link),
                });
            }
        }
        let circular = ways_out.iter().filter(|(_, ways_out)| !ways_out[index]);
        let versions: Vec<IpVersion> = circular.map(|(version, _)| *version).collect();
        if !has_circle && !versions.is_empty() {
            // Only the first router of a circle is reported, since all of them have the same cause.
            has_circle = true;
            let router = named.clone();
            problems.add(Site::new(subject, "network"), || {
                RouterProblem::CircleOfUplinks { router, versions }
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
                let part = named;
                problems.add(Site::new(subject, "network"), || {
                    RouterProblem::SameMetric { part, metric }
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
        let (named, subject) = named_with_subject(topology, stack.owner);
        let site = Site::new(subject, "nat");
        for address in nat.pool.iter().copied() {
            let Some(uplink) = plan.uplink_to(stack, address.into()) else {
                problems.add(site, || RouterProblem::PoolOutsideUplinks {
                    router: named.clone(),
                    address,
                });
                continue;
            };
            let mut others = plan.stacks.iter().flat_map(|it| &it.interfaces);
            let has = |it: &&InterfacePlan| {
                let mut own = it.addresses.iter();
                it.segment == uplink.segment
                    && (it.link, it.side) != (uplink.link, uplink.side)
                    && own.any(|it| it.ip == IpAddr::from(address))
            };
            if let Some(other) = others.find(has) {
                problems.add(site, || RouterProblem::PoolTaken {
                    router: named.clone(),
                    address,
                    interface: other.name.clone(),
                    link: topology.link_label(other.link),
                });
            }
        }
    }
}

/// Refuses forwarded ports, and exposed hosts, that are in no network behind the router.
///
/// Whether a host there has the address is left open: a host may be given it by DHCP, two hosts may
/// share it by VRRP, and a node may join while the lab runs. A router with nothing behind it is
/// passed over: a test may add the network to a topology that it has read from a file.
pub(crate) fn check_forwards(topology: &Topology, plan: &Plan, problems: &mut Problems) {
    // Routing daemons find networks that no plan knows, and a running lab that has lost a link has
    // lost the routes over it, too.
    let gone = || plan.stacks.iter().flat_map(|it| &it.interfaces);
    if topology.settings.routing == Routing::None || gone().any(|it| it.gone) {
        return;
    }
    for stack in &plan.stacks {
        let settings = network(topology, stack.owner).router.as_ref();
        let Some(nat) = settings.and_then(|it| it.nat.as_ref()) else {
            continue;
        };
        if stack.interfaces.iter().all(|it| it.uplink) {
            continue;
        }
        let ports = nat.forwards.iter().map(|it| LedInside::Port {
            port: it.port,
            to: it.to,
        });
        let exposed = nat.exposed_host();
        let exposed = exposed.map(|to| LedInside::Unsolicited { to });
        for led in ports.chain(exposed) {
            if leads_inside(stack, led.to()) {
                continue;
            }
            let (router, subject) = named_with_subject(topology, stack.owner);
            let behind = networks_of(stack).filter(|(it, _)| !it.uplink);
            let forward = UnreachableForward {
                router,
                led,
                behind: behind.map(|(_, network)| network).collect(),
            };
            let site = Site::new(subject, "nat");
            problems.add(site, || RouterProblem::UnreachableForward(forward));
        }
    }
}

/// Returns whether a router leads packets to an address to a network behind itself, where a host
/// can have the address.
fn leads_inside(stack: &StackPlan, to: Ipv4Addr) -> bool {
    let networks = networks_of(stack).filter(|(_, network)| network.contains(to.into()));
    let nearest = networks.max_by_key(|(_, network)| network.prefix());
    nearest.is_some_and(|(interface, network)| {
        let (first, last) = network.host_range();
        !interface.uplink && (first..=last).contains(&network.host_of(to.into()))
    })
}

/// Returns the networks of IPv4 that a router knows, each with the interface by which it is
/// reached: its own, and those to which it has routes.
fn networks_of(stack: &StackPlan) -> impl Iterator<Item = (&InterfacePlan, Subnet)> {
    stack.interfaces.iter().flat_map(|interface| {
        let own = interface.addresses.iter();
        let own = own.filter_map(|it| Subnet::around(it.ip, it.prefix));
        let routes = interface.routes.iter().filter(|it| it.table.is_none());
        let all = own.chain(routes.map(|it| it.to));
        let v4 = all.filter(|it| !it.is_ipv6() && it.prefix() > 0);
        v4.map(move |it| (interface, it))
    })
}

/// Returns the node or pod of a stack, as sentences name it and as the subject of an error.
pub(crate) fn named_with_subject(
    topology: &Topology,
    owner: Owner,
) -> (NamedPart, TopologySubject) {
    let subject = match owner {
        Owner::Node(id) => id.into(),
        Owner::Pod(id) => id.into(),
    };
    (topology.named_owner(owner), subject)
}
