//! Things that a lab tries with network namespaces, interfaces and links.

use std::fmt;

/// Something that a lab tried with a network namespace, an interface or a link.
///
/// `whose` says to whom a namespace belongs: ``node `bob` ``.
#[derive(Clone, Debug)]
pub(crate) enum NetworkAttempt {
    /// Look up the network namespace of the calling thread.
    LookUpOwn,
    /// Enter a network namespace.
    Enter { whose: String },
    /// Make a network namespace.
    Make { for_what: String },
    /// Start a stack that had no power.
    PowerOn { whose: String },
    /// Write a sysctl, named by its path below `/proc/sys`.
    SetSysctl {
        path: String,
        value: String,
        whose: String,
    },
    /// Read the tables of sockets.
    LookAtSockets { whose: String },
    /// Look at the namespace of the switches.
    LookAtSwitches,
    /// Tell the neighbours of an interface of its addresses.
    SendFrom { whose: String },
    /// Bind the sockets of services to an interface that was made anew.
    BindAgain { whose: String },
    /// Read what waits at an end of a link.
    ReadEnd { link: String },
    /// Make a TAP device. `call` is the system call that failed.
    MakeTap {
        name: String,
        call: String,
        whose: String,
    },
    /// Open a packet socket for the wire of a link.
    OpenPacketSocket { link: String },
    /// Start the wire of a link.
    Carry { link: String },
    /// Capture an interface or a link, named by its label.
    Capture { label: String },
    /// Reach a node.
    ReachNode,
    /// Ask a router to advertise itself.
    AskRouter,
    /// Make the sockets of a firewall.
    MakeFirewallSockets,
    /// Serve the page of a captive portal.
    ServePortal,
}

impl fmt::Display for NetworkAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookUpOwn => f.write_str("look up the thread's network namespace"),
            Self::Enter { whose } => write!(f, "enter the network namespace of {whose}"),
            Self::Make { for_what } => write!(f, "make a network namespace for {for_what}"),
            // A user starts a node; stacks are a matter of the lab.
            Self::PowerOn { whose } => write!(f, "start {whose}"),
            // sysctl(8) takes paths with slashes as well.
            Self::SetSysctl { path, value, whose } => {
                write!(f, "set sysctl `{path}` to {value} on {whose}")
            }
            // The nodes of a pod share one network namespace, and so its tables of sockets.
            Self::LookAtSockets { whose } => write!(f, "look at the sockets around {whose}"),
            Self::LookAtSwitches => f.write_str("look at the namespace of the switches"),
            Self::SendFrom { whose } => write!(f, "send from {whose}"),
            Self::BindAgain { whose } => {
                write!(f, "bind the sockets of services on {whose} again")
            }
            Self::ReadEnd { link } => write!(f, "read from an end of link `{link}`"),
            // Several calls make a TAP device; the call tells which of them was refused.
            Self::MakeTap { name, call, whose } => {
                write!(f, "make the TAP device `{name}` ({call}), in {whose}")
            }
            Self::OpenPacketSocket { link } => {
                write!(f, "open a packet socket for link `{link}`")
            }
            Self::Carry { link } => write!(f, "carry link `{link}`"),
            Self::Capture { label } => write!(f, "capture `{label}`"),
            Self::ReachNode => f.write_str("reach the node"),
            Self::AskRouter => f.write_str("ask a router to advertise itself"),
            Self::MakeFirewallSockets => f.write_str("make the sockets of a firewall"),
            Self::ServePortal => f.write_str("serve the page of the captive portal"),
        }
    }
}
