//! Mistakes in links, and changes of what a running lab has in use.

use std::error::Error;
use std::fmt;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::{LinkEnd, LinkLabel, NamedPart};
use crate::direction::Direction;
use crate::impair::ImpairmentError;
use crate::topology::link::{Mac, MacError};
use crate::topology::name::{NameMistake, show};

/// A mistake in a link or an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkProblem {
    /// Both ends are in one network stack.
    JoinsItself {
        link: LinkLabel,
        part: NamedPart,
    },
    JoinsSwitchToItself {
        link: LinkLabel,
        switch: String,
    },
    LoopOfSwitches {
        link: LinkLabel,
    },
    /// A link into a switch asks for subnets or families.
    SettingsOfSwitch {
        link: LinkLabel,
        switch: String,
    },
    /// Two switches that a link joins ask for different families.
    FamiliesDiffer {
        switches: [String; 2],
    },
    Mtu {
        part: NamedPart,
        mtu: u32,
        least: u32,
        most: u32,
    },
    /// An MTU is too small for a link with IPv6.
    MtuOfIpv6 {
        part: NamedPart,
        mtu: u32,
        least: u32,
    },
    Impairment {
        link: LinkLabel,
        /// The direction, unless both are impaired alike.
        direction: Option<Direction>,
        wrong: ImpairmentError,
    },
    /// The end in a switch asks for a name or an address.
    PortOfSwitch {
        end: LinkEnd,
    },
    InterfaceName {
        end: LinkEnd,
        name: String,
        mistake: NameMistake,
    },
    InterfaceNameTwice {
        node: String,
        name: String,
    },
    Mac {
        end: LinkEnd,
        wrong: MacError,
    },
    /// Two interfaces of one segment have one MAC address.
    MacTwice {
        links: [LinkLabel; 2],
        mac: Mac,
    },
}

impl NounProblem for LinkProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::JoinsItself { .. }
            | Self::JoinsSwitchToItself { .. }
            | Self::LoopOfSwitches { .. } => TopologyErrorKind::Wiring,
            Self::SettingsOfSwitch { .. } | Self::PortOfSwitch { .. } => {
                TopologyErrorKind::Misplaced
            }
            Self::FamiliesDiffer { .. }
            | Self::InterfaceNameTwice { .. }
            | Self::MacTwice { .. } => TopologyErrorKind::Conflict,
            Self::Mtu { .. }
            | Self::MtuOfIpv6 { .. }
            | Self::Impairment { .. }
            | Self::InterfaceName { .. }
            | Self::Mac { .. } => TopologyErrorKind::Invalid,
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Impairment { wrong, .. } => Some(wrong),
            Self::Mac { wrong, .. } => Some(wrong),
            Self::JoinsItself { .. }
            | Self::JoinsSwitchToItself { .. }
            | Self::LoopOfSwitches { .. }
            | Self::SettingsOfSwitch { .. }
            | Self::FamiliesDiffer { .. }
            | Self::Mtu { .. }
            | Self::MtuOfIpv6 { .. }
            | Self::PortOfSwitch { .. }
            | Self::InterfaceName { .. }
            | Self::InterfaceNameTwice { .. }
            | Self::MacTwice { .. } => None,
        }
    }
}

impl fmt::Display for LinkProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JoinsItself { link, part } => write!(
                f,
                "link {link} joins {part} to itself; a cable needs two ends"
            ),
            Self::JoinsSwitchToItself { link, switch } => {
                write!(
                    f,
                    "link {link} joins switch {} to itself; a cable needs two ends",
                    show(switch)
                )
            }
            Self::LoopOfSwitches { link } => write!(
                f,
                "link {link} closes a loop of switches, in which a broadcast would go round for \
                 ever; leave it out"
            ),
            Self::SettingsOfSwitch { link, switch } => write!(
                f,
                "link {link}: subnets and families are the switch's; ask them of {}",
                show(switch)
            ),
            Self::FamiliesDiffer { switches: [a, b] } => write!(
                f,
                "switches {} and {} are joined but ask for different families; ask for \
                 the same ones at both",
                show(a),
                show(b)
            ),
            Self::Mtu {
                part,
                mtu,
                least,
                most,
            } => write!(
                f,
                "MTU {mtu} of {part} is out of range; an MTU is {least} to {most}"
            ),
            Self::MtuOfIpv6 { part, mtu, least } => write!(
                f,
                "MTU {mtu} of {part} is too small for IPv6, which needs {least}; ask for \
                 Families::V4 there"
            ),
            Self::Impairment {
                link,
                direction: None,
                wrong,
            } => write!(f, "link {link}: {wrong}"),
            Self::Impairment {
                link,
                direction: Some(direction),
                wrong,
            } => write!(f, "link {link}, {direction}: {wrong}"),
            Self::PortOfSwitch { end } => write!(
                f,
                "{end} is a switch, whose port has no name, MAC or address to ask for; \
                 leave them out"
            ),
            Self::InterfaceName { end, name, mistake } => {
                write!(f, "interface name {} at {end} {mistake}", show(name))
            }
            Self::InterfaceNameTwice { node, name } => write!(
                f,
                "node {} has two interfaces named {}; each needs its own",
                show(node),
                show(name)
            ),
            Self::Mac { end, wrong } => write!(f, "MAC at {end}: {wrong}"),
            Self::MacTwice { links: [a, b], mac } => write!(
                f,
                "links {a} and {b} both have an interface with MAC `{mac}` on the same segment; \
                 choose another"
            ),
        }
    }
}

/// A change of what a running lab has in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChangeProblem {
    /// A running lab has the link.
    Link { link: String },
    /// A running node has something that is to become another thing, to come or to go.
    Node { node: String, part: NodePart },
    /// An upgrade of a node changes a setting that no upgrade can change, by the setting's name.
    Upgrade { node: String, setting: &'static str },
}

/// A part of a node that cannot change while the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodePart {
    Pids,
    Rootfs,
    Users,
    Clock,
    Mounts,
    Commands,
    Translation,
    Dhcp,
    AddressSource,
    Dns,
    Dhcp6,
    Advertise,
}

impl NodePart {
    /// Returns the setting of the node in a topology's text.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Pids => "share_pid",
            Self::Rootfs => "rootfs",
            Self::Users => "users",
            Self::Clock => "faulty_clock",
            Self::Mounts => "mounts",
            Self::Commands => "commands",
            Self::Translation => "network",
            Self::Dhcp => "dhcp",
            Self::AddressSource => "addresses",
            Self::Dns => "dns",
            Self::Dhcp6 => "dhcp6",
            Self::Advertise => "advertise",
        }
    }
}

impl fmt::Display for NodePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pids => "its PID namespace cannot change",
            Self::Rootfs => "its root filesystem cannot change",
            Self::Users => "its user ids cannot change",
            Self::Clock => "it cannot get or lose a clock with faults",
            Self::Mounts => "its mounts and volumes cannot change",
            Self::Commands => "its commands cannot change",
            Self::Translation => "its NAT64 and its client of 464XLAT cannot change",
            Self::Dhcp => "its DHCP server cannot come, go or change",
            Self::AddressSource => "the source of its addresses cannot change",
            Self::Dns => "it cannot begin or cease to have a name server",
            Self::Dhcp6 => "it cannot begin or cease to have a DHCPv6 server",
            Self::Advertise => "it cannot begin or cease to advertise itself as a router",
        })
    }
}

impl NounProblem for ChangeProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::Link { .. } | Self::Node { .. } | Self::Upgrade { .. } => {
                TopologyErrorKind::InUse
            }
        }
    }
}

impl fmt::Display for ChangeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { link } => write!(
                f,
                "link `{link}` is in use and cannot change; add another link beside it"
            ),
            Self::Node { node, part } => write!(
                f,
                "node `{node}` runs, and {part}; start another lab, or add another node beside it"
            ),
            Self::Upgrade { node, setting } => write!(
                f,
                "an upgrade of node `{node}` changes its root filesystem and its commands, and \
                 not its `{setting}`; give it the same `{setting}` as at the start"
            ),
        }
    }
}
