//! The messages between a lab and the processes of its nodes.
//!
//! A test process asks its trial's init for a node by a [`NodeRequest`], and the node's own first
//! process for everything else by a [`NodeCommand`]. Each comes with the descriptors that it is
//! about.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::kernel::process::signal::Signal;
use crate::model::clock::ClockRule;

use super::codec::{Edge, EdgeMessage, codec_enum, codec_struct};
use crate::sandbox::refused::Refused;

/// From a lab to the trial's init: make a node, a container or a pod.
///
/// The channel over which the new process will speak comes along, then what [`Joins`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeRequest {
    /// Name by which errors and process lists call the node.
    pub(crate) name: String,
    /// Hostname in a UTS namespace of the node's own. Without one, the UTS and IPC namespaces are
    /// those that the node joins.
    pub(crate) hostname: Option<String>,
    /// Namespaces that exist already.
    pub(crate) joins: Joins,
    /// Whether the node has a PID namespace of its own.
    pub(crate) own_pids: bool,
    /// Whether the node has mounts of its own. A pod has none.
    pub(crate) own_mounts: bool,
    /// Number of ids in a user namespace of the node's own, instead of those of the trial.
    pub(crate) ids: Option<u32>,
    /// Sysctls by their paths below `/proc/sys`, and their values, which are written before there
    /// is an interface.
    pub(crate) sysctls: Vec<(String, String)>,
    /// Files that the node finds in `/etc`.
    pub(crate) etc: Option<NodeEtc>,
    /// Mounts, in an order in which none hides another.
    pub(crate) mounts: Vec<NodeMount>,
    /// Root filesystem, if the node has another one than the trial.
    pub(crate) root: Option<NodeRoot>,
    /// Whether the time of day of the programs can be changed.
    pub(crate) faulty_clock: bool,
    /// Whether the request is for the process that serves a disk, in the place of a node.
    pub(crate) serves_disk: bool,
}

codec_struct!(NodeRequest {
    name,
    hostname,
    joins,
    own_pids,
    own_mounts,
    ids,
    sysctls,
    etc,
    mounts,
    root,
    faulty_clock,
    serves_disk,
});

impl EdgeMessage for NodeRequest {
    const EDGE: Edge = Edge::ToNodeFactory;
}

/// Namespaces that a new process enters instead of making them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Joins {
    /// No namespace.
    #[default]
    Nothing,
    /// The network namespace that comes along: the node has lived before.
    Network,
    /// The NET, UTS and IPC namespaces of the process whose pidfd comes along.
    Pod,
    /// The NET, UTS, IPC and PID namespaces of the process whose pidfd comes along.
    PodAndPids,
    /// The user namespace that owns the network namespace that comes along: the node has lived
    /// before, and gets another network namespace.
    Owner,
}

codec_enum!(Joins {
    1 => Nothing,
    2 => Network,
    3 => Pod,
    4 => PodAndPids,
    5 => Owner,
});

/// The files by which a node knows the names of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeEtc {
    /// File that the node finds as `/etc/hosts`.
    pub(crate) hosts: PathBuf,
    /// Whether other nodes have the same `/etc/hosts`.
    pub(crate) hosts_read_only: bool,
    /// File that the node finds as `/etc/resolv.conf`.
    pub(crate) resolver: PathBuf,
    /// File that the node finds as `/etc/nsswitch.conf`, unless the trial has none.
    pub(crate) services: PathBuf,
}

codec_struct!(NodeEtc {
    hosts,
    hosts_read_only,
    resolver,
    services
});

/// A mount that a node finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeMount {
    /// Path of the mount in the node.
    pub(crate) at: PathBuf,
    /// Files that the mount shows.
    pub(crate) content: MountContent,
    /// Whether the files can only be read.
    pub(crate) read_only: bool,
}

codec_struct!(NodeMount {
    at,
    content,
    read_only
});

/// Content of a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MountContent {
    /// A directory or file that the trial sees.
    Path(PathBuf),
    /// An empty filesystem in memory, with this size in bytes.
    Tmpfs(u64),
}

codec_enum!(MountContent {
    1 => Path(path),
    2 => Tmpfs(bytes),
});

/// A root filesystem of layers that are only read, and a directory that takes what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeRoot {
    /// Directories that are laid over each other, the uppermost first.
    pub(crate) layers: Vec<PathBuf>,
    /// Directory that takes what the node writes.
    pub(crate) disk: PathBuf,
    /// Number of times that another root filesystem was set before, without that of the trial.
    pub(crate) upgrades: u32,
}

codec_struct!(NodeRoot {
    layers,
    disk,
    upgrades
});

/// From a node that is being made, or from the init for it, to the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeReply {
    /// The node's first process has this id in the trial. Its pidfd comes along.
    Cloned(i32),
    /// The node is ready. Its network namespace comes along.
    Ready,
    /// The kernel refused a step.
    Refused(Refused),
    /// The node had to take another way than the one asked for: a sentence.
    Note(String),
}

codec_enum!(NodeReply {
    1 => Cloned(pid),
    2 => Ready,
    3 => Refused(refused),
    4 => Note(text),
});

impl EdgeMessage for NodeReply {
    const EDGE: Edge = Edge::FromNewNode;
    const MOST: usize = Self::LONGEST;
}

impl NodeReply {
    /// Length of the longest reply, in bytes.
    pub(crate) const LONGEST: usize = 1024;
}

// The nursery blocks the signal, and it stays blocked in all that is forked from there, so it waits
// until the first process asks for it (signal(7), "Signal mask and pending signals").
/// Signal by which a node's first process learns that its ids are mapped.
pub(crate) const IDS_MAPPED: Signal = Signal::SIGUSR1;

/// From a lab to a node's first process, which obeys one command after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeCommand {
    /// Run a program. The channel for [`ProcessReply`], stdin, stdout and stderr come along.
    Run(Program),
    /// Send this signal to everybody in the node.
    SignalAll(i32),
    /// Write a value to a sysctl. A channel for the [`CommandReply`] comes along.
    SetSysctl {
        /// Path below `/proc/sys`.
        path: String,
        /// Text to be written.
        value: String,
    },
    /// Ask all processes to end (`SIGTERM`) that have no parent left but the first process:
    /// daemons, and what programs have left behind. A channel comes along for the [`CommandReply`],
    /// which is sent when none of them is left.
    TerminateOrphans,
    /// Make the mount namespace in which the threads of a process of the trial visit the node. A
    /// channel for the [`CommandReply`] comes along, then a detached copy of the trial's `/proc`.
    /// The namespace comes along with the reply.
    AdmitVisitors {
        /// Id of the process in the trial.
        process: u32,
    },
    /// Change the time of day of all programs, to a linear function of the machine's. A channel for
    /// the [`ClockReply`] comes along.
    SetClock(ClockRule),
    /// End the programs of whose end nobody wants to hear: their channels are closed. The lab has
    /// told its caller that such a program does not run.
    EndUnheard,
    /// Answer, so that the commands before are known to be obeyed. A channel for the
    /// [`CommandReply`] comes along.
    Ping,
}

codec_enum!(NodeCommand {
    1 => Run(program),
    2 => SignalAll(number),
    3 => SetSysctl { path, value },
    4 => Ping,
    5 => TerminateOrphans,
    6 => AdmitVisitors { process },
    7 => EndUnheard,
    8 => SetClock(clock),
});

codec_struct!(ClockRule {
    reference,
    shown,
    rate
});

impl EdgeMessage for NodeCommand {
    const EDGE: Edge = Edge::ToNode;
}

/// A program that a node is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    /// Path of the program, or a name to be looked for in `PATH`.
    pub(crate) program: CString,
    /// Arguments, with the zeroth.
    pub(crate) args: Vec<CString>,
    /// Environment, as `KEY=value`.
    pub(crate) env: Vec<CString>,
    /// Working directory.
    pub(crate) dir: CString,
    /// Whether it is an error if the working directory is not there.
    pub(crate) strict_dir: bool,
    /// User as which the program runs.
    pub(crate) user: ProgramUser,
}

/// The user as which a program of a node runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProgramUser {
    /// Root of the node.
    #[default]
    Root,
    /// User id and group id: the node's own where the node has both, and otherwise what root is
    /// shown as.
    Ids(u32, u32),
    /// Root of the node, which the program sees by this user id and group id.
    RootShownAs(u32, u32),
}

codec_enum!(ProgramUser {
    1 => Root,
    2 => Ids(uid, gid),
    3 => RootShownAs(uid, gid),
});

codec_struct!(Program {
    program,
    args,
    env,
    dir,
    strict_dir,
    user
});

/// Returns `text` as the kernel takes it, or `None` if there is a zero byte in it.
pub(crate) fn c_text(text: impl AsRef<OsStr>) -> Option<CString> {
    // The kernel would take the text to end at its first zero byte (execve(2)).
    CString::new(text.as_ref().as_bytes()).ok()
}

/// From a node's first process to a lab: the answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandReply {
    /// The command was obeyed.
    Done,
    /// The kernel refused, with this errno.
    Refused(i32),
}

codec_enum!(CommandReply {
    1 => Done,
    2 => Refused(errno),
});

impl EdgeMessage for CommandReply {
    const EDGE: Edge = Edge::FromNode;
}

/// From a node's first process to a lab: the answer to [`NodeCommand::SetClock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClockReply {
    /// The clock is changed for all programs.
    Done,
    /// No clock can be changed in the node, for this errno.
    Refused(i32),
    /// The clock is changed for all programs but these.
    Unreached(String),
}

codec_enum!(ClockReply {
    1 => Done,
    2 => Refused(errno),
    3 => Unreached(programs),
});

impl EdgeMessage for ClockReply {
    const EDGE: Edge = Edge::FromNode;
    const MOST: usize = Self::LONGEST;
}

impl ClockReply {
    /// Length of the longest reply, in bytes.
    pub(crate) const LONGEST: usize = 1024;
}

/// From a node's first process to a lab: what becomes of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessReply {
    /// The program runs, with this id in its node. Its pidfd comes along.
    Runs(i32),
    /// The program could not be started, for this errno.
    Refused(i32),
    /// The program has ended, with this wait status.
    Ended(i32),
}

codec_enum!(ProcessReply {
    1 => Runs(pid),
    2 => Refused(errno),
    3 => Ended(status),
});

impl EdgeMessage for ProcessReply {
    const EDGE: Edge = Edge::FromProgram;
}

/// Length of a buffer into which any [`CommandReply`] or [`ProcessReply`] fits, in bytes.
pub(crate) const LONGEST_REPLY: usize = 16;

#[cfg(test)]
mod tests {
    use crate::kernel::errno::Errno;

    use super::super::codec::testing::arrives;
    use super::*;

    #[test]
    fn requests_arrive_as_they_were_sent() {
        arrives(&NodeRequest::default());
        for joins in [Joins::Network, Joins::Pod, Joins::PodAndPids, Joins::Owner] {
            arrives(&NodeRequest {
                name: "alice".into(),
                hostname: Some("alice".into()),
                joins,
                own_pids: true,
                own_mounts: true,
                ids: Some(65_536),
                sysctls: vec![("net/ipv4/ip_forward".into(), "1".into())],
                etc: Some(NodeEtc {
                    hosts: "/lab/hosts".into(),
                    hosts_read_only: true,
                    resolver: "/lab/resolv.conf".into(),
                    services: "/lab/nsswitch.conf".into(),
                }),
                mounts: vec![
                    NodeMount {
                        at: "/data".into(),
                        content: MountContent::Path("/lab/data".into()),
                        read_only: false,
                    },
                    NodeMount {
                        at: "/scratch".into(),
                        content: MountContent::Tmpfs(u64::MAX),
                        read_only: true,
                    },
                ],
                root: Some(NodeRoot {
                    layers: vec!["/upper".into(), "/lower".into()],
                    disk: "/disk".into(),
                    upgrades: 2,
                }),
                faulty_clock: true,
                serves_disk: true,
            });
        }
    }

    #[test]
    fn commands_arrive_as_they_were_sent() {
        let text = |text: &str| c_text(text).unwrap();
        let program = Program {
            program: text("sh"),
            args: vec![text("sh"), text("-c"), text("")],
            env: vec![text("A=b"), text("C=")],
            dir: text("/"),
            strict_dir: true,
            user: ProgramUser::Ids(0, 33),
        };
        let sysctl = NodeCommand::SetSysctl {
            path: "net/ipv4/ip_forward".into(),
            value: "1".into(),
        };
        for command in [
            NodeCommand::Run(Program {
                user: ProgramUser::RootShownAs(1, 2),
                ..program.clone()
            }),
            NodeCommand::Run(program),
            NodeCommand::Run(Program::default()),
            NodeCommand::SignalAll(9),
            sysctl,
            NodeCommand::Ping,
            NodeCommand::SetClock(ClockRule {
                reference: 1,
                shown: -2,
                rate: i64::MAX,
            }),
            NodeCommand::TerminateOrphans,
            NodeCommand::AdmitVisitors { process: 7 },
        ] {
            arrives(&command);
        }
    }

    #[test]
    fn a_program_may_have_a_long_environment() {
        let long = c_text("x".repeat(1 << 20)).unwrap();
        let command = NodeCommand::Run(Program {
            env: vec![long],
            ..Program::default()
        });
        assert_eq!(NodeCommand::decode(&command.encode()), Some(command));
    }

    #[test]
    fn replies_arrive_as_they_were_sent_and_fit_their_buffers() {
        let refused = Refused {
            step: "mount".into(),
            errno: Errno::EPERM,
        };
        for reply in [
            NodeReply::Cloned(7),
            NodeReply::Ready,
            NodeReply::Refused(refused),
            NodeReply::Note("a copy".into()),
        ] {
            arrives(&reply);
        }
        for reply in [
            ProcessReply::Runs(3),
            ProcessReply::Refused(2),
            ProcessReply::Ended(-1),
        ] {
            arrives(&reply);
            assert!(reply.encode().len() <= LONGEST_REPLY);
        }
        for reply in [CommandReply::Done, CommandReply::Refused(22)] {
            arrives(&reply);
            assert!(reply.encode().len() <= LONGEST_REPLY);
        }
        let long = NodeReply::Note("x".repeat(5000));
        assert!(long.encode().len() <= NodeReply::LONGEST);
    }
}
