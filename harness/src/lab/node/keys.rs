//! TLS keys of programs that run in nodes, for captures.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::PoisonError;

use crate::lab::node::command::Command;
use crate::lab::node::node::Node;
use crate::observe::{CaptureSession, KEY_LOG, KEY_LOG_VARIABLE, open_key_log};

impl Node {
    /// Has what programs of the node log of their keys embedded in the trial's capture, if there is one; says whether.
    ///
    /// The file is held open, so that it outlives the node.
    fn logs_keys(&self) -> bool {
        let (Some(session), Some(pid)) = (CaptureSession::under_way(), self.pid()) else {
            return false;
        };
        let mut logs = self
            .logs_keys_of
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *logs != Some(pid) {
            // In a root filesystem without a `/tmp` that we may write to, say, there is no log.
            let Ok(Ok(file)) = self.try_run(open_key_log) else {
                return false;
            };
            session.add_key_log(file);
            *logs = Some(pid);
        }
        true
    }
}

impl Command<'_> {
    /// The variable that says where to log TLS keys, if they are to be logged and nobody else has set it.
    pub(crate) fn key_log(
        &self,
        env: &BTreeMap<OsString, OsString>,
    ) -> Option<(OsString, OsString)> {
        let given = env.get(OsStr::new(KEY_LOG_VARIABLE));
        if given.is_some_and(|path| path != KEY_LOG) || !self.node.logs_keys() {
            return None;
        }
        given
            .is_none()
            .then(|| (KEY_LOG_VARIABLE.into(), KEY_LOG.into()))
    }
}
