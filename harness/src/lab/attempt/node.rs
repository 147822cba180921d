//! Things that a lab tries with nodes.

use std::fmt;
use std::path::PathBuf;

use crate::lab::attempt::Attempt;
use crate::sandbox::refused::SetupStep;

/// Something that a lab tried with a node.
// An attempt is cloned where one attempt has several ways to fail.
#[derive(Clone, Debug)]
pub(crate) enum NodeAttempt {
    /// Ask the trial's init for the node.
    AskFor,
    /// Make the node: the step that failed, where there is one.
    Make(Option<SetupStep>),
    /// Get an answer from the first process.
    HearFrom,
    /// Wait until the node has its addresses.
    Start,
    Restart,
    Pause,
    Resume,
    Crash,
    KillProcesses,
    /// Do something in the node.
    Enter,
    /// Wait for a future in the node.
    #[cfg(feature = "tokio")]
    Wait,
    /// Run a program.
    Run {
        program: String,
    },
    /// End a program.
    EndProgram,
    /// End all programs.
    EndPrograms,
    /// Write a sysctl, named by its path below `/proc/sys`.
    SetSysctl {
        path: String,
        value: String,
    },
    ChangeClock,
    /// Lower a limit of a process.
    LowerLimit {
        pid: i32,
    },
    ListProcesses,
    LookAtProcesses,
    LookAtNamespaces,
    /// Read the settings of the network.
    LookAtSettings,
    /// Start a runtime of tokio.
    #[cfg(feature = "tokio")]
    StartRuntime,
    /// Open a socket for requests of rtnetlink.
    #[cfg(feature = "rtnetlink")]
    OpenNetlink,
    /// Make the socket on which a program tells that it is ready.
    MakeReadiness {
        program: String,
    },
    FindInterface {
        name: String,
    },
    /// Find a file that the node mounts.
    FindMounted {
        path: PathBuf,
    },
    /// Wait for an address of IPv6.
    AwaitIpv6,
    /// Open the sockets of a service, named as its user knows them.
    OpenSockets {
        sockets: String,
    },
    /// Open the far end of a translation, named by its kind.
    OpenFarEnd {
        kind: String,
    },
}

impl NodeAttempt {
    /// Names the node with which the thing was tried.
    pub(crate) fn with(self, node: &str) -> Attempt {
        Attempt::Node(self, node.to_owned())
    }

    /// Shows the attempt, as a verb with its object.
    pub(super) fn show(&self, node: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AskFor => write!(f, "ask for node `{node}`"),
            Self::Make(None) => write!(f, "make node `{node}`"),
            // The trial's init makes nodes, and sends the step that failed as data.
            Self::Make(Some(step)) => write!(f, "make node `{node}`: {step}"),
            Self::HearFrom => write!(f, "hear from node `{node}`"),
            Self::Start => write!(f, "start node `{node}`"),
            Self::Restart => write!(f, "restart node `{node}`"),
            Self::Pause => write!(f, "pause node `{node}`"),
            Self::Resume => write!(f, "resume node `{node}`"),
            Self::Crash => write!(f, "crash node `{node}`"),
            Self::KillProcesses => write!(f, "kill the processes of node `{node}`"),
            Self::Enter => write!(f, "enter node `{node}`"),
            #[cfg(feature = "tokio")]
            Self::Wait => write!(f, "wait in node `{node}`"),
            Self::Run { program } => write!(f, "run `{program}` on `{node}`"),
            Self::EndProgram => write!(f, "end a program on `{node}`"),
            Self::EndPrograms => write!(f, "end the programs of `{node}`"),
            Self::SetSysctl { path, value } => {
                write!(f, "set sysctl `{path}` to {value} on node `{node}`")
            }
            Self::ChangeClock => write!(f, "change the clock of node `{node}`"),
            Self::LowerLimit { pid } => {
                write!(f, "lower a limit of process {pid} of node `{node}`")
            }
            Self::ListProcesses => write!(f, "list the processes of node `{node}`"),
            Self::LookAtProcesses => write!(f, "look at the processes of node `{node}`"),
            Self::LookAtNamespaces => write!(f, "look at the namespaces of node `{node}`"),
            Self::LookAtSettings => write!(f, "look at the settings of node `{node}`"),
            #[cfg(feature = "tokio")]
            Self::StartRuntime => write!(f, "start a runtime in node `{node}`"),
            #[cfg(feature = "rtnetlink")]
            Self::OpenNetlink => write!(f, "open a netlink socket in `{node}`"),
            Self::MakeReadiness { program } => {
                write!(f, "make a socket for the readiness of `{program}`")
            }
            Self::FindInterface { name } => write!(f, "find interface `{name}` of node `{node}`"),
            Self::FindMounted { path } => {
                write!(f, "find `{}`, which node `{node}` mounts", path.display())
            }
            Self::AwaitIpv6 => write!(f, "wait for an IPv6 address of node `{node}`"),
            Self::OpenSockets { sockets } => write!(f, "open {sockets} in node `{node}`"),
            Self::OpenFarEnd { kind } => {
                write!(f, "open the far end of `{kind}` in node `{node}`")
            }
        }
    }
}
