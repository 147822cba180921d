//! The error of schedules: the problem as data, its place, and its one sentence.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
#[cfg(feature = "toml")]
use std::sync::Arc;
use std::time::Duration;

use snowglobe_text::in_backticks;

use super::fault::Fault;
use super::idle::IdleFault;
use super::lack::{ChoiceObstacle, NodeLack, TargetKind};
use crate::clock::ClockFaultError;
use crate::disk::DiskFaultError;
use crate::dns::DnsFaultError;
use crate::impair::text::show_duration;
use crate::impair::{ImpairmentError, Percent};

/// The reason why a schedule cannot be read, drawn or carried out.
#[derive(Clone)]
pub struct ScheduleError {
    file: Option<String>,
    /// Line and column, from 1.
    place: Option<(usize, usize)>,
    /// The field of a fault that has the problem, as `left.2`; empty for the whole fault.
    field: Cow<'static, str>,
    owner: Option<ProblemOwner>,
    problem: Box<ScheduleProblem>,
}

/// The nemesis or the fault that has a problem. Sentences begin with the nemesis or the fault,
/// since a schedule that code makes has no place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProblemOwner {
    Nemesis,
    Fault {
        /// Number of the fault, from 1.
        number: usize,
        /// The fault, as its `Display` shows it.
        fault: String,
    },
}

impl fmt::Display for ProblemOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nemesis => f.write_str("the nemesis"),
            Self::Fault { number, fault } => {
                write!(f, "fault {number} of the schedule ({fault})")
            }
        }
    }
}

/// Compares kinds and sentences. The sentence of an error has its place and the sentence of its
/// source in it; sources themselves, such as `io::Error`, cannot be compared.
impl PartialEq for ScheduleError {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.to_string() == other.to_string()
    }
}

impl Eq for ScheduleError {}

/// The kind of problem with a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScheduleErrorKind {
    /// The text is no TOML, or no schedule.
    Syntax,
    /// A name of a node, link, role or action that does not exist.
    Unknown,
    /// A value that has no meaning, or that cannot be carried out.
    Impossible,
    /// A file that cannot be read.
    Unreadable,
}

/// A mistake in a schedule or in a nemesis. Names of nodes and links are stored as sentences show
/// names.
#[derive(Clone)]
pub(super) enum ScheduleProblem {
    #[cfg(feature = "toml")]
    Syntax(snowglobe_text::TreeError),
    /// A text has no list of faults; the list has this name.
    #[cfg(feature = "toml")]
    NoList(&'static str),
    #[cfg(feature = "toml")]
    Unreadable(Arc<std::io::Error>),
    #[cfg(feature = "toml")]
    Unwritable(snowglobe_text::TreeError),
    Unknown {
        kind: TargetKind,
        name: String,
        /// Names that exist.
        known: Vec<String>,
    },
    /// A fault has the name of a role in the place of a name.
    RoleAsName {
        kind: TargetKind,
        role: String,
    },
    /// A fault lasts for no time.
    LastsNothing,
    /// A fault outside of a nemesis names the role that only a nemesis draws.
    AnyOutsideNemesis,
    /// A link is to flap with a shorter period than it can.
    FlapTooFast(Duration),
    /// A node is to run for less time than it can, or for all of it.
    Share(Percent),
    Impairment(ImpairmentError),
    Clock(ClockFaultError),
    Disk {
        /// The fault, as its `Display` shows it.
        what: String,
        wrong: DiskFaultError,
    },
    Answers {
        /// The answers, as their `Display` shows them.
        answers: String,
        wrong: DnsFaultError,
    },
    /// A node lacks what a fault changes.
    Lacks {
        node: String,
        what: NodeLack,
    },
    /// A fault of a disk names no volume, and the node has several.
    SeveralVolumes {
        node: String,
        volumes: Vec<String>,
    },
    Idle(IdleFault),
    /// A node is on both sides of a partition.
    OnBothSides {
        node: String,
    },
    /// The times of a nemesis go from more to less, or are zero.
    WrongTimes,
    /// The nemesis ends before its first fault could.
    TooShort {
        lasts: Duration,
        first: Duration,
        duration: Duration,
    },
    /// The nemesis has no choice that it can draw.
    NothingToDo,
    /// The nemesis has a choice that the lab has no nodes or links for.
    Obstacle {
        /// The choice of the nemesis, as sentences name it.
        choice: String,
        obstacle: ChoiceObstacle,
    },
}

impl ScheduleProblem {
    fn kind(&self) -> ScheduleErrorKind {
        match self {
            #[cfg(feature = "toml")]
            Self::Syntax(_) | Self::NoList(_) => ScheduleErrorKind::Syntax,
            #[cfg(feature = "toml")]
            Self::Unreadable(_) => ScheduleErrorKind::Unreadable,
            #[cfg(feature = "toml")]
            Self::Unwritable(_) => ScheduleErrorKind::Impossible,
            Self::Unknown { .. } | Self::RoleAsName { .. } => ScheduleErrorKind::Unknown,
            Self::LastsNothing
            | Self::AnyOutsideNemesis
            | Self::FlapTooFast(_)
            | Self::Share(_)
            | Self::Impairment(_)
            | Self::Clock(_)
            | Self::Disk { .. }
            | Self::Answers { .. }
            | Self::Lacks { .. }
            | Self::SeveralVolumes { .. }
            | Self::Idle(_)
            | Self::OnBothSides { .. }
            | Self::WrongTimes
            | Self::TooShort { .. }
            | Self::NothingToDo
            | Self::Obstacle { .. } => ScheduleErrorKind::Impossible,
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            #[cfg(feature = "toml")]
            Self::Syntax(error) | Self::Unwritable(error) => Some(error),
            #[cfg(feature = "toml")]
            Self::Unreadable(error) => Some(&**error),
            #[cfg(feature = "toml")]
            Self::NoList(_) => None,
            Self::Impairment(wrong) => Some(wrong),
            Self::Clock(wrong) => Some(wrong),
            Self::Disk { wrong, .. } => Some(wrong),
            Self::Answers { wrong, .. } => Some(wrong),
            Self::Unknown { .. }
            | Self::RoleAsName { .. }
            | Self::LastsNothing
            | Self::AnyOutsideNemesis
            | Self::FlapTooFast(_)
            | Self::Share(_)
            | Self::Lacks { .. }
            | Self::SeveralVolumes { .. }
            | Self::Idle(_)
            | Self::OnBothSides { .. }
            | Self::WrongTimes
            | Self::TooShort { .. }
            | Self::NothingToDo
            | Self::Obstacle { .. } => None,
        }
    }
}

impl fmt::Display for ScheduleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "toml")]
            Self::Syntax(error) => error.fmt(f),
            #[cfg(feature = "toml")]
            Self::NoList(list) => write!(
                f,
                "there is no fault, each of which begins with `[[{list}]]`; a schedule without \
                 faults is `{list} = []`"
            ),
            #[cfg(feature = "toml")]
            Self::Unreadable(error) => write!(f, "failed to read the schedule: {error}"),
            #[cfg(feature = "toml")]
            Self::Unwritable(error) => {
                write!(f, "failed to write the schedule as TOML: {error}")
            }
            Self::Unknown { kind, name, known } => {
                // Ten names are enough to see what was misspelt.
                let some = in_backticks(known.iter().take(10));
                if let TargetKind::Volume(node) = kind {
                    return write!(
                        f,
                        "node `{node}` has no volume {name} with faults; \
                         its volumes with faults are {some}"
                    );
                }
                match known.is_empty() {
                    true => write!(f, "there is no {kind} {name}, and no other {kind} either"),
                    false => write!(f, "there is no {kind} {name}; there are {some}"),
                }
            }
            Self::RoleAsName { kind, role } => write_role_as_name(f, kind, role),
            Self::LastsNothing => f.write_str("a fault has to last for some time"),
            Self::AnyOutsideNemesis => {
                f.write_str("only a nemesis draws the role `any`; name a node")
            }
            Self::FlapTooFast(period) => write!(
                f,
                "a link cannot flap with a period of {}; give {} at least",
                show_duration(*period),
                show_duration(Fault::SHORTEST_FLAP)
            ),
            Self::Share(share) => write!(
                f,
                "a share of {share} is not between {} and 100 %",
                Fault::LEAST_SHARE
            ),
            Self::Impairment(wrong) => wrong.fmt(f),
            Self::Clock(wrong) => wrong.fmt(f),
            Self::Disk { what, wrong } => write!(f, "the disk fault `{what}`: {wrong}"),
            Self::Answers { answers, wrong } => write!(f, "the answers `{answers}`: {wrong}"),
            Self::Lacks { node, what } => write!(f, "node `{node}` {what}"),
            Self::SeveralVolumes { node, volumes } => write!(
                f,
                "node `{node}` has several volumes with faults, {}; name one",
                volumes.join(", ")
            ),
            Self::Idle(idle) => idle.fmt(f),
            Self::OnBothSides { node } => {
                write!(f, "node `{node}` is on both sides; name it on one")
            }
            Self::WrongTimes => f.write_str(
                "the times of quiet and of faults go from less to more, and no fault lasts for 0 s",
            ),
            Self::TooShort {
                lasts,
                first,
                duration,
            } => write!(
                f,
                "a fault lasts {} at least, and begins after {}; the {} of the nemesis have no \
                 room for that",
                show_duration(*lasts),
                show_duration(*first),
                show_duration(*duration)
            ),
            Self::NothingToDo => f.write_str("there is nothing that it may do"),
            Self::Obstacle { choice, obstacle } => write!(f, "{choice} {obstacle}"),
        }
    }
}

fn write_role_as_name(f: &mut fmt::Formatter<'_>, kind: &TargetKind, role: &str) -> fmt::Result {
    let of = match kind {
        TargetKind::Link => "LinkRef",
        TargetKind::Node | TargetKind::Role | TargetKind::Action | TargetKind::Volume(_) => {
            "NodeRef"
        }
    };
    write!(
        f,
        "there is no {kind} `{role}`, but there is a role of this name: write \
         `{of}::role({role:?})`, or `{{ role = {role:?} }}` in TOML"
    )
}

impl From<ScheduleProblem> for ScheduleError {
    fn from(problem: ScheduleProblem) -> Self {
        Self {
            file: None,
            place: None,
            field: Cow::Borrowed(""),
            owner: None,
            problem: Box::new(problem),
        }
    }
}

impl ScheduleError {
    /// Names the fault or the nemesis that has the problem.
    pub(super) fn of(self, owner: ProblemOwner) -> Self {
        Self {
            owner: Some(owner),
            ..self
        }
    }

    /// Names the field of the fault that has the problem.
    pub(super) fn in_field(self, field: impl Into<Cow<'static, str>>) -> Self {
        let field = field.into();
        Self { field, ..self }
    }

    /// Returns the field of the fault that has the problem.
    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// Adds the file and the place of a schedule that comes from a text.
    pub(super) fn located(self, file: Option<String>, place: Option<(usize, usize)>) -> Self {
        Self {
            file,
            place,
            ..self
        }
    }

    #[cfg(feature = "toml")]
    pub(super) fn at(mut self, place: (usize, usize)) -> Self {
        self.place = Some(place);
        self
    }

    #[cfg(feature = "toml")]
    pub(super) fn in_file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// Returns the kind of problem.
    pub fn kind(&self) -> ScheduleErrorKind {
        self.problem.kind()
    }

    /// Returns line and column of the text, from 1, if the schedule comes from a text.
    pub fn place(&self) -> Option<(usize, usize)> {
        self.place
    }
}

/// Tells file, line and column first: `faults.toml, line 4, column 1: …`.
impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_deref(), self.place) {
            (Some(file), Some((line, column))) => {
                write!(f, "{file}, line {line}, column {column}: ")?
            }
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some((line, column))) => write!(f, "line {line}, column {column}: ")?,
            (None, None) => {}
        }
        if let Some(owner) = &self.owner {
            write!(f, "{owner}: ")?;
        }
        self.problem.fmt(f)
    }
}

/// Writes the same as `Display`: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ScheduleError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Nemesis, Targets};

    #[test]
    fn one_node_is_told_as_one() {
        let targets = |nodes: &[&str]| Targets {
            nodes: nodes.iter().map(|&name| name.to_owned()).collect(),
            ..Targets::default()
        };
        let hour = Duration::from_secs(3600);
        let drawn = Nemesis::partitions(hour).schedule(1, &targets(&["alone"]));
        let error = drawn.unwrap_err();
        assert_eq!(error.kind(), ScheduleErrorKind::Impossible);
        let text = error.to_string();
        let end = "takes 2 nodes, and there is 1 node to draw from";
        assert!(text.ends_with(end), "{text}");
        let drawn = Nemesis::crashes(hour).schedule(1, &targets(&[]));
        let text = drawn.unwrap_err().to_string();
        let end = "takes 1 node, and there are 0 nodes to draw from";
        assert!(text.ends_with(end), "{text}");
    }
}
