//! The error of topologies: every problem that was found, each with its place.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::id::{LinkId, NodeId, PodId, SwitchId};

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
    problems: Vec<Problem>,
    more: usize,
}

/// The kind of a problem with a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TopologyErrorKind {
    /// A value that cannot be: not written as its kind is, out of range, or without meaning.
    Invalid,
    /// Two parts that ask for the same name, address, subnet or MAC address, or for what excludes
    /// one another.
    Conflict,
    /// A part that is referred to or needed, and is not there.
    Missing,
    /// A setting of a part that another part decides, such as the sysctls of a container.
    Misplaced,
    /// A link whose ends cannot be joined.
    Wiring,
    /// More than the limits of a topology, an address pool or the machine allow.
    TooLarge,
    /// A change of a link that a running lab has in use.
    InUse,
    /// A text that is no TOML, or has a field that no topology has.
    Syntax,
    /// A file that cannot be read. Its error is the source.
    Unreadable,
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

#[derive(Clone)]
struct Problem {
    kind: TopologyErrorKind,
    site: Site,
    text: String,
    /// Line and column in the TOML.
    position: Option<(usize, usize)>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// Two problems are the same if they say the same. Their text has what their source says.
impl PartialEq for Problem {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            kind,
            site,
            text,
            position,
            source: _,
        } = self;
        (*kind, *site, text, *position) == (other.kind, other.site, &other.text, other.position)
    }
}

impl Eq for Problem {}

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

impl Problem {
    fn new(kind: TopologyErrorKind, site: Site, text: String) -> Self {
        Self {
            kind,
            site,
            text,
            position: None,
            source: None,
        }
    }
}

/// Problems as they are found.
#[derive(Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// Adds a problem; the text is only made if there is room for the problem.
    pub(crate) fn add(
        &mut self,
        kind: TopologyErrorKind,
        site: Site,
        text: impl FnOnce() -> String,
    ) {
        if self.found.len() < KEPT {
            self.found.push(Problem::new(kind, site, text()));
        } else {
            self.more += 1;
        }
    }

    /// Adds a value that its own type refuses.
    pub(crate) fn add_refused(
        &mut self,
        site: Site,
        whose: &str,
        source: impl Error + Send + Sync + 'static,
    ) {
        let kind = TopologyErrorKind::Invalid;
        self.add_caused(kind, site, source, |source| format!("{whose}: {source}"));
    }

    /// Adds a problem that another error has caused, from which the text is made.
    pub(crate) fn add_caused<E: Error + Send + Sync + 'static>(
        &mut self,
        kind: TopologyErrorKind,
        site: Site,
        source: E,
        text: impl FnOnce(&E) -> String,
    ) {
        self.add(kind, site, || text(&source));
        if let (0, Some(problem)) = (self.more, self.found.last_mut()) {
            problem.source = Some(Arc::new(source));
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
    pub(crate) fn one(kind: TopologyErrorKind, site: Site, text: impl Into<String>) -> Self {
        Self {
            file: None,
            problems: vec![Problem::new(kind, site, text.into())],
            more: 0,
        }
    }

    /// Adds the error that caused this one.
    pub(crate) fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.problems[0].source = Some(Arc::new(source));
        self
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
        self.problems[0].kind
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

    fn line(&self, problem: &Problem) -> String {
        match (&self.file, problem.position) {
            (Some(file), Some((line, column))) => {
                format!("{file}:{line}:{column}: {}", problem.text)
            }
            (Some(file), None) => format!("{file}: {}", problem.text),
            (None, Some((line, column))) => {
                format!("line {line}, column {column}: {}", problem.text)
            }
            (None, None) => problem.text.clone(),
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
        let source = self
            .problems
            .iter()
            .find_map(|problem| problem.source.as_deref())?;
        Some(source)
    }
}
