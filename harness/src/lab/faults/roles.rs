//! What a test has given a name: who plays a role at present, and what an action does.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::kernel::sync::Lock;
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::faults::scene::Scene;
use crate::lab::node::node::Node;
use crate::topology::NodeId;

type Players = dyn Fn(&Scene) -> Vec<NodeId> + Send + Sync;
/// The error of a function of the test.
pub(crate) type ActionError = Box<dyn Error + Send + Sync>;

type Deed = dyn Fn(&Scene, Option<&Node>) -> Result<(), ActionError> + Send + Sync;

/// The roles and actions of a lab, by name.
#[derive(Default)]
pub(crate) struct Roles {
    players: Lock<BTreeMap<String, Arc<Players>>>,
    actions: Lock<BTreeMap<String, NamedAction>>,
}

/// Something that can be done, and perhaps undone.
#[derive(Clone)]
pub(crate) struct NamedAction {
    deed: Arc<Deed>,
    undo: Option<Arc<Deed>>,
}

impl NamedAction {
    pub(crate) fn new(deed: Arc<Deed>, undo: Option<Arc<Deed>>) -> Self {
        Self { deed, undo }
    }

    pub(crate) fn carry_out(&self, name: &str, scene: &Scene, node: Option<&Node>) -> Result<()> {
        let what = format!("carry out the action `{name}`");
        (self.deed)(scene, node).map_err(|why| LabError::caused(LabErrorKind::Other, what, why))
    }

    pub(crate) fn undo(&self, name: &str, scene: &Scene, node: Option<&Node>) -> Result<()> {
        let what = format!("undo the action `{name}`");
        let Some(undo) = &self.undo else {
            return Ok(());
        };
        undo(scene, node).map_err(|why| LabError::caused(LabErrorKind::Other, what, why))
    }
}

impl Roles {
    pub(crate) fn set_role(&self, name: String, players: Arc<Players>) {
        self.players.lock().insert(name, players);
    }

    pub(crate) fn set_action(&self, name: String, action: NamedAction) {
        self.actions.lock().insert(name, action);
    }

    /// Returns who plays a role at present, if the role has a meaning.
    pub(crate) fn players(&self, name: &str, scene: &Scene) -> Option<Vec<NodeId>> {
        // The function is not called under the lock: it may take a while, and may ask for another
        // role.
        let players = self.players.lock().get(name).cloned()?;
        Some(players(scene))
    }

    pub(crate) fn find_action(&self, name: &str) -> Option<NamedAction> {
        self.actions.lock().get(name).cloned()
    }

    pub(crate) fn role_names(&self) -> Vec<String> {
        self.players.lock().keys().cloned().collect()
    }

    pub(crate) fn action_names(&self) -> Vec<String> {
        self.actions.lock().keys().cloned().collect()
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roles")
            .field("roles", &self.role_names())
            .field("actions", &self.action_names())
            .finish()
    }
}
