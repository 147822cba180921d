//! Regions: named places, and the times that packets take from one to another.
//!
//! A region is a switch with the nodes of the place, and a router of the Internet. The routers of
//! any two regions are joined by a link of their own, so that the link of a pair may be slow,
//! broken or degraded while those of all others are as they were.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

#[cfg(feature = "toml")]
use snowglobe_derive::Deserialize;
#[cfg(feature = "toml")]
use snowglobe_text::{InOrder, Placed};

use crate::direction::Direction;
use crate::impair::Impairment;
use crate::topology::error::{Problems, Site, TopologyError};
use crate::topology::id::{Endpoint, LinkId, NodeId, SwitchId};
use crate::topology::link::LinkSpec;
#[cfg(feature = "toml")]
use crate::topology::problem::DocumentProblem;
use crate::topology::problem::RegionProblem;
use crate::topology::router::RouterSpec;
use crate::topology::value::Topology;

/// The part of a topology that has its regions.
const REGIONS: Site = Site {
    field: Some("regions"),
    ..Site::TOPOLOGY
};

/// Named places with nodes, and the times that packets take between any two of them.
///
/// ```
/// use std::time::Duration;
/// use snowglobe_model::topology::{Regions, Topology};
///
/// let mut topology = Topology::new();
/// let (paris, boston) = (topology.node("paris"), topology.node("boston"));
/// let ms = Duration::from_millis;
/// let regions = Regions::new()
///     .region("eu", [paris])
///     .region("us", [boston])
///     .empty_region("asia")
///     .latency("eu", "us", ms(40))            // each way
///     .latency_one_way("us", "asia", ms(70))
///     .latency_one_way("asia", "us", ms(95))  // the way back is another
///     .others(ms(120));
/// let placed = topology.regions(&regions)?;
/// topology.validate()?;
/// assert_eq!(topology.link_name(placed.link("us", "eu")), "eu–us");
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
///
/// In a running lab, the link of a pair is cut, degraded and impaired like any other, by its id or,
/// as a fault, by its name: `Fault::cut("eu–us")`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regions {
    regions: Vec<(String, Vec<Endpoint>)>,
    ways: Vec<RegionWay>,
    others: Option<Impairment>,
}

/// Impairment of packets from one region to another.
#[derive(Clone, Debug, PartialEq)]
struct RegionWay {
    from: String,
    to: String,
    impairment: Impairment,
    /// Whether it was given for both ways at once. What was given for this way alone comes before.
    is_for_both: bool,
}

/// The parts of a topology that regions have become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionMap {
    regions: Vec<(String, SwitchId, NodeId)>,
    links: HashMap<(usize, usize), LinkId>,
}

impl Regions {
    /// Returns a world without regions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a region with some nodes, pods or switches, which are plugged in there. More can be
    /// plugged into its switch later.
    pub fn region<E: Into<Endpoint>>(
        mut self,
        name: impl Into<String>,
        nodes: impl IntoIterator<Item = E>,
    ) -> Self {
        let nodes = nodes.into_iter().map(Into::into).collect();
        self.regions.push((name.into(), nodes));
        self
    }

    /// Adds a region in which nobody is yet.
    pub fn empty_region(self, name: impl Into<String>) -> Self {
        self.region::<Endpoint>(name, [])
    }

    /// Sets the time that packets take from one region to another, and as long back, unless
    /// [`latency_one_way`](Self::latency_one_way) gives a way another time.
    pub fn latency(self, a: impl Into<String>, b: impl Into<String>, each_way: Duration) -> Self {
        self.impair(a, b, Impairment::delayed(each_way))
    }

    /// Sets the time that packets take from one region to another, and nothing of the way back.
    pub fn latency_one_way(
        self,
        from: impl Into<String>,
        to: impl Into<String>,
        time: Duration,
    ) -> Self {
        self.impair_one_way(from, to, Impairment::delayed(time))
    }

    /// Sets what becomes of packets between two regions, each way.
    pub fn impair(
        self,
        a: impl Into<String>,
        b: impl Into<String>,
        impairment: Impairment,
    ) -> Self {
        let (a, b) = (a.into(), b.into());
        self.way_of(a.clone(), b.clone(), impairment.clone(), true)
            .way_of(b, a, impairment, true)
    }

    /// Sets what becomes of packets from one region to another, and nothing of the way back.
    pub fn impair_one_way(
        self,
        from: impl Into<String>,
        to: impl Into<String>,
        impairment: Impairment,
    ) -> Self {
        self.way_of(from.into(), to.into(), impairment, false)
    }

    fn way_of(
        mut self,
        from: String,
        to: String,
        impairment: Impairment,
        is_for_both: bool,
    ) -> Self {
        self.ways.push(RegionWay {
            from,
            to,
            impairment,
            is_for_both,
        });
        self
    }

    /// Sets the time that packets take, each way, between regions of which nothing else is said.
    pub fn others(mut self, each_way: Duration) -> Self {
        self.others = Some(Impairment::delayed(each_way));
        self
    }

    fn check(&self) -> Result<(), TopologyError> {
        let mut problems = Problems::default();
        let site = REGIONS;
        let known = |name: &str| self.regions.iter().any(|(own, _)| own == name);
        for (at, (name, _)) in self.regions.iter().enumerate() {
            if self.regions[..at].iter().any(|(other, _)| other == name) {
                problems.add(site, || RegionProblem::NameTwice {
                    region: name.clone(),
                });
            }
        }
        let mut said = HashSet::new();
        for RegionWay {
            from,
            to,
            impairment: _,
            is_for_both,
        } in &self.ways
        {
            if !said.insert((from, to, is_for_both)) {
                problems.add(site, || RegionProblem::TwoLatencies {
                    from: from.clone(),
                    to: to.clone(),
                });
            }
            for name in [from, to].into_iter().filter(|it| !known(it)) {
                problems.add(site, || RegionProblem::UnknownInLatency {
                    from: from.clone(),
                    to: to.clone(),
                    unknown: name.clone(),
                });
            }
            if from == to {
                problems.add(site, || RegionProblem::LatencyToItself {
                    region: from.clone(),
                });
            }
        }
        for (a, b) in self.pairs() {
            let [from, to] = [a, b].map(|at| self.regions[at].0.as_str());
            for (from, to) in [(from, to), (to, from)] {
                if self.way(from, to).is_none() {
                    problems.add(site, || RegionProblem::NoLatency {
                        from: from.to_owned(),
                        to: to.to_owned(),
                    });
                }
            }
        }
        problems.check()
    }

    fn way(&self, from: &str, to: &str) -> Option<&Impairment> {
        let ways = self.ways.iter().filter(|it| it.from == from && it.to == to);
        let said = ways.min_by_key(|it| it.is_for_both);
        said.map(|it| &it.impairment).or(self.others.as_ref())
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let count = self.regions.len();
        (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
    }
}

impl RegionMap {
    /// Returns the switch into which the nodes of a region are plugged.
    ///
    /// # Panics
    /// There is no such region.
    pub fn switch(&self, region: &str) -> SwitchId {
        self.regions[self.index(region)].1
    }

    /// Returns the router of a region.
    ///
    /// # Panics
    /// There is no such region.
    pub fn router(&self, region: &str) -> NodeId {
        self.regions[self.index(region)].2
    }

    /// Returns the link that joins two regions.
    ///
    /// # Panics
    /// There is no such region, or the two are one.
    pub fn link(&self, a: &str, b: &str) -> LinkId {
        let (a, b) = (self.index(a), self.index(b));
        let found = self.links.get(&(a.min(b), a.max(b)));
        *found.expect("two regions, of which each is joined to the other")
    }

    /// Returns the direction of the link of two regions in which packets go from one to the other.
    ///
    /// # Panics
    /// There is no such region.
    pub fn direction(&self, from: &str, to: &str) -> Direction {
        if self.index(from) < self.index(to) {
            Direction::AToB
        } else {
            Direction::BToA
        }
    }

    /// Returns the names of all regions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.regions.iter().map(|(name, _, _)| name.as_str())
    }

    fn index(&self, region: &str) -> usize {
        let found = self.regions.iter().position(|(name, _, _)| name == region);
        found.unwrap_or_else(|| panic!("there is no region `{region}`"))
    }
}

impl Topology {
    /// Places nodes in regions: for each region a switch of its name with its nodes and a router of
    /// the Internet (`eu-router`), and a link between the routers of any two regions (`eu–us`).
    ///
    /// # Errors
    /// A region is there twice, a latency names one that is not there, or two regions have no
    /// latency or two of them. The topology is as it was then.
    pub fn regions(&mut self, regions: &Regions) -> Result<RegionMap, TopologyError> {
        regions.check()?;
        let names = regions.regions.iter().map(|(name, _)| name.as_str());
        let places = self.place_regions(names);
        Ok(self.join_regions(regions, places))
    }

    /// Makes the switch and the router of each region, which nobody is plugged into yet.
    pub(crate) fn place_regions<'n>(
        &mut self,
        names: impl Iterator<Item = &'n str>,
    ) -> Vec<(String, SwitchId, NodeId)> {
        let place = |name: &str| {
            let switch = self.switch(name);
            let router = self.router(RouterSpec::new(format!("{name}-router")).public(true));
            (name.to_owned(), switch, router)
        };
        names.map(place).collect()
    }

    /// Plugs the nodes of regions in, and joins any two regions.
    pub(crate) fn join_regions(
        &mut self,
        regions: &Regions,
        places: Vec<(String, SwitchId, NodeId)>,
    ) -> RegionMap {
        for ((_, nodes), (_, switch, router)) in regions.regions.iter().zip(&places) {
            // The router is plugged in first: it gets the first address of the network.
            self.plug(*router, *switch);
            for node in nodes {
                self.plug(*node, *switch);
            }
        }
        let mut links = HashMap::new();
        for (a, b) in regions.pairs() {
            let [(from, _, left), (to, _, right)] = [&places[a], &places[b]];
            let way = |from: &str, to: &str| regions.way(from, to).cloned().unwrap_or_default();
            let spec = LinkSpec::new()
                .name(format!("{from}–{to}"))
                .impair_one_way(Direction::AToB, way(from, to))
                .impair_one_way(Direction::BToA, way(to, from));
            links.insert((a, b), self.link_with(*left, *right, spec));
        }
        RegionMap {
            regions: places,
            links,
        }
    }
}

/// Regions in a text, with their nodes by name.
#[cfg(feature = "toml")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionsText {
    /// The regions, and the names of their nodes.
    places: InOrder<Vec<Placed<String>>>,
    #[serde(default)]
    latency: Vec<LatencyText>,
    /// The time between regions of which nothing else is said.
    #[serde(default, with = "crate::impair::text::serde_optional_duration")]
    others: Option<Duration>,
}

/// The time between two regions.
#[cfg(feature = "toml")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LatencyText {
    between: [Placed<String>; 2],
    #[serde(with = "crate::impair::text::serde_duration")]
    time: Duration,
    /// The time of the way back; the same if there is none.
    #[serde(default, with = "crate::impair::text::serde_optional_duration")]
    back: Option<Duration>,
}

#[cfg(feature = "toml")]
impl RegionsText {
    /// Returns the names of the regions, in the order in which they are read.
    pub(crate) fn places(&self) -> impl Iterator<Item = &str> {
        self.places.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the regions, with the nodes that the text names.
    pub(crate) fn read(
        self,
        names: &HashMap<String, Endpoint>,
        text: &str,
    ) -> Result<Regions, TopologyError> {
        let missing = |name: &Placed<String>, problem: DocumentProblem| {
            let at = crate::position::position(text, name.at);
            TopologyError::one(REGIONS, problem).locate(|_| Some(at))
        };
        for LatencyText { between, .. } in &self.latency {
            let unknown =
                |it: &&Placed<String>| !self.places().any(|place| place == it.value.as_str());
            if let Some(name) = between.iter().find(unknown) {
                let problem = DocumentProblem::NoRegion {
                    between: between.each_ref().map(|it| it.value.clone()),
                    name: name.value.clone(),
                };
                return Err(missing(name, problem));
            }
        }
        let mut regions = Regions::new();
        for (region, nodes) in self.places.0 {
            let find = |node: &Placed<String>| {
                let found = names.get(&node.value).copied();
                found.ok_or_else(|| {
                    let problem = DocumentProblem::NoNodeOfRegion {
                        region: region.clone(),
                        name: node.value.clone(),
                    };
                    missing(node, problem)
                })
            };
            let nodes = nodes.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            regions = regions.region(region, nodes);
        }
        for LatencyText {
            between,
            time,
            back,
        } in self.latency
        {
            let [from, to] = between.map(|name| name.value);
            regions = regions
                .latency_one_way(from.clone(), to.clone(), time)
                .latency_one_way(to, from, back.unwrap_or(time));
        }
        if let Some(others) = self.others {
            regions = regions.others(others);
        }
        regions.check()?;
        Ok(regions)
    }
}
