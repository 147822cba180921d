//! The ways by which packets of a link travel.
//!
//! A plain link is a veth pair, and costs nothing. Delay and loss need either the kernel's netem,
//! where the kernel has netem, or threads of the test that carry each packet. Tests, events and
//! errors name the way in which a link carries packets.

use std::fmt;

use snowglobe_derive::{Deserialize, Serialize};

/// The mechanism that carries the packets of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// The kernel, over a plain veth pair.
    Veth,
    /// The kernel, with netem between the ends.
    Netem,
    /// The userspace wire, over TAP devices.
    Tap,
    /// The userspace wire, over packet sockets.
    PacketSocket,
    /// Nothing: the link was removed.
    Nobody,
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Veth => "a veth pair",
            Self::Netem => "netem",
            Self::Tap => "the userspace wire over TAP devices",
            Self::PacketSocket => "the userspace wire over packet sockets",
            Self::Nobody => "nobody: it was removed",
        })
    }
}
