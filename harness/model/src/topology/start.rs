//! `topology.start()`, although this crate does not know what a lab is.
//!
//! A user calls `topology.start()?` without an import, so `start` has to be an inherent method of
//! [`Topology`]. But it makes a lab, of which this crate knows nothing. So the method is generic
//! over what it makes, and the trait [`StartAs`] does the work. The crate `snowglobe` implements
//! that trait once, for its `Lab`. Where there is one implementation only, the compiler infers the
//! type, and `let lab = topology.start()?;` needs no annotation.

use super::value::Topology;

/// A way to make something that runs, a lab, from a topology.
pub trait StartAs<L> {
    /// The error of a start that failed.
    type Error;

    /// Starts the topology.
    ///
    /// # Errors
    /// The implementation says.
    fn start_as(&self) -> Result<L, Self::Error>;
}

impl Topology {
    /// Brings the topology to life. It makes the nodes, lays the cables, gives the addresses and
    /// runs the nodes' commands. It returns when packets pass and those commands are ready.
    ///
    /// # Errors
    /// The topology is wrong (see [`validate`](Topology::validate)), needs more than this machine
    /// allows, or the kernel refuses something: the error names the node or link. Nothing is left
    /// then.
    ///
    /// An example is in `snowglobe::topology`, at "Starting".
    pub fn start<L>(&self) -> Result<L, <Self as StartAs<L>>::Error>
    where
        Self: StartAs<L>,
    {
        self.start_as()
    }
}
