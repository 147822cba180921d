//! Topologies as TOML.
//!
//! Problems that the reader cannot find (an unknown node, an address taken twice) are found by the
//! code that checks any topology. Their places are then looked up in the text.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use snowglobe_derive::{Deserialize, Serialize};
use snowglobe_text::{FromTree, Tree, TreeError};

use crate::impair::{Asymmetric, Impairment, preset};
use crate::position::position;
use crate::topology::error::{Site, TopologyError, TopologySubject};
use crate::topology::id::{Endpoint, LinkId, NodeId, PodId};
use crate::topology::link::{EndSpec, Engine, Families, LinkSpec, SwitchSpec};
use crate::topology::name::show;
use crate::topology::node::{NodeSpec, PodSpec, is_default};
use crate::topology::problem::{DocumentProblem, ReadFailure};
use crate::topology::regions::RegionsText;
use crate::topology::shape::ShapeText;
use crate::topology::text::router::RouterText;
use crate::topology::value::{Settings, Topology};

/// The whole text.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TopologyDocument {
    #[serde(skip_serializing_if = "is_default")]
    settings: Settings,
    #[serde(skip_serializing)]
    shape: Option<ShapeText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    switch: Vec<SwitchSpec>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pod: Vec<PodSpec>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    node: Vec<NodeSpec>,
    /// Routers come after the nodes. They are written as nodes, each in its place.
    #[serde(skip_serializing)]
    router: Vec<RouterText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    link: Vec<LinkText>,
    /// Regions. They are written as the switches, nodes and links that they are.
    #[serde(skip_serializing)]
    regions: Option<RegionsText>,
}

/// A link, its ends by name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkText {
    ends: [String; 2],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subnets: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    families: Option<Families>,
    #[serde(default, skip_serializing_if = "is_default")]
    a: EndSpec,
    #[serde(default, skip_serializing_if = "is_default")]
    b: EndSpec,
    /// The preset of a link whose first end has the access. A specified impairment has precedence.
    #[serde(default, skip_serializing)]
    preset: Option<Preset>,
    /// The impairment of the directions for which none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    impair: Option<Impairment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a_to_b: Option<Impairment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b_to_a: Option<Impairment>,
    #[serde(default, skip_serializing_if = "is_default")]
    engine: Engine,
    #[serde(default, skip_serializing_if = "is_default")]
    uplink: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metric: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost: Option<u32>,
}

/// An impairment with a name.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Preset(Asymmetric);

impl TryFrom<String> for Preset {
    type Error = UnknownPreset;

    fn try_from(name: String) -> Result<Preset, UnknownPreset> {
        let preset = preset::named(&name).map(Preset);
        preset.ok_or(UnknownPreset(name))
    }
}

/// The error that no impairment has this name.
struct UnknownPreset(String);

impl fmt::Display for UnknownPreset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = preset::all().map(|(name, _)| name).join(", ");
        let name = show(&self.0);
        write!(f, "there is no preset {name}; there are {known}")
    }
}

impl Topology {
    /// Reads a topology from TOML, and checks it as [`validate`](Topology::validate) does.
    ///
    /// # Errors
    /// The text is no TOML, or the topology is wrong. The error names line and column.
    ///
    /// ```
    /// use snowglobe_model::topology::Topology;
    ///
    /// let topology = Topology::from_toml(
    ///     r#"
    ///     shape = { kind = "star", nodes = 3 } # or none; what follows is added to it
    ///
    ///     [[pod]]
    ///     name = "web"
    ///
    ///     [[node]]
    ///     name = "app"
    ///     pod = "web"
    ///     mounts = [{ at = "/tmp/site", volume = "site" }]
    ///
    ///     [[link]]
    ///     ends = ["web", "lan"]
    ///     a.addresses = ["10.0.0.80/24"]
    ///     "#,
    /// )?;
    /// assert_eq!(topology.nodes().len(), 4);
    ///
    /// let text = "[[node]]\nname = \"bob\"\n\n[[link]]\nends = [\"bob\", \"alise\"]";
    /// let error = Topology::from_toml(text).unwrap_err();
    /// let expected = "line 5, column 16: there is no node, pod or switch named `alise`";
    /// assert_eq!(error.to_string(), expected);
    /// # Ok::<(), snowglobe_model::topology::TopologyError>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Topology, TopologyError> {
        let map = TextMap::of(text)?;
        let document =
            TopologyDocument::from_tree(&map.root).map_err(|error| syntax(text, &error))?;
        let base = document.shape.map(ShapeText::build).unwrap_or_default();
        let map = TextMap {
            base: [
                base.nodes.len(),
                base.pods.len(),
                base.switches.len(),
                base.links.len(),
            ],
            ..map
        };
        let topology = document
            .into_topology(base, text)
            .map_err(|error| error.locate(|site| map.find(site)))?;
        topology
            .validate()
            .map_err(|error| error.locate(|site| map.find(site)))?;
        Ok(topology)
    }

    /// Reads a topology from a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, or its text is wrong. The error names file, line and column.
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Topology, TopologyError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let text = crate::files::read(path);
        let text = text.map_err(|error| {
            let problem = DocumentProblem::Unreadable(ReadFailure::new(error));
            TopologyError::one(Site::TOPOLOGY, problem).in_file(&file)
        })?;
        Topology::from_toml(&text).map_err(|error| error.in_file(file))
    }

    /// Writes the topology as TOML, from which [`from_toml`](Topology::from_toml) makes an equal
    /// one.
    ///
    /// # Errors
    /// A path is not UTF-8.
    ///
    /// ```
    /// use snowglobe_model::topology::{Topology, shape};
    ///
    /// let tree = shape::tree(2, 3);
    /// assert_eq!(Topology::from_toml(&tree.to_toml()?)?, tree);
    /// # Ok::<(), snowglobe_model::topology::TopologyError>(())
    /// ```
    pub fn to_toml(&self) -> Result<String, TopologyError> {
        let document = TopologyDocument::from_topology(self);
        Tree::write_toml(&document)
            .map_err(|error| TopologyError::one(Site::TOPOLOGY, DocumentProblem::Unwritable(error)))
    }
}

impl TopologyDocument {
    fn from_topology(topology: &Topology) -> TopologyDocument {
        let node = |id: NodeId| {
            let pod = topology
                .pod_of(id)
                .map(|pod| topology.end_name(Endpoint::Pod(pod)));
            NodeSpec {
                pod,
                ..topology[id].clone()
            }
        };
        let link = |id: LinkId| {
            let LinkSpec {
                name,
                mtu,
                subnets,
                families,
                ends: [a, b],
                impairments: [there, back],
                engine,
                uplink,
                metric,
                cost,
            } = topology[id].clone();
            let same = there == back;
            let unless_none = |one: Impairment| (one != Impairment::NONE).then_some(one);
            LinkText {
                ends: topology.ends(id).map(|end| topology.end_name(end)),
                name,
                mtu,
                subnets,
                families,
                a,
                b,
                preset: None,
                impair: unless_none(there.clone()).filter(|_| same),
                a_to_b: unless_none(there).filter(|_| !same),
                b_to_a: unless_none(back).filter(|_| !same),
                engine,
                uplink,
                metric,
                cost,
            }
        };
        TopologyDocument {
            settings: topology.settings.clone(),
            shape: None,
            switch: topology.switches.clone(),
            pod: topology.pods.clone(),
            node: topology.nodes().map(node).collect(),
            router: Vec::new(),
            link: topology.links().map(link).collect(),
            regions: None,
        }
    }

    fn into_topology(self, mut topology: Topology, text: &str) -> Result<Topology, TopologyError> {
        topology.settings = self.settings;
        topology.switches.extend(self.switch);
        topology.pods.extend(self.pod);
        let pods: HashMap<String, PodId> = topology
            .pods()
            .map(|pod| (topology[pod].name.clone(), pod))
            .collect();
        for mut spec in self.node {
            let site = Site::new(NodeId::new(topology.nodes.len()), "pod");
            match spec.pod.take() {
                None => topology.node(spec),
                Some(name) => {
                    let pod = pods.get(&name).copied();
                    let pod = pod.ok_or_else(|| {
                        let name = name.clone();
                        TopologyError::one(site, DocumentProblem::NoPod { name })
                    })?;
                    topology.container(pod, spec)
                }
            };
        }
        for router in self.router {
            topology.router(router.spec());
        }
        // The switches and routers of regions are there before links, which may lead to them.
        let places = self.regions.as_ref();
        let places = places.map(|regions| topology.place_regions(regions.places()));
        let names = endpoints(&topology);
        for text in self.link {
            let index = topology.links.len();
            let find = |end: usize| {
                let name = &text.ends[end];
                let site = Site {
                    item: Some(end),
                    ..Site::new(LinkId::new(index), "ends")
                };
                let found = names.get(name).copied();
                found.ok_or_else(|| {
                    let name = name.clone();
                    TopologyError::one(site, DocumentProblem::NoEnd { name })
                })
            };
            let (first, second) = (find(0)?, find(1)?);
            topology.link_with(first, second, text.spec());
        }
        if let (Some(regions), Some(places)) = (self.regions, places) {
            let regions = regions.read(&names, text)?;
            topology.join_regions(&regions, places);
        }
        Ok(topology)
    }
}

impl LinkText {
    fn spec(self) -> LinkSpec {
        let Self {
            ends: _,
            name,
            mtu,
            subnets,
            families,
            a,
            b,
            preset,
            impair,
            a_to_b,
            b_to_a,
            engine,
            uplink,
            metric,
            cost,
        } = self;
        let [up, down] = preset.map_or([None, None], |Preset(of)| [Some(of.up), Some(of.down)]);
        let impairments = [(a_to_b, up), (b_to_a, down)].map(|(own, named)| {
            let said = own.or(impair.clone()).or(named);
            said.unwrap_or_default()
        });
        LinkSpec {
            name,
            mtu,
            subnets,
            families,
            ends: [a, b],
            impairments,
            engine,
            uplink,
            metric,
            cost,
        }
    }
}

/// Returns everything that a link can be plugged into, by name; a container by `pod/container`.
fn endpoints(topology: &Topology) -> HashMap<String, Endpoint> {
    let nodes = topology
        .nodes()
        .map(|id| (topology.node_name(id), Endpoint::Node(id)));
    let pods = topology
        .pods()
        .map(|id| (topology[id].name.clone(), Endpoint::Pod(id)));
    let switches = topology
        .switches()
        .map(|id| (topology[id].name.clone(), Endpoint::Switch(id)));
    nodes.chain(pods).chain(switches).collect()
}

fn syntax(text: &str, error: &TreeError) -> TopologyError {
    let at = position(text, error.at().unwrap_or(0));
    TopologyError::one(Site::TOPOLOGY, DocumentProblem::Syntax(error.clone())).locate(|_| Some(at))
}

/// The places of the parts of a topology in its text.
struct TextMap<'t> {
    text: &'t str,
    root: Tree,
    /// The number of nodes, pods, switches and links that the shape made before those of the text.
    base: [usize; 4],
}

impl<'t> TextMap<'t> {
    fn of(text: &'t str) -> Result<TextMap<'t>, TopologyError> {
        let root = Tree::from_toml(text).map_err(|error| syntax(text, &error))?;
        Ok(TextMap {
            text,
            root,
            base: [0; 4],
        })
    }

    fn find(&self, site: Site) -> Option<(usize, usize)> {
        Some(position(self.text, self.byte(site).unwrap_or(0)))
    }

    /// Returns the byte at which the text says the subject of a problem, or the closest thing to
    /// it.
    fn byte(&self, site: Site) -> Option<usize> {
        let root = &self.root;
        let [nodes, pods, switches, links] = self.base;
        let (table, index, base) = match site.subject {
            TopologySubject::Topology => match site.field.and_then(|field| root.get(field)) {
                Some(part) => return part.at,
                None => ("", 0, 0),
            },
            TopologySubject::Settings => ("settings", 0, 0),
            TopologySubject::Node(id) => ("node", id.index(), nodes),
            TopologySubject::Pod(id) => ("pod", id.index(), pods),
            TopologySubject::Switch(id) => ("switch", id.index(), switches),
            TopologySubject::Link(id) => ("link", id.index(), links),
        };
        let of_shape = || root.get("shape")?.at;
        let Some(mut index) = index.checked_sub(base) else {
            return of_shape();
        };
        let count = |table| Some(root.get(table)?.list("").ok()?.len());
        let nodes = count("node").unwrap_or(0);
        let is_router = table == "node" && index >= nodes && count("router").is_some();
        let table = if is_router { "router" } else { table };
        index -= if is_router { nodes } else { 0 };
        let Some(value) = root.get(table) else {
            return of_shape();
        };
        let entry = match value.list("") {
            Ok(entries) => entries.get(index)?,
            Err(_) => value,
        };
        // Settings of a network and of a router stand in tables of their own, or in that of a
        // router.
        let network = entry.get("network");
        let router = network.and_then(|it| it.get("router"));
        let find = |field| {
            let mut places = [Some(entry), network, router].into_iter().flatten();
            places.find_map(|it| it.get(field))
        };
        let field = site.field.and_then(find);
        let item = site.item.and_then(|item| field?.list("").ok()?.get(item));
        item.or(field)
            .or(network.filter(|_| site.field.is_some()))
            .unwrap_or(entry)
            .at
    }
}
