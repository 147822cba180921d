//! Switches as bridges.
//!
//! A bridge takes at most 1,023 ports, so a larger switch is several bridges: the first, and the
//! others around it.
//!
//! The bridge of port *i* does not depend on the number of ports, so that a switch can grow.

use super::kept::Kept;
use super::limits::{FIRST_BRIDGE, OTHER_BRIDGES, ports};
use crate::plan::id::NetnsId;
use crate::plan::ifindex::InterfaceSlot;
use crate::plan::plan::{
    BridgeInterface, BridgePlan, CableEndPlan, CablePlan, GroupForwarding, SwitchPlan,
};
use crate::side::Side;
use crate::topology::id::{Endpoint, SwitchId};
use crate::topology::value::Topology;

/// The MTU of Ethernet, in bytes (RFC 894).
pub(crate) const DEFAULT_MTU: u32 = 1500;

/// Number of ports above which a switch is crowded: one queue is too short for a broadcast to all.
pub(crate) const CROWD: usize = 250;

/// Number of emulated links above which a switch snoops unless the topology says otherwise.
///
/// Each node that starts sends four MLDv2 reports and two router solicitations within a second, and
/// a switch that floods sends each of them over every link. Where programs carry the links, as
/// wires do, 200 links are 240,000 frames: packets with a delay of 5 ms came up to 60 ms late. With
/// 100 links they came at most 1 ms late (measured on 2 cores, 2026-11-30).
pub(crate) const MOST_EMULATED_WITHOUT_SNOOPING: usize = 100;

/// The next free port of each switch.
pub(crate) struct Sockets {
    used: Vec<usize>,
    /// The ports to which each switch sends frames to multicast groups.
    groups: Vec<GroupForwarding>,
}

impl Sockets {
    /// Returns the bridge of the next port of a switch.
    pub(crate) fn next(&mut self, end: Endpoint) -> Option<BridgeInterface> {
        let Endpoint::Switch(id) = end else {
            return None;
        };
        let port = self.used[id.index()];
        self.used[id.index()] += 1;
        let groups = self.groups[id.index()];
        Some(bridge_interface(id, bridge_of(port), groups))
    }
}

fn bridge_of(port: usize) -> usize {
    if port < FIRST_BRIDGE {
        0
    } else {
        1 + (port - FIRST_BRIDGE) / OTHER_BRIDGES
    }
}

fn bridge_interface(switch: SwitchId, bridge: usize, groups: GroupForwarding) -> BridgeInterface {
    let name = match bridge {
        0 => format!("sw{}", switch.index()),
        _ => format!("sw{}-{bridge}", switch.index()),
    };
    let index = InterfaceSlot::Bridge(switch, bridge).index();
    BridgeInterface {
        name,
        index,
        snoops: groups != GroupForwarding::Flood,
    }
}

pub(crate) fn switches(topology: &Topology, kept: Option<&Kept<'_>>) -> (Vec<SwitchPlan>, Sockets) {
    let counts = ports(topology, |_| true);
    let emulated = ports(topology, |link| !link.is_plain());
    let plans: Vec<SwitchPlan> = topology
        .switches()
        .map(|id| {
            let enough = 1 + bridge_of(counts[id.index()].saturating_sub(1));
            let count = kept.map_or(enough, |kept| kept.bridges(id, enough));
            let crowded = counts[id.index()] > CROWD;
            let quiet = crowded || emulated[id.index()] > MOST_EMULATED_WITHOUT_SNOOPING;
            // Bridges that run keep what they do, and those that are added to a switch do the same.
            let groups = kept.and_then(|kept| kept.groups(id));
            let groups = groups.unwrap_or_else(|| match (topology[id].snooping, quiet) {
                (Some(false), _) | (None, false) => GroupForwarding::Flood,
                (Some(true), false) => GroupForwarding::Snoop,
                (Some(true) | None, true) => GroupForwarding::SnoopQuietly,
            });
            switch(topology, id, count, crowded, groups)
        })
        .collect();
    let groups = plans.iter().map(|switch| switch.bridges[0].groups);
    let sockets = Sockets {
        used: vec![0; counts.len()],
        groups: groups.collect(),
    };
    (plans, sockets)
}

fn switch(
    topology: &Topology,
    switch: SwitchId,
    count: usize,
    crowded: bool,
    groups: GroupForwarding,
) -> SwitchPlan {
    let mtu = topology[switch].mtu.unwrap_or(DEFAULT_MTU);
    let bridge = |index: usize| BridgePlan {
        interface: bridge_interface(switch, index, groups),
        altname: (index == 0).then(|| format!("switch-{}", topology[switch].name)),
        mac: mac(b'B', switch, index, 0),
        mtu,
        groups,
    };
    let trunk = |index: usize| {
        let end = |side: Side, bridge: usize| CableEndPlan {
            netns: NetnsId::Hub,
            name: format!("t{}-{index}{side}", switch.index()),
            mac: mac(b'T', switch, index, side.index() as u8),
            index: InterfaceSlot::Trunk(switch, index, side).index(),
            bridge: Some(bridge_interface(switch, bridge, groups)),
            interface: None,
        };
        let name = format!("{} trunk {index}", topology[switch].name);
        CablePlan {
            link: None,
            name,
            mtu,
            ends: [end(Side::A, 0), end(Side::B, index)],
            emulation: None,
            nat: None,
            prefixes: None,
        }
    };
    SwitchPlan {
        switch,
        bridges: (0..count).map(bridge).collect(),
        trunks: (1..count).map(trunk).collect(),
        crowded,
    }
}

/// Returns a locally administered MAC address, which says the kind, the switch and the bridge.
fn mac(kind: u8, switch: SwitchId, bridge: usize, end: u8) -> [u8; 6] {
    let [_, _, a, b] = (switch.index() as u32).to_be_bytes();
    [0x02, kind, a, b, bridge as u8, end]
}
