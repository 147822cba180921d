//! TLS keys of programs that run in nodes, for captures.
//!
//! A capture of encrypted connections can be read with their keys. Programs that know the variable
//! `SSLKEYLOGFILE` write the keys to a file, and the capture takes the lines in.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::kernel::sync::Lock;
use crate::lab::node::node::Node;
use crate::observe::{CaptureSession, KEY_LOG, KEY_LOG_VARIABLE, open_key_log};

/// The file of TLS keys in a node, once a capture reads it.
#[derive(Debug, Default)]
pub(crate) struct NodeKeyLog {
    /// The first process whose file is read: after a restart the node has another `/tmp`.
    read_of: Lock<Option<u32>>,
}

impl NodeKeyLog {
    /// Returns the variable that a program of `node` needs, if there is a capture and `env` lacks
    /// it.
    pub(crate) fn variable(
        &self,
        node: &Node,
        env: &BTreeMap<OsString, OsString>,
    ) -> Option<(OsString, OsString)> {
        let given = env.get(OsStr::new(KEY_LOG_VARIABLE));
        // A test that logs keys to a file of its own keeps doing so.
        if given.is_some_and(|path| path != KEY_LOG) || !self.is_read(node) {
            return None;
        }
        given
            .is_none()
            .then(|| (KEY_LOG_VARIABLE.into(), KEY_LOG.into()))
    }

    /// Makes the trial's capture read the file, and returns whether there is a capture.
    fn is_read(&self, node: &Node) -> bool {
        let (Some(session), Some(pid)) = (CaptureSession::under_way(), node.pid()) else {
            return false;
        };
        let mut read_of = self.read_of.lock();
        if *read_of != Some(pid) {
            // A root filesystem may have no `/tmp` that the test may write to. Then there is no
            // log.
            let Ok(Ok(file)) = node.try_run(open_key_log) else {
                return false;
            };
            // The session holds the file open, so that the keys can be read after the node's end.
            session.add_key_log(file);
            *read_of = Some(pid);
        }
        true
    }
}
