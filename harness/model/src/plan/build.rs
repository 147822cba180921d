//! Puts a plan together from wiring, addresses, routes and names.

use std::collections::HashMap;

use super::hosts;
use super::limits::{self, Known};
use crate::dhcp::check::check_with_plan;
use crate::dns::check::check_with_nodes;
use crate::ndp::host::{autoconfiguration, autoconfigures};
use crate::order::sort_by_key;
use crate::packet::ip::IpVersion;
use crate::plan::addresses::Allocation;
use crate::plan::cables::{cables, link_local, mac, mtu};
use crate::plan::id::{InterfaceId, SegmentId, StackId};
use crate::plan::ifindex::InterfaceSlot;
use crate::plan::kept::Kept;
use crate::plan::plan::{NodePlan, Plan, SegmentPlan};
use crate::plan::routing::announced::{AddressedNetworks, RoutedNetworks, port_sites};
use crate::plan::routing::by_hand::add_routes_by_hand;
use crate::plan::routing::check::{check_forwards, check_pools, check_realms, check_uplinks};
use crate::plan::routing::defaults::{Gateways, metric};
use crate::plan::routing::hairpin::divert_to_uplinks;
use crate::plan::routing::realms::{
    self, Realms, asks_at, forwards, is_uplink, network, owner_name,
};
use crate::plan::routing::route::{RouteMap, RoutedStacks};
use crate::plan::stack::{
    Address, InterfacePlan, NeighbourPlan, NetfilterPlan, OwnSettings, RoutePlan, StackPlan,
};
use crate::plan::switches::{CROWD, switches};
use crate::plan::sysctls::sysctls;
use crate::plan::wiring::{Attachment, Segment, StackPort, Wiring, interface_names};
use crate::topology::error::{Problems, Site, TopologyError};
use crate::topology::id::{LinkId, NodeId, Owner};
use crate::topology::link::{Families, Mac};
use crate::topology::node::StackSpec;
use crate::topology::problem::{AddressProblem, LinkProblem, PoolMistake, SizeProblem};
use crate::topology::router::RouterSettings;
use crate::topology::subnet::Subnet;
use crate::topology::validate::stack::normal;
use crate::topology::value::{Neighbours, Routing, Topology};

impl Topology {
    /// Checks the topology. It succeeds exactly if [`plan`](Topology::plan) does.
    ///
    /// # Errors
    /// Something is wrong with the topology. The error lists all such things.
    ///
    /// ```
    /// use snowglobe_model::topology::Topology;
    ///
    /// let mut topology = Topology::new();
    /// let bob = topology.node("bøb");
    /// topology.link(bob, bob);
    /// let error = topology.validate().unwrap_err().to_string();
    /// assert!(error.contains("node name `bøb` has `ø` in it"), "{error}");
    /// assert!(error.contains("link `bøb–bøb` joins node `bøb` to itself"), "{error}");
    /// ```
    pub fn validate(&self) -> Result<(), TopologyError> {
        self.plan().map(drop)
    }

    /// Returns all that the topology means to a kernel.
    ///
    /// # Errors
    /// The topology is wrong: see [`validate`](Topology::validate).
    pub fn plan(&self) -> Result<Plan, TopologyError> {
        plan(self, None)
    }
}

/// Plans a topology. A running lab keeps what its plan has.
pub(crate) fn plan(topology: &Topology, kept: Option<&Kept<'_>>) -> Result<Plan, TopologyError> {
    topology.check_parts()?;
    let wiring = Wiring::of(topology)?;
    let forwards = forwards(topology, &wiring);
    let realms = IpVersion::BOTH.map(|version| Realms::of(topology, &wiring, &forwards, version));
    check_realms(topology, &wiring, &realms)?;
    let allocation = Allocation::of(topology, &wiring, &realms, kept)?;
    let gone = |link| kept.is_some_and(|kept| kept.removed.contains(&link));
    let mut stacks = stacks(topology, &wiring, &allocation, &forwards, gone)?;
    check_macs(topology, &stacks)?;
    let addresses = wiring.reached(&allocation.addresses, gone);
    let networks = AddressedNetworks {
        topology,
        wiring: &wiring,
        subnets: &allocation.subnets,
        addresses: &addresses,
        forwards: &forwards,
        realms: &realms,
    };
    add_routes(&networks, &mut stacks)?;
    divert_to_uplinks(topology, &mut stacks);
    add_routes_by_hand(topology, &wiring, &addresses, &mut stacks)?;
    add_neighbours(topology, &wiring.segments, &mut stacks)?;
    choose_group_interfaces(&mut stacks);
    let (switches, sockets) = switches(topology, kept);
    let hosts = hosts::shared(topology, &mut stacks);
    hosts.tell_near_names(&mut stacks);
    let servers = || {
        let nodes = topology.nodes();
        nodes.filter_map(|id| Some((id, topology[id].dns.as_ref()?)))
    };
    let plan = Plan {
        hosts: hosts.text,
        domain: topology.settings.domain.clone(),
        name_servers: servers()
            .map(|(id, _)| wiring.stack_of_node[id.index()])
            .collect(),
        names_in_files: servers().next().is_none() || servers().any(|(_, spec)| spec.hosts_files),
        cables: cables(topology, &stacks, sockets, kept),
        segments: allocation
            .subnets
            .into_iter()
            .map(|subnets| SegmentPlan { subnets })
            .collect(),
        switches,
        stacks,
        nodes: topology
            .nodes()
            .map(|id| node(topology, id, wiring.stack_of_node[id.index()]))
            .collect(),
        segment_of_switch: wiring.segment_of_switch,
        segment_of_link: wiring.segment_of_link,
    };
    let mut problems = Problems::default();
    let dns = servers().map(|(id, spec)| (spec, Site::new(id, "dns")));
    check_with_nodes(dns, &plan, &mut problems);
    check_with_plan(topology, &plan, &mut problems);
    crate::dhcp6::check::check_with_plan(topology, &plan, &mut problems);
    crate::ndp::check::check_with_plan(topology, &plan, &mut problems);
    crate::v6::check::check_with_plan(topology, &plan, &mut problems);
    check_pools(topology, &plan, &mut problems);
    check_forwards(topology, &plan, &mut problems);
    problems.check()?;
    Ok(plan)
}

fn stacks(
    topology: &Topology,
    wiring: &Wiring,
    allocation: &Allocation,
    forwards: &[bool],
    gone: impl Fn(LinkId) -> bool,
) -> Result<Vec<StackPlan>, TopologyError> {
    let mut problems = Problems::default();
    let mut plans = Vec::with_capacity(wiring.stacks.len());
    for (index, stack) in wiring.stacks.iter().enumerate() {
        let names = interface_names(topology, stack, &mut problems);
        let ports = stack
            .interfaces
            .iter()
            .zip(names)
            .zip(&allocation.addresses[index])
            .enumerate();
        let mut interfaces: Vec<InterfacePlan> = ports
            .map(|(id, ((port, names), addresses))| {
                let mac = mac(topology, port.link, port.side);
                let mut addresses = addresses.clone();
                let autoconfigures = autoconfigures(topology, stack.owner)
                    && asks_at(topology, &stack.interfaces, port);
                let v6 = addresses.iter().any(|address| address.ip.is_ipv6());
                if autoconfigures || v6 || link_local_only(topology, wiring, port) {
                    addresses.push(link_local(mac));
                }
                let Attachment {
                    link,
                    side,
                    segment,
                } = *port;
                let metric = metric(topology, &stack.interfaces, id);
                let own = autoconfigures.then(|| autoconfiguration(names.name.as_str(), metric));
                InterfacePlan {
                    link,
                    side,
                    segment,
                    index: InterfaceSlot::NodeInterface(InterfaceId::new(id), side).index(),
                    name: names.name.clone(),
                    altnames: names.altnames,
                    mac,
                    mtu: mtu(topology, link),
                    addresses,
                    neighbours: Vec::new(),
                    routes: Vec::new(),
                    uplink: is_uplink(topology, port),
                    metric,
                    gone: gone(link),
                    groups: false,
                    sysctls: own.unwrap_or_default(),
                }
            })
            .collect();
        let clat = matches!(stack.owner, Owner::Node(id) if topology[id].clat.is_some());
        let forwards = forwarded(forwards[index], clat, &interfaces);
        let sysctls = sysctls(network(topology, stack.owner), &mut interfaces, &forwards);
        plans.push(StackPlan {
            owner: stack.owner,
            hostname: owner_name(topology, stack.owner).into(),
            own_hosts: hosts::own(network(topology, stack.owner)),
            near_names: Vec::new(),
            autoconfigures: autoconfigures(topology, stack.owner),
            own: OwnSettings {
                sysctls,
                packet_filter: network(topology, stack.owner).drop_inbound.clone(),
                netfilter: netfilter(network(topology, stack.owner), &interfaces, clat),
                source_rules: Vec::new(),
                diversions: Vec::new(),
            },
            interfaces,
        });
    }
    problems.check()?;
    Ok(plans)
}

/// Returns the versions whose packets a stack forwards: those of its interfaces if it is a router,
/// and IPv6 if it is a client of 464XLAT, whose packets of IPv4 become packets of IPv6 that the
/// stack forwards to the uplink.
fn forwarded(is_router: bool, clat: bool, interfaces: &[InterfacePlan]) -> Vec<IpVersion> {
    let mut addresses = interfaces.iter().flat_map(|it| &it.addresses);
    let v6 = clat || is_router && addresses.any(|address| address.ip.is_ipv6());
    let versions = [(IpVersion::V4, is_router), (IpVersion::V6, v6)];
    let versions = versions.into_iter().filter(|(_, forwards)| *forwards);
    versions.map(|(version, _)| version).collect()
}

/// Returns what the kernel's packet filter is to do in a stack.
fn netfilter(
    network: &StackSpec,
    interfaces: &[InterfacePlan],
    clat: bool,
) -> Option<NetfilterPlan> {
    let router = network.router.as_ref();
    let of_router = router.is_some_and(RouterSettings::needs_packet_filter);
    if network.firewall.is_none() && !of_router && !clat {
        return None;
    }
    let uplinks = interfaces.iter().filter(|interface| interface.uplink);
    let external = uplinks.clone();
    let external = external.flat_map(|it| it.v4().map(|address| (it.index, address)));
    Some(NetfilterPlan {
        router: router.map(RouterSettings::in_kernel),
        firewall: network.firewall.clone(),
        external: external.collect(),
        uplinks: uplinks.map(|interface| interface.index).collect(),
        clat,
    })
}

/// Returns whether the interfaces of a segment have link-local addresses, and no others of the
/// plan.
fn link_local_only(topology: &Topology, wiring: &Wiring, port: &Attachment) -> bool {
    let switches = wiring.segments[port.segment.index()].switches.iter();
    let mut asked = switches.filter_map(|id| topology[*id].families);
    let asked = asked.next().or(topology[port.link].families);
    asked.unwrap_or(topology.settings.families) == Families::LinkLocal
}

/// Refuses one MAC address at two interfaces of a segment: each would take the frames of the other
/// for its own.
fn check_macs(topology: &Topology, stacks: &[StackPlan]) -> Result<(), TopologyError> {
    let mut problems = Problems::default();
    let mut owners = HashMap::new();
    for interface in stacks.iter().flat_map(|stack| &stack.interfaces) {
        if let Some(other) = owners.insert((interface.segment, interface.mac), interface.link) {
            let site = Site::new(interface.link, interface.side.letter());
            problems.add(site, || LinkProblem::MacTwice {
                links: [other, interface.link].map(|link| topology.link_label(link)),
                mac: Mac(interface.mac),
            });
        }
    }
    problems.check()
}

fn add_routes(
    networks: &AddressedNetworks<'_>,
    stacks: &mut [StackPlan],
) -> Result<(), TopologyError> {
    let AddressedNetworks {
        topology,
        wiring,
        subnets,
        addresses,
        forwards,
        realms,
    } = *networks;
    if topology.settings.routing == Routing::None {
        return Ok(());
    }
    let routers = realms::has_routers(topology);
    let mut sites = port_sites(topology, wiring);
    let networks = RoutedNetworks::of(topology, wiring, subnets, addresses, &mut sites);
    let subnets = &networks.subnets;
    let families =
        IpVersion::BOTH.map(|version| Gateways::of(topology, wiring, addresses, version));
    check_uplinks(topology, wiring, stacks, &families)?;
    let mut left = limits::ENTRIES;
    for (gateways, pool) in families
        .iter()
        .zip([&topology.settings.pool_v4, &topology.settings.pool_v6])
    {
        let version = gateways.version();
        let pool: Subnet = pool.parse().map_err(|wrong| {
            let mistake = PoolMistake::NotASubnet(wrong);
            TopologyError::one(Site::TOPOLOGY, AddressProblem::Pool { mistake })
        })?;
        // A merged route covers addresses that nobody has. With a default route back, a packet to
        // such an address would go to and fro.
        let pool = (!routers).then_some(pool);
        let separates = wiring.stacks.iter();
        let separates = separates.map(|stack| realms::separates(topology, stack.owner, version));
        let separates = separates.collect();
        let addresses = &networks.addresses;
        let routed = RoutedStacks {
            subnets,
            sites: &sites,
            addresses,
            forwards,
        };
        let map = RouteMap::new(version, pool, &routed, separates);
        let routes = map.routes(left).ok_or_else(too_many_routes)?;
        for (index, (stack, mut routes)) in stacks.iter_mut().zip(routes).enumerate() {
            // Who has its addresses from others learns the way from them as well.
            let ports = &wiring.stacks[index].interfaces;
            let planned = |interface: usize| {
                let mut own = addresses[index][interface].iter();
                let asks = stack.autoconfigures && asks_at(topology, ports, &ports[interface]);
                match version {
                    IpVersion::V4 => own.any(|it| it.ip.is_ipv4()),
                    IpVersion::V6 => !asks,
                }
            };
            let mut defaults = gateways.defaults(StackId::new(index));
            defaults.retain(|(interface, _)| planned(*interface));
            routes.retain(|(interface, _)| planned(*interface));
            let realms = &realms[version.index()];
            keep_other_ways(&defaults, &mut routes, |interface, to| {
                let here = ports[interface].segment;
                let within = |segment: &usize| subnets[*segment].contains(&to);
                let mut there = (0..subnets.len()).filter(within);
                there.any(|segment| {
                    let segment = SegmentId::new(networks.segment(segment));
                    realms.reaches(here, segment)
                })
            });
            left = left.saturating_sub(routes.len());
            for (interface, route) in defaults.into_iter().chain(routes) {
                stack.interfaces[interface].routes.push(route);
            }
        }
    }
    Ok(())
}

fn too_many_routes() -> TopologyError {
    let most = limits::ENTRIES;
    TopologyError::one(Site::TOPOLOGY, SizeProblem::TooManyRoutes { most })
}

/// Removes routes that a default route makes needless: those by the same way, and those by the way
/// of another default route to what the best one reaches as well.
fn keep_other_ways(
    defaults: &[(usize, RoutePlan)],
    routes: &mut Vec<(usize, RoutePlan)>,
    reaches: impl Fn(usize, Subnet) -> bool,
) {
    let Some((best, default)) = defaults.iter().min_by_key(|(_, route)| route.metric) else {
        return;
    };
    routes.retain(|(at, route)| {
        let same =
            |(other, default): &(usize, RoutePlan)| (*at, route.via) == (*other, default.via);
        // A host that changes its default route is to leave by the new one.
        let needless =
            same(&(*best, *default)) || defaults.iter().any(same) && reaches(*best, route.to);
        !needless
    });
}

/// Chooses the interface of each stack by which packets to groups leave.
///
/// On most hosts the default route leads there, which nodes do not have. The kernel would refuse to
/// join a group without an interface (`ENODEV`), and to send to one (`ENETUNREACH`). For IPv6 the
/// kernel takes the first interface by itself (ff00::/8, net/ipv6/addrconf.c, addrconf_add_mroute).
fn choose_group_interfaces(stacks: &mut [StackPlan]) {
    for stack in stacks {
        let is_default = |route: &RoutePlan| route.to.prefix() == 0 && !route.to.is_ipv6();
        if stack.routes().any(is_default) {
            continue;
        }
        let has_v4 = |interface: &&mut InterfacePlan| {
            let mut addresses = interface.addresses.iter();
            !interface.gone && addresses.any(|address| address.ip.is_ipv4())
        };
        if let Some(first) = stack.interfaces.iter_mut().find(has_v4) {
            first.groups = true;
        }
    }
}

fn add_neighbours(
    topology: &Topology,
    segments: &[Segment],
    stacks: &mut [StackPlan],
) -> Result<(), TopologyError> {
    let is_switch = |segment: &&Segment| segment.cable.is_none() && segment.ports.len() <= CROWD;
    let learnable = segments.iter().filter(is_switch).map(pairs).sum();
    let known = |segment: &Segment| match topology.settings.neighbours {
        Neighbours::Auto if segment.cable.is_some() => Known::All,
        Neighbours::Auto if segment.ports.len() > CROWD => Known::First,
        Neighbours::Auto => limits::known_on_a_switch(segment.ports.len(), learnable),
        Neighbours::Learned => Known::None,
        Neighbours::Fixed => Known::All,
    };
    let entries = |segment: &Segment| match known(segment) {
        Known::All => segment.ports.len() * segment.ports.len(),
        Known::First => 2 * segment.ports.len(),
        Known::None => 0,
    };
    let entries: usize = segments.iter().map(entries).sum();
    if entries > limits::ENTRIES {
        let problem = SizeProblem::TooManyNeighbours {
            count: entries,
            most: limits::ENTRIES,
        };
        return Err(TopologyError::one(Site::TOPOLOGY, problem));
    }
    for segment in segments {
        let ports = &segment.ports;
        match known(segment) {
            Known::All => ports.iter().for_each(|to| introduce(*to, ports, stacks)),
            Known::First => {
                introduce(ports[0], &ports[1..], stacks);
                ports[1..]
                    .iter()
                    .for_each(|to| introduce(*to, &ports[..1], stacks));
            }
            Known::None => {}
        }
    }
    Ok(())
}

/// Returns the number of entries that neighbour tables of a family have when everybody on a segment
/// has talked to everybody.
fn pairs(segment: &Segment) -> usize {
    segment.ports.len() * segment.ports.len().saturating_sub(1)
}

/// Adds the addresses of one interface to the neighbours of others.
fn introduce(who: StackPort, others: &[StackPort], stacks: &mut [StackPlan]) {
    let known = &stacks[who.stack.index()][who.interface];
    let mac = known.mac;
    let entry = |address: &Address| NeighbourPlan {
        ip: address.ip,
        mac,
    };
    let entries: Vec<NeighbourPlan> = known.addresses.iter().map(entry).collect();
    for other in others.iter().filter(|other| other.stack != who.stack) {
        let stack = &mut stacks[other.stack.index()];
        stack.interfaces[other.interface.index()]
            .neighbours
            .extend(&entries);
    }
}

fn node(topology: &Topology, id: NodeId, stack: StackId) -> NodePlan {
    let spec = &topology[id];
    let mut mounts = spec.mounts.clone();
    for mount in &mut mounts {
        mount.at = normal(&mount.at);
    }
    sort_by_key(&mut mounts, |mount| mount.at.matches('/').count());
    NodePlan {
        node: id,
        name: topology.node_name(id),
        stack,
        share_pid: topology
            .pod_of(id)
            .is_some_and(|pod| topology[pod].share_pid),
        rootfs: spec.rootfs.clone(),
        users: spec.users,
        faulty_clock: spec.faulty_clock,
        mounts,
        commands: spec.commands.clone(),
        dns: spec.dns.clone(),
        dhcp: spec.dhcp.clone(),
        addresses: spec.addresses,
        dhcp6: spec.dhcp6.clone(),
        addresses_v6: spec.addresses_v6,
        advertise: spec.advertise.clone(),
        autoconfigure: spec.autoconfigure,
        nat64: spec.network.router.as_ref().and_then(|it| it.nat64.clone()),
        clat: spec.clat.clone(),
        port_mapping: spec.network.router.as_ref().and_then(|it| it.port_mapping),
    }
}
