//! Faults of nodes and of their disks, and what heals them.

use std::sync::Arc;

use crate::lab::attempt::NodeAttempt;
use crate::lab::disk::DiskServer;
use crate::lab::error::{LabError, Result};
use crate::lab::faults::guard::{FaultGuard, Healing};
use crate::lab::faults::in_processes::ProgramsAtRisk;
use crate::lab::faults::roles::NamedAction;
use crate::lab::faults::view::LabView;
use crate::lab::node::node::Node;
use crate::lab::unfit::UnfitVolume;
use crate::model::disk::DiskFault;
use crate::model::fault::Fault;

/// A node whose processes are stopped.
pub(crate) struct Paused(Arc<Node>);

impl Paused {
    pub(crate) fn new(node: &Arc<Node>) -> Result<Self> {
        node.hold()?;
        Ok(Self(Arc::clone(node)))
    }
}

impl Healing for Paused {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self(node) = *self;
        node.release()
    }
}

/// A node that does not run until it is started again.
pub(crate) struct StoppedNode {
    node: Arc<Node>,
    /// Whether the node was down already, and by no fault: whoever stopped it starts it again.
    found_down: bool,
}

impl StoppedNode {
    /// Kills all processes of a node.
    pub(crate) fn killed(node: &Arc<Node>) -> Result<Self> {
        Self::stopped(node, NodeAttempt::KillProcesses)
    }

    /// Cuts the power of a node.
    pub(crate) fn crashed(node: &Arc<Node>) -> Result<Self> {
        Self::stopped(node, NodeAttempt::Crash)
    }

    fn stopped(node: &Arc<Node>, what: NodeAttempt) -> Result<Self> {
        let mut down = node.down_count().lock();
        let was_up = node.stop(what)?;
        let found_down = *down == 0 && !was_up;
        *down += usize::from(!found_down);
        Ok(Self {
            node: Arc::clone(node),
            found_down,
        })
    }
}

impl Healing for StoppedNode {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self { node, found_down } = *self;
        let (others, _coming_back) = {
            let mut down = node.down_count().lock();
            *down -= usize::from(!found_down);
            // Whoever waits for the node is not to see it down with nobody who starts it.
            (*down, node.begin_restart())
        };
        if found_down || others > 0 {
            return Ok(());
        }
        // Without the lock: programs may take long to start, and a fault may stop them meanwhile.
        // The test may have removed the node, or restarted it by itself.
        node.restart_if_down()
    }
}

/// Something that leaves nothing to heal.
pub(crate) struct Done;

impl Healing for Done {
    fn heal(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// An action that may be undone.
pub(crate) struct ActionDone {
    pub(crate) name: String,
    pub(crate) action: NamedAction,
    pub(crate) view: LabView,
    pub(crate) node: Option<Arc<Node>>,
}

impl Healing for ActionDone {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self {
            name,
            action,
            view,
            node,
        } = *self;
        action.undo(&name, &view, node.as_deref())
    }
}

/// Breaks the disk of a node until the guard is dropped.
pub(crate) fn break_disk(
    node: &Arc<Node>,
    volume: Option<&str>,
    what: DiskFault,
) -> Result<FaultGuard> {
    let server = node.find_disk(volume)?;
    what.validate().map_err(|wrong| {
        let fault = what.clone();
        let reason = UnfitVolume::InvalidFault { fault, wrong };
        LabError::unfit(node.subject(), reason)
    })?;
    let at_risk = ProgramsAtRisk::of(node);
    // The guard is made when the server has agreed, so that a refusal leaves nothing to heal.
    let id = server.begin(&what)?;
    let healing = Box::new(BrokenDisk {
        server: Arc::clone(server),
        id,
        at_risk,
    });
    let fault = Fault::disk_of(node.name(), server.volume(), what);
    Ok(FaultGuard::begin(node.journal(), fault, healing))
}

/// A fault that a disk has until `heal` ends it.
struct BrokenDisk {
    server: Arc<DiskServer>,
    id: u64,
    at_risk: ProgramsAtRisk,
}

impl Healing for BrokenDisk {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self {
            server,
            id,
            at_risk,
        } = *self;
        let ended = server.end(id);
        ended.and(at_risk.start_again())
    }
}
