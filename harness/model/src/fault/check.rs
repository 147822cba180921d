//! Whether a lab can carry a schedule out: names that there are, and faults that can be.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::fault::Fault;
use super::refs::{ALL, ANY, LinkRef, NodeRef, REST};
use super::schedule::{Schedule, ScheduledFault};
use crate::clock::ClockFault;

/// Everything that the faults of a schedule may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// The names of nodes, in the order of their ids.
    pub nodes: Vec<String>,
    /// The names of links, each with the names of the nodes at its ends.
    pub links: Vec<(String, Vec<String>)>,
    /// The roles that the test has given a meaning.
    pub roles: Vec<String>,
    /// The actions that the test has given a meaning.
    pub actions: Vec<String>,
    /// The names of the nodes that have a clock of their own, which faults can change.
    pub clocks: Vec<String>,
    /// The volumes with faults: each with the name of its node and its own.
    pub disks: Vec<(String, String)>,
    /// The names of the nodes that have a name server.
    pub name_servers: Vec<String>,
}

/// Why a schedule cannot be read, drawn or carried out.
#[derive(Clone)]
pub struct ScheduleError {
    kind: ScheduleErrorKind,
    file: Option<String>,
    /// Line and column, from 1.
    place: Option<(usize, usize)>,
    text: String,
    source: Option<ErrorSource>,
}

/// The error that caused another one.
type ErrorSource = Arc<dyn Error + Send + Sync>;

/// Errors are equal if their kinds, files, places and texts are. Sources are not compared, since
/// the text of an error contains that of its source.
impl PartialEq for ScheduleError {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            kind,
            file,
            place,
            text,
            source: _,
        } = self;
        (*kind, file, *place, text) == (other.kind, &other.file, other.place, &other.text)
    }
}

impl Eq for ScheduleError {}

/// The kind of problem with a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScheduleErrorKind {
    /// The text is no TOML, or no schedule.
    Syntax,
    /// A node, link, role or action that there is not.
    Unknown,
    /// A value that has no meaning, or that cannot be carried out.
    Impossible,
    /// A file that cannot be read.
    Unreadable,
}

impl ScheduleError {
    pub(super) fn new(kind: ScheduleErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            file: None,
            place: None,
            text: text.into(),
            source: None,
        }
    }

    /// Makes the error for a value that its own type refuses; `what` names the value, if the error
    /// of that type does not.
    fn of_value(what: Option<String>, source: impl Error + Send + Sync + 'static) -> Self {
        let text = match what {
            Some(what) => format!("{what}: {source}"),
            None => source.to_string(),
        };
        Self::new(ScheduleErrorKind::Impossible, text).caused_by(source)
    }

    /// Names the schedule or the nemesis that has the fault.
    pub(super) fn of(self, whose: &str) -> Self {
        Self {
            text: format!("{whose}: {}", self.text),
            ..self
        }
    }

    /// Adds the error that caused this one.
    pub(super) fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
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
        self.kind
    }

    /// Returns line and column of the text, from 1, if the schedule comes from a text.
    pub fn place(&self) -> Option<(usize, usize)> {
        self.place
    }
}

/// Tells file, line and column first: `faults.toml, line 4, column 1: …`.
impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref();
        let place = self.place;
        match (file, place) {
            (Some(file), Some((line, column))) => {
                write!(f, "{file}, line {line}, column {column}: ")?
            }
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some((line, column))) => write!(f, "line {line}, column {column}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.text)
    }
}

/// The same as `Display`: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ScheduleError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_deref()?)
    }
}

impl Schedule {
    /// Checks that each fault names what there is, and can be carried out.
    ///
    /// # Errors
    /// A fault names a node, link, role or action that there is not, or makes no sense. The error
    /// tells where that fault stands.
    pub fn check(&self, targets: &Targets) -> Result<(), ScheduleError> {
        for (number, fault) in self.faults().iter().enumerate() {
            targets.check(fault).map_err(|refused| ScheduleError {
                file: self.file.clone(),
                place: self.places.get(number).copied(),
                ..refused.of(&format!(
                    "fault {} of the schedule ({})",
                    number + 1,
                    fault.fault
                ))
            })?;
        }
        Ok(())
    }
}

impl Targets {
    fn check(&self, scheduled: &ScheduledFault) -> Result<(), ScheduleError> {
        let fault = &scheduled.fault;
        if scheduled.lasts.is_some_and(|lasts| lasts.is_zero()) {
            return Err(impossible("a fault has to last for some time"));
        }
        let sides = matches!(fault, Fault::Partition { .. } | Fault::Sever { .. });
        fault
            .nodes()
            .iter()
            .try_for_each(|node| self.check_node(node, sides))?;
        fault
            .links()
            .iter()
            .try_for_each(|link| self.check_link(link))?;
        if let Fault::Action { action, node: _ } = fault
            && !self.actions.contains(action)
        {
            return Err(unknown("action", &format!("`{action}`"), &self.actions));
        }
        self.check_values(fault)?;
        match fault.idle() {
            Some(why) => Err(impossible(why)),
            None => Ok(()),
        }
    }

    /// Checks that there is such a node, by name, by id or by role.
    pub(super) fn check_node(&self, node: &NodeRef, sides: bool) -> Result<(), ScheduleError> {
        let known = match node {
            NodeRef::Name(name) => self.nodes.contains(name),
            NodeRef::Id(id) => id.index() < self.nodes.len(),
            NodeRef::Role { role } if role == ANY => {
                return Err(impossible("only a nemesis draws the role `any`"));
            }
            NodeRef::Role { role } => {
                let of_a_side = role == ALL || role == REST;
                if (of_a_side && sides) || self.roles.contains(role) {
                    return Ok(());
                }
                return Err(unknown("role", &node.to_string(), &self.roles));
            }
        };
        match known {
            true => Ok(()),
            false => Err(unknown("node", &node.to_string(), &self.nodes)),
        }
    }

    /// Returns the name of a node that is named by its name or id.
    pub(super) fn name_of<'t>(&'t self, node: &'t NodeRef) -> Option<&'t str> {
        match node {
            NodeRef::Name(name) => Some(name),
            NodeRef::Id(id) => self.nodes.get(id.index()).map(String::as_str),
            NodeRef::Role { .. } => None,
        }
    }

    fn check_link(&self, link: &LinkRef) -> Result<(), ScheduleError> {
        let names = || self.links.iter().map(|(name, _)| name.clone());
        let known = match link {
            LinkRef::Name(name) => names().any(|known| known == *name),
            LinkRef::Id(id) => id.index() < self.links.len(),
            LinkRef::Role { role } if role == ANY => {
                return Err(impossible("only a nemesis draws the role `any`"));
            }
            LinkRef::Role { role } => {
                if self.roles.contains(role) {
                    return Ok(());
                }
                return Err(unknown("role", &link.to_string(), &self.roles));
            }
        };
        match known {
            true => Ok(()),
            false => Err(unknown(
                "link",
                &link.to_string(),
                &names().collect::<Vec<_>>(),
            )),
        }
    }

    fn check_values(&self, fault: &Fault) -> Result<(), ScheduleError> {
        match fault {
            Fault::Flap { link: _, period } if period.is_zero() => {
                Err(impossible("a link cannot flap with a period of zero"))
            }
            Fault::Degrade {
                link: _,
                impairment,
            } => {
                let valid = impairment.validate();
                valid.map_err(|wrong| ScheduleError::of_value(None, wrong))
            }
            Fault::Partition {
                left,
                right,
                one_way: _,
            } => self.check_sides(left, right),
            Fault::Clock { node, change } => self.check_clock(node, *change),
            Fault::Disk { node, volume, what } => {
                let named = || Some(format!("the disk fault `{what}`"));
                let valid = what.validate();
                valid.map_err(|wrong| ScheduleError::of_value(named(), wrong))?;
                self.check_disk(node, volume.as_deref())
            }
            Fault::Dns { node, answers } => {
                let named = || Some(format!("the answers `{answers}`"));
                let read = answers.parse();
                read.map_err(|wrong| ScheduleError::of_value(named(), wrong))?;
                match self.name_of(node) {
                    Some(name) if !self.has_name_server(name) => {
                        Err(impossible(&format!("node `{name}` {ASK_FOR_DNS}")))
                    }
                    Some(_) | None => Ok(()),
                }
            }
            Fault::Slow { node: _, share } if !share.is_share() || share.fraction() == 0.0 => {
                let why = format!("a share of {share} is not above 0 % and below 100 %");
                Err(impossible(&why))
            }
            // These have no value but the names that `check` has looked up.
            Fault::Cut { .. }
            | Fault::Flap { .. }
            | Fault::Pause { .. }
            | Fault::KillProcesses { .. }
            | Fault::Crash { .. }
            | Fault::Sever { .. }
            | Fault::Restart { .. }
            | Fault::KillProgram { .. }
            | Fault::PauseProgram { .. }
            | Fault::Slow { .. }
            | Fault::Descriptors { .. }
            | Fault::Memory { .. }
            | Fault::Action { .. } => Ok(()),
        }
    }

    /// Checks that no node is on both sides of a partition.
    fn check_sides(&self, left: &[NodeRef], right: &[NodeRef]) -> Result<(), ScheduleError> {
        let fixed = |node: &NodeRef| match node {
            NodeRef::Name(name) => self.nodes.iter().position(|known| known == name),
            NodeRef::Id(id) => Some(id.index()),
            NodeRef::Role { .. } => None,
        };
        let mut left = left.iter().filter_map(fixed);
        let both = left.find(|node| right.iter().filter_map(fixed).any(|it| it == *node));
        match both {
            Some(both) => {
                let name = self.nodes.get(both).map_or("?", String::as_str);
                Err(impossible(&format!("node `{name}` is on both sides")))
            }
            None => Ok(()),
        }
    }
}

/// Remedy for a node whose clock faults cannot change.
pub(super) const ASK_FOR_CLOCK: &str =
    "has the clock of the machine; ask for one that faults can change by `NodeSpec::faulty_clock`";
/// Remedy for a node whose disks faults cannot change.
pub(super) const ASK_FOR_DISK: &str =
    "has no volume with faults; mount one by `Volume::named(…).with_faults()`";

/// What to do about a node without a name server.
pub(super) const ASK_FOR_DNS: &str = "has no name server; ask for one by `NodeSpec::dns`";

impl Targets {
    /// Returns whether the node of a name has a name server.
    pub(super) fn has_name_server(&self, name: &str) -> bool {
        self.name_servers.iter().any(|it| it == name)
    }

    /// Returns whether the node of a name has a clock that faults can change.
    pub(super) fn has_clock(&self, name: &str) -> bool {
        self.clocks.iter().any(|it| it == name)
    }

    /// Returns the volumes with faults of the node of a name.
    pub(super) fn disks_of(&self, name: &str) -> impl Iterator<Item = &String> {
        let own = self.disks.iter().filter(move |(of, _)| of == name);
        own.map(|(_, volume)| volume)
    }

    /// Checks that faults can change the clock of a node. Who plays a role is known later.
    fn check_clock(&self, node: &NodeRef, change: ClockFault) -> Result<(), ScheduleError> {
        let valid = change.validate();
        valid.map_err(|wrong| ScheduleError::of_value(None, wrong))?;
        match self.name_of(node) {
            Some(name) if !self.has_clock(name) => {
                Err(impossible(&format!("node `{name}` {ASK_FOR_CLOCK}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks that a node has the volume of a fault.
    fn check_disk(&self, node: &NodeRef, volume: Option<&str>) -> Result<(), ScheduleError> {
        let Some(name) = self.name_of(node) else {
            return Ok(());
        };
        let volumes: Vec<String> = self.disks_of(name).cloned().collect();
        match (volume, &volumes[..]) {
            (_, []) => Err(impossible(&format!("node `{name}` {ASK_FOR_DISK}"))),
            (Some(volume), volumes) if !volumes.iter().any(|it| it == volume) => {
                let kind = format!("volume with faults of node `{name}`");
                Err(unknown(&kind, &format!("`{volume}`"), volumes))
            }
            (None, [_, _, ..]) => Err(impossible(&format!(
                "node `{name}` has several volumes with faults, {}; name one",
                volumes.join(", ")
            ))),
            (Some(_) | None, _) => Ok(()),
        }
    }
}

fn impossible(why: &str) -> ScheduleError {
    ScheduleError::new(ScheduleErrorKind::Impossible, why.to_owned())
}

fn unknown(kind: &str, name: &str, known: &[String]) -> ScheduleError {
    // Ten names are enough to see what was misspelt.
    let known: Vec<String> = known.iter().take(10).map(|it| format!("`{it}`")).collect();
    let text = match known.is_empty() {
        true => format!("there is no {kind} {name}, and no other {kind} either"),
        false => format!("there is no {kind} {name}; there are {}", known.join(", ")),
    };
    ScheduleError::new(ScheduleErrorKind::Unknown, text)
}
