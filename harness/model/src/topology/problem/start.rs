//! Mistakes in what a node starts with: mounts, volumes, trees of files and commands.

use std::fmt;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::NamedPart;
use crate::topology::name::{NameMistake, show};

/// A mistake in the files of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FilesProblem {
    Rootfs {
        node: NamedPart,
        mistake: FilesMistake,
    },
    Mount {
        part: NamedPart,
        at: String,
        mistake: FilesMistake,
    },
    /// Two mounts of one volume ask for different files to begin with.
    FirstFilesDiffer { volume: String },
    /// A volume with faults has two mounts.
    SharedFaulty { volume: String },
}

/// A mistake in one mount or tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FilesMistake {
    VolumeName {
        name: String,
        mistake: NameMistake,
    },
    EmptyTmpfs,
    /// A volume with faults has no name.
    FaultyWithoutName,
    FixtureWithoutName,
    /// The path of a tree is empty or has a NUL in it.
    WrongPath,
    /// The path of a tree has `..` in it.
    LeadsUpwards(String),
    /// A mount point is not an absolute path without `..`.
    NotAbsolute,
    /// The mount point is `/`.
    MountedRoot,
    /// The mount point is in a directory that every node has for itself.
    NodeDirectory(&'static str),
    MountedTwice,
}

impl NounProblem for FilesProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::Rootfs { .. } | Self::Mount { .. } => TopologyErrorKind::Invalid,
            Self::FirstFilesDiffer { .. } | Self::SharedFaulty { .. } => {
                TopologyErrorKind::Conflict
            }
        }
    }
}

impl fmt::Display for FilesProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rootfs { node, mistake } => write!(f, "root filesystem of {node}: {mistake}"),
            Self::Mount { part, at, mistake } => {
                write!(f, "mount {} of {part}: {mistake}", show(at))
            }
            Self::FirstFilesDiffer { volume } => write!(
                f,
                "volume {} begins with other files where it was mounted before; give every mount \
                 of the name the same clone, or the volumes different names",
                show(volume)
            ),
            Self::SharedFaulty { volume } => write!(
                f,
                "volume {} has faults, and is mounted more than once; a disk with faults is one \
                 machine's, so give each node a volume of its own",
                show(volume)
            ),
        }
    }
}

impl fmt::Display for FilesMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VolumeName { name, mistake } => write!(f, "volume name {} {mistake}", show(name)),
            Self::EmptyTmpfs => f.write_str("the tmpfs has a size of 0; give it a size"),
            Self::FaultyWithoutName => f.write_str(
                "a volume with faults needs a name; use `Volume::named` or `Volume::named_clone`",
            ),
            Self::FixtureWithoutName => {
                f.write_str("the fixture has no name; name a fixture of the manifest")
            }
            Self::WrongPath => {
                f.write_str("the path is empty or has a NUL in it; name a path of the workspace")
            }
            Self::LeadsUpwards(path) => write!(
                f,
                "{} leads upwards; only what is in the workspace can be mounted",
                show(path)
            ),
            Self::NotAbsolute => f.write_str("a mount point is an absolute path without `..`"),
            Self::MountedRoot => f.write_str(
                "the root is not a mount point; ask for a root filesystem with `rootfs`",
            ),
            Self::NodeDirectory(directory) => write!(
                f,
                "every node has a `{directory}` of its own; choose another path"
            ),
            Self::MountedTwice => {
                f.write_str("something is mounted there already; choose another path")
            }
        }
    }
}

/// A mistake in a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommandProblem {
    NoProgram {
        part: NamedPart,
    },
    NulByte {
        part: NamedPart,
        program: String,
    },
    /// The name of a variable is empty or has `=` in it.
    VariableName {
        part: NamedPart,
        program: String,
    },
    ReadyOnPortZero {
        part: NamedPart,
        program: String,
    },
}

impl NounProblem for CommandProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::NoProgram { .. }
            | Self::NulByte { .. }
            | Self::VariableName { .. }
            | Self::ReadyOnPortZero { .. } => TopologyErrorKind::Invalid,
        }
    }
}

impl fmt::Display for CommandProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgram { part } => write!(f, "a command of {part} has no program; name one"),
            Self::NulByte { part, program } => {
                write!(
                    f,
                    "command {} of {part} has a NUL in it; leave it out",
                    show(program)
                )
            }
            Self::VariableName { part, program } => write!(
                f,
                "command {} of {part}: the name of a variable is empty or has `=` in it",
                show(program)
            ),
            Self::ReadyOnPortZero { part, program } => write!(
                f,
                "command {} of {part} cannot be ready on port 0; ports are 1 to 65535",
                show(program)
            ),
        }
    }
}
