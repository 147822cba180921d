//! Things that a lab tries as a whole, and the purposes of its threads.

use std::fmt;

use crate::model::fault::Fault;

/// Something that a lab tried as a whole.
#[derive(Clone, Debug)]
pub(crate) enum LabAttempt {
    /// Start the lab.
    Start,
    /// Start the server of a disk.
    StartServer { name: String },
    /// Start a thread of the lab.
    StartThread(ThreadPurpose),
    /// Open the process of the test, to which the threads that visit nodes come back.
    OpenOwnProcess,
    /// Inject a fault.
    // The box keeps the other attempts small.
    Inject(Box<Fault>),
    /// Carry out an action of the test.
    CarryOut { action: String },
    /// Undo an action of the test.
    Undo { action: String },
    /// Take the schedule that a variable of the environment names.
    #[cfg(feature = "toml")]
    TakeSchedule { variable: &'static str },
    /// Carry out a schedule of faults.
    CarryOutSchedule,
}

/// The purpose of a thread of a lab.
#[derive(Clone, Debug)]
pub(crate) enum ThreadPurpose {
    /// The thread works in the node of this name.
    Visit { node: String },
    /// The thread keeps a fault in force. `does` goes on from "a thread that".
    Fault { does: &'static str },
    /// The thread waits until a program comes to a point.
    Point,
    /// The thread carries out a schedule of faults.
    Schedule,
    /// The thread is a service of some kind, such as `dns`, of the node of this name.
    Service { kind: String, node: String },
    /// The thread tells what a firewall drops.
    Firewall,
}

impl fmt::Display for LabAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start a lab"),
            Self::StartServer { name } => write!(f, "start `{name}`"),
            Self::StartThread(purpose) => write!(f, "start {purpose}"),
            Self::OpenOwnProcess => f.write_str("open the test's own process"),
            Self::Inject(fault) => write!(f, "inject the fault `{fault}`"),
            Self::CarryOut { action } => write!(f, "carry out the action `{action}`"),
            Self::Undo { action } => write!(f, "undo the action `{action}`"),
            #[cfg(feature = "toml")]
            Self::TakeSchedule { variable } => write!(f, "take the schedule that {variable} names"),
            Self::CarryOutSchedule => f.write_str("carry out a schedule of faults"),
        }
    }
}

impl fmt::Display for ThreadPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visit { node } => write!(f, "a thread for node `{node}`"),
            Self::Fault { does } => write!(f, "a thread that {does}"),
            Self::Point => f.write_str("a thread that waits for a point"),
            Self::Schedule => f.write_str("a thread for a schedule of faults"),
            Self::Service { kind, node } => write!(f, "the thread of {kind} {node}"),
            Self::Firewall => f.write_str("the thread of a firewall"),
        }
    }
}
