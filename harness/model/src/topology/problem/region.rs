//! Mistakes in regions and in the latencies between regions.

use std::fmt;

use super::kind::{NounProblem, TopologyErrorKind};
use crate::topology::name::show;

/// A mistake in regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RegionProblem {
    /// Two regions have one name.
    NameTwice { region: String },
    /// A latency is between two regions of which one is not there.
    UnknownInLatency {
        from: String,
        to: String,
        unknown: String,
    },
    /// A latency is from a region to the same region.
    LatencyToItself { region: String },
    /// The way from one region to another has two latencies.
    TwoLatencies { from: String, to: String },
    /// The way from one region to another has no latency.
    NoLatency { from: String, to: String },
}

impl NounProblem for RegionProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::NameTwice { .. } | Self::TwoLatencies { .. } => TopologyErrorKind::Conflict,
            Self::UnknownInLatency { .. } | Self::NoLatency { .. } => TopologyErrorKind::Missing,
            Self::LatencyToItself { .. } => TopologyErrorKind::Invalid,
        }
    }
}

impl fmt::Display for RegionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTwice { region } => write!(
                f,
                "there are two regions {}; give each a name of its own",
                show(region)
            ),
            Self::UnknownInLatency { from, to, unknown } => write!(
                f,
                "the latency from {} to {}: there is no region {}",
                show(from),
                show(to),
                show(unknown)
            ),
            Self::LatencyToItself { region } => write!(
                f,
                "the latency from {} to itself: nodes of a region are on one switch; impair their \
                 links",
                show(region)
            ),
            Self::TwoLatencies { from, to } => write!(
                f,
                "the way from region {} to {} has two latencies; give it one by `latency`, which sets \
                 both ways, and at most one by `latency_one_way`, which comes before",
                show(from),
                show(to)
            ),
            Self::NoLatency { from, to } => write!(
                f,
                "there is no latency from region {} to {}; give one, or one for all with `others`",
                show(from),
                show(to)
            ),
        }
    }
}
