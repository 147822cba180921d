//! The plan: all that the kernel has to be asked for, as plain data in the order in which to ask.
//!
//! It knows nothing about netlink, descriptors or processes. All namespaces are numbered places: the *hub* holds the bridges,
//! and each stack (a node, or a pod) its interfaces. Both ends of a cable are born where they belong.

mod allocate;
mod build;
mod cables;
mod grow;
mod hosts;
pub mod limits;
mod parse;
mod pool;
mod route;
mod switches;
#[cfg(test)]
mod tests;
pub mod wiring;

use std::net::IpAddr;

use crate::impair::Impairment;
use crate::plan::wiring::Owner;
use crate::topology::error::TopologyError;
use crate::topology::id::{LinkId, NodeId, SwitchId};
use crate::topology::link::Engine;
use crate::topology::node::{StartCommand, Users};
use crate::topology::storage::{Mount, Rootfs};
use crate::topology::subnet::Subnet;
use crate::topology::value::Topology;

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
    pub cables: Vec<Cable>,
    pub(crate) segment_of_switch: Vec<usize>,
    pub(crate) segment_of_link: Vec<usize>,
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
    pub bridges: Vec<Bridge>,
    /// The cables that join them.
    pub trunks: Vec<Cable>,
    /// Whether it has so many ports that nodes need queues of their own for what all of them are sent.
    pub crowded: bool,
}

/// A bridge in the hub, without spanning tree and forward delay.
#[derive(Clone, Debug, PartialEq)]
pub struct Bridge {
    /// The interface's name.
    pub name: String,
    /// The switch's name, for the first bridge of a switch.
    pub altname: Option<String>,
    /// Its MAC address, so that it does not change with its ports.
    pub mac: [u8; 6],
    /// Its MTU.
    pub mtu: u32,
}

/// A veth pair, or something in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Cable {
    /// The link that it is; `None` for the trunk of a switch.
    pub link: Option<LinkId>,
    /// What people call it.
    pub name: String,
    /// The MTU of both ends.
    pub mtu: u32,
    /// Both ends, in the order of the link's.
    pub ends: [CableEnd; 2],
    /// What is between the ends; nothing if they are a plain veth pair.
    pub middle: Option<Box<Middle>>,
}

/// What is between the ends of a link that is more than a veth pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Middle {
    /// What is done to packets: from the first end to the second, and back.
    pub impairments: [Impairment; 2],
    /// Who is to do it.
    pub engine: Engine,
}

/// One end of a veth pair.
#[derive(Clone, Debug, PartialEq)]
pub struct CableEnd {
    /// The namespace that it is born in.
    pub place: Place,
    /// Its name there.
    pub name: String,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// The bridge that it is a port of, if it is in the hub.
    pub bridge: Option<String>,
    /// Which of the stack's interfaces it is, if it is in a stack.
    pub interface: Option<usize>,
}

/// A network namespace of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// The one with the bridges, which no node sees.
    Hub,
    /// That of a stack, by its number in [`Plan::stacks`].
    Stack(usize),
}

/// A network stack: the NET, UTS and IPC namespaces of a node or of a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct StackPlan {
    /// Whose it is.
    pub owner: Owner,
    /// The hostname.
    pub hostname: String,
    /// Lines of its hosts file that no other has.
    pub own_hosts: String,
    /// Sysctls to write before there is an interface.
    pub sysctls: Vec<Sysctl>,
    /// Sysctls to write when its interfaces are there.
    pub late_sysctls: Vec<Sysctl>,
    /// Its interfaces, without `lo`.
    pub interfaces: Vec<Interface>,
    /// Its routes beyond its own segments.
    pub routes: Vec<Route>,
    /// The neighbours that it knows from the start.
    pub neighbours: Vec<Neighbour>,
}

/// A file below `/proc/sys` and what to write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctl {
    /// The path below `/proc/sys`, such as `net/ipv4/ip_forward`.
    pub path: String,
    /// The value.
    pub value: String,
}

/// An interface of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    /// The link that it is an end of.
    pub link: LinkId,
    /// Which end: 0 or 1.
    pub end: usize,
    /// Its segment, by its number in [`Plan::segments`].
    pub segment: usize,
    /// Its name: `eth0`, `eth1`, …
    pub name: String,
    /// Its other names.
    pub altnames: Vec<String>,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// Its MTU.
    pub mtu: u32,
    /// Its addresses: IPv4, then IPv6, then the link-local one where IPv6 is spoken.
    pub addresses: Vec<Address>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The length of its subnet's prefix.
    pub prefix: u8,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// A route of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub to: Subnet,
    /// The neighbour that forwards.
    pub via: IpAddr,
    /// The interface that it is behind, by number.
    pub interface: usize,
}

/// A permanent entry of a stack's neighbour table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The neighbour's address.
    pub ip: IpAddr,
    /// The neighbour's MAC address.
    pub mac: [u8; 6],
    /// The interface that it is behind, by number.
    pub interface: usize,
}

/// A node: the MNT and PID namespaces that it has of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// Which node.
    pub node: NodeId,
    /// Its name for people: `bob`, `web/app`.
    pub name: String,
    /// The stack that it lives in, by its number in [`Plan::stacks`].
    pub stack: usize,
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

/// One step of a plan; `stack` is a number in [`Plan::stacks`], `interface` one in its interfaces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step<'p> {
    /// Make the NET, UTS and IPC namespaces of a stack, set its hostname and bring `lo` up.
    Stack {
        /// Its number.
        stack: usize,
        /// What it is to be.
        plan: &'p StackPlan,
    },
    /// Write a sysctl.
    Sysctl {
        /// Where.
        stack: usize,
        /// What.
        sysctl: &'p Sysctl,
    },
    /// Make a bridge in the hub and bring it up.
    Bridge(&'p Bridge),
    /// Make a veth pair (or what stands for it), its ends in the hub as ports of their bridges, and bring those up.
    Cable(&'p Cable),
    /// Bring an interface up, without automatic addresses, and give it its other names.
    Interface {
        /// Where.
        stack: usize,
        /// Which, with its names.
        plan: &'p Interface,
    },
    /// Add an address, without duplicate address detection.
    Address {
        /// Where.
        stack: usize,
        /// On which.
        interface: usize,
        /// What.
        address: &'p Address,
    },
    /// Add a permanent neighbour.
    Neighbour {
        /// Where.
        stack: usize,
        /// What.
        neighbour: &'p Neighbour,
    },
    /// Add a route.
    Route {
        /// Where.
        stack: usize,
        /// What.
        route: &'p Route,
    },
    /// Make the MNT and PID namespaces of a node, with its mounts and its files in `/etc`.
    Node(&'p NodePlan),
}

impl Plan {
    /// Plans a topology: [`Topology::plan`].
    pub fn of(topology: &Topology) -> Result<Plan, TopologyError> {
        build::plan(topology, None)
    }

    /// The steps, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let stacks = || self.stacks.iter().enumerate();
        let made = stacks().flat_map(|(stack, plan)| {
            let sysctls = plan
                .sysctls
                .iter()
                .map(move |sysctl| Step::Sysctl { stack, sysctl });
            [Step::Stack { stack, plan }].into_iter().chain(sysctls)
        });
        let switches = self.switches.iter().flat_map(|switch| {
            let bridges = switch.bridges.iter().map(Step::Bridge);
            bridges.chain(switch.trunks.iter().map(Step::Cable))
        });
        let cables = self.cables.iter().map(Step::Cable);
        let settled = stacks().flat_map(|(stack, plan)| steps_within(stack, plan));
        made.chain(switches)
            .chain(cables)
            .chain(settled)
            .chain(self.nodes.iter().map(Step::Node))
    }

    /// The stack that a node lives in.
    pub fn stack(&self, node: NodeId) -> &StackPlan {
        &self.stacks[self.nodes[node.index()].stack]
    }

    /// Whose a stack is, for people.
    pub fn whose(&self, stack: usize) -> String {
        match self.nodes.iter().find(|node| node.stack == stack) {
            Some(node) => format!("node `{}`", node.name),
            None => format!("pod `{}`", self.stacks[stack].hostname),
        }
    }

    /// Of these cables, those that are plain veth pairs, and the others.
    pub fn plain(&self, cables: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
        let plain = |index: &usize| self.cables[*index].middle.is_none();
        cables.into_iter().partition(plain)
    }

    /// The interface at an end of a link; `None` where that is plugged into a switch.
    pub fn interface(&self, link: LinkId, end: usize) -> Option<&Interface> {
        let end = &self.cables.get(link.index())?.ends[end];
        match end.place {
            Place::Hub => None,
            Place::Stack(stack) => self.stacks[stack].interfaces.get(end.interface?),
        }
    }

    /// The whole hosts file of a stack, by its number.
    pub fn hosts_of(&self, stack: usize) -> String {
        let own = &self.stacks[stack].own_hosts;
        format!(
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{own}{}",
            self.hosts
        )
    }
}

impl StackPlan {
    /// The addresses that its name stands for: of each family, the first.
    pub fn primary(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let first = |v6: bool| {
            let mut all = self
                .interfaces
                .iter()
                .flat_map(|interface| &interface.addresses)
                .map(|address| address.ip);
            all.find(move |ip| ip.is_ipv6() == v6 && !parse::is_link_local(*ip))
        };
        [first(false), first(true)].into_iter().flatten()
    }
}

/// What is done in a stack once its interfaces are there.
fn steps_within(stack: usize, plan: &StackPlan) -> impl Iterator<Item = Step<'_>> {
    let interfaces = plan
        .interfaces
        .iter()
        .map(move |plan| Step::Interface { stack, plan });
    let addresses = plan
        .interfaces
        .iter()
        .enumerate()
        .flat_map(move |(interface, plan)| {
            plan.addresses.iter().map(move |address| Step::Address {
                stack,
                interface,
                address,
            })
        });
    let neighbours = plan
        .neighbours
        .iter()
        .map(move |neighbour| Step::Neighbour { stack, neighbour });
    let routes = plan
        .routes
        .iter()
        .map(move |route| Step::Route { stack, route });
    let sysctls = plan
        .late_sysctls
        .iter()
        .map(move |sysctl| Step::Sysctl { stack, sysctl });
    interfaces
        .chain(addresses)
        .chain(neighbours)
        .chain(routes)
        .chain(sysctls)
}
