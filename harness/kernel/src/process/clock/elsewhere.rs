//! Machines whose vDSO we have no code for.

use nix::errno::Errno;

use super::linear::LinearClock;

/// Stands for the tracer of other machines; there is none.
pub enum NoTracer {}

impl NoTracer {
    /// Refuses: the code for the vDSO is written for x86-64.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, always.
    pub fn new() -> crate::Result<Self> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Does nothing, for there is no tracer.
    ///
    /// # Errors
    /// None.
    pub fn follow(&self, _: i32) -> crate::Result<()> {
        match *self {}
    }

    /// Does nothing, for there is no tracer.
    pub fn set(&mut self, _: LinearClock, _: &[i32]) {
        match *self {}
    }

    /// Returns nothing, for there is no tracer.
    pub fn handle_stop(&mut self, _: i32, _: i32) -> bool {
        match *self {}
    }

    /// Returns nothing, for there is no tracer.
    pub fn take_unreached(&mut self) -> Vec<String> {
        match *self {}
    }
}
