//! Kinds of failures of a lab, for callers that tell them apart without reading sentences.

/// The kind of failure that a [`LabError`](crate::lab::LabError) is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LabErrorKind {
    /// The topology is wrong, or needs more than the machine allows.
    InvalidTopology,
    /// An argument has no meaning for its subject: a bad impairment, a node on both sides of a
    /// partition.
    InvalidArgument,
    /// A file, an interface or a fixture that was named does not exist.
    NotFound,
    /// The node or link was removed from the lab.
    Removed,
    /// The node has crashed, or its first process was killed.
    /// [`restart`](crate::lab::Node::restart) helps.
    Crashed,
    /// The program ended, or closed its outputs, while something was expected of it.
    ProcessEnded,
    /// The engine or the kernel that carries the link cannot do this.
    NotSupported,
    /// The condition that was waited for did not come in time.
    TimedOut,
    /// The kernel refused a system call: see [`raw_os_error`](crate::lab::LabError::raw_os_error).
    Refused,
    /// Something else that should not happen.
    Other,
}
