//! Whether a lab can carry a schedule out: names that there are, and faults that can be.

use super::error::{ProblemOwner, ScheduleError, ScheduleProblem};
use super::fault::Fault;
use super::idle::IdleFault;
use super::lack::{NodeLack, TargetKind};
use super::refs::{ALL, ANY, LinkRef, NodeRef, REST, means_link};
use super::schedule::{Schedule, ScheduledFault};
use crate::clock::ClockFault;
use crate::dns::DnsFaultError;
use crate::topology::{LinkId, NodeId};

/// Everything that the faults of a schedule may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// The names of nodes, in the order of their ids.
    pub nodes: Vec<String>,
    /// The names of links, each with the names of the nodes at its ends.
    pub links: Vec<(String, Vec<String>)>,
    /// The ids of nodes that were removed, and are not among `nodes`. The nodes behind them keep
    /// their ids.
    pub removed_nodes: Vec<NodeId>,
    /// The ids of links that were removed, and are not among `links`.
    pub removed_links: Vec<LinkId>,
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

impl Schedule {
    /// Checks that each fault names what there is, and can be carried out.
    ///
    /// # Errors
    /// A fault names a node, link, role or action that there is not, or makes no sense. The error
    /// tells where the field of that fault stands which is wrong.
    pub fn check(&self, targets: &Targets) -> Result<(), ScheduleError> {
        for (number, fault) in self.faults().iter().enumerate() {
            targets.check(fault).map_err(|refused| {
                let owner = ProblemOwner::Fault {
                    number: number + 1,
                    fault: targets.named(&fault.fault).to_string(),
                };
                let refused = refused.of(owner);
                match &self.source {
                    Some(source) => {
                        let place = source.place(number, refused.field());
                        refused.located(source.file.clone(), place)
                    }
                    None => refused,
                }
            })?;
        }
        Ok(())
    }
}

/// The roles that a fault may name for its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RolesAllowed {
    /// Roles that a test has named.
    Named,
    /// Also `all` and `rest`, which stand for the nodes of a side.
    WithSides,
}

impl RolesAllowed {
    fn in_fault(fault: &Fault) -> Self {
        match fault.clone().parted_mut() {
            Some(_) => Self::WithSides,
            None => Self::Named,
        }
    }
}

impl Targets {
    fn check(&self, scheduled: &ScheduledFault) -> Result<(), ScheduleError> {
        let fault = &scheduled.fault;
        if scheduled.lasts.is_some_and(|lasts| lasts.is_zero()) {
            return Err(ScheduleError::from(ScheduleProblem::LastsNothing).in_field("lasts"));
        }
        let roles = RolesAllowed::in_fault(fault);
        for (node, field) in fault.nodes().iter().zip(fault.node_fields()) {
            let checked = self.check_node(node, roles);
            checked.map_err(|wrong| wrong.in_field(field))?;
        }
        for link in fault.links() {
            let checked = self.check_link(&link);
            checked.map_err(|wrong| wrong.in_field("link"))?;
        }
        if let Fault::Action { action, node: _ } = fault
            && !self.actions.contains(action)
        {
            let name = format!("`{action}`");
            return Err(unknown(TargetKind::Action, name, &self.actions).in_field("action"));
        }
        self.check_values(fault)?;
        match fault.idle() {
            Some(idle) => {
                let field = fault.idle_field(idle);
                Err(ScheduleError::from(ScheduleProblem::Idle(idle)).in_field(field))
            }
            None => Ok(()),
        }
    }

    /// Checks that there is such a node, by name, by id or by role.
    pub(super) fn check_node(
        &self,
        node: &NodeRef,
        roles: RolesAllowed,
    ) -> Result<(), ScheduleError> {
        let known = match node {
            NodeRef::Name(name) => self.nodes.contains(name),
            NodeRef::Id(id) => self.node_by_id(*id).is_some(),
            NodeRef::Role { role } if role == ANY => {
                return Err(ScheduleProblem::AnyOutsideNemesis.into());
            }
            NodeRef::Role { role } => {
                let of_a_side = role == ALL || role == REST;
                if (of_a_side && roles == RolesAllowed::WithSides) || self.roles.contains(role) {
                    return Ok(());
                }
                return Err(unknown(TargetKind::Role, node, &self.roles));
            }
        };
        match known {
            true => Ok(()),
            false => Err(self.unknown_name(TargetKind::Node, node, &self.nodes)),
        }
    }

    /// Returns the name of a node that is named by its name or id.
    pub(super) fn name_of<'t>(&'t self, node: &'t NodeRef) -> Option<&'t str> {
        match node {
            NodeRef::Name(name) => Some(name),
            NodeRef::Id(id) => self.node_by_id(*id),
            NodeRef::Role { .. } => None,
        }
    }

    fn check_link(&self, link: &LinkRef) -> Result<(), ScheduleError> {
        let names = || self.links.iter().map(|(name, _)| name.clone());
        let known = match link {
            LinkRef::Name(name) => names().any(|known| means_link(name, &known)),
            LinkRef::Id(id) => self.link_by_id(*id).is_some(),
            LinkRef::Role { role } if role == ANY => {
                return Err(ScheduleProblem::AnyOutsideNemesis.into());
            }
            LinkRef::Role { role } => {
                if self.roles.contains(role) {
                    return Ok(());
                }
                return Err(unknown(TargetKind::Role, link, &self.roles));
            }
        };
        match known {
            true => Ok(()),
            false => {
                let names: Vec<String> = names().collect();
                Err(self.unknown_name(TargetKind::Link, link, &names))
            }
        }
    }

    /// Makes the error of a name that no node or link has. A role may have it.
    fn unknown_name(
        &self,
        kind: TargetKind,
        named: impl ToString,
        known: &[String],
    ) -> ScheduleError {
        let named = named.to_string();
        let role = self.roles.iter().find(|it| named == format!("`{it}`"));
        match role.cloned() {
            Some(role) => ScheduleProblem::RoleAsName { kind, role }.into(),
            None => unknown(kind, named, known),
        }
    }

    fn check_values(&self, fault: &Fault) -> Result<(), ScheduleError> {
        match fault {
            Fault::Flap { link: _, period } if *period < Fault::SHORTEST_FLAP => {
                let problem = ScheduleProblem::FlapTooFast(*period);
                Err(ScheduleError::from(problem).in_field("period"))
            }
            Fault::Degrade {
                link: _,
                impairment,
            } => {
                let valid = impairment.validate();
                valid.map_err(|wrong| {
                    let field = format!("impairment.{}", wrong.subject());
                    ScheduleError::from(ScheduleProblem::Impairment(wrong)).in_field(field)
                })
            }
            Fault::Partition {
                left,
                right,
                one_way: _,
            } => self.check_sides(left, right),
            Fault::Clock { node, change } => self.check_clock(node, *change),
            Fault::Disk { node, volume, what } => {
                what.validate().map_err(|wrong| {
                    let field = format!("what.{}", what.wrong_field(&wrong));
                    let what = what.to_string();
                    ScheduleError::from(ScheduleProblem::Disk { what, wrong }).in_field(field)
                })?;
                self.check_disk(node, volume.as_deref())
            }
            Fault::Dns { node, answers } => {
                answers.parse().map_err(|wrong| {
                    let field = match wrong {
                        DnsFaultError::Name { .. } => "answers.name",
                        DnsFaultError::Record { .. } => "answers.effect.answer",
                    };
                    let answers = answers.to_string();
                    ScheduleError::from(ScheduleProblem::Answers { answers, wrong }).in_field(field)
                })?;
                match self.name_of(node) {
                    Some(name) if !self.has_name_server(name) => {
                        Err(lacks(name, NodeLack::NameServer))
                    }
                    Some(_) | None => Ok(()),
                }
            }
            Fault::Slow { node: _, share } if !Fault::is_slow_share(*share) => {
                Err(ScheduleError::from(ScheduleProblem::Share(*share)).in_field("share"))
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

    /// Checks that no node is on both sides of a partition, and that there may be one on each.
    fn check_sides(&self, left: &[NodeRef], right: &[NodeRef]) -> Result<(), ScheduleError> {
        // The nodes that one of these roles stands for are no longer there for another one.
        let is_of_a_side =
            |node: &NodeRef| matches!(node, NodeRef::Role { role } if role == ALL || role == REST);
        if left.iter().chain(right).all(is_of_a_side) {
            let problem = ScheduleProblem::Idle(IdleFault::EmptySide);
            return Err(ScheduleError::from(problem).in_field("right"));
        }
        let left: Vec<&str> = left.iter().filter_map(|node| self.name_of(node)).collect();
        for (place, node) in right.iter().enumerate() {
            let name = self.name_of(node);
            if let Some(name) = name
                && left.contains(&name)
            {
                let node = name.to_owned();
                let field = format!("right.{place}");
                return Err(
                    ScheduleError::from(ScheduleProblem::OnBothSides { node }).in_field(field)
                );
            }
        }
        Ok(())
    }
}

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

    /// Checks that faults can change the clock of a node. The nodes with a role are known later.
    fn check_clock(&self, node: &NodeRef, change: ClockFault) -> Result<(), ScheduleError> {
        let valid = change.validate();
        valid.map_err(|wrong| {
            ScheduleError::from(ScheduleProblem::Clock(wrong)).in_field(wrong.field())
        })?;
        match self.name_of(node) {
            Some(name) if !self.has_clock(name) => Err(lacks(name, NodeLack::Clock)),
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
            (_, []) => Err(lacks(name, NodeLack::Disk)),
            (Some(volume), volumes) if !volumes.iter().any(|it| it == volume) => {
                let kind = TargetKind::Volume(name.to_owned());
                Err(unknown(kind, format!("`{volume}`"), volumes).in_field("volume"))
            }
            (None, [_, _, ..]) => {
                let node = name.to_owned();
                let problem = ScheduleProblem::SeveralVolumes { node, volumes };
                Err(ScheduleError::from(problem).in_field("node"))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }
}

fn lacks(node: &str, what: NodeLack) -> ScheduleError {
    let node = node.to_owned();
    ScheduleError::from(ScheduleProblem::Lacks { node, what }).in_field("node")
}

fn unknown(kind: TargetKind, name: impl ToString, known: &[String]) -> ScheduleError {
    let (name, known) = (name.to_string(), known.to_vec());
    ScheduleProblem::Unknown { kind, name, known }.into()
}
