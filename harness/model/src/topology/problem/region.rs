//! Regions that cannot be, and pairs of regions without a latency.

use std::error::Error;
use std::fmt;

use super::kind::TopologyErrorKind;
use crate::topology::name::show;

/// A mistake in regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RegionProblem {
    Twice {
        region: String,
    },
    UnknownInLatency {
        from: String,
        to: String,
        unknown: String,
    },
    LatencyWithin {
        region: String,
    },
    TwoLatencies {
        from: String,
        to: String,
    },
    NoLatency {
        from: String,
        to: String,
    },
}

impl RegionProblem {
    pub(crate) fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::Twice { .. } | Self::TwoLatencies { .. } => TopologyErrorKind::Conflict,
            Self::UnknownInLatency { .. } | Self::NoLatency { .. } => TopologyErrorKind::Missing,
            Self::LatencyWithin { .. } => TopologyErrorKind::Invalid,
        }
    }

    pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
        None
    }
}

impl fmt::Display for RegionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice { region } => write!(
                f,
                "there are two regions {}; each needs its own name",
                show(region)
            ),
            Self::UnknownInLatency { from, to, unknown } => write!(
                f,
                "the latency from {} to {}: there is no region {}",
                show(from),
                show(to),
                show(unknown)
            ),
            Self::LatencyWithin { region } => write!(
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
