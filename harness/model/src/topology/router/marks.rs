//! The marks of packets that are forwarded: the two parts of the traffic class in the IP header.

use snowglobe_derive::{Deserialize, Serialize};

/// The greatest code point of differentiated services, which has six bits (RFC 2474, section 3).
pub(crate) const LAST_DSCP: u8 = 63;

/// Treatment by a router of the code point of differentiated services (DSCP, RFC 2474) in packets
/// that it forwards, each way.
///
/// In TOML: `dscp = "bleach"`, or `dscp = { set = 46 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dscp {
    /// The code point passes.
    #[default]
    Keep,
    /// The code point becomes 0, best effort, as many networks have it (RFC 9435 calls this
    /// "Bleach-DSCP").
    Bleach,
    /// The code point becomes this one, from 0 to 63.
    Set(u8),
}

/// Treatment by a router of the two bits of explicit congestion notification (ECN, RFC 3168) in
/// packets that it forwards, each way.
///
/// In TOML: `ecn = "bleach"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ecn {
    /// The bits pass.
    #[default]
    Keep,
    /// The bits become 0, "not ECN-capable". Senders that count on ECN have to find that out (RFC
    /// 9000, section 13.4.2).
    Bleach,
    /// Packets of ECN-capable transports are marked "congestion experienced".
    Congested,
}

impl Dscp {
    /// Returns the bits of the traffic class that stay, and those that are set, if any change.
    pub fn change(self) -> Option<[u8; 2]> {
        /// The two bits of ECN, which are the low ones of the traffic class.
        const REST: u8 = 0b11;
        match self {
            Dscp::Keep => None,
            Dscp::Bleach => Some([REST, 0]),
            Dscp::Set(point) => Some([REST, point << 2]),
        }
    }
}

impl Ecn {
    /// Returns the bits of the traffic class that stay, and those that are set, if any change.
    pub fn change(self) -> Option<[u8; 2]> {
        /// The six bits of DSCP, which are the high ones of the traffic class.
        const REST: u8 = !0b11;
        match self {
            Ecn::Keep => None,
            Ecn::Bleach => Some([REST, 0]),
            Ecn::Congested => Some([REST, 0b11]),
        }
    }
}
