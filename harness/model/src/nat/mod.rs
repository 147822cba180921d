//! Network address translation as a value: what a router does to the addresses of the packets that
//! cross its uplink.

use serde::{Deserialize, Serialize};

/// The translation of a router.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatSpec {
    /// Each flow gets a mapping of its own, with the port of the sender where that port is free.
    /// Only the other end of the flow can send back (RFC 4787: address and port-dependent mapping
    /// and filtering, port preservation).
    PortPreserving,
    /// The behaviour is that of `PortPreserving`, with a random port for each flow.
    RandomPorts,
}

impl NatSpec {
    /// Returns whether the networks behind the router are apart from those in front of it, in one
    /// family: no route leads inside, and addresses may be those of other such networks.
    pub fn separates(&self, v6: bool) -> bool {
        match self {
            Self::PortPreserving | Self::RandomPorts => !v6,
        }
    }
}
