//! Hosts files: the lines that all nodes share, and the lines of each node.
//!
//! All nodes have the same text except for a few lines, so that a thousand nodes do not need a
//! million lines.

use std::collections::HashMap;
use std::fmt::Write;

use crate::plan::stack::StackPlan;
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

/// Returns a line for each address that a name stands for. A stack that nobody can reach is known
/// to itself only.
pub(crate) fn shared(topology: &Topology, stacks: &mut [StackPlan]) -> String {
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
    for stack in stacks {
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
            known = true;
        }
        if !known {
            let _ = writeln!(stack.own_hosts, "127.0.1.1\t{names}");
        }
    }
    text
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
