//! A wire's settings as one value: everything that has to be known before its first packet.

use std::sync::Arc;

use super::uplink_nat::UplinkNat;
use crate::model::impair::Impairment;

/// Settings of a wire that is about to be started.
pub(crate) struct WireSpec {
    /// Name of the link, for packets' records and for messages.
    pub(crate) name: Arc<str>,
    /// Seed of the link, derived from the trial's seed and the link's name.
    pub(crate) seed: u64,
    /// Validated impairments, by the index of the direction.
    pub(crate) impairments: [Impairment; 2],
    /// Whether a direction is cut from the first frame on, by the index of the direction.
    pub(crate) cut: [bool; 2],
    /// Whether the worker busy-waits for the last part of a wait. Packets then come out at more
    /// exact times, and a core is busy while packets are in flight.
    pub(crate) spin: bool,
    /// The NAT of the router at the first end, if the link is an uplink.
    pub(crate) nat: Option<Arc<UplinkNat>>,
}
