//! The wiring of a topology: network stacks, their interfaces in order, and segments.
//!
//! A *stack* is a node that is in no pod, or a pod. A *segment* is everything that an Ethernet
//! broadcast reaches: a cable between two stacks, or a switch, or several switches joined by
//! cables.

use std::collections::HashSet;

use crate::plan::id::{InterfaceId, SegmentId, StackId};
use crate::plan::stack::Address;
use crate::side::Side;
use crate::topology::error::{Problems, Site, TopologyError};
use crate::topology::id::{Endpoint, LinkId, NodeId, Owner, SwitchId};
use crate::topology::name;
use crate::topology::problem::LinkProblem;
use crate::topology::value::{LinkEntry, Topology};

pub(crate) struct Wiring {
    pub(crate) stacks: Vec<WiredStack>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) stack_of_node: Vec<StackId>,
    pub(crate) segment_of_switch: Vec<SegmentId>,
    pub(crate) segment_of_link: Vec<SegmentId>,
}

pub(crate) struct WiredStack {
    pub(crate) owner: Owner,
    pub(crate) interfaces: Vec<Attachment>,
}

/// An interface: the end of a link that is in a stack.
#[derive(Clone, Copy)]
pub(crate) struct Attachment {
    pub(crate) link: LinkId,
    pub(crate) side: Side,
    pub(crate) segment: SegmentId,
}

/// An interface of a stack, named from outside of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StackPort {
    pub(crate) stack: StackId,
    pub(crate) interface: InterfaceId,
}

#[derive(Default)]
pub(crate) struct Segment {
    pub(crate) switches: Vec<SwitchId>,
    /// The cable, if the segment has no switch.
    pub(crate) cable: Option<LinkId>,
    /// The interfaces on the segment, in the order of links.
    pub(crate) ports: Vec<StackPort>,
}

impl Wiring {
    /// Wires a topology whose parts have been checked.
    pub(crate) fn of(topology: &Topology) -> Result<Wiring, TopologyError> {
        let (stacks, stack_of_node, stack_of_pod) = stacks(topology);
        let (segments, segment_of_switch) = segments_of_switches(topology)?;
        let mut wiring = Wiring {
            stacks,
            segments,
            stack_of_node,
            segment_of_switch,
            segment_of_link: Vec::new(),
        };
        for (index, link) in topology.links.iter().enumerate() {
            let id = LinkId::new(index);
            let segment = wiring.segment_for(id, link);
            wiring.segment_of_link.push(segment);
            for side in Side::BOTH {
                let stack = match link.ends[side] {
                    Endpoint::Node(id) => wiring.stack_of_node[id.index()],
                    Endpoint::Pod(id) => stack_of_pod[id.index()],
                    Endpoint::Switch(_) => continue,
                };
                let interfaces = &mut wiring.stacks[stack.index()].interfaces;
                let interface = InterfaceId::new(interfaces.len());
                wiring.segments[segment.index()]
                    .ports
                    .push(StackPort { stack, interface });
                interfaces.push(Attachment {
                    link: id,
                    side,
                    segment,
                });
            }
        }
        Ok(wiring)
    }

    /// Returns the addresses of all interfaces, except of those whose cable is gone.
    pub(crate) fn reached(
        &self,
        addresses: &[Vec<Vec<Address>>],
        gone: impl Fn(LinkId) -> bool,
    ) -> Vec<Vec<Vec<Address>>> {
        let of_port = |(port, given): (&Attachment, &Vec<Address>)| match gone(port.link) {
            true => Vec::new(),
            false => given.clone(),
        };
        let stacks = self.stacks.iter().zip(addresses);
        stacks
            .map(|(stack, given)| stack.interfaces.iter().zip(given).map(of_port).collect())
            .collect()
    }

    fn segment_for(&mut self, id: LinkId, link: &LinkEntry) -> SegmentId {
        let switch = link.ends.into_iter().find_map(Endpoint::switch);
        switch
            .map(SwitchId::index)
            .map(|switch| self.segment_of_switch[switch])
            .unwrap_or_else(|| {
                self.segments.push(Segment {
                    cable: Some(id),
                    ..Segment::default()
                });
                SegmentId::new(self.segments.len() - 1)
            })
    }
}

fn stacks(topology: &Topology) -> (Vec<WiredStack>, Vec<StackId>, Vec<StackId>) {
    let mut stacks = Vec::new();
    let mut add = |owner| {
        stacks.push(WiredStack {
            owner,
            interfaces: Vec::new(),
        });
        StackId::new(stacks.len() - 1)
    };
    let alone = |id: NodeId| topology.pod_of(id).is_none();
    let mut of_node: Vec<StackId> = topology
        .nodes()
        .map(|id| {
            if alone(id) {
                add(Owner::Node(id))
            } else {
                StackId::new(0)
            }
        })
        .collect();
    let of_pod: Vec<StackId> = topology.pods().map(|id| add(Owner::Pod(id))).collect();
    for id in topology.nodes() {
        if let Some(pod) = topology.pod_of(id) {
            of_node[id.index()] = of_pod[pod.index()];
        }
    }
    (stacks, of_node, of_pod)
}

/// Finds the segments of switches. Joined switches are one segment. A loop of switches would carry
/// every broadcast for ever.
fn segments_of_switches(
    topology: &Topology,
) -> Result<(Vec<Segment>, Vec<SegmentId>), TopologyError> {
    let mut parent: Vec<usize> = (0..topology.switches.len()).collect();
    let mut problems = Problems::default();
    for (index, link) in topology.links.iter().enumerate() {
        let [Endpoint::Switch(a), Endpoint::Switch(b)] = link.ends else {
            continue;
        };
        let (a, b) = (root(&mut parent, a.index()), root(&mut parent, b.index()));
        if a == b {
            let id = LinkId::new(index);
            problems.add(Site::new(id, "ends"), || LinkProblem::LoopOfSwitches {
                link: topology.link_label(id),
            });
        }
        parent[a.max(b)] = a.min(b);
    }
    problems.check()?;
    let mut segments: Vec<Segment> = Vec::new();
    let mut of_switch: Vec<SegmentId> = Vec::with_capacity(parent.len());
    for index in 0..parent.len() {
        let root = root(&mut parent, index);
        if root == index {
            segments.push(Segment::default());
        }
        let segment = if root == index {
            SegmentId::new(segments.len() - 1)
        } else {
            of_switch[root]
        };
        segments[segment.index()]
            .switches
            .push(SwitchId::new(index));
        of_switch.push(segment);
    }
    Ok((segments, of_switch))
}

fn root(parent: &mut [usize], mut index: usize) -> usize {
    while parent[index] != index {
        parent[index] = parent[parent[index]];
        index = parent[index];
    }
    index
}

/// The names of an interface.
pub(crate) struct InterfaceName {
    pub(crate) name: String,
    pub(crate) altnames: Vec<String>,
}

/// Returns the names of all interfaces of a stack. The name is `eth0`, `eth1`, … in the order of
/// links, or the name given by hand. Alternative names are the long ones given by hand, and one
/// like `to-bob` for each interface.
pub(crate) fn interface_names(
    topology: &Topology,
    stack: &WiredStack,
    problems: &mut Problems,
) -> Vec<InterfaceName> {
    let asked = |port: &Attachment| topology[port.link].ends[port.side].name.as_deref();
    let mut taken: HashSet<String> = HashSet::new();
    for port in &stack.interfaces {
        if let Some(name) = asked(port).filter(|name| !taken.insert(name.to_string())) {
            let site = Site::new(port.link, port.side.letter());
            problems.add(site, || LinkProblem::InterfaceNameTwice {
                node: topology.end_name(topology.ends(port.link)[port.side]),
                name: name.to_owned(),
            });
        }
    }
    let mut next = 0;
    let mut eth = |taken: &HashSet<String>| {
        while taken.contains(&format!("eth{next}")) {
            next += 1;
        }
        next += 1;
        format!("eth{}", next - 1)
    };
    let mut names = Vec::with_capacity(stack.interfaces.len());
    for port in &stack.interfaces {
        let (name, mut altnames) = match asked(port) {
            Some(name) if name.len() <= name::INTERFACE => (name.to_string(), vec![]),
            Some(name) => (eth(&taken), vec![name.to_string()]),
            None => (eth(&taken), vec![]),
        };
        altnames.extend(altname(topology, port, &mut taken));
        names.push(InterfaceName { name, altnames });
    }
    names
}

/// Returns the alternative name that says where an interface leads: `to-bob`, `to-lan`, and
/// `to-bob-2` for the second.
fn altname(topology: &Topology, port: &Attachment, taken: &mut HashSet<String>) -> Option<String> {
    let other = topology.ends(port.link)[port.side.other()];
    let other = topology.stack_end(other).unwrap_or(other);
    let base = format!("to-{}", topology.end_name(other));
    let mut tries = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}-{n}")));
    tries.find(|name| taken.insert(name.clone()))
}
