//! Network stacks of a plan: their interfaces with all their settings, and settings of the whole.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::id::{InterfaceId, SegmentId};
use crate::packet::ip::IpVersion;
use crate::side::Side;
use crate::topology::id::{LinkId, Owner};
use crate::topology::node::PacketFilter;
use crate::topology::router::{Firewall, RouterSettings};
use crate::topology::subnet::Subnet;

/// A network stack: the NET, UTS and IPC namespaces of a node or of a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct StackPlan {
    /// The node or pod whose stack this is.
    pub owner: Owner,
    /// The hostname.
    pub hostname: String,
    /// Lines of the stack's hosts file that no other stack has.
    pub own_hosts: String,
    /// Names that stand for another address here than in the lines that all stacks share.
    pub near_names: Vec<NearName>,
    /// Whether the kernel makes the IPv6 addresses of what routers advertise.
    pub autoconfigures: bool,
    /// Settings of the stack as a whole.
    pub own: OwnSettings,
    /// The interfaces, without `lo`.
    pub interfaces: Vec<InterfacePlan>,
}

/// Settings of a stack that belong to none of its interfaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnSettings {
    /// Sysctls to write before there is an interface.
    pub sysctls: Vec<Sysctl>,
    /// Ports at which the stack drops what comes from outside.
    pub packet_filter: PacketFilter,
    /// The work of the kernel's packet filter in the stack.
    pub netfilter: Option<NetfilterPlan>,
    /// Tables of routes for packets with certain sources.
    pub source_rules: Vec<SourceRule>,
    /// Packets to addresses of the stack that leave by an uplink all the same.
    pub diversions: Vec<Diversion>,
}

/// An interface of a stack, with everything that is given to it.
#[derive(Clone, Debug, PartialEq)]
pub struct InterfacePlan {
    /// The link that the interface is an end of.
    pub link: LinkId,
    /// The side of the link.
    pub side: Side,
    /// The segment that the interface is on.
    pub segment: SegmentId,
    /// The interface index in the stack.
    pub index: u32,
    /// The name: `eth0`, `eth1`, …
    pub name: String,
    /// The alternative names.
    pub altnames: Vec<String>,
    /// The MAC address.
    pub mac: [u8; 6],
    /// The MTU, in bytes.
    pub mtu: u32,
    /// The addresses: IPv4, then IPv6, then the link-local one where IPv6 is spoken.
    pub addresses: Vec<Address>,
    /// The neighbours that are known from the start.
    pub neighbours: Vec<NeighbourPlan>,
    /// The routes over this interface, beyond its own segment.
    pub routes: Vec<RoutePlan>,
    /// Whether the link is an uplink of the stack.
    pub uplink: bool,
    /// The metric of a default route over this interface that the node learns from a server or a
    /// router.
    pub metric: u32,
    /// Whether the link was removed from the running lab.
    pub gone: bool,
    /// Whether IPv4 packets to groups and to everybody (255.255.255.255) leave by this interface
    /// where the sender names none.
    pub groups: bool,
    /// Sysctls to write when the interface is there.
    pub sysctls: Vec<Sysctl>,
}

/// A name that stands for another address in one stack than elsewhere: that of an interface on a
/// segment of this stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearName {
    /// The number of the line among those that all stacks share, from 0.
    pub line: usize,
    /// The address.
    pub ip: IpAddr,
}

/// A file below `/proc/sys` and the text to write there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sysctl {
    /// The path below `/proc/sys`, such as `net/ipv4/ip_forward`.
    pub path: String,
    /// The value.
    pub value: String,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The length of its subnet's prefix, in bits.
    pub prefix: u8,
}

impl Address {
    pub(crate) fn is_link_local(&self) -> bool {
        is_link_local(self.ip)
    }
}

/// Returns whether an IPv6 address is link-local (RFC 4291, section 2.5.6).
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfe80)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// A route over an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoutePlan {
    /// The destination.
    pub to: Subnet,
    /// The neighbour that forwards.
    pub via: IpAddr,
    /// The number by which the kernel chooses between routes to the same destination: the lowest
    /// one wins.
    pub metric: Option<u32>,
    /// The table that has the route, if it is not the main one.
    pub table: Option<u32>,
}

/// A table of routes for packets with certain sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceRule {
    /// The network that the source is in.
    pub from: Subnet,
    /// The number of the table.
    pub table: u32,
}

/// Packets of hosts behind a router to an address of its uplink, which the kernel would keep for
/// the router itself. They leave by the uplink, where a NAT on the wire sends them back inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diversion {
    /// The address.
    pub address: Ipv4Addr,
    /// The names of the interfaces on which the packets arrive.
    pub interfaces: Vec<String>,
    /// The number of the table that has the route for them.
    pub table: u32,
}

/// Work of the kernel's packet filter in a stack, besides dropping at ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NetfilterPlan {
    /// The settings of the router, if the stack is one.
    pub router: Option<RouterSettings>,
    /// The firewall.
    pub firewall: Option<Firewall>,
    /// The indices of the interfaces that are uplinks.
    pub uplinks: Vec<u32>,
    /// Whether IPv4 leaves the node as IPv6, by 464XLAT.
    pub clat: bool,
    /// The IPv4 addresses of the uplinks, with the index of the interface.
    pub external: Vec<(u32, Ipv4Addr)>,
}

/// An entry of a stack's neighbour table that is there from the start, and changes only when the
/// neighbour announces another MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NeighbourPlan {
    /// The neighbour's address.
    pub ip: IpAddr,
    /// The neighbour's MAC address.
    pub mac: [u8; 6],
}

impl InterfacePlan {
    /// Returns the IPv4 addresses.
    pub fn v4(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses
            .iter()
            .filter_map(|address| match address.ip {
                IpAddr::V4(v4) => Some(v4),
                IpAddr::V6(_) => None,
            })
    }
}

impl StackPlan {
    /// Returns the interfaces at which the stack is known: those whose links exist, or all of them
    /// if no link is left, since a name has to stand for an address even where nobody answers.
    pub fn known(&self) -> impl Iterator<Item = &InterfacePlan> + '_ {
        let all_gone = self.interfaces.iter().all(|it| it.gone);
        let interfaces = self.interfaces.iter();
        interfaces.filter(move |it| all_gone || !it.gone)
    }

    /// Returns the addresses that the stack's name stands for: the first of each family.
    pub fn primary(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let first = |version: IpVersion| {
            let addresses = self.known().flat_map(|interface| &interface.addresses);
            let mut all = addresses.map(|address| address.ip);
            all.find(move |ip| IpVersion::of(*ip) == version && !is_link_local(*ip))
        };
        IpVersion::BOTH.map(first).into_iter().flatten()
    }

    /// Returns whether a sysctl of the whole stack is set to a value.
    pub fn sets(&self, path: &str, value: &str) -> bool {
        let mut sysctls = self.own.sysctls.iter();
        sysctls.any(|it| it.path == path && it.value == value)
    }

    /// Returns the interfaces at which the node asks for addresses, if it asks for any: its
    /// uplinks, or all where there are none.
    pub fn asking(&self) -> impl Iterator<Item = &InterfacePlan> {
        let has_uplinks = self.interfaces.iter().any(|it| it.uplink);
        let interfaces = self.interfaces.iter();
        interfaces.filter(move |it| it.uplink || !has_uplinks)
    }

    /// Returns the ids of the interfaces.
    pub fn interface_ids(&self) -> impl Iterator<Item = InterfaceId> + use<> {
        (0..self.interfaces.len()).map(InterfaceId::new)
    }

    /// Returns the routes over all interfaces.
    pub fn routes(&self) -> impl Iterator<Item = &RoutePlan> {
        self.interfaces
            .iter()
            .flat_map(|interface| &interface.routes)
    }

    /// Returns the neighbours that are known from the start, on all interfaces.
    pub fn neighbours(&self) -> impl Iterator<Item = &NeighbourPlan> {
        self.interfaces
            .iter()
            .flat_map(|interface| &interface.neighbours)
    }
}

impl std::ops::Index<InterfaceId> for StackPlan {
    type Output = InterfacePlan;

    fn index(&self, id: InterfaceId) -> &InterfacePlan {
        &self.interfaces[id.index()]
    }
}
