//! Roles and actions that a test has named: functions that say which nodes have a role at present,
//! and functions that carry out an action.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::kernel::sync::Lock;
use crate::lab::attempt::LabAttempt;
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::faults::view::LabView;
use crate::lab::node::node::Node;
use crate::topology::NodeId;

type RoleFunction = dyn Fn(&LabView) -> Vec<NodeId> + Send + Sync;
/// The error of a function of the test.
pub(crate) type ActionError = Box<dyn Error + Send + Sync>;

type ActionFunction = dyn Fn(&LabView, Option<&Node>) -> Result<(), ActionError> + Send + Sync;

/// The roles and actions of a lab, by name.
#[derive(Default)]
pub(crate) struct Roles {
    roles: Lock<BTreeMap<String, Arc<RoleFunction>>>,
    actions: Lock<BTreeMap<String, NamedAction>>,
}

/// Something that can be done, and perhaps undone.
#[derive(Clone)]
pub(crate) struct NamedAction {
    run: Arc<ActionFunction>,
    undo: Option<Arc<ActionFunction>>,
}

impl NamedAction {
    pub(crate) fn new(run: Arc<ActionFunction>, undo: Option<Arc<ActionFunction>>) -> Self {
        Self { run, undo }
    }

    pub(crate) fn carry_out(&self, name: &str, view: &LabView, node: Option<&Node>) -> Result<()> {
        let action = name.to_owned();
        let what = LabAttempt::CarryOut { action };
        (self.run)(view, node).map_err(|why| LabError::caused(LabErrorKind::Other, what, why))
    }

    pub(crate) fn undo(&self, name: &str, view: &LabView, node: Option<&Node>) -> Result<()> {
        let action = name.to_owned();
        let what = LabAttempt::Undo { action };
        let Some(undo) = &self.undo else {
            return Ok(());
        };
        undo(view, node).map_err(|why| LabError::caused(LabErrorKind::Other, what, why))
    }
}

impl Roles {
    pub(crate) fn set_role(&self, name: String, find: Arc<RoleFunction>) {
        self.roles.lock().insert(name, find);
    }

    pub(crate) fn set_action(&self, name: String, action: NamedAction) {
        self.actions.lock().insert(name, action);
    }

    /// Returns the nodes that have a role at present, if the role has a meaning.
    pub(crate) fn nodes_with(&self, name: &str, view: &LabView) -> Option<Vec<NodeId>> {
        // The function is not called under the lock: it may take a while, and may ask for another
        // role.
        let find = self.roles.lock().get(name).cloned()?;
        Some(find(view))
    }

    pub(crate) fn find_action(&self, name: &str) -> Option<NamedAction> {
        self.actions.lock().get(name).cloned()
    }

    pub(crate) fn role_names(&self) -> Vec<String> {
        self.roles.lock().keys().cloned().collect()
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
