//! Uplinks that lead nowhere, and mistakes in translations of IPv4 and in routes.

use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use snowglobe_text::in_backticks;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::{LinkLabel, NamedPart};
use crate::nat::NatProblem;
use crate::packet::ip::IpVersion;
use crate::portmap::PortMappingProblem;
use crate::topology::name::show;
use crate::topology::subnet::Subnet;

/// A mistake in a router, or in the way from a stack to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouterProblem {
    /// A node or a pod that is no router has a captive portal.
    PortalWithoutRouter {
        part: NamedPart,
    },
    NatWithoutUplink {
        router: NamedPart,
    },
    FirewallWithoutUplink {
        router: NamedPart,
    },
    /// A NAT that works on the wire has an uplink that netem is to carry.
    NatOnNetem {
        router: NamedPart,
    },
    Nat {
        router: NamedPart,
        wrong: NatProblem,
    },
    /// A router gives ports to hosts that ask, and translates no addresses.
    PortMappingWithoutNat {
        router: NamedPart,
    },
    PortMapping {
        router: NamedPart,
        wrong: PortMappingProblem,
    },
    /// The networks on both sides of a translation are joined elsewhere.
    NatBypassed {
        router: NamedPart,
    },
    /// No router is at the other end of an uplink.
    UplinkToNoRouter {
        router: NamedPart,
        link: LinkLabel,
    },
    /// Each of some routers has its uplink to another of them, and none has a way out.
    CircleOfUplinks {
        router: NamedPart,
        /// The families that have no way out.
        versions: Vec<IpVersion>,
    },
    /// Two default routes have one metric.
    SameMetric {
        part: NamedPart,
        metric: u32,
    },
    /// An address of a NAT's pool is in no subnet of an uplink.
    PoolOutsideUplinks {
        router: NamedPart,
        address: Ipv4Addr,
    },
    /// An interface has an address of a NAT's pool.
    PoolTaken {
        router: NamedPart,
        address: Ipv4Addr,
        interface: String,
        link: LinkLabel,
    },
    /// A port is forwarded to an address that no host behind the router can have.
    UnreachableForward(UnreachableForward),
    /// A route that was given by hand has a mistake.
    Route {
        part: NamedPart,
        to: String,
        mistake: RouteMistake,
    },
}

/// Packets that a NAT leads to an address that no host behind the router can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnreachableForward {
    pub(crate) router: NamedPart,
    pub(crate) led: LedInside,
    /// The networks behind the router.
    pub(crate) behind: Vec<Subnet>,
}

/// Packets that a NAT leads inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LedInside {
    /// Packets for a forwarded port.
    Port { port: u16, to: SocketAddrV4 },
    /// Packets that nobody asked for.
    Unsolicited { to: Ipv4Addr },
}

impl LedInside {
    pub(crate) fn to(self) -> Ipv4Addr {
        match self {
            Self::Port { port: _, to } => *to.ip(),
            Self::Unsolicited { to } => to,
        }
    }
}

/// A mistake in a route that was given by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteMistake {
    /// A text is no network.
    NotANetwork(String),
    /// The destination and the source of a route are of different families.
    FamiliesDiffer,
    /// A route leads over a node that is no neighbour.
    NoNeighbour {
        via: String,
        version: IpVersion,
        /// Some of the neighbours that there are.
        neighbours: Vec<String>,
    },
    /// Another route by hand has the same destination, source and metric.
    Twice,
    /// A route leads to a network on which the node itself is.
    OwnNetwork,
    /// The automatic route to the same destination has the same metric.
    MetricOfAutomatic(u32),
}

impl NounProblem for RouterProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::PortalWithoutRouter { .. } => TopologyErrorKind::Misplaced,
            Self::NatWithoutUplink { .. }
            | Self::FirewallWithoutUplink { .. }
            | Self::PortMappingWithoutNat { .. }
            | Self::UplinkToNoRouter { .. } => TopologyErrorKind::Missing,
            Self::NatOnNetem { .. } | Self::SameMetric { .. } | Self::PoolTaken { .. } => {
                TopologyErrorKind::Conflict
            }
            Self::Nat { .. }
            | Self::PortMapping { .. }
            | Self::PoolOutsideUplinks { .. }
            | Self::UnreachableForward(_) => TopologyErrorKind::Invalid,
            Self::NatBypassed { .. } | Self::CircleOfUplinks { .. } => TopologyErrorKind::Wiring,
            Self::Route { mistake, .. } => match mistake {
                RouteMistake::NotANetwork(_) | RouteMistake::FamiliesDiffer => {
                    TopologyErrorKind::Invalid
                }
                RouteMistake::NoNeighbour { .. } => TopologyErrorKind::Missing,
                RouteMistake::Twice
                | RouteMistake::OwnNetwork
                | RouteMistake::MetricOfAutomatic(_) => TopologyErrorKind::Conflict,
            },
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Nat { wrong, .. } => Some(wrong),
            Self::PortMapping { wrong, .. } => Some(wrong),
            Self::PortalWithoutRouter { .. }
            | Self::NatWithoutUplink { .. }
            | Self::FirewallWithoutUplink { .. }
            | Self::PortMappingWithoutNat { .. }
            | Self::UplinkToNoRouter { .. }
            | Self::NatOnNetem { .. }
            | Self::SameMetric { .. }
            | Self::PoolTaken { .. }
            | Self::PoolOutsideUplinks { .. }
            | Self::UnreachableForward(_)
            | Self::NatBypassed { .. }
            | Self::CircleOfUplinks { .. }
            | Self::Route { .. } => None,
        }
    }
}

impl fmt::Display for RouterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortalWithoutRouter { part } => write!(
                f,
                "{part} has a captive portal but is no router; give it to `topology.router(…)`, in \
                 a file to a `[[router]]`"
            ),
            Self::NatWithoutUplink { router } => {
                write!(
                    f,
                    "{router} translates addresses but has no uplink; {UPLINK}"
                )
            }
            Self::FirewallWithoutUplink { router } => write!(
                f,
                "{router} has a firewall, which stands at uplinks of a router, but no uplink; \
                 {UPLINK}"
            ),
            Self::NatOnNetem { router } => write!(
                f,
                "the NAT of {router} works on a wire, and its uplink is to be carried by netem; \
                 take `Engine::Auto` or `Engine::Wire`"
            ),
            Self::Nat { router, wrong } => write!(f, "the NAT of {router} cannot be made: {wrong}"),
            Self::PortMappingWithoutNat { router } => write!(
                f,
                "{router} gives ports to hosts that ask, and translates no addresses; give it a \
                 NAT with `RouterSpec::nat`, or leave `port_mapping` out"
            ),
            Self::PortMapping { router, wrong } => {
                write!(f, "the port mapping of {router} cannot be made: {wrong}")
            }
            Self::NatBypassed { router } => write!(
                f,
                "{router} translates addresses between networks that are joined elsewhere too; let \
                 one way lead out, or leave the translation out"
            ),
            Self::UplinkToNoRouter { router, link } => write!(
                f,
                "the uplink of {router} over link {link} leads to no router; lead it to \
                 `topology.router(…)` (in a file: `[[router]]`) or `topology.internet()`, or to a \
                 switch that has one"
            ),
            Self::CircleOfUplinks { router, versions } => {
                let versions = versions.iter().map(|it| it.name());
                let versions = versions.collect::<Vec<_>>().join(" and ");
                write!(
                    f,
                    "the uplinks of {router} lead in a circle without a way out for {versions}; \
                     give a router of the circle an uplink with {versions} to \
                     `topology.internet()`, or make one uplink of the circle a `topology.link(…)`"
                )
            }
            Self::SameMetric { part, metric } => write!(
                f,
                "{part} has two default routes with metric {metric}; give one of its links another \
                 metric"
            ),
            Self::PoolOutsideUplinks { router, address } => write!(
                f,
                "the NAT of {router} has `{address}` in its pool, which is in no subnet of an \
                 uplink of the router, so that no packet would find it; take addresses of the \
                 uplink's network"
            ),
            Self::PoolTaken {
                router,
                address,
                interface,
                link,
            } => write!(
                f,
                "the NAT of {router} has `{address}` in its pool, which interface {interface} at \
                 link {link} has already; choose another"
            ),
            Self::UnreachableForward(forward) => write!(f, "{forward}"),
            Self::Route { part, to, mistake } => {
                write!(f, "the route of {part} to {} {mistake}", show(to))
            }
        }
    }
}

impl fmt::Display for UnreachableForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            router,
            led,
            behind,
        } = self;
        write!(f, "the NAT of {router} ")?;
        match led {
            LedInside::Port { port, to } => write!(f, "forwards port {port} to `{to}`")?,
            LedInside::Unsolicited { to } => write!(f, "leads unsolicited packets to `{to}`")?,
        }
        f.write_str(", an address that no host behind the router can have; ")?;
        match behind.is_empty() {
            true => f.write_str("give the router a network with IPv4 behind it"),
            false => write!(
                f,
                "take an address of a network there: {}",
                in_backticks(behind)
            ),
        }
    }
}

/// The way to give a router an uplink.
const UPLINK: &str = "add one with `topology.uplink(router, internet)`, in a file with \
                      `uplink = true` at a `[[link]]`";

/// Tells the mistake as the rest of a sentence that begins with the route.
impl fmt::Display for RouteMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANetwork(text) => write!(
                f,
                "has {}, which is no network; write it like `10.0.0.0/8`",
                show(text)
            ),
            Self::FamiliesDiffer => f.write_str(
                "comes from a network of the other family; give two networks of one family",
            ),
            Self::NoNeighbour {
                via,
                version,
                neighbours,
            } => {
                let neighbours: Vec<_> = neighbours.iter().map(|name| show(name)).collect();
                let neighbours = match &neighbours[..] {
                    [] => "none".to_owned(),
                    some => some.join(", "),
                };
                write!(
                    f,
                    "cannot exist: it leads over {}, which is no neighbour with an {} address; \
                     neighbours are {neighbours}",
                    show(via),
                    version.name()
                )
            }
            Self::Twice => f.write_str(
                "is there twice, by different ways; give each a metric of its own, or leave one out",
            ),
            Self::OwnNetwork => f.write_str(
                "cannot exist: the node is on that network itself; leave the route out, or give a \
                 part of the network",
            ),
            Self::MetricOfAutomatic(metric) => write!(
                f,
                "has metric {metric}, as the automatic route there has; give it another one, or \
                 none to take the place of the automatic route"
            ),
        }
    }
}
