//! Faults of nodes, and what heals them.

use std::sync::Arc;

use crate::lab::error::Result;
use crate::lab::faults::guard::Healing;
use crate::lab::faults::roles::NamedAction;
use crate::lab::faults::scene::Scene;
use crate::lab::node::node::Node;

/// A node whose processes are stopped.
pub(crate) struct Paused(Arc<Node>);

impl Paused {
    pub(crate) fn new(node: &Arc<Node>) -> Result<Self> {
        node.pause()?;
        Ok(Self(Arc::clone(node)))
    }
}

impl Healing for Paused {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self(node) = *self;
        // A node that crashed or was removed meanwhile has nothing left that is stopped.
        if node.is_removed() || !node.is_running() {
            return Ok(());
        }
        node.resume()
    }
}

/// A node that does not run until it is started again.
pub(crate) struct StoppedNode(Arc<Node>);

impl StoppedNode {
    /// Kills all processes of a node.
    pub(crate) fn killed(node: &Arc<Node>) -> Result<Self> {
        node.kill_processes()?;
        Ok(Self(Arc::clone(node)))
    }

    /// Cuts the power of a node.
    pub(crate) fn crashed(node: &Arc<Node>) -> Result<Self> {
        node.crash()?;
        Ok(Self(Arc::clone(node)))
    }
}

impl Healing for StoppedNode {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self(node) = *self;
        // The test may have removed the node, or restarted it by itself.
        if node.is_removed() || node.is_running() {
            return Ok(());
        }
        node.restart()
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
pub(crate) struct Acted {
    pub(crate) name: String,
    pub(crate) action: NamedAction,
    pub(crate) scene: Scene,
    pub(crate) node: Option<Arc<Node>>,
}

impl Healing for Acted {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self {
            name,
            action,
            scene,
            node,
        } = *self;
        action.undo(&name, &scene, node.as_deref())
    }
}
