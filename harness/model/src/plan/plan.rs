//! The plan: all that the kernel has to be asked for, as plain data in the order in which to ask.
//!
//! It knows nothing about netlink, descriptors or processes. All namespaces are numbered places: the *hub* holds the bridges,
//! and each stack (a node, or a pod) its interfaces. Both ends of a cable are born where they belong.

mod allocate;
mod build;
mod cables;
mod grow;
mod hosts;
pub mod id;
pub mod ifindex;
mod limits;
mod parse;
mod pool;
mod route;
pub mod stack;
pub mod stack_op;
mod switches;
#[cfg(test)]
mod tests;
mod wiring;

use crate::impair::Impairment;
use crate::side::Side;
use crate::topology::error::TopologyError;
use crate::topology::id::{LinkId, NodeId, SwitchId};
use crate::topology::link::Engine;
use crate::topology::node::{StartCommand, Users};
use crate::topology::storage::{Mount, Rootfs};
use crate::topology::subnet::Subnet;
use crate::topology::value::Topology;

pub use id::{InterfaceId, NetnsId, SegmentId, StackId};
pub use ifindex::InterfaceSlot;
pub use limits::Limits;
pub use stack::{Address, InterfacePlan, NeighbourPlan, RoutePlan, StackPlan, Sysctl};
pub use stack_op::{StackDiff, StackOp, diff};

/// The most ports that the kernel gives a bridge.
pub const BRIDGE_PORTS: usize = 1023;

/// The kernel steps that a topology needs. The same topology has always the same plan.
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
    /// The hosts file that all stacks have in common; [`hosts_of`](Plan::hosts_of) is one stack's whole.
    pub hosts: String,
    /// The `/etc/resolv.conf` of every node.
    pub resolv_conf: String,
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

/// What an Ethernet frame to everybody reaches.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentPlan {
    /// Its subnets; of each family, automatic addresses come from the first.
    pub subnets: Vec<Subnet>,
}

/// A switch: one bridge in the hub, or several joined by trunks where it has more ports than a bridge takes.
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchPlan {
    /// Which switch.
    pub switch: SwitchId,
    /// Its bridges. All others are joined to the first.
    pub bridges: Vec<BridgePlan>,
    /// The cables that join them.
    pub trunks: Vec<CablePlan>,
    /// Whether it has so many ports that nodes need queues of their own for what all of them are sent.
    pub crowded: bool,
}

/// A bridge in the hub, without spanning tree and forward delay.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgePlan {
    /// The name and index of the interface.
    pub interface: BridgeInterface,
    /// The switch's name, for the first bridge of a switch.
    pub altname: Option<String>,
    /// Its MAC address, so that it does not change with its ports.
    pub mac: [u8; 6],
    /// Its MTU.
    pub mtu: u32,
}

/// A veth pair, or something in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct CablePlan {
    /// The link that it is; `None` for the trunk of a switch.
    pub link: Option<LinkId>,
    /// What people call it.
    pub name: String,
    /// The MTU of both ends.
    pub mtu: u32,
    /// Both ends, in the order of the link's.
    pub ends: [CableEndPlan; 2],
    /// What the link does to packets; nothing if it is a plain veth pair.
    pub emulation: Option<Box<Emulation>>,
}

/// What a link that is more than a veth pair does to packets.
#[derive(Clone, Debug, PartialEq)]
pub struct Emulation {
    /// What is done to packets: from the first end to the second, and back.
    pub impairments: [Impairment; 2],
    /// Who is to do it.
    pub engine: Engine,
}

/// The name and the index of a bridge, by which a port names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BridgeInterface {
    /// The name of the interface.
    pub name: String,
    /// The interface index in the hub.
    pub index: u32,
}

/// One end of a veth pair.
#[derive(Clone, Debug, PartialEq)]
pub struct CableEndPlan {
    /// The namespace in which the end is made.
    pub netns: NetnsId,
    /// Its name there.
    pub name: String,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// The interface index in its namespace.
    pub index: u32,
    /// The bridge that it is a port of, if it is in the hub.
    pub bridge: Option<BridgeInterface>,
    /// The interface of the stack that it is, if it is in a stack.
    pub interface: Option<InterfaceId>,
}

/// A node: the MNT and PID namespaces that it has of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// Which node.
    pub node: NodeId,
    /// Its name for people: `bob`, `web/app`.
    pub name: String,
    /// The stack that the node lives in.
    pub stack: StackId,
    /// Whether it shares its PID namespace with the other containers of its pod.
    pub share_pid: bool,
    /// Its root filesystem, if it is not the trial's.
    pub rootfs: Option<Rootfs>,
    /// How its ids map.
    pub users: Users,
    /// Its mounts, in an order in which none hides another.
    pub mounts: Vec<Mount>,
    /// What runs when it starts.
    pub commands: Vec<StartCommand>,
}

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
        build::plan(self, None)
    }
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

    /// Whose a stack is, for people.
    pub fn whose(&self, stack: StackId) -> String {
        match self.nodes.iter().find(|node| node.stack == stack) {
            Some(node) => format!("node `{}`", node.name),
            None => format!("pod `{}`", self[stack].hostname),
        }
    }

    /// Of these cables, those that are plain veth pairs, and the others.
    pub fn plain(&self, cables: Vec<LinkId>) -> (Vec<LinkId>, Vec<LinkId>) {
        let plain = |link: &LinkId| self[*link].emulation.is_none();
        cables.into_iter().partition(plain)
    }

    /// The interface at an end of a link; `None` where that is plugged into a switch.
    pub fn interface(&self, link: LinkId, side: Side) -> Option<&InterfacePlan> {
        let end = &self.cables.get(link.index())?.ends[side];
        match end.netns {
            NetnsId::Hub => None,
            NetnsId::Stack(stack) => self[stack].interfaces.get(end.interface?.index()),
        }
    }

    /// Returns the whole hosts file of a stack.
    pub fn hosts_of(&self, stack: StackId) -> String {
        let own = &self[stack].own_hosts;
        format!(
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{own}{}",
            self.hosts
        )
    }
}

impl std::ops::Index<StackId> for Plan {
    type Output = StackPlan;

    fn index(&self, id: StackId) -> &StackPlan {
        &self.stacks[id.index()]
    }
}

impl std::ops::Index<SegmentId> for Plan {
    type Output = SegmentPlan;

    fn index(&self, id: SegmentId) -> &SegmentPlan {
        &self.segments[id.index()]
    }
}

impl std::ops::Index<LinkId> for Plan {
    type Output = CablePlan;

    fn index(&self, id: LinkId) -> &CablePlan {
        &self.cables[id.index()]
    }
}
