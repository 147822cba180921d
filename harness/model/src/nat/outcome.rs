//! Verdicts of a NAT, their reasons and their counts; mappings as values.

use std::fmt;
use std::net::SocketAddrV4;
use std::time::Duration;

use super::packet::NatProtocol;

/// Fate of a packet that a NAT has looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatOutcome {
    /// The packet goes on, rewritten or as it was.
    Pass,
    /// The packet goes back inside, rewritten, with its MAC addresses exchanged.
    Hairpin,
    /// The packet is dropped.
    Drop(NatDrop),
    /// The packet ends here, and a frame goes back to where the packet came from.
    Answer {
        /// The reason why the packet was dropped; nothing for a question to the NAT itself.
        why: Option<NatDrop>,
        /// The frame that answers.
        frame: Vec<u8>,
    },
}

/// The reason why a NAT has dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatDrop {
    /// A packet from outside belongs to no mapping.
    NoMapping,
    /// A mapping does not let this remote host in.
    Filtered,
    /// No port is left for a new mapping.
    Exhausted,
    /// A packet from inside is for an external address, and hairpinning is off.
    Hairpin,
    /// A TCP segment from inside opens no connection and belongs to none.
    UnknownFlow,
    /// A later fragment came without the first one.
    Fragment,
    /// ICMP errors do not pass, or this one quotes a packet of no mapping.
    IcmpError,
    /// The transport protocol has no ports.
    Protocol,
    /// The headers are cut off, or contradict each other.
    Malformed,
}

impl NatDrop {
    /// All reasons.
    pub const ALL: [NatDrop; 9] = [
        NatDrop::NoMapping,
        NatDrop::Filtered,
        NatDrop::Exhausted,
        NatDrop::Hairpin,
        NatDrop::UnknownFlow,
        NatDrop::Fragment,
        NatDrop::IcmpError,
        NatDrop::Protocol,
        NatDrop::Malformed,
    ];
}

impl fmt::Display for NatDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NatDrop::NoMapping => "the NAT has no mapping for it",
            NatDrop::Filtered => "the NAT's filter refuses the sender",
            NatDrop::Exhausted => "the NAT has no port left",
            NatDrop::Hairpin => "the NAT does not hairpin",
            NatDrop::UnknownFlow => "the NAT knows no such connection",
            NatDrop::Fragment => "the NAT has not seen the first fragment",
            NatDrop::IcmpError => "the NAT does not translate this ICMP error",
            NatDrop::Protocol => "the NAT does not translate this protocol",
            NatDrop::Malformed => "the NAT cannot read the headers",
        })
    }
}

/// Numbers of packets that a NAT has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NatCounters {
    /// Packets from inside that were translated.
    pub outbound: u64,
    /// Packets from outside that were translated.
    pub inbound: u64,
    /// Packets from inside that came back inside.
    pub hairpinned: u64,
    /// Mappings that were made.
    pub mappings_made: u64,
    pub(super) dropped: [u64; NatDrop::ALL.len()],
}

impl NatCounters {
    /// Returns the number of packets that were dropped for a reason.
    pub fn dropped(&self, why: NatDrop) -> u64 {
        self.dropped[why as usize]
    }

    /// Returns the number of packets that were dropped for any reason.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

/// A mapping of a NAT, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatMapping {
    /// The protocol.
    pub protocol: NatProtocol,
    /// Address and port inside; of ICMP, the identifier is in the place of the port.
    pub inside: SocketAddrV4,
    /// External address and port.
    pub outside: SocketAddrV4,
    /// The remote address and port that the mapping is for: port 0 stands for all ports, and
    /// address 0.0.0.0 for all addresses.
    pub remote: SocketAddrV4,
    /// Remote addresses and ports to which packets went, in order.
    pub peers: Vec<SocketAddrV4>,
    /// Time until the mapping expires if no packet comes; nothing for one that never does.
    pub expires_in: Option<Duration>,
}
