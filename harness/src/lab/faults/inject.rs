//! Faults carried out from values.

use std::sync::Arc;

use crate::impair::Direction;
use crate::lab::disk;
use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::faults::clock::WrongClock;
use crate::lab::faults::cut::Cut;
use crate::lab::faults::degrade::Degraded;
use crate::lab::faults::flap::flap;
use crate::lab::faults::guard::{FaultGuard, Healing};
use crate::lab::faults::in_processes::Harm;
use crate::lab::faults::on_nodes::{Acted, Done, Paused, StoppedNode};
use crate::lab::faults::partition::Partition;
use crate::lab::faults::scene::Scene;
use crate::model::fault::{Fault, LinkRef, NodeRef};
use crate::topology::NodeId;

impl Scene {
    /// Carries out a fault.
    pub(crate) fn inject(&self, fault: Fault) -> Result<FaultGuard> {
        // Roles are looked up first, so that the event and the guard name nodes.
        match self.cast(fault)? {
            Fault::Cut { link, direction } => self.cut(&link, direction),
            Fault::Flap { link, period } => {
                let link = self.link_of(&link)?;
                let flap = flap(&link.ends, &link.state, period)?;
                Ok(self.begin(Fault::flap(link.ends.name(), period), flap))
            }
            Fault::Degrade { link, impairment } => {
                let link = self.link_of(&link)?;
                let degraded = Degraded::new(&link.ends, &link.state, impairment.clone())?;
                Ok(self.begin(Fault::degrade(link.ends.name(), impairment), degraded))
            }
            Fault::Partition {
                left,
                right,
                one_way,
            } => {
                let (left, right) = (self.ids_of(&left)?, self.ids_of(&right)?);
                match one_way {
                    true => self.partition_one_way(&left, &right),
                    false => self.partition(&left, &right),
                }
            }
            Fault::Sever { pairs } => self.sever(pairs),
            Fault::Pause { node } => {
                let node = self.node_of(&node)?;
                // The event follows the deed: a fault that was refused has not begun.
                node.pause()?;
                Ok(self.begin(Fault::pause(node.name()), Paused(Arc::clone(node))))
            }
            Fault::KillProcesses { node } => {
                let node = self.node_of(&node)?;
                node.kill_processes()?;
                let fault = Fault::kill_processes(node.name());
                Ok(self.begin(fault, StoppedNode(Arc::clone(node))))
            }
            Fault::Crash { node } => {
                let node = self.node_of(&node)?;
                node.crash()?;
                Ok(self.begin(Fault::crash(node.name()), StoppedNode(Arc::clone(node))))
            }
            Fault::Restart { node } => {
                let node = self.node_of(&node)?;
                // The event comes first: what the programs say at their start follows it.
                let guard = self.begin(Fault::restart(node.name()), Done);
                node.restart()?;
                Ok(guard)
            }
            Fault::Clock { node, change } => {
                let node = self.node_of(&node)?;
                let wrong = WrongClock::new(node, change)?;
                Ok(self.begin(Fault::clock(node.name(), change), wrong))
            }
            Fault::Dns { node, answers } => {
                let node = self.node_of(&node)?;
                let dns = node.dns().ok_or_else(|| {
                    let why = "has no name server; ask for one by `NodeSpec::dns`";
                    LabError::invalid(Subject::Node(node.name().to_owned()), why)
                })?;
                dns.inject(answers)
            }
            Fault::Disk { node, volume, what } => {
                disk::inject::inject(self.node_of(&node)?, volume.as_deref(), what)
            }
            Fault::Action { action, node } => self.act(action, node.as_ref()),
            Fault::KillProgram { node, program } => self.in_processes(&node, Harm::Kill(program)),
            Fault::PauseProgram { node, program } => self.in_processes(&node, Harm::Stop(program)),
            Fault::Slow { node, share } => self.in_processes(&node, Harm::Slow(share)),
            Fault::Descriptors { node, limit } => {
                self.in_processes(&node, Harm::Descriptors(limit))
            }
            Fault::Memory { node, spare_kb } => self.in_processes(&node, Harm::Memory(spare_kb)),
        }
    }

    fn cut(&self, link: &LinkRef, direction: Option<Direction>) -> Result<FaultGuard> {
        let link = self.link_of(link)?;
        let (cut, fault) = match direction {
            Some(direction) => (
                Cut::new(&link.state, &[direction])?,
                Fault::cut_one_way(link.ends.name(), direction),
            ),
            None => (
                Cut::new(&link.state, &Direction::BOTH)?,
                Fault::cut(link.ends.name()),
            ),
        };
        Ok(self.begin(fault, cut))
    }

    pub(crate) fn partition(&self, left: &[NodeId], right: &[NodeId]) -> Result<FaultGuard> {
        // A filter drops what a node receives, so that each direction takes filters of its own.
        let mut partition = Partition::new(self, left, right)?;
        partition.add(Partition::new(self, right, left)?);
        let fault = Fault::partition(self.names(left), self.names(right));
        Ok(self.begin(fault, partition))
    }

    pub(crate) fn partition_one_way(&self, from: &[NodeId], to: &[NodeId]) -> Result<FaultGuard> {
        let partition = Partition::new(self, from, to)?;
        let fault = Fault::partition_one_way(self.names(from), self.names(to));
        Ok(self.begin(fault, partition))
    }

    fn sever(&self, pairs: Vec<[NodeRef; 2]>) -> Result<FaultGuard> {
        let mut partition = Partition::default();
        for pair in &pairs {
            // A pair is a partition of two: a node in several pairs is cut off from each of its
            // peers.
            let ids = self.ids_of(pair)?;
            partition.add(Partition::new(self, &ids[..1], &ids[1..])?);
            partition.add(Partition::new(self, &ids[1..], &ids[..1])?);
        }
        Ok(self.begin(Fault::Sever { pairs }, partition))
    }

    fn act(&self, name: String, node: Option<&NodeRef>) -> Result<FaultGuard> {
        let node = node.map(|node| self.node_of(node)).transpose()?;
        let Some(action) = self.roles.find_action(&name) else {
            let why = format!("has no action `{name}`; name it by `Lab::action`");
            return Err(LabError::unfit(LabErrorKind::NotFound, Subject::Lab, why));
        };
        // The scene goes along: the undo runs when the test may have dropped its lab.
        action.carry_out(&name, self, node.map(Arc::as_ref))?;
        let fault = Fault::Action {
            action: name.clone(),
            node: node.map(|node| NodeRef::from(node.name())),
        };
        let acted = Acted {
            name,
            action,
            scene: self.clone(),
            node: node.cloned(),
        };
        Ok(self.begin(fault, acted))
    }

    pub(crate) fn begin(&self, fault: Fault, healing: impl Healing + 'static) -> FaultGuard {
        FaultGuard::begin(&self.journal, fault, healing)
    }
}
