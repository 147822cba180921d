//! The value itself: a topology is built by calls that cannot fail, and judged as a whole.

use std::collections::HashMap;
use std::ops::Index;

use serde::{Deserialize, Serialize};

use crate::topology::id::{Endpoint, LinkId, NodeId, PodId, SwitchId};
use crate::topology::link::{Families, LinkSpec, SwitchSpec};
use crate::topology::node::{NodeSpec, PodSpec};

/// How nodes reach those that they share no segment with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// By static routes along the shortest paths, over nodes that forward: all those with interfaces on two segments or more
    /// that did not refuse. Of equal paths, the one over links added first.
    #[default]
    Shortest,
    /// Not at all: no node forwards unless it asked to, and none has a route beyond its own segments.
    None,
}

/// How nodes learn one another's MAC addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Neighbours {
    /// Known from the start on cables between two nodes, learned on switches. On a network with more than 250 interfaces, all know the first
    /// that was plugged in, and that one knows all: the kernel learns no more than 1,024 neighbours at a time (`gc_thresh3`), those of all labs
    /// together, and two who talk are two.
    #[default]
    Auto,
    /// Learned by ARP and neighbour discovery everywhere.
    Learned,
    /// Known from the start everywhere. Their number grows with the square of the nodes on a switch.
    Fixed,
}

/// What holds for the whole topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) domain: String,
    pub(crate) families: Families,
    pub(crate) routing: Routing,
    pub(crate) neighbours: Neighbours,
    pub(crate) pool_v4: String,
    pub(crate) pool_v6: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            domain: "lab".into(),
            families: Families::Both,
            routing: Routing::Shortest,
            neighbours: Neighbours::Auto,
            pool_v4: "10.0.0.0/8".into(),
            pool_v6: "fd73:6e6f:77::/48".into(),
        }
    }
}

/// The network that a test is about, as a value: nodes, links, switches, pods. Cheap to build, clone, compare, print and load
/// from TOML; nothing exists until it is started.
///
/// ```
/// use snowglobe_model::topology::Topology;
///
/// let mut topology = Topology::new();
/// let (alice, bob) = (topology.node("alice"), topology.node("bob"));
/// let lan = topology.switch("lan");
/// topology.plug(alice, lan);
/// topology.plug(bob, lan);
/// let cable = topology.link(alice, bob); // a second way from one to the other
/// topology.validate()?;
/// assert_eq!(topology.link_name(cable), "alice–bob");
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
///
/// No call that builds fails: a wrong name or address is found by [`validate`](Topology::validate), which names the place. Ids
/// are those of the topology that gave them and of its clones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    pub(crate) settings: Settings,
    pub(crate) nodes: Vec<Node>,
    pub(crate) pods: Vec<PodSpec>,
    pub(crate) switches: Vec<SwitchSpec>,
    pub(crate) links: Vec<Link>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) spec: NodeSpec,
    pub(crate) pod: Option<PodId>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Link {
    pub(crate) ends: [Endpoint; 2],
    pub(crate) spec: LinkSpec,
}

impl Topology {
    /// An empty one.
    pub fn new() -> Self {
        Topology::default()
    }

    /// Adds a node: a name, or a [`NodeSpec`].
    pub fn node(&mut self, spec: impl Into<NodeSpec>) -> NodeId {
        self.nodes.push(Node {
            spec: spec.into(),
            pod: None,
        });
        NodeId::new(self.nodes.len() - 1)
    }

    /// Adds a pod, whose containers will share a network stack: a name, or a [`PodSpec`].
    pub fn pod(&mut self, spec: impl Into<PodSpec>) -> PodId {
        self.pods.push(spec.into());
        PodId::new(self.pods.len() - 1)
    }

    /// Adds a container to a pod. It is a node with processes and files of its own.
    pub fn container(&mut self, pod: PodId, spec: impl Into<NodeSpec>) -> NodeId {
        self.nodes.push(Node {
            spec: spec.into(),
            pod: Some(pod),
        });
        NodeId::new(self.nodes.len() - 1)
    }

    /// Adds a switch: a name, or a [`SwitchSpec`].
    pub fn switch(&mut self, spec: impl Into<SwitchSpec>) -> SwitchId {
        self.switches.push(spec.into());
        SwitchId::new(self.switches.len() - 1)
    }

    /// Lays a cable between two nodes, pods or switches.
    pub fn link(&mut self, a: impl Into<Endpoint>, b: impl Into<Endpoint>) -> LinkId {
        self.link_with(a, b, LinkSpec::new())
    }

    /// Lays a cable about which something is asked: MTU, addresses, names.
    pub fn link_with(
        &mut self,
        a: impl Into<Endpoint>,
        b: impl Into<Endpoint>,
        spec: impl Into<LinkSpec>,
    ) -> LinkId {
        self.links.push(Link {
            ends: [a.into(), b.into()],
            spec: spec.into(),
        });
        LinkId::new(self.links.len() - 1)
    }

    /// Lays a cable from a node or pod to a switch.
    pub fn plug(&mut self, node: impl Into<Endpoint>, switch: SwitchId) -> LinkId {
        self.link(node, switch)
    }

    /// Lays a cable from a node or pod to a switch; what is asked of end `a` is asked of the node's interface.
    pub fn plug_with(
        &mut self,
        node: impl Into<Endpoint>,
        switch: SwitchId,
        spec: impl Into<LinkSpec>,
    ) -> LinkId {
        self.link_with(node, switch, spec)
    }

    /// Changes what is asked of a node.
    ///
    /// ```
    /// use snowglobe_model::topology::shape;
    ///
    /// let mut star = shape::star(3);
    /// let first = star.find("n1").unwrap();
    /// star.edit_node(first, |spec| spec.alias("www.example.org"));
    /// ```
    pub fn edit_node(&mut self, id: NodeId, change: impl FnOnce(NodeSpec) -> NodeSpec) {
        let spec = &mut self.nodes[id.index()].spec;
        *spec = change(std::mem::take(spec));
    }

    /// Changes what is asked of a link.
    pub fn edit_link(&mut self, id: LinkId, change: impl FnOnce(LinkSpec) -> LinkSpec) {
        let spec = &mut self.links[id.index()].spec;
        *spec = change(std::mem::take(spec));
    }

    /// Sets the domain in which nodes have their long names: `bob.lab` unless another is given.
    pub fn domain(&mut self, domain: impl Into<String>) -> &mut Self {
        self.settings.domain = domain.into();
        self
    }

    /// Sets which families get addresses, where a link or a switch does not say.
    pub fn families(&mut self, families: Families) -> &mut Self {
        self.settings.families = families;
        self
    }

    /// Sets how nodes reach those that they share no segment with.
    pub fn routing(&mut self, routing: Routing) -> &mut Self {
        self.settings.routing = routing;
        self
    }

    /// Sets how nodes learn one another's MAC addresses.
    pub fn neighbours(&mut self, neighbours: Neighbours) -> &mut Self {
        self.settings.neighbours = neighbours;
        self
    }

    /// Sets the ranges that automatic addresses are taken from: `10.0.0.0/8` and `fd73:6e6f:77::/48` unless others are given.
    /// Each segment gets a /24 (a larger one if it needs it) and a /64.
    pub fn address_pools(&mut self, v4: impl ToString, v6: impl ToString) -> &mut Self {
        self.settings.pool_v4 = v4.to_string();
        self.settings.pool_v6 = v6.to_string();
        self
    }

    /// All nodes, containers included, in the order in which they were added.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId::new)
    }

    /// All pods.
    pub fn pods(&self) -> impl ExactSizeIterator<Item = PodId> + use<> {
        (0..self.pods.len()).map(PodId::new)
    }

    /// All switches.
    pub fn switches(&self) -> impl ExactSizeIterator<Item = SwitchId> + use<> {
        (0..self.switches.len()).map(SwitchId::new)
    }

    /// All links.
    pub fn links(&self) -> impl ExactSizeIterator<Item = LinkId> + use<> {
        (0..self.links.len()).map(LinkId::new)
    }

    /// The containers of a pod.
    pub fn containers(&self, pod: PodId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes()
            .filter(move |node| self.pod_of(*node) == Some(pod))
    }

    /// The pod that a container is in; `None` for a node that is in none.
    pub fn pod_of(&self, node: NodeId) -> Option<PodId> {
        self.nodes.get(node.index())?.pod
    }

    /// What a link joins.
    pub fn ends(&self, link: LinkId) -> [Endpoint; 2] {
        self.links[link.index()].ends
    }

    /// The node of this name; a container is found by `pod/container` too.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.nodes()
            .find(|node| self[*node].name() == name || self.node_name(*node) == name)
    }

    /// The switch of this name.
    pub fn find_switch(&self, name: &str) -> Option<SwitchId> {
        self.switches().find(|switch| self[*switch].name() == name)
    }

    /// The name of a node for people: `bob`, or `web/app` for a container.
    pub fn node_name(&self, node: NodeId) -> String {
        let name = self[node].name();
        match self.pod_of(node).and_then(|pod| self.pods.get(pod.index())) {
            Some(pod) => format!("{}/{name}", pod.name),
            None => name.to_string(),
        }
    }

    /// The name of a link for people: the one it was given, or `alice–bob`; `alice–bob (2)` for the second between the same two.
    pub fn link_name(&self, link: LinkId) -> String {
        let Link { ends, spec } = &self.links[link.index()];
        if let Some(name) = &spec.name {
            return name.clone();
        }
        let same = |other: &&Link| {
            other.spec.name.is_none() && (other.ends == *ends || other.ends == [ends[1], ends[0]])
        };
        let base = format!("{}–{}", self.end_name(ends[0]), self.end_name(ends[1]));
        match self.links[..link.index()].iter().filter(same).count() {
            0 => base,
            earlier => format!("{base} ({})", earlier + 1),
        }
    }

    /// The names of all links, as [`link_name`](Topology::link_name) gives them one by one.
    pub(crate) fn link_names(&self) -> Vec<String> {
        let mut seen: HashMap<[Endpoint; 2], usize> = HashMap::new();
        let name = |Link { ends, spec }: &Link| {
            spec.name.clone().unwrap_or_else(|| {
                let mut key = *ends;
                key.sort();
                let count = seen.entry(key).or_default();
                *count += 1;
                let base = format!("{}–{}", self.end_name(ends[0]), self.end_name(ends[1]));
                if *count == 1 {
                    base
                } else {
                    format!("{base} ({count})")
                }
            })
        };
        self.links.iter().map(name).collect()
    }

    pub(crate) fn end_name(&self, end: Endpoint) -> String {
        match end {
            Endpoint::Node(id) if self.nodes.get(id.index()).is_some() => self.node_name(id),
            Endpoint::Pod(id) if self.pods.get(id.index()).is_some() => self[id].name.clone(),
            Endpoint::Switch(id) if self.switches.get(id.index()).is_some() => {
                self[id].name.clone()
            }
            _ => "?".into(),
        }
    }
}

impl Index<NodeId> for Topology {
    type Output = NodeSpec;

    fn index(&self, id: NodeId) -> &NodeSpec {
        &self.nodes[id.index()].spec
    }
}

impl Index<PodId> for Topology {
    type Output = PodSpec;

    fn index(&self, id: PodId) -> &PodSpec {
        &self.pods[id.index()]
    }
}

impl Index<SwitchId> for Topology {
    type Output = SwitchSpec;

    fn index(&self, id: SwitchId) -> &SwitchSpec {
        &self.switches[id.index()]
    }
}

impl Index<LinkId> for Topology {
    type Output = LinkSpec;

    fn index(&self, id: LinkId) -> &LinkSpec {
        &self.links[id.index()].spec
    }
}
