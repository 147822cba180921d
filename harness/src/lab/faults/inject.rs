//! Faults carried out from values.

use std::sync::Arc;

use crate::impair::Direction;
use crate::lab::attempt::LabAttempt;
use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::faults::clock::WrongClock;
use crate::lab::faults::cut::Cut;
use crate::lab::faults::degrade::Degraded;
use crate::lab::faults::flap::flap;
use crate::lab::faults::guard::{FaultGuard, Healing};
use crate::lab::faults::in_processes::{Killed, Limited, StoppedPrograms, slow};
use crate::lab::faults::on_nodes::{ActionDone, Done, Paused, StoppedNode, break_disk};
use crate::lab::faults::partition::{Partition, Separation};
use crate::lab::faults::view::LabView;
use crate::lab::services::dns::dns::Dns;
use crate::lab::unfit::{UnfitLab, UnfitService};
use crate::model::fault::{Fault, IdleFault, LinkRef, NodeRef};
use crate::topology::NodeId;

/// Refuses a fault that would change nothing.
pub(crate) fn refuse_idle(fault: &Fault) -> Result<()> {
    match fault.idle() {
        Some(why) => Err(would_change_nothing(
            fault,
            why,
            LabErrorKind::InvalidArgument,
        )),
        None => Ok(()),
    }
}

/// Makes the error of a fault that would change nothing.
pub(crate) fn would_change_nothing(fault: &Fault, why: IdleFault, kind: LabErrorKind) -> LabError {
    let what = LabAttempt::Inject(Box::new(fault.clone()));
    LabError::caused(kind, what, why)
}

impl LabView {
    /// Carries out a fault.
    pub(crate) fn inject(&self, fault: Fault) -> Result<FaultGuard> {
        // A name says more than an id, and the same node may have both in one fault.
        let fault = match fault.has_id() {
            true => self.targets().named(&fault),
            false => fault,
        };
        refuse_idle(&fault)?;
        // Roles are looked up first, so that the event and the guard name nodes.
        let mut fault = self.resolve_roles(fault)?;
        // The event is recorded once the fault is in force: a fault that was refused has not begun.
        // Only a restart is recorded before, and its event stays if the restart fails.
        let healing: Box<dyn Healing> = match &fault {
            Fault::Cut { link, direction } => {
                let directions: &[Direction] = match direction {
                    Some(direction) => std::slice::from_ref(direction),
                    None => &Direction::BOTH,
                };
                Box::new(Cut::new(&self.link_of(link)?.state, directions)?)
            }
            Fault::Flap { link, period } => {
                let link = self.link_of(link)?;
                Box::new(flap(&link.ends, &link.state, *period)?)
            }
            Fault::Degrade { link, impairment } => {
                let link = self.link_of(link)?;
                Box::new(Degraded::new(&link.ends, &link.state, impairment.clone())?)
            }
            Fault::Partition {
                left,
                right,
                one_way,
            } => Box::new(self.parted(&self.ids_of(left)?, &self.ids_of(right)?, *one_way)?),
            Fault::Sever { pairs } => Box::new(self.severed(pairs)?),
            Fault::Pause { node } => Box::new(Paused::new(self.node_of(node)?)?),
            Fault::KillProcesses { node } => Box::new(StoppedNode::killed(self.node_of(node)?)?),
            Fault::Crash { node } => Box::new(StoppedNode::crashed(self.node_of(node)?)?),
            Fault::Restart { node } => {
                let node = self.node_of(node)?;
                // The event of a restart comes first: what the programs say at their start follows
                // it.
                let guard = self.begin(fault, Box::new(Done));
                node.restart()?;
                return Ok(guard);
            }
            Fault::Clock { node, change } => {
                Box::new(WrongClock::new(self.node_of(node)?, *change)?)
            }
            Fault::Dns { node, answers } => return self.dns_of(node)?.inject(answers.clone()),
            Fault::Disk { node, volume, what } => {
                let node = self.node_of(node)?;
                return break_disk(node, volume.as_deref(), what.clone());
            }
            Fault::Action { action, node } => {
                Box::new(self.carry_out_action(action, node.as_ref())?)
            }
            Fault::KillProgram { node, program } => {
                Box::new(Killed::new(self.node_of(node)?, program)?)
            }
            Fault::PauseProgram { node, program } => {
                Box::new(StoppedPrograms::new(self.node_of(node)?, program)?)
            }
            Fault::Slow { node, share } => Box::new(slow(self.node_of(node)?, *share)?),
            Fault::Descriptors { node, limit } => {
                Box::new(Limited::descriptors(self.node_of(node)?, *limit)?)
            }
            Fault::Memory { node, spare_kb } => {
                Box::new(Limited::memory(self.node_of(node)?, *spare_kb)?)
            }
        };
        // Names take the place of ids only now: the lookups need ids, as several links may have one
        // name.
        for link in fault.links_mut() {
            *link = LinkRef::from(self.link_of(link)?.ends.name());
        }
        Ok(self.begin(fault, healing))
    }

    fn parted(&self, left: &[NodeId], right: &[NodeId], one_way: bool) -> Result<Partition> {
        let mut separation = Separation::default();
        separation.add(self, left, right)?;
        if !one_way {
            separation.add(self, right, left)?;
        }
        Partition::new(self, &separation)
    }

    fn severed(&self, pairs: &[[NodeRef; 2]]) -> Result<Partition> {
        let mut separation = Separation::default();
        for pair in pairs {
            // A pair is a partition of two: a node in several pairs is cut off from each of its
            // peers.
            let ids = self.ids_of(pair)?;
            separation.add(self, &ids[..1], &ids[1..])?;
            separation.add(self, &ids[1..], &ids[..1])?;
        }
        Partition::new(self, &separation)
    }

    fn dns_of(&self, node: &NodeRef) -> Result<&Dns> {
        let node = self.node_of(node)?;
        node.dns().ok_or_else(|| {
            let subject = node.subject();
            LabError::unfit(subject, UnfitService::NoNameServer)
        })
    }

    fn carry_out_action(&self, name: &str, node: Option<&NodeRef>) -> Result<ActionDone> {
        let node = node.map(|node| self.node_of(node)).transpose()?;
        let Some(action) = self.roles.find_action(name) else {
            let reason = UnfitLab::UnknownAction(name.to_owned());
            return Err(LabError::unfit(Subject::Lab, reason));
        };
        // The view goes along: the undo runs when the test may have dropped its lab.
        action.carry_out(name, self, node.map(Arc::as_ref))?;
        Ok(ActionDone {
            name: name.to_owned(),
            action,
            view: self.clone(),
            node: node.cloned(),
        })
    }

    fn begin(&self, fault: Fault, healing: Box<dyn Healing>) -> FaultGuard {
        FaultGuard::begin(&self.journal, fault, healing)
    }
}
