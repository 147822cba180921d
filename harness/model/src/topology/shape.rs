//! Ready-made topologies.
//!
//! Nodes are called `n1`, `n2`, …, except those with a role of their own. A shape with absurdly
//! many nodes or links is built only some way past what [`validate`](Topology::validate) accepts.
//!
//! ```
//! use snowglobe_model::topology::shape;
//!
//! let mut ring = shape::ring(6);
//! assert_eq!(ring.links().len(), 6);
//! let observer = ring.node("observer"); // and more can be added
//! ring.link(observer, ring.find("n1").unwrap());
//! ring.validate()?;
//! # Ok::<(), snowglobe_model::topology::TopologyError>(())
//! ```

use crate::random::below;
use crate::topology::id::NodeId;
use crate::topology::value::Topology;

/// The number of nodes or links at which building stops.
const ENOUGH: usize = 100_000;

/// Returns `alice` and `bob`, joined by a cable.
pub fn pair() -> Topology {
    let mut topology = Topology::new();
    let (alice, bob) = (topology.node("alice"), topology.node("bob"));
    topology.link(alice, bob);
    topology
}

/// Returns a switch, `lan`, with this number of nodes.
pub fn star(nodes: usize) -> Topology {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    for node in numbered(&mut topology, nodes) {
        topology.plug(node, lan);
    }
    topology
}

/// Returns this number of nodes in a row. All but the two ends forward.
pub fn line(nodes: usize) -> Topology {
    let mut topology = Topology::new();
    let nodes = numbered(&mut topology, nodes);
    for pair in nodes.windows(2) {
        topology.link(pair[0], pair[1]);
    }
    topology
}

/// Returns this number of nodes in a circle; with fewer than three, a [`line()`].
pub fn ring(nodes: usize) -> Topology {
    let mut topology = line(nodes);
    let nodes: Vec<NodeId> = topology.nodes().collect();
    if let [first, _, .., last] = nodes[..] {
        topology.link(last, first);
    }
    topology
}

/// Returns this number of nodes, every two of them joined by a cable.
pub fn full_mesh(nodes: usize) -> Topology {
    let mut topology = Topology::new();
    let nodes = numbered(&mut topology, nodes);
    for (index, a) in nodes.iter().enumerate() {
        for b in &nodes[index + 1..] {
            if topology.links.len() > ENOUGH {
                return topology;
            }
            topology.link(*a, *b);
        }
    }
    topology
}

/// Returns a tree: a root, `n1`, with this number of children, each of which has as many, for this
/// number of levels of links.
pub fn tree(levels: usize, children: usize) -> Topology {
    let mut topology = Topology::new();
    let mut row = vec![topology.node("n1")];
    for _ in 0..levels {
        let mut next = Vec::new();
        for parent in row {
            for _ in 0..children {
                if topology.nodes.len() > ENOUGH {
                    return topology;
                }
                let child = topology.node(format!("n{}", topology.nodes.len() + 1));
                topology.link(parent, child);
                next.push(child);
            }
        }
        row = next;
    }
    topology
}

/// Returns two nodes, `left` and `right`, joined by a cable, with `left-1`, … and `right-1`, …
/// around them. The first link is the shared cable.
pub fn dumbbell(left: usize, right: usize) -> Topology {
    let mut topology = Topology::new();
    let hubs = [("left", left), ("right", right)]
        .map(|(name, around)| (topology.node(name), name, around));
    topology.link(hubs[0].0, hubs[1].0);
    for (hub, name, around) in hubs {
        for number in 1..=around.min(ENOUGH) {
            let node = topology.node(format!("{name}-{number}"));
            topology.link(node, hub);
        }
    }
    topology
}

/// Returns this number of connected nodes, with half as many cables again as that needs. The result
/// is always the same for the same seed.
pub fn random(nodes: usize, seed: u64) -> Topology {
    let mut topology = Topology::new();
    let nodes = numbered(&mut topology, nodes);
    let mut dice = Dice(seed);
    for index in 1..nodes.len() {
        let earlier = nodes[dice.below(index)];
        topology.link(earlier, nodes[index]);
    }
    for _ in 0..if nodes.len() < 3 { 0 } else { nodes.len() / 2 } {
        let a = dice.below(nodes.len());
        let b = (a + 1 + dice.below(nodes.len() - 1)) % nodes.len();
        topology.link(nodes[a], nodes[b]);
    }
    topology
}

fn numbered(topology: &mut Topology, nodes: usize) -> Vec<NodeId> {
    (1..=nodes.min(ENOUGH))
        .map(|number| topology.node(format!("n{number}")))
        .collect()
}

/// A generator of numbers that are always the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        below(&mut self.0, bound as u64) as usize
    }
}

/// A shape as it is written in TOML: `[shape]`, `kind = "star"`, `nodes = 5`.
#[cfg(feature = "toml")]
#[derive(Clone, Copy, Debug, snowglobe_derive::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ShapeText {
    Pair {},
    Star { nodes: usize },
    Line { nodes: usize },
    Ring { nodes: usize },
    FullMesh { nodes: usize },
    Tree { levels: usize, children: usize },
    Dumbbell { left: usize, right: usize },
    Random { nodes: usize, seed: u64 },
}

#[cfg(feature = "toml")]
impl ShapeText {
    pub(crate) fn build(self) -> Topology {
        match self {
            ShapeText::Pair {} => pair(),
            ShapeText::Star { nodes } => star(nodes),
            ShapeText::Line { nodes } => line(nodes),
            ShapeText::Ring { nodes } => ring(nodes),
            ShapeText::FullMesh { nodes } => full_mesh(nodes),
            ShapeText::Tree { levels, children } => tree(levels, children),
            ShapeText::Dumbbell { left, right } => dumbbell(left, right),
            ShapeText::Random { nodes, seed } => random(nodes, seed),
        }
    }
}
