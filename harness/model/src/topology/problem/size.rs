//! Topologies that are larger than a lab or the machine allows, or have nothing in them.

use std::fmt;

use snowglobe_text::counted;

use super::kind::{NounProblem, TopologyErrorKind};
use crate::topology::name::show;

/// A mistake in the number of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SizeProblem {
    /// The topology has no nodes.
    NoNodes,
    TooManyParts {
        count: usize,
        most: usize,
        /// Word for one of the parts.
        noun: &'static str,
    },
    TooManyPorts {
        switch: String,
        count: usize,
        most: usize,
    },
    TooManyRoutes {
        most: usize,
    },
    /// More entries in the neighbour tables of all nodes together than a lab has.
    TooManyNeighbours {
        count: usize,
        most: usize,
    },
    /// The nodes of the topology need more of something than the machine still gives.
    Machine {
        nodes: u64,
        need: u64,
        /// The number that the machine still gives.
        left: u64,
        limit: MachineLimit,
    },
}

/// A limit of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MachineLimit {
    NetNamespaces,
    PidNamespaces,
    MountNamespaces,
    Processes,
    Descriptors,
}

/// Command that raises the limit of open files for the shell in which it is typed.
pub const RAISE_OPEN_FILES: &str = "`sudo prlimit --pid $$ --nofile=65536:65536`";

impl MachineLimit {
    /// Returns what the limit is about, in the singular.
    fn noun(self) -> &'static str {
        match self {
            Self::NetNamespaces => "network namespace",
            Self::PidNamespaces => "PID namespace",
            Self::MountNamespaces => "mount namespace",
            Self::Processes => "process",
            Self::Descriptors => "descriptor",
        }
    }

    /// Returns the name by which the kernel knows the limit.
    fn name(self) -> &'static str {
        match self {
            Self::NetNamespaces => "`user.max_net_namespaces`",
            Self::PidNamespaces => "`user.max_pid_namespaces`",
            Self::MountNamespaces => "`user.max_mnt_namespaces`",
            Self::Processes => "`RLIMIT_NPROC` or `kernel.pid_max`",
            Self::Descriptors => "`RLIMIT_NOFILE`, `ulimit -Hn`",
        }
    }

    /// Returns the commands that raise the limit.
    fn remedy(self) -> &'static str {
        match self {
            Self::NetNamespaces => "`sudo sysctl -w user.max_net_namespaces=15000`",
            Self::PidNamespaces => "`sudo sysctl -w user.max_pid_namespaces=15000`",
            Self::MountNamespaces => "`sudo sysctl -w user.max_mnt_namespaces=15000`",
            Self::Processes => {
                "`sudo prlimit --pid $$ --nproc=unlimited:unlimited`, \
                 `sudo sysctl -w kernel.pid_max=4194304`"
            }
            Self::Descriptors => RAISE_OPEN_FILES,
        }
    }
}

impl NounProblem for SizeProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::NoNodes => TopologyErrorKind::Missing,
            Self::TooManyParts { .. }
            | Self::TooManyPorts { .. }
            | Self::TooManyRoutes { .. }
            | Self::TooManyNeighbours { .. }
            | Self::Machine { .. } => TopologyErrorKind::TooLarge,
        }
    }
}

impl fmt::Display for SizeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNodes => f.write_str(
                "the topology has no nodes; add one with `topology.node(\"alice\")`, in a file \
                 with `[[node]]` and `name = \"alice\"`",
            ),
            Self::TooManyParts { count, most, noun } => write!(
                f,
                "the topology has {}; a lab has at most {}",
                counted(*count as u64, noun),
                counted(*most as u64, noun)
            ),
            Self::TooManyPorts {
                switch,
                count,
                most,
            } => write!(
                f,
                "switch {} has {count} ports; a switch has at most {most}, so join two by a cable",
                show(switch)
            ),
            Self::TooManyRoutes { most } => write!(
                f,
                "the topology needs more than {most} static routes, the most of a lab; let fewer \
                 nodes forward, or turn routing off"
            ),
            Self::TooManyNeighbours { count, most } => write!(
                f,
                "fixed neighbours for all would be about {count} entries; a lab has at most \
                 {most}: let large switches learn them"
            ),
            Self::Machine {
                nodes,
                need,
                left,
                limit,
            } => {
                let verb = if *nodes == 1 { "needs" } else { "need" };
                write!(
                    f,
                    "{} {verb} {}, but this machine allows {left} more ({}); use fewer nodes, or \
                     raise the limit: {}",
                    counted(*nodes, "node"),
                    counted(*need, limit.noun()),
                    limit.name(),
                    limit.remedy()
                )
            }
        }
    }
}
