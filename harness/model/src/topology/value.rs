//! The topology itself. Calls that build it never fail; it is checked as a whole.

use std::collections::HashMap;
use std::ops::Index;

use snowglobe_derive::{Deserialize, Serialize};

use crate::topology::id::{Endpoint, LinkId, NodeId, PodId, SwitchId};
use crate::topology::link::{Families, LinkSpec, SwitchSpec};
use crate::topology::node::{NodeSpec, PodSpec};
use crate::topology::router::RouterSpec;
use crate::topology::storage::{MountSource, Volume};

/// The way in which nodes reach nodes on other segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// Static routes along shortest paths, over nodes that forward. A node with interfaces on two
    /// segments or more forwards, unless it refused to. Of equal paths, the one over links that
    /// were added first is taken.
    #[default]
    Shortest,
    /// No automatic routes: routers forward, and nodes that asked to. No node has a route beyond
    /// its own segments but those by hand.
    None,
}

/// The way in which nodes learn one another's MAC addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Neighbours {
    /// Known from the start on cables between two nodes, and learned on switches where they are
    /// few. Where the nodes of a lab could learn more than 16, those on switches of up to 32
    /// interfaces know each other from the start. On a network with more than 250 interfaces, all
    /// nodes know the interface that was plugged in first, and its node knows all others. The
    /// kernel learns no more than 1,024 neighbours at a time (`gc_thresh3`, see `arp(7)`), for all
    /// labs together, and each pair that talks counts twice; what is known from the start does not
    /// count.
    ///
    /// A node whose MAC address changes announces the new one, and its neighbours learn it.
    #[default]
    Auto,
    /// Learned by ARP and neighbour discovery everywhere.
    Learned,
    /// Known from the start everywhere. Their number grows with the square of the nodes on a
    /// switch.
    Fixed,
}

/// Settings of the whole topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) domain: String,
    pub(crate) families: Families,
    pub(crate) routing: Routing,
    pub(crate) neighbours: Neighbours,
    pub(crate) pool_v4: String,
    pub(crate) pool_v6: String,
    pub(crate) public_v4: String,
    pub(crate) public_v6: String,
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
            public_v4: "5.0.0.0/8".into(),
            public_v6: "2a00:5347:77::/48".into(),
        }
    }
}

/// The network that a test is about, as a value: nodes, links, switches and pods. The value is
/// cheap to build, clone, compare, print and load from TOML. Nothing exists until it is started.
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
/// No call that builds a topology fails. [`validate`](Topology::validate) finds wrong names and
/// addresses, and names their places. Ids are valid for the topology that gave them and for its
/// clones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    pub(crate) settings: Settings,
    pub(crate) nodes: Vec<NodeEntry>,
    pub(crate) pods: Vec<PodSpec>,
    pub(crate) switches: Vec<SwitchSpec>,
    pub(crate) links: Vec<LinkEntry>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NodeEntry {
    pub(crate) spec: NodeSpec,
    pub(crate) pod: Option<PodId>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LinkEntry {
    pub(crate) ends: [Endpoint; 2],
    pub(crate) spec: LinkSpec,
}

impl Topology {
    /// Returns a topology without nodes.
    pub fn new() -> Self {
        Topology::default()
    }

    /// Adds a node: a name, or a [`NodeSpec`].
    pub fn node(&mut self, spec: impl Into<NodeSpec>) -> NodeId {
        self.nodes.push(NodeEntry {
            spec: spec.into(),
            pod: None,
        });
        NodeId::new(self.nodes.len() - 1)
    }

    /// Adds a router: a name, or a [`RouterSpec`].
    pub fn router(&mut self, spec: impl Into<RouterSpec>) -> NodeId {
        self.node(spec.into())
    }

    /// Adds the public part, to which default routes lead: a router named `internet` whose networks
    /// have public addresses. Uplinks of other routers and links of servers lead to it.
    pub fn internet(&mut self) -> NodeId {
        self.router(RouterSpec::new("internet").public(true))
    }

    /// Adds a pod, whose containers will share a network stack: a name, or a [`PodSpec`].
    pub fn pod(&mut self, spec: impl Into<PodSpec>) -> PodId {
        self.pods.push(spec.into());
        PodId::new(self.pods.len() - 1)
    }

    /// Adds a container to a pod. It is a node with processes and files of its own.
    pub fn container(&mut self, pod: PodId, spec: impl Into<NodeSpec>) -> NodeId {
        self.nodes.push(NodeEntry {
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

    /// Lays a cable with a specification: MTU, addresses, names, impairments.
    pub fn link_with(
        &mut self,
        a: impl Into<Endpoint>,
        b: impl Into<Endpoint>,
        spec: impl Into<LinkSpec>,
    ) -> LinkId {
        self.links.push(LinkEntry {
            ends: [a.into(), b.into()],
            spec: spec.into(),
        });
        LinkId::new(self.links.len() - 1)
    }

    /// Lays a cable from a node or pod to a switch.
    pub fn plug(&mut self, node: impl Into<Endpoint>, switch: SwitchId) -> LinkId {
        self.link(node, switch)
    }

    /// Lays a cable with a specification from a node or pod to a switch. End `a` of the
    /// specification is the node's interface.
    pub fn plug_with(
        &mut self,
        node: impl Into<Endpoint>,
        switch: SwitchId,
        spec: impl Into<LinkSpec>,
    ) -> LinkId {
        self.link_with(node, switch, spec)
    }

    /// Lays a cable from a router or host to the router in front of it, or to a switch with such a
    /// router. The default route of `behind` leads over the cable.
    pub fn uplink(&mut self, behind: impl Into<Endpoint>, front: impl Into<Endpoint>) -> LinkId {
        self.uplink_with(behind, front, LinkSpec::new())
    }

    /// Lays an uplink with a specification. End `a` of the specification is that of `behind`.
    pub fn uplink_with(
        &mut self,
        behind: impl Into<Endpoint>,
        front: impl Into<Endpoint>,
        spec: impl Into<LinkSpec>,
    ) -> LinkId {
        self.link_with(behind, front, spec.into().uplink())
    }

    /// Changes the specification of a node.
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

    /// Changes the specification of a link.
    pub fn edit_link(&mut self, id: LinkId, change: impl FnOnce(LinkSpec) -> LinkSpec) {
        let spec = &mut self.links[id.index()].spec;
        *spec = change(std::mem::take(spec));
    }

    /// Sets the domain of the long names of nodes. By default it is `lab`, as in `bob.lab`.
    pub fn domain(&mut self, domain: impl Into<String>) -> &mut Self {
        self.settings.domain = domain.into();
        self
    }

    /// Sets the families of automatic addresses, for links and switches that name none.
    pub fn families(&mut self, families: Families) -> &mut Self {
        self.settings.families = families;
        self
    }

    /// Sets the way in which nodes reach nodes on other segments.
    pub fn routing(&mut self, routing: Routing) -> &mut Self {
        self.settings.routing = routing;
        self
    }

    /// Sets the way in which nodes learn one another's MAC addresses.
    pub fn neighbours(&mut self, neighbours: Neighbours) -> &mut Self {
        self.settings.neighbours = neighbours;
        self
    }

    /// Sets the ranges that automatic addresses are taken from. By default they are `10.0.0.0/8`
    /// and `fd73:6e6f:77::/48`. Each segment gets a /24, or a larger subnet if it needs one, and a
    /// /64.
    pub fn address_pools(&mut self, v4: impl ToString, v6: impl ToString) -> &mut Self {
        self.settings.pool_v4 = v4.to_string();
        self.settings.pool_v6 = v6.to_string();
        self
    }

    /// Sets the ranges that automatic addresses of the Internet are taken from. By default they are
    /// `5.0.0.0/8` and `2a00:5347:77::/48`: ranges that programs take for public ones. No packet
    /// leaves the lab, so it does not matter to whom they belong elsewhere.
    pub fn public_pools(&mut self, v4: impl ToString, v6: impl ToString) -> &mut Self {
        self.settings.public_v4 = v4.to_string();
        self.settings.public_v6 = v6.to_string();
        self
    }

    /// Returns all nodes, containers included, in the order in which they were added.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId::new)
    }

    /// Returns all pods.
    pub fn pods(&self) -> impl ExactSizeIterator<Item = PodId> + use<> {
        (0..self.pods.len()).map(PodId::new)
    }

    /// Returns all switches.
    pub fn switches(&self) -> impl ExactSizeIterator<Item = SwitchId> + use<> {
        (0..self.switches.len()).map(SwitchId::new)
    }

    /// Returns all links.
    pub fn links(&self) -> impl ExactSizeIterator<Item = LinkId> + use<> {
        (0..self.links.len()).map(LinkId::new)
    }

    /// Returns the containers of a pod.
    pub fn containers(&self, pod: PodId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes()
            .filter(move |node| self.pod_of(*node) == Some(pod))
    }

    /// Returns the pod of a container, or nothing for a node that is in no pod.
    pub fn pod_of(&self, node: NodeId) -> Option<PodId> {
        self.nodes.get(node.index())?.pod
    }

    /// Returns the two things that a link joins.
    pub fn ends(&self, link: LinkId) -> [Endpoint; 2] {
        self.links[link.index()].ends
    }

    /// Returns the node with this name. A container is also found by `pod/container`.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.nodes()
            .find(|node| self[*node].name() == name || self.node_name(*node) == name)
    }

    /// Returns the switch with this name.
    pub fn find_switch(&self, name: &str) -> Option<SwitchId> {
        self.switches().find(|switch| self[*switch].name() == name)
    }

    /// Returns the name of a node for messages: `bob`, or `web/app` for a container.
    pub fn node_name(&self, node: NodeId) -> String {
        let name = self[node].name();
        match self.pod_of(node).and_then(|pod| self.pods.get(pod.index())) {
            Some(pod) => format!("{}/{name}", pod.name),
            None => name.to_string(),
        }
    }

    /// Returns the volumes with a name that nodes mount, in the order of the nodes. A volume with
    /// several mounts comes as often.
    pub fn volumes(&self) -> impl Iterator<Item = &Volume> {
        let mounts = self.nodes().flat_map(|node| &self[node].mounts);
        mounts.filter_map(|mount| match &mount.source {
            MountSource::Volume(volume) => volume.name().map(|_| volume),
            MountSource::Bind(_) => None,
        })
    }

    /// Returns the name of a link for messages: the one that it was given, or `alice–bob`, or
    /// `alice–bob (2)` for the second link between these two.
    pub fn link_name(&self, link: LinkId) -> String {
        let LinkEntry { ends, spec } = &self.links[link.index()];
        if let Some(name) = &spec.name {
            return name.clone();
        }
        let same = |other: &&LinkEntry| {
            other.spec.name.is_none() && (other.ends == *ends || other.ends == [ends[1], ends[0]])
        };
        let base = format!("{}–{}", self.end_name(ends[0]), self.end_name(ends[1]));
        match self.links[..link.index()].iter().filter(same).count() {
            0 => base,
            earlier => format!("{base} ({})", earlier + 1),
        }
    }

    /// Returns the names of all links, as [`link_name`](Topology::link_name) does for one.
    pub(crate) fn link_names(&self) -> Vec<String> {
        let mut seen: HashMap<[Endpoint; 2], usize> = HashMap::new();
        let name = |LinkEntry { ends, spec }: &LinkEntry| {
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
        let name = match end {
            Endpoint::Node(id) => (id.index() < self.nodes.len()).then(|| self.node_name(id)),
            Endpoint::Pod(id) => self.pods.get(id.index()).map(|pod| pod.name.clone()),
            Endpoint::Switch(id) => self
                .switches
                .get(id.index())
                .map(|switch| switch.name.clone()),
        };
        // An end that this topology never gave has no name. The checks refuse it.
        name.unwrap_or_else(|| "?".into())
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
