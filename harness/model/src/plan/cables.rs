//! Cables: the names and the namespaces of both ends, and the settings of the whole.

use std::net::Ipv6Addr;

use super::kept::Kept;
use super::switches::{DEFAULT_MTU, Sockets};
use crate::nat::{NatEngine, NatSpec};
use crate::plan::id::{InterfaceId, NetnsId, StackId};
use crate::plan::ifindex::InterfaceSlot;
use crate::plan::plan::{CableEndPlan, CablePlan, Emulation};
use crate::plan::routing::realms::router;
use crate::plan::stack::{Address, InterfacePlan, StackPlan};
use crate::side::Side;
use crate::topology::id::{Endpoint, LinkId};
use crate::topology::link::{Engine, LinkSpec, Mac};
use crate::topology::router::RouterSettings;
use crate::topology::value::Topology;

/// Returns all cables, by number. Cables that were there before stay in their bridges.
pub(crate) fn cables(
    topology: &Topology,
    stacks: &[StackPlan],
    mut sockets: Sockets,
    kept: Option<&Kept<'_>>,
) -> Vec<CablePlan> {
    let mut ends: Vec<[Option<CableEndPlan>; 2]> = vec![[None, None]; topology.links.len()];
    for (stack, plan) in stacks.iter().enumerate() {
        for (
            index,
            InterfacePlan {
                link,
                side,
                name,
                mac,
                index: number,
                ..
            },
        ) in plan.interfaces.iter().enumerate()
        {
            let netns = NetnsId::Stack(StackId::new(stack));
            let end_plan = CableEndPlan {
                netns,
                name: name.clone(),
                mac: *mac,
                index: *number,
                bridge: None,
                interface: Some(InterfaceId::new(index)),
            };
            ends[link.index()][*side] = Some(end_plan);
        }
    }
    let names = topology.link_names();
    let cable = |(id, (known, name)): (LinkId, ([Option<CableEndPlan>; 2], String))| {
        let [a, b] = known;
        let mut port = |side: Side| {
            let to = topology.ends(id)[side];
            let next = sockets.next(to);
            CableEndPlan {
                netns: NetnsId::Hub,
                name: format!("p{}{side}", id.index()),
                mac: mac(topology, id, side),
                index: InterfaceSlot::Port(id, side).index(),
                bridge: kept.and_then(|kept| kept.bridge(id, side, to)).or(next),
                interface: None,
            }
        };
        let ends = [
            a.unwrap_or_else(|| port(Side::A)),
            b.unwrap_or_else(|| port(Side::B)),
        ];
        let router = router_before(topology, stacks, id, ends[Side::A].netns);
        let on_wire = |nat: &&NatSpec| nat.carried_by() == NatEngine::Userspace;
        let nat = router.and_then(|router| router.nat.as_ref());
        let nat = nat.filter(on_wire);
        let prefixes = router.and_then(|router| router.nat_v6.prefixes());
        CablePlan {
            link: Some(id),
            name,
            mtu: mtu(topology, id),
            ends,
            emulation: emulation(&topology[id], nat.is_some() || prefixes.is_some()),
            nat: nat.cloned().map(Box::new),
            prefixes: prefixes.map(Box::new),
        }
    };
    topology
        .links()
        .zip(ends.into_iter().zip(names))
        .map(cable)
        .collect()
}

/// Returns the settings of the router whose uplink a link is, if the link is one.
fn router_before<'t>(
    topology: &'t Topology,
    stacks: &[StackPlan],
    link: LinkId,
    first: NetnsId,
) -> Option<&'t RouterSettings> {
    let NetnsId::Stack(stack) = first else {
        return None;
    };
    let router = router(topology, stacks[stack.index()].owner)?;
    topology[link].uplink.then_some(router)
}

/// Returns what a link does to packets. A NAT works on a wire, which may impair nothing.
fn emulation(spec: &LinkSpec, nat: bool) -> Option<Box<Emulation>> {
    let engine = match (nat, spec.engine) {
        (true, Engine::Auto) => Engine::Wire,
        (_, engine) => engine,
    };
    let plain = !nat && spec.is_plain();
    let emulation = || Emulation {
        impairments: spec.impairments.clone(),
        engine,
    };
    (!plain).then(|| Box::new(emulation()))
}

/// Returns the MAC address that was asked for, or a locally administered one, which says the link
/// and the side.
pub(crate) fn mac(topology: &Topology, link: LinkId, side: Side) -> [u8; 6] {
    let asked = topology[link].ends[side]
        .mac
        .as_deref()
        .and_then(|text| text.parse::<Mac>().ok());
    asked.map(|mac| mac.0).unwrap_or_else(|| {
        let [_, a, b, c] = (link.index() as u32).to_be_bytes();
        [0x02, b'S', a, b, c, side.index() as u8]
    })
}

/// Returns the link-local address that a MAC address makes (RFC 4291, appendix A).
pub(crate) fn link_local(mac: [u8; 6]) -> Address {
    let [a, b, c, d, e, f] = mac;
    let tail = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    Address {
        ip: Ipv6Addr::from_bits((0xfe80 << 112) | u128::from(tail)).into(),
        prefix: 64,
    }
}

/// Returns the MTU of a link: its own, or the least of its switches, or that of Ethernet.
pub(crate) fn mtu(topology: &Topology, link: LinkId) -> u32 {
    let ends = topology.links[link.index()].ends;
    let switches = ends.into_iter().filter_map(Endpoint::switch);
    let switches = switches.filter_map(|id| topology[id].mtu).min();
    topology[link].mtu.or(switches).unwrap_or(DEFAULT_MTU)
}
