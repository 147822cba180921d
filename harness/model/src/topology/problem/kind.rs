//! Kinds of problems with a topology, for callers that tell them apart without reading sentences.

use std::error::Error;
use std::fmt;

/// The kind of a problem with a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TopologyErrorKind {
    /// A value that is not written as its kind is, is out of range, or has no meaning.
    Invalid,
    /// Two parts that ask for the same name, address, subnet or MAC address, or for settings
    /// that exclude each other.
    Conflict,
    /// A part that is referred to or needed, and is not there.
    Missing,
    /// A setting of a part that another part decides, such as the sysctls of a container.
    Misplaced,
    /// A link whose ends cannot be joined.
    Wiring,
    /// More than the limits of a topology, an address pool or the machine allow.
    TooLarge,
    /// A change of a link or a node that a running lab has in use.
    InUse,
    /// A text that is no TOML, or has a field that no topology has.
    Syntax,
    /// A file that cannot be read. Its error is the source.
    Unreadable,
}

/// Questions that each enum of this folder answers about its problems, besides their sentence.
pub(super) trait NounProblem: fmt::Display {
    /// Returns the kind of the problem.
    fn kind(&self) -> TopologyErrorKind;

    /// Returns the error that caused the problem, if there is one.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        None
    }
}
