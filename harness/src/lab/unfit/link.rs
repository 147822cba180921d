//! Reasons why a link cannot do what is asked of it.

use std::fmt;
use std::time::Duration;

use crate::lab::error_kind::LabErrorKind;
use crate::lab::unfit::kind::UnfitSubject;
use crate::model::fault::Fault;
use crate::model::impair::text::show_duration;
use crate::netem::Unsupported;

/// The reason why a link cannot do what is asked of it.
#[derive(Debug)]
pub(crate) enum UnfitLink {
    /// The end is no port of a bridge.
    NoBridge,
    /// The period in which the link would flap is too short.
    FlapTooFast(Duration),
    /// The link does not lead from a node to a switch, so that it has no port that could move.
    NoPort,
    /// The test asked for netem, which cannot do something: a noun.
    NetemOnly { feature: &'static str },
    /// This kernel lacks netem.
    NoNetem,
    /// netem cannot do what a direction of the link asks for.
    BeyondNetem(Unsupported),
    /// TAP devices cannot carry the link. Packets of a TAP device have at most this MTU.
    NoTap { largest: u32 },
    /// Something stands on both interfaces that a new interface would not have.
    InUse {
        /// What stands on the interface of each end, in words.
        on: [Vec<String>; 2],
    },
}

impl UnfitSubject for UnfitLink {
    fn kind(&self) -> LabErrorKind {
        match self {
            Self::NoBridge => LabErrorKind::Other,
            Self::FlapTooFast(_) | Self::NoPort => LabErrorKind::InvalidArgument,
            // Another engine can do each of these, and the sentences name that engine.
            Self::NetemOnly { .. }
            | Self::NoNetem
            | Self::BeyondNetem(_)
            | Self::NoTap { .. }
            | Self::InUse { .. } => LabErrorKind::NotSupported,
        }
    }
}

impl fmt::Display for UnfitLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBridge => f.write_str("has no bridge"),
            Self::FlapTooFast(period) => write!(
                f,
                "cannot flap with a period of {}; give {} at least",
                show_duration(*period),
                show_duration(Fault::SHORTEST_FLAP)
            ),
            Self::NoPort => {
                f.write_str("does not lead from a node to a switch; only such a cable can be moved")
            }
            Self::NetemOnly { feature } => write!(
                f,
                "was asked to be carried by netem, which knows no {feature}; take `Engine::Auto` \
                 or `Engine::Wire`"
            ),
            Self::NoNetem => f.write_str(
                "cannot be carried by netem: this kernel has none (modules sch_netem and \
                 sch_tbf); take `Engine::Auto` or `Engine::Wire`",
            ),
            Self::BeyondNetem(unsupported) => write!(
                f,
                "cannot be carried by netem: {unsupported}; take `Engine::Auto` or `Engine::Wire`"
            ),
            Self::NoTap { largest } => write!(
                f,
                "cannot be carried over TAP devices: /dev/net/tun cannot be opened here, or the \
                 MTU of the link is above {largest}; take `Engine::Wire`"
            ),
            Self::InUse { on: [on_a, on_b] } => write!(
                f,
                "cannot get another carrier while it is in use: one of its two interfaces would \
                 be made anew, and on both stands what would be lost ({}; {}); ask for the \
                 carrier in the topology, by `LinkSpec::new().engine(Engine::Wire)`, or put a \
                 switch between the nodes",
                on_a.join(", "),
                on_b.join(", ")
            ),
        }
    }
}
