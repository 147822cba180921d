//! Reasons for which a program could not be run in a world of its own.

use std::fmt;

use snowglobe_text::in_backticks;

use crate::runner::RunError;
use crate::topology::TopologyError;

/// Reason for which no world was made, or no program was started in it.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExecError {
    /// The calling process lives in a world in which no other can be made.
    WithinTrial,
    /// Nobody has this name or id.
    UnknownUser(String),
    /// A word has a zero byte, or a value cannot be understood, as the sentence says.
    Words(String),
    /// The topology cannot be read.
    Topology(TopologyError),
    /// The topology has no node of this name.
    UnknownNode {
        /// The name that was asked for; none was, in a topology of several nodes.
        name: Option<String>,
        /// The names of the nodes that there are.
        nodes: Vec<String>,
    },
    /// No node of the topology mounts a volume of this name.
    UnknownVolume {
        /// The name that was asked for.
        name: String,
        /// The names of the volumes that there are.
        volumes: Vec<String>,
    },
    /// A volume is named, and no topology has it.
    VolumeWithoutTopology {
        /// The name that was asked for.
        name: String,
        /// The path at which the program was to find the volume.
        at: String,
    },
    /// The working directory was deleted, or this user may not enter it by its path.
    WorkingDirectory(std::io::Error),
    /// The world was killed.
    WorldDied,
    /// The system refused the world.
    Refused(RunError),
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithinTrial => f.write_str(
                "this process is in the world of a trial, or of another `snowglobe exec`, and no world can be made there: start the outer one with `--nested` (a trial with `#[snowglobe::test(nested)]`), or run the program without `snowglobe exec`",
            ),
            Self::UnknownUser(user) => write!(
                f,
                "there is no user `{user}`; name one that `getent passwd` lists, or give an id"
            ),
            Self::Words(sentence) => f.write_str(sentence),
            Self::Topology(error) => write!(f, "{error}"),
            Self::UnknownNode { name, nodes } => {
                match name {
                    Some(name) => write!(f, "the topology has no node `{name}`")?,
                    None => f.write_str("the topology has several nodes")?,
                }
                write!(f, "; give --node one of {}", in_backticks(nodes))
            }
            Self::UnknownVolume { name, volumes } => {
                write!(f, "no node of --topology FILE mounts a volume `{name}`")?;
                if !volumes.is_empty() {
                    write!(f, " (the volumes are {})", in_backticks(volumes))?;
                }
                f.write_str(
                    "; give --volume PATH for an empty directory, or --writable DIRECTORY for a directory of the host",
                )
            }
            Self::VolumeWithoutTopology { name, at } => write!(
                f,
                "--volume {name}:{at} names the volume `{name}` of a topology: give --topology FILE as well, --volume {at} for an empty directory, or --writable DIRECTORY for a directory of the host"
            ),
            Self::WorkingDirectory(error) => write!(
                f,
                "cannot enter the working directory by its path: {error}; it was deleted, or this user may not enter it: change to another directory first, as by `cd /`"
            ),
            Self::WorldDied => f.write_str(
                "the world of the program died: was its first process killed, as by the kernel when memory is short?",
            ),
            Self::Refused(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ExecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Topology(error) => Some(error),
            Self::Refused(error) => Some(error),
            Self::WorkingDirectory(error) => Some(error),
            Self::WithinTrial
            | Self::UnknownUser(_)
            | Self::Words(_)
            | Self::WorldDied
            | Self::UnknownNode { .. }
            | Self::UnknownVolume { .. }
            | Self::VolumeWithoutTopology { .. } => None,
        }
    }
}

impl From<RunError> for ExecError {
    fn from(error: RunError) -> Self {
        Self::Refused(error)
    }
}
