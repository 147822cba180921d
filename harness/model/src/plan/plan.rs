//! The plan itself, as plain data: what is there, in which namespace, and with which settings.
//!
//! A plan knows nothing of netlink, descriptors or processes. Network namespaces are numbered: the
//! *hub* has the bridges, and each stack (a node's or a pod's) has its interfaces.

use std::net::IpAddr;
use std::ops::Index;

use super::id::{InterfaceId, NetnsId, SegmentId, StackId};
use super::stack::{InterfacePlan, StackPlan};
use crate::dhcp::{AddressSource, DhcpSpec};
use crate::dhcp6::Dhcp6Spec;
use crate::dns::DnsSpec;
use crate::impair::impairment::Impairment;
use crate::nat::NatSpec;
use crate::ndp::AdvertiseSpec;
use crate::portmap::PortMappingSpec;
use crate::side::Side;
use crate::topology::command::StartCommand;
use crate::topology::id::{LinkId, NodeId, SwitchId};
use crate::topology::link::Engine;
use crate::topology::node::Users;
use crate::topology::storage::{Mount, Rootfs};
use crate::topology::subnet::Subnet;
use crate::v6::{ClatSpec, Nat64Spec, PrefixPair};

/// Everything that a topology means to a kernel. The same topology always has the same plan.
///
/// ```
/// use snowglobe_model::topology::{Owner, Topology};
///
/// let mut topology = Topology::new();
/// let (alice, bob) = (topology.node("alice"), topology.node("bob"));
/// topology.link(alice, bob);
/// let plan = topology.plan()?;
///
/// let eth0 = &plan.stack(bob).interfaces[0];
/// assert_eq!((eth0.name.as_str(), &eth0.altnames[0]), ("eth0", &"to-alice".to_string()));
/// assert_eq!(eth0.addresses[0].to_string(), "10.0.0.2/24");
/// assert_eq!(eth0.addresses[1].to_string(), "fd73:6e6f:77::2/64");
/// assert!(plan.hosts.contains("10.0.0.2\tbob bob.lab\n"));
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The lines that the hosts files of all stacks have in common; [`hosts_of`](Plan::hosts_of)
    /// returns the whole file of one stack.
    pub hosts: String,
    /// The domain of the long names of nodes.
    pub domain: String,
    /// The stacks whose nodes are name servers of the lab, in the order of the nodes.
    pub name_servers: Vec<StackId>,
    /// Whether the hosts file of each stack has the names of all nodes; otherwise, it has the
    /// stack's own.
    pub names_in_files: bool,
    /// The segments: switches first, then cables between two stacks.
    pub segments: Vec<SegmentPlan>,
    /// The switches, by number.
    pub switches: Vec<SwitchPlan>,
    /// The network stacks: nodes in no pod first, then pods.
    pub stacks: Vec<StackPlan>,
    /// The nodes, by number.
    pub nodes: Vec<NodePlan>,
    /// The cables, by number of the link.
    pub cables: Vec<CablePlan>,
    pub(crate) segment_of_switch: Vec<SegmentId>,
    pub(crate) segment_of_link: Vec<SegmentId>,
}

/// A segment: all interfaces that an Ethernet broadcast of one of them reaches.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentPlan {
    /// The subnets. Automatic addresses come from the first subnet of each family.
    pub subnets: Vec<Subnet>,
}

/// A switch: one bridge in the hub. A switch with more ports than a bridge takes is several
/// bridges, joined by trunks.
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchPlan {
    /// The switch in the topology.
    pub switch: SwitchId,
    /// The bridges. Each further bridge is joined to the first one.
    pub bridges: Vec<BridgePlan>,
    /// The cables that join the bridges.
    pub trunks: Vec<CablePlan>,
    /// Whether the switch has so many ports that nodes need queues of their own for broadcasts.
    pub crowded: bool,
}

/// A bridge in the hub, without spanning tree and forward delay.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgePlan {
    /// The name and index of the interface.
    pub interface: BridgeInterface,
    /// The alternative name, which has the switch's name in it. Only the first bridge of a switch
    /// has one.
    pub altname: Option<String>,
    /// The MAC address. Without one, a bridge would take the lowest address of its ports, and
    /// change with them.
    pub mac: [u8; 6],
    /// The MTU, in bytes.
    pub mtu: u32,
    /// The ports to which frames to multicast groups go.
    pub groups: GroupForwarding,
}

/// The ports to which a switch sends frames to multicast groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupForwarding {
    /// Frames go to all ports.
    Flood,
    /// Frames go to ports with members. The switch asks for memberships by IGMPv3 and MLDv2.
    Snoop,
    /// Frames go to ports with members, on a crowded switch. The switch asks by IGMPv3 and MLDv1:
    /// hosts then report by MLDv1 too, and a bridge keeps such reports from all other hosts, but
    /// not those of MLDv2 (net/bridge/br_multicast.c, br_multicast_ipv6_rcv).
    SnoopQuietly,
}

/// A veth pair, or something in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct CablePlan {
    /// The link in the topology; nothing for the trunk of a switch.
    pub link: Option<LinkId>,
    /// The name for messages.
    pub name: String,
    /// The MTU of both ends, in bytes.
    pub mtu: u32,
    /// Both ends, by side.
    pub ends: [CableEndPlan; 2],
    /// Emulation of the link; none if it is a plain veth pair.
    pub emulation: Option<Box<Emulation>>,
    /// The NAT on the wire of an uplink, whose router is at side a; nothing where the kernel
    /// translates, or nobody.
    pub nat: Option<Box<NatSpec>>,
    /// The prefixes of IPv6 that are exchanged on the wire of an uplink, whose router is at side a.
    pub prefixes: Option<Box<PrefixPair>>,
}

impl CablePlan {
    /// Returns whether addresses are translated on the wire of the cable.
    pub fn translates(&self) -> bool {
        self.nat.is_some() || self.prefixes.is_some()
    }
}

/// Engine and impairments of a link that is more than a veth pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Emulation {
    /// The impairments, by direction.
    pub impairments: [Impairment; 2],
    /// The engine that carries the packets.
    pub engine: Engine,
}

/// The name and the index of a bridge, by which a port names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BridgeInterface {
    /// The name of the interface.
    pub name: String,
    /// The interface index in the hub.
    pub index: u32,
    /// Whether the bridge sends frames to multicast groups only to ports with members, so that it
    /// has to be told of the members.
    pub snoops: bool,
}

/// One end of a veth pair.
#[derive(Clone, Debug, PartialEq)]
pub struct CableEndPlan {
    /// The namespace in which the end is made.
    pub netns: NetnsId,
    /// The name of the interface.
    pub name: String,
    /// The MAC address.
    pub mac: [u8; 6],
    /// The interface index in its namespace.
    pub index: u32,
    /// The bridge that the end is a port of, if the end is in the hub.
    pub bridge: Option<BridgeInterface>,
    /// The interface that the end is, if the end is in a stack.
    pub interface: Option<InterfaceId>,
}

/// A node, without its network stack.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// The node in the topology.
    pub node: NodeId,
    /// The name for messages: `bob`, or `web/app` for a container.
    pub name: String,
    /// The stack that the node lives in.
    pub stack: StackId,
    /// Whether the node shares its PID namespace with the other containers of its pod.
    pub share_pid: bool,
    /// The root filesystem, if the node has another one than the trial.
    pub rootfs: Option<Rootfs>,
    /// The mapping of user and group ids.
    pub users: Users,
    /// Whether faults may change the time of day of the node.
    pub faulty_clock: bool,
    /// The mounts, in an order in which none hides another.
    pub mounts: Vec<Mount>,
    /// The programs to run when the node starts.
    pub commands: Vec<StartCommand>,
    /// The name server that runs in the node.
    pub dns: Option<DnsSpec>,
    /// The DHCP server that runs in the node.
    pub dhcp: Option<DhcpSpec>,
    /// The source of the node's IPv4 addresses.
    pub addresses: AddressSource,
    /// The DHCPv6 server that runs in the node.
    pub dhcp6: Option<Dhcp6Spec>,
    /// The source of the node's IPv6 addresses.
    pub addresses_v6: AddressSource,
    /// The router advertisements of the node.
    pub advertise: Option<AdvertiseSpec>,
    /// Whether the node makes its IPv6 addresses of what routers advertise.
    pub autoconfigure: bool,
    /// The NAT64 of the node, if it is such a router.
    pub nat64: Option<Nat64Spec>,
    /// The client side of 464XLAT.
    pub clat: Option<ClatSpec>,
    /// The protocols by which the node, a router, gives ports to hosts that ask.
    pub port_mapping: Option<PortMappingSpec>,
}

impl Plan {
    /// Returns the ids of the stacks, in order.
    pub fn stack_ids(&self) -> impl Iterator<Item = StackId> + use<> {
        (0..self.stacks.len()).map(StackId::new)
    }

    /// Returns the stack that a node lives in.
    pub fn stack(&self, node: NodeId) -> &StackPlan {
        &self[self.nodes[node.index()].stack]
    }

    /// Returns the name of the node or pod that a stack belongs to, for messages.
    pub fn whose(&self, stack: StackId) -> String {
        match self.nodes.iter().find(|node| node.stack == stack) {
            Some(node) => format!("node `{}`", node.name),
            None => format!("pod `{}`", self[stack].hostname),
        }
    }

    /// Divides cables into plain veth pairs and the others.
    pub fn plain(&self, cables: Vec<LinkId>) -> (Vec<LinkId>, Vec<LinkId>) {
        let plain = |link: &LinkId| self[*link].emulation.is_none();
        cables.into_iter().partition(plain)
    }

    /// Returns the interface at a side of a link; nothing if that side is plugged into a switch.
    pub fn interface(&self, link: LinkId, side: Side) -> Option<&InterfacePlan> {
        let end = &self.cables.get(link.index())?.ends[side];
        match end.netns {
            NetnsId::Hub => None,
            NetnsId::Stack(stack) => self[stack].interfaces.get(end.interface?.index()),
        }
    }

    /// Returns the uplink of a stack on whose network an address is: a further address of the
    /// router is found there, and nowhere else.
    pub fn uplink_to<'p>(
        &self,
        stack: &'p StackPlan,
        address: IpAddr,
    ) -> Option<&'p InterfacePlan> {
        let mut uplinks = stack.interfaces.iter().filter(|it| it.uplink);
        uplinks.find(|it| {
            let mut subnets = self[it.segment].subnets.iter();
            subnets.any(|subnet| subnet.contains(address))
        })
    }

    /// Returns the `/etc/resolv.conf` of a stack.
    pub fn resolv_conf_of(&self, stack: StackId) -> String {
        super::resolv_conf::resolv_conf_of(self, stack)
    }

    /// Returns the whole hosts file of a stack.
    pub fn hosts_of(&self, stack: StackId) -> String {
        let StackPlan {
            own_hosts,
            near_names,
            ..
        } = &self[stack];
        let mut text = format!("{}{own_hosts}", Self::LOCAL_HOSTS);
        if !self.names_in_files {
            let own = self.hosts.lines().filter(|line| {
                let address = line
                    .split_once('\t')
                    .and_then(|(ip, _)| ip.parse::<IpAddr>().ok());
                address.is_some_and(|ip| self[stack].primary().any(|own| own == ip))
            });
            text.extend(own.flat_map(|line| [line, "\n"]));
            return text;
        }
        if near_names.is_empty() {
            text.push_str(&self.hosts);
            return text;
        }
        let mut near = near_names.iter().peekable();
        for (number, line) in self.hosts.lines().enumerate() {
            let here = near.next_if(|name| name.line == number);
            match (here, line.split_once('\t')) {
                (Some(name), Some((_, names))) => text.push_str(&format!("{}\t{names}", name.ip)),
                (Some(_), None) | (None, _) => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }

    /// Returns a hosts file for all stacks that have no lines of their own. Names stand for the
    /// same addresses everywhere.
    pub fn hosts_of_all(&self) -> String {
        format!("{}{}", Self::LOCAL_HOSTS, self.hosts)
    }

    const LOCAL_HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

    /// Returns whether all stacks that another plan has too find the same names there.
    pub fn has_names_of(&self, before: &Plan) -> bool {
        let near = |plan: &Plan, node: &NodePlan| plan[node.stack].near_names.clone();
        let mut nodes = before.nodes.iter().zip(&self.nodes);
        let servers = |plan: &Plan| (plan.name_servers.clone(), plan.names_in_files);
        self.hosts == before.hosts
            && servers(self) == servers(before)
            && nodes.all(|(old, new)| near(before, old) == near(self, new))
    }
}

impl Index<StackId> for Plan {
    type Output = StackPlan;

    fn index(&self, id: StackId) -> &StackPlan {
        &self.stacks[id.index()]
    }
}

impl Index<SegmentId> for Plan {
    type Output = SegmentPlan;

    fn index(&self, id: SegmentId) -> &SegmentPlan {
        &self.segments[id.index()]
    }
}

impl Index<LinkId> for Plan {
    type Output = CablePlan;

    fn index(&self, id: LinkId) -> &CablePlan {
        &self.cables[id.index()]
    }
}
