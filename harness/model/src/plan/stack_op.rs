//! The things that a network stack can have, one by one.
//!
//! A stack is given its settings when the lab starts, some of them again when a link is raised or
//! after a power cut, and others when the topology changes. All of these follow the same list:
//! [`StackPlan::ops`] takes a stack apart into single [`StackOp`]s, in the order in which a kernel
//! has to be asked, and [`diff`] compares two such lists. The lab has one interpreter for them. A
//! new kind of setting is a new variant here, and a new arm there.

use std::collections::HashSet;

use super::id::InterfaceId;
use super::stack::{
    Address, Diversion, InterfacePlan, NeighbourPlan, NetfilterPlan, OwnSettings, RoutePlan,
    SourceRule, StackPlan, Sysctl,
};
use crate::order::sort_by_key;
use crate::topology::node::PacketFilter;

/// One thing that a stack can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StackOp<'p> {
    /// A value of the stack as a whole. The stack has it before there is an interface.
    Sysctl(&'p Sysctl),
    /// Ports at which the stack drops what comes from outside.
    PacketFilter(&'p PacketFilter),
    /// Further work of the kernel's packet filter.
    Netfilter(&'p NetfilterPlan),
    /// A table of routes for packets with certain sources.
    SourceRule(&'p SourceRule),
    /// Packets to an address of the stack that leave by an uplink.
    Diversion(&'p Diversion),
    /// The interface is up, and the kernel gives it no addresses by itself.
    Up(InterfaceId),
    /// An alternative name of an interface.
    Altname(InterfaceId, &'p str),
    /// The MTU of an interface, in bytes. The interface is made with it, so only a change has to be
    /// asked for.
    Mtu(InterfaceId, u32),
    /// An address of an interface.
    Address(InterfaceId, &'p Address),
    /// Neighbours on the interface stay known until they say otherwise.
    KnownNeighbours(InterfaceId),
    /// A neighbour on an interface that is known from the start.
    Neighbour(InterfaceId, &'p NeighbourPlan),
    /// A route over an interface.
    Route(InterfaceId, &'p RoutePlan),
    /// IPv4 packets to groups and to everybody leave by the interface where the sender names none.
    GroupRoutes(InterfaceId),
    /// A value of an interface.
    InterfaceSysctl(InterfaceId, &'p Sysctl),
}

impl<'p> StackOp<'p> {
    /// Returns the interface that the setting belongs to, or nothing if it belongs to the stack as
    /// a whole.
    pub fn interface(self) -> Option<InterfaceId> {
        match self {
            Self::Sysctl(_)
            | Self::PacketFilter(_)
            | Self::Netfilter(_)
            | Self::SourceRule(_)
            | Self::Diversion(_) => None,
            Self::Up(interface)
            | Self::Altname(interface, _)
            | Self::Mtu(interface, _)
            | Self::Address(interface, _)
            | Self::KnownNeighbours(interface)
            | Self::Neighbour(interface, _)
            | Self::Route(interface, _)
            | Self::GroupRoutes(interface)
            | Self::InterfaceSysctl(interface, _) => Some(interface),
        }
    }

    /// Returns whether the kernel forgets the setting when its interface goes down.
    pub fn is_lost_when_down(self) -> bool {
        match self {
            // addrconf_ifdown removes all IPv6 addresses (net/ipv6/addrconf.c); IPv4 addresses
            // stay.
            Self::Address(_, address) => address.ip.is_ipv6(),
            // fib_disable_ip removes the routes over the interface (net/ipv4/fib_frontend.c), and
            // neigh_ifdown the neighbours behind it (net/core/neighbour.c).
            Self::Up(_) | Self::Neighbour(..) | Self::Route(..) | Self::GroupRoutes(_) => true,
            Self::Sysctl(_)
            | Self::PacketFilter(_)
            | Self::Netfilter(_)
            | Self::SourceRule(_)
            | Self::Diversion(_)
            | Self::Altname(..)
            | Self::Mtu(..)
            | Self::KnownNeighbours(_)
            | Self::InterfaceSysctl(..) => false,
        }
    }

    /// Returns whether a stack or an interface that is made as planned has the setting already.
    pub fn is_set_at_creation(self) -> bool {
        match self {
            Self::Sysctl(_) | Self::Mtu(..) => true,
            Self::PacketFilter(_)
            | Self::Netfilter(_)
            | Self::SourceRule(_)
            | Self::Diversion(_)
            | Self::Up(_)
            | Self::Altname(..)
            | Self::Address(..)
            | Self::KnownNeighbours(_)
            | Self::Neighbour(..)
            | Self::Route(..)
            | Self::GroupRoutes(_)
            | Self::InterfaceSysctl(..) => false,
        }
    }

    /// Returns whether the setting is a sysctl, of the stack or of an interface.
    pub fn is_sysctl(self) -> bool {
        match self {
            Self::Sysctl(_) | Self::InterfaceSysctl(..) => true,
            Self::PacketFilter(_)
            | Self::Netfilter(_)
            | Self::SourceRule(_)
            | Self::Diversion(_)
            | Self::Up(_)
            | Self::Altname(..)
            | Self::Mtu(..)
            | Self::Address(..)
            | Self::KnownNeighbours(_)
            | Self::Neighbour(..)
            | Self::Route(..)
            | Self::GroupRoutes(_) => false,
        }
    }

    /// Returns whether the setting has one value at a time: a new value replaces the old one, and
    /// nothing is taken away.
    pub fn is_replaced(self) -> bool {
        match self {
            Self::Sysctl(_)
            | Self::Mtu(..)
            | Self::KnownNeighbours(_)
            | Self::InterfaceSysctl(..) => true,
            Self::PacketFilter(_)
            | Self::Netfilter(_)
            | Self::SourceRule(_)
            | Self::Diversion(_)
            | Self::Up(_)
            | Self::Altname(..)
            | Self::Address(..)
            | Self::Neighbour(..)
            | Self::Route(..)
            | Self::GroupRoutes(_) => false,
        }
    }

    /// Returns the step at which the setting is given; settings are taken away in the opposite
    /// order. Routes lead to neighbours that an address has to reach, and an address needs an
    /// interface.
    fn step(self) -> u8 {
        match self {
            Self::Sysctl(_) | Self::PacketFilter(_) | Self::Netfilter(_) => 0,
            Self::Altname(..) => 1,
            Self::Mtu(..) => 2,
            Self::Up(_) => 3,
            Self::Address(..) => 4,
            Self::KnownNeighbours(_) | Self::Neighbour(..) => 5,
            Self::Route(..) | Self::GroupRoutes(_) | Self::SourceRule(_) | Self::Diversion(_) => 6,
            Self::InterfaceSysctl(..) => 7,
        }
    }
}

impl StackPlan {
    /// Returns everything that the stack is to have, in the order in which the lab gives them.
    pub fn ops(&self) -> Vec<StackOp<'_>> {
        let mut ops: Vec<StackOp<'_>> = self.own.ops().collect();
        for interface in self.interface_ids() {
            self.push_interface_ops(interface, &mut ops);
        }
        sort_by_key(&mut ops, |op| op.step());
        ops
    }

    /// Returns what some interfaces are to have, in the order in which the lab gives them.
    pub fn interface_ops(&self, interfaces: &[InterfaceId]) -> Vec<StackOp<'_>> {
        let mut ops = Vec::new();
        for interface in interfaces {
            self.push_interface_ops(*interface, &mut ops);
        }
        sort_by_key(&mut ops, |op| op.step());
        ops
    }

    fn push_interface_ops<'p>(&'p self, id: InterfaceId, ops: &mut Vec<StackOp<'p>>) {
        self[id].push_ops(id, ops);
    }
}

impl OwnSettings {
    /// Returns what the stack as a whole is to have.
    pub fn ops(&self) -> impl Iterator<Item = StackOp<'_>> {
        let Self {
            sysctls,
            packet_filter,
            netfilter,
            source_rules,
            diversions,
        } = self;
        let filter = (!packet_filter.is_empty()).then_some(StackOp::PacketFilter(packet_filter));
        let rules = source_rules.iter().map(StackOp::SourceRule);
        let diversions = diversions.iter().map(StackOp::Diversion);
        let netfilter = netfilter.iter().map(StackOp::Netfilter);
        sysctls
            .iter()
            .map(StackOp::Sysctl)
            .chain(filter)
            .chain(netfilter)
            .chain(rules)
            .chain(diversions)
    }
}

impl InterfacePlan {
    /// Returns everything that the interface is to have, in the order in which the lab gives them.
    pub fn ops(&self, id: InterfaceId) -> Vec<StackOp<'_>> {
        let mut ops = Vec::new();
        self.push_ops(id, &mut ops);
        ops
    }

    fn push_ops<'p>(&'p self, id: InterfaceId, ops: &mut Vec<StackOp<'p>>) {
        let Self {
            link: _,
            side: _,
            segment: _,
            index: _,
            name: _,
            altnames,
            mac: _,
            mtu,
            addresses,
            neighbours,
            routes,
            uplink: _,
            metric: _,
            gone: _,
            groups,
            sysctls,
        } = self;
        ops.extend(altnames.iter().map(|name| StackOp::Altname(id, name)));
        ops.push(StackOp::Mtu(id, *mtu));
        ops.push(StackOp::Up(id));
        ops.extend(
            addresses
                .iter()
                .map(|address| StackOp::Address(id, address)),
        );
        ops.extend((!neighbours.is_empty()).then_some(StackOp::KnownNeighbours(id)));
        ops.extend(neighbours.iter().map(|entry| StackOp::Neighbour(id, entry)));
        ops.extend(routes.iter().map(|route| StackOp::Route(id, route)));
        ops.extend(groups.then_some(StackOp::GroupRoutes(id)));
        ops.extend(
            sysctls
                .iter()
                .map(|sysctl| StackOp::InterfaceSysctl(id, sysctl)),
        );
    }
}

/// Settings that a stack loses and gains from one plan to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackDiff<'p> {
    /// Settings that the stack loses, in the order in which the lab takes them away.
    pub removed: Vec<StackOp<'p>>,
    /// Settings that the stack gains, in the order in which the lab gives them.
    pub added: Vec<StackOp<'p>>,
}

/// Compares what a stack had with what it is to have.
///
/// An interface that only one of the plans has is left out: it is made or deleted as a whole.
pub fn diff<'p>(before: &'p StackPlan, after: &'p StackPlan) -> StackDiff<'p> {
    if before == after {
        return StackDiff::default();
    }
    let common = before.interfaces.len().min(after.interfaces.len());
    let in_both = |op: &StackOp<'_>| op.interface().is_none_or(|id| id.index() < common);
    let (before, after) = (before.ops(), after.ops());
    let had: HashSet<StackOp<'_>> = before.iter().copied().collect();
    let has: HashSet<StackOp<'_>> = after.iter().copied().collect();
    let only = |ops: &[StackOp<'p>], others: &HashSet<StackOp<'_>>| -> Vec<StackOp<'p>> {
        let ops = ops.iter().copied().filter(in_both);
        ops.filter(|op| !others.contains(op)).collect()
    };
    let mut removed = only(&before, &has);
    removed.retain(|op| !op.is_replaced());
    let mut added = only(&after, &had);
    let again = lost_with_addresses(&removed, &after, &had, &has);
    removed.extend(&again);
    added.extend(&again);
    removed.reverse();
    StackDiff { removed, added }
}

/// Returns what stays in the plan and has to be given again all the same: with the last IPv4
/// address of an interface, the kernel removes all its IPv4 routes (net/ipv4/fib_frontend.c,
/// fib_inetaddr_event).
fn lost_with_addresses<'p>(
    removed: &[StackOp<'p>],
    after: &[StackOp<'p>],
    had: &HashSet<StackOp<'_>>,
    has: &HashSet<StackOp<'_>>,
) -> Vec<StackOp<'p>> {
    let v4_of = |op: &StackOp<'_>| {
        let StackOp::Address(id, address) = op else {
            return None;
        };
        address.ip.is_ipv4().then_some(*id)
    };
    let mut loses_all: HashSet<InterfaceId> = removed.iter().filter_map(v4_of).collect();
    // Most changes take no address away.
    if loses_all.is_empty() {
        return Vec::new();
    }
    for id in had.intersection(has).filter_map(v4_of) {
        loses_all.remove(&id);
    }
    let goes = |op: &StackOp<'_>| {
        if let StackOp::GroupRoutes(id) = op {
            return Some(*id);
        }
        let StackOp::Route(id, route) = op else {
            return None;
        };
        route.to.network().is_ipv4().then_some(*id)
    };
    let again = after
        .iter()
        .filter(|op| goes(op).is_some_and(|id| loses_all.contains(&id)) && had.contains(*op));
    again.copied().collect()
}
