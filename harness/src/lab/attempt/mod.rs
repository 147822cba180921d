//! Things that a lab tries, as data, and the text that names one: a verb with its object.
//!
//! An error of a lab keeps what was tried as a value. The text is made when the error is shown.

mod file;
mod lab;
mod network;
mod node;
mod program;

pub(crate) use file::FileAttempt;
pub(crate) use lab::{LabAttempt, ThreadPurpose};
pub(crate) use network::NetworkAttempt;
pub(crate) use node::NodeAttempt;
pub(crate) use program::ProgramAttempt;

use std::fmt;

/// Something that a lab tried. As a text it is a verb and its object: ``run `nginx` on `bob` ``.
#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    /// Something with the lab as a whole, or with a thread of the lab.
    Lab(LabAttempt),
    /// Something with a node, named by its name.
    Node(NodeAttempt, String),
    /// Something with a program of a node.
    Program(ProgramAttempt),
    /// Something with a network namespace, an interface or a link.
    Network(NetworkAttempt),
    /// Something with a file, a directory or a volume.
    File(FileAttempt),
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lab(attempt) => attempt.fmt(f),
            Self::Node(attempt, node) => attempt.show(node, f),
            Self::Program(attempt) => attempt.fmt(f),
            Self::Network(attempt) => attempt.fmt(f),
            Self::File(attempt) => attempt.fmt(f),
        }
    }
}

impl From<LabAttempt> for Attempt {
    fn from(attempt: LabAttempt) -> Self {
        Self::Lab(attempt)
    }
}

impl From<ProgramAttempt> for Attempt {
    fn from(attempt: ProgramAttempt) -> Self {
        Self::Program(attempt)
    }
}

impl From<NetworkAttempt> for Attempt {
    fn from(attempt: NetworkAttempt) -> Self {
        Self::Network(attempt)
    }
}

impl From<FileAttempt> for Attempt {
    fn from(attempt: FileAttempt) -> Self {
        Self::File(attempt)
    }
}
