//! What is wrong with a topology, and where.

use std::fmt;

/// How many problems are told apart; more are only counted.
const KEPT: usize = 20;

/// Why a topology cannot be started: every problem that was found, each with the node, link or switch that it is about and,
/// for a topology from TOML, the line and column.
#[derive(Clone, PartialEq, Eq)]
pub struct TopologyError {
    file: Option<String>,
    problems: Vec<Problem>,
    more: usize,
}

#[derive(Clone, PartialEq, Eq)]
struct Problem {
    site: Site,
    text: String,
    /// Line and column in the TOML.
    position: Option<(usize, usize)>,
}

/// The part of a topology that a problem is about, in the words of its TOML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Site {
    /// `node`, `pod`, `switch`, `link`, `settings`; empty for the topology itself.
    pub(crate) table: &'static str,
    pub(crate) index: usize,
    pub(crate) field: Option<&'static str>,
    /// Which of the field's items.
    pub(crate) item: Option<usize>,
}

impl Site {
    pub(crate) const TOPOLOGY: Site = Site {
        table: "",
        index: 0,
        field: None,
        item: None,
    };

    pub(crate) fn new(table: &'static str, index: usize, field: &'static str) -> Self {
        Site {
            table,
            index,
            field: Some(field),
            item: None,
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
    /// Notes a problem; its text is only made if there is room for it.
    pub(crate) fn add(&mut self, site: Site, text: impl FnOnce() -> String) {
        if self.found.len() < KEPT {
            self.found.push(Problem {
                site,
                text: text(),
                position: None,
            });
        } else {
            self.more += 1;
        }
    }

    /// Whether any was found.
    pub(crate) fn check(&mut self) -> Result<(), TopologyError> {
        match self.found.is_empty() {
            true => Ok(()),
            false => Err(TopologyError {
                file: None,
                problems: std::mem::take(&mut self.found),
                more: self.more,
            }),
        }
    }
}

impl TopologyError {
    pub(crate) fn one(site: Site, text: impl Into<String>) -> Self {
        let problem = Problem {
            site,
            text: text.into(),
            position: None,
        };
        TopologyError {
            file: None,
            problems: vec![problem],
            more: 0,
        }
    }

    #[cfg(feature = "toml")]
    pub(crate) fn at(text: impl Into<String>, position: Option<(usize, usize)>) -> Self {
        let problem = Problem {
            site: Site::TOPOLOGY,
            text: text.into(),
            position,
        };
        TopologyError {
            file: None,
            problems: vec![problem],
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

    /// Each problem in a line of its own.
    ///
    /// ```
    /// use snowglobe_model::topology::Topology;
    ///
    /// let error = Topology::new().validate().unwrap_err();
    /// assert_eq!(error.problems().collect::<Vec<_>>(), ["the topology has no nodes; add one with `topology.node(\"alice\")`"]);
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

/// As it is displayed: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TopologyError {}
