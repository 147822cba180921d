//! Hosts files: the lines that all nodes share, and the lines of each node.
//!
//! All nodes have the same text except for a few lines, so that a thousand nodes do not need a
//! million lines.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::net::IpAddr;

use crate::order::sort_by_key;
use crate::packet::ip::IpVersion;
use crate::plan::id::{SegmentId, StackId};
use crate::plan::stack::{InterfacePlan, NearName, StackPlan, is_link_local};
use crate::topology::id::{NodeId, Owner, PodId};
use crate::topology::node::StackSpec;
use crate::topology::value::Topology;

/// Returns the lines that a stack asked for itself.
pub(crate) fn own(network: &StackSpec) -> String {
    network
        .hosts
        .iter()
        .map(|(address, name)| format!("{address}\t{name}\n"))
        .collect()
}

/// The lines that all stacks share, and whose they are.
pub(crate) struct SharedHosts {
    pub(crate) text: String,
    /// The stack and the address of each line.
    lines: Vec<(StackId, IpAddr)>,
}

impl SharedHosts {
    /// Tells each stack which names stand for another address there: a stack on several segments is
    /// reached at its address on the segment of the asker. A server that answers datagrams from a
    /// socket for all addresses would else answer from another address than the one asked, and the
    /// asker would not take the answer for one (udp(7), connect(2)).
    pub(crate) fn tell_near_names(&self, stacks: &mut [StackPlan]) {
        let mut on_segment: HashMap<SegmentId, Vec<(StackId, &InterfacePlan)>> = HashMap::new();
        for (index, stack) in stacks.iter().enumerate() {
            let there = stack.interfaces.iter().filter(|it| !it.gone);
            let several = there
                .clone()
                .any(|it| it.segment != stack.interfaces[0].segment);
            for interface in there.filter(|_| several) {
                let stacks = on_segment.entry(interface.segment).or_default();
                stacks.push((StackId::new(index), interface));
            }
        }
        // Most topologies have no stack on several segments.
        if on_segment.is_empty() {
            return;
        }
        let lines = self.lines.iter().enumerate();
        let lines: HashMap<(StackId, IpVersion), (usize, IpAddr)> = lines
            .map(|(line, (stack, ip))| ((*stack, IpVersion::of(*ip)), (line, *ip)))
            .collect();
        let near = |(index, asker): (usize, &StackPlan)| {
            let mut near = Vec::new();
            let mut told = HashSet::new();
            let own = asker.interfaces.iter().filter(|it| !it.gone);
            let own: Vec<&InterfacePlan> = own.collect();
            let there = own.iter().filter_map(|own| on_segment.get(&own.segment));
            for (other, interface) in there.flatten().filter(|(it, _)| it.index() != index) {
                for version in IpVersion::BOTH {
                    let (Some((line, first)), Some(ip)) =
                        (lines.get(&(*other, version)), address(interface, version))
                    else {
                        continue;
                    };
                    // The first address of a stack goes first also where the asker is on that
                    // segment, and so does the first segment that both are on.
                    let on_it = |own: &&InterfacePlan| {
                        let at = &stacks[other.index()].interfaces;
                        let mut at = at.iter().filter(|it| it.segment == own.segment);
                        at.any(|it| address(it, version) == Some(*first))
                    };
                    if !own.iter().any(on_it) && told.insert(*line) {
                        near.push(NearName { line: *line, ip });
                    }
                }
            }
            sort_by_key(&mut near, |name| name.line);
            near
        };
        let all: Vec<Vec<NearName>> = stacks.iter().enumerate().map(near).collect();
        for (stack, near) in stacks.iter_mut().zip(all) {
            stack.near_names = near;
        }
    }
}

/// Returns the address of a family by which an interface is known.
fn address(interface: &InterfacePlan, version: IpVersion) -> Option<IpAddr> {
    let mut all = interface.addresses.iter().map(|address| address.ip);
    all.find(|ip| IpVersion::of(*ip) == version && !is_link_local(*ip))
}

/// Returns a line for each address that a name stands for. A stack that nobody can reach is known
/// to itself only.
pub(crate) fn shared(topology: &Topology, stacks: &mut [StackPlan]) -> SharedHosts {
    let mut members: HashMap<PodId, Vec<NodeId>> = HashMap::new();
    for id in topology.nodes() {
        if let Some(pod) = topology.pod_of(id) {
            members.entry(pod).or_default().push(id);
        }
    }
    let uses = if members.is_empty() {
        HashMap::new()
    } else {
        uses(topology)
    };
    let mut text = String::new();
    let mut lines = Vec::new();
    for (index, stack) in stacks.iter_mut().enumerate() {
        let names = match stack.owner {
            Owner::Node(id) => names(topology, &topology[id].name, &topology[id].network),
            Owner::Pod(id) => {
                let containers = members.get(&id).map_or(&[][..], Vec::as_slice);
                let pod = &topology[id];
                let mut all = names(topology, &pod.name, &pod.network);
                for name in containers
                    .iter()
                    .map(|container| &topology[*container].name)
                {
                    let _ = write!(
                        all,
                        " {name}.{pod} {name}.{pod}.{}",
                        topology.settings.domain,
                        pod = pod.name
                    );
                    if uses.get(&name.to_ascii_lowercase()) == Some(&1) {
                        let _ = write!(all, " {name} {name}.{}", topology.settings.domain);
                    }
                }
                all
            }
        };
        let mut known = false;
        for ip in stack.primary() {
            let _ = writeln!(text, "{ip}\t{names}");
            lines.push((StackId::new(index), ip));
            known = true;
        }
        if !known {
            let _ = writeln!(stack.own_hosts, "127.0.1.1\t{names}");
        }
    }
    SharedHosts { text, lines }
}

fn names(topology: &Topology, name: &str, network: &StackSpec) -> String {
    let mut names = format!("{name} {name}.{}", topology.settings.domain);
    for alias in &network.aliases {
        names.push(' ');
        names.push_str(alias);
    }
    names
}

/// Counts how often each name is used. The plain name of a container resolves if no other thing has
/// the name.
fn uses(topology: &Topology) -> HashMap<String, usize> {
    let nodes = topology
        .nodes
        .iter()
        .map(|node| (&node.spec.name, &node.spec.network));
    let pods = topology.pods.iter().map(|pod| (&pod.name, &pod.network));
    let mut uses = HashMap::new();
    for (name, network) in nodes.chain(pods) {
        for name in [name].into_iter().chain(&network.aliases) {
            *uses.entry(name.to_ascii_lowercase()).or_default() += 1;
        }
    }
    uses
}
