//! The error of topologies: every problem that was found, each with its place.

use std::error::Error;
use std::fmt;

use super::id::{LinkId, NodeId, PodId, SwitchId};
use super::problem::{TopologyErrorKind, TopologyProblem};

/// Number of problems that an error lists; further ones are only counted.
const KEPT: usize = 20;

/// Why a topology cannot be started: every problem that was found, each with the node, link or
/// switch that it is about and, for a topology from TOML, the line and column.
///
/// ```
/// use snowglobe_model::topology::{TopologyErrorKind, TopologySubject, shape};
///
/// let mut topology = shape::pair();
/// let twin = topology.node("bob");
/// let error = topology.validate().unwrap_err();
/// assert_eq!(error.kind(), TopologyErrorKind::Conflict);
/// assert_eq!(error.subject(), TopologySubject::Node(twin));
/// assert_eq!(error.to_string(), "node `bob` has the name of another; each needs its own");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TopologyError {
    file: Option<String>,
    /// At least one.
    problems: Vec<PlacedProblem>,
    more: usize,
}

/// The part of a topology that a problem is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopologySubject {
    /// The topology as a whole.
    Topology,
    /// The settings that hold for all nodes.
    Settings,
    /// A node.
    Node(NodeId),
    /// A pod.
    Pod(PodId),
    /// A switch.
    Switch(SwitchId),
    /// A link.
    Link(LinkId),
}

impl From<NodeId> for TopologySubject {
    fn from(id: NodeId) -> Self {
        Self::Node(id)
    }
}

impl From<PodId> for TopologySubject {
    fn from(id: PodId) -> Self {
        Self::Pod(id)
    }
}

impl From<SwitchId> for TopologySubject {
    fn from(id: SwitchId) -> Self {
        Self::Switch(id)
    }
}

impl From<LinkId> for TopologySubject {
    fn from(id: LinkId) -> Self {
        Self::Link(id)
    }
}

/// A problem with its place.
#[derive(Clone, PartialEq, Eq)]
struct PlacedProblem {
    problem: TopologyProblem,
    site: Site,
    /// Line and column in the TOML.
    position: Option<(usize, usize)>,
}

/// The part of a topology that a problem is about, with the field of its TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) subject: TopologySubject,
    pub(crate) field: Option<&'static str>,
    /// Number of the item, in a field that is a list.
    pub(crate) item: Option<usize>,
}

impl Site {
    pub(crate) const TOPOLOGY: Self = Self {
        subject: TopologySubject::Topology,
        field: None,
        item: None,
    };

    pub(crate) fn new(subject: impl Into<TopologySubject>, field: &'static str) -> Self {
        Self {
            subject: subject.into(),
            field: Some(field),
            item: None,
        }
    }
}

impl PlacedProblem {
    fn new(site: Site, problem: impl Into<TopologyProblem>) -> Self {
        Self {
            problem: problem.into(),
            site,
            position: None,
        }
    }
}

/// Problems as they are found.
#[derive(Default)]
pub(crate) struct Problems {
    found: Vec<PlacedProblem>,
    more: usize,
}

impl Problems {
    /// Adds a problem, which is only made if there is room for it.
    pub(crate) fn add<P: Into<TopologyProblem>>(
        &mut self,
        site: Site,
        problem: impl FnOnce() -> P,
    ) {
        if self.found.len() < KEPT {
            self.found.push(PlacedProblem::new(site, problem()));
        } else {
            self.more += 1;
        }
    }

    /// Fails if a problem was found.
    pub(crate) fn check(&mut self) -> Result<(), TopologyError> {
        if self.found.is_empty() {
            return Ok(());
        }
        Err(TopologyError {
            file: None,
            problems: std::mem::take(&mut self.found),
            more: self.more,
        })
    }
}

impl TopologyError {
    pub(crate) fn one(site: Site, problem: impl Into<TopologyProblem>) -> Self {
        Self {
            file: None,
            problems: vec![PlacedProblem::new(site, problem)],
            more: 0,
        }
    }

    /// Adds the line and column of each problem.
    #[cfg(feature = "toml")]
    pub(crate) fn locate(mut self, find: impl Fn(Site) -> Option<(usize, usize)>) -> Self {
        for problem in &mut self.problems {
            problem.position = problem.position.or_else(|| find(problem.site));
        }
        self
    }

    /// Adds the name of the file.
    #[cfg(feature = "toml")]
    pub(crate) fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Returns the kind of the first problem.
    pub fn kind(&self) -> TopologyErrorKind {
        self.problems[0].problem.kind()
    }

    /// Returns the part of the topology that the first problem is about.
    pub fn subject(&self) -> TopologySubject {
        self.problems[0].site.subject
    }

    /// Returns each problem as a sentence.
    ///
    /// ```
    /// use snowglobe_model::topology::Topology;
    ///
    /// let error = Topology::new().validate().unwrap_err();
    /// let problems: Vec<String> = error.problems().collect();
    /// assert!(problems[0].starts_with("the topology has no nodes; add one with"));
    /// ```
    pub fn problems(&self) -> impl Iterator<Item = String> + '_ {
        self.problems.iter().map(|problem| self.line(problem))
    }

    fn line(&self, placed: &PlacedProblem) -> String {
        let problem = &placed.problem;
        match (&self.file, placed.position) {
            (Some(file), Some((line, column))) => {
                format!("{file}:{line}:{column}: {problem}")
            }
            (Some(file), None) => format!("{file}: {problem}"),
            (None, Some((line, column))) => {
                format!("line {line}, column {column}: {problem}")
            }
            (None, None) => problem.to_string(),
        }
    }
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([problem], 0) = (&self.problems[..], self.more) {
            return f.write_str(&self.line(problem));
        }
        write!(
            f,
            "the topology has {} problems:",
            self.problems.len() + self.more
        )?;
        for line in self.problems() {
            write!(f, "\n  - {line}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n  - and {more} more"),
        }
    }
}

/// As the error is displayed: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for TopologyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let mut problems = self.problems.iter();
        problems.find_map(|placed| placed.problem.source())
    }
}
