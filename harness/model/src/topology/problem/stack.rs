//! Mistakes in the settings of a network stack, and of the node that has the stack.

use std::fmt;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::NamedPart;
use crate::topology::name::{NameMistake, show};
use crate::topology::router::FirewallRule;

/// A mistake in a setting of a node or a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StackProblem {
    /// A container asks for a setting that its pod decides.
    PodSetting {
        node: NamedPart,
        setting: SettingOfPod,
    },
    /// A node maps a range of 0 ids.
    EmptyRangeOfUsers { node: NamedPart },
    /// An entry of the hosts file has a text that is no address.
    HostAddress { part: NamedPart, address: String },
    /// An entry of the hosts file has a name that breaks a rule for names.
    HostName {
        part: NamedPart,
        name: String,
        mistake: NameMistake,
    },
    /// A packet filter drops port 0.
    FilterOfPortZero { part: NamedPart },
    FilterTooLong {
        part: NamedPart,
        ports: usize,
        most: usize,
    },
    Firewall {
        part: NamedPart,
        mistake: FirewallMistake,
    },
    /// A router sets a code point that no header can have.
    CodePoint {
        part: NamedPart,
        point: u8,
        last: u8,
    },
    Sysctl {
        part: NamedPart,
        key: String,
        mistake: SysctlMistake,
    },
}

/// A setting that a container cannot have, since it shares the network stack of its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingOfPod {
    /// A setting of the network stack, an alias or an entry of the hosts file.
    Network,
    /// Users of the container's own.
    Users,
    NameServer,
    /// A client or a server of DHCP, or router advertisements.
    Addresses,
    /// A client of 464XLAT.
    Clat,
}

/// A mistake in a firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FirewallMistake {
    TooManyRules {
        count: usize,
        most: usize,
    },
    Rule {
        rule: Box<FirewallRule>,
        mistake: RuleMistake,
    },
}

/// A mistake in a rule of a firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuleMistake {
    /// A rule with ports is about neither TCP nor UDP.
    PortsWithoutProtocol,
    /// The list of ports is empty.
    NoPorts,
    /// A range of ports begins at 0, or ends before it begins.
    PortRange { first: u16, last: u16 },
    /// A text is no network.
    NotANetwork(String),
    /// The networks of the source and of the destination are of different families.
    FamiliesDiffer { from: String, to: String },
    /// No packet goes to the unspecified address.
    ToUnspecified(String),
    /// The name of a rule is empty, is too long or has a NUL in it.
    NameLength { most: usize },
}

/// A mistake in a sysctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SysctlMistake {
    NotAKey,
    /// The setting is that of the machine, not of a namespace.
    MachineWide,
    NoValue,
}

impl NounProblem for StackProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::PodSetting { .. } => TopologyErrorKind::Misplaced,
            Self::EmptyRangeOfUsers { .. }
            | Self::HostAddress { .. }
            | Self::HostName { .. }
            | Self::FilterOfPortZero { .. }
            | Self::FilterTooLong { .. }
            | Self::Firewall { .. }
            | Self::CodePoint { .. }
            | Self::Sysctl { .. } => TopologyErrorKind::Invalid,
        }
    }
}

impl fmt::Display for StackProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PodSetting { node, setting } => write!(f, "{node} is a container{setting}"),
            Self::EmptyRangeOfUsers { node } => {
                write!(f, "{node} maps a range of no ids; 65536 is usual")
            }
            Self::HostAddress { part, address } => {
                write!(
                    f,
                    "hosts of {part}: {} is not an address; write it like `10.0.0.1`",
                    show(address)
                )
            }
            Self::HostName {
                part,
                name,
                mistake,
            } => {
                write!(f, "hosts of {part}: name {} {mistake}", show(name))
            }
            Self::FilterOfPortZero { part } => write!(
                f,
                "the packet filter of {part} has port 0, which no packet can be sent to; ports are \
                 1 to 65535"
            ),
            Self::FilterTooLong { part, ports, most } => write!(
                f,
                "the packet filter of {part} has {ports} ports; a node can drop at most {most}"
            ),
            Self::Firewall { part, mistake } => write!(f, "the firewall of {part} {mistake}"),
            Self::CodePoint { part, point, last } => write!(
                f,
                "{part} sets the code point {point} of differentiated services, which no header \
                 has; code points are 0 to {last}"
            ),
            Self::Sysctl { part, key, mistake } => {
                write!(f, "sysctl {} of {part} {mistake}", show(key))
            }
        }
    }
}

/// Tells the setting as the rest of a sentence that ends with "is a container" so far.
impl fmt::Display for SettingOfPod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => {
                "; aliases, hosts, sysctls and forwarding are its pod's: ask them of the pod"
            }
            Self::Users => {
                ", and cannot have users of its own: its network is its pod's, whose users are the \
                 trial's"
            }
            Self::NameServer => ", and cannot be a name server; ask it of a node",
            Self::Addresses => {
                ", whose addresses are its pod's; ask for DHCP and advertisements at a node"
            }
            Self::Clat => ", and cannot be a client of 464XLAT; ask it of a node",
        })
    }
}

/// Tells the mistake as the rest of a sentence that begins with the firewall.
impl fmt::Display for FirewallMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRules { count, most } => {
                write!(f, "has {count} rules; it can have at most {most}")
            }
            Self::Rule { rule, mistake } => write!(f, "has the rule `{rule}`, {mistake}"),
        }
    }
}

/// Tells the mistake as a clause about the rule.
impl fmt::Display for RuleMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortsWithoutProtocol => {
                f.write_str("which has ports but neither TCP nor UDP; add `.tcp()` or `.udp()`")
            }
            Self::NoPorts => {
                f.write_str("whose list of ports is empty; leave the ports out to mean all of them")
            }
            Self::PortRange { first, last } => write!(
                f,
                "whose ports {first} to {last} are no range; ports are 1 to 65535, the first \
                 before the last"
            ),
            Self::NotANetwork(text) => write!(
                f,
                "which has `{}`, which is no network; write it like `10.0.0.0/8`",
                text.escape_debug()
            ),
            Self::FamiliesDiffer { from, to } => write!(
                f,
                "which no packet fits: `{from}` and `{to}` are of different families; write a \
                 rule for each family"
            ),
            Self::ToUnspecified(to) => write!(
                f,
                "which no packet fits: none goes to `{to}`; write `{to}/0` for all addresses"
            ),
            Self::NameLength { most } => write!(
                f,
                "whose name does not have 1 to {most} bytes; give it a shorter one with `.name(…)`"
            ),
        }
    }
}

/// Tells the mistake as the rest of a sentence that begins with the sysctl.
impl fmt::Display for SysctlMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAKey => "is not a key; write it like `net.ipv4.ip_forward`",
            Self::MachineWide => {
                "is the whole machine's, which tests cannot change; only those of a namespace, \
                 such as `net.…`, can be set"
            }
            Self::NoValue => "has no value; give it one",
        })
    }
}
