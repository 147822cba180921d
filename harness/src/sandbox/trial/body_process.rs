//! The process of a test body, as its init knows it.

use std::cell::{Cell, RefCell};

use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process::Pid;
use crate::sandbox::protocol::trial::Finish;

/// The process of the test body, as its init sees it.
pub(super) struct BodyProcess {
    pub(super) pid: Pid,
    /// Channel on which the body asks for nodes, if it ever wants one.
    pub(super) node_requests: RefCell<Option<MessageChannel>>,
    /// Number of nodes that were made.
    pub(super) nodes_made: Cell<u32>,
    /// Process that makes the nodes, if the body is in a user namespace of its own and wants some.
    pub(super) labs: Cell<Option<Pid>>,
    /// End of the body as it was reported before the end of its process.
    pub(super) finish: RefCell<Option<Finish>>,
    /// The body, a program, was reported as stopped, and its caller has not gone on since.
    pub(super) stopped: Cell<bool>,
}

impl BodyProcess {
    /// Returns a body of which nothing has been heard yet.
    pub(super) fn new(pid: Pid) -> Self {
        Self {
            pid,
            node_requests: RefCell::default(),
            nodes_made: Cell::default(),
            labs: Cell::default(),
            finish: RefCell::default(),
            stopped: Cell::default(),
        }
    }
}
