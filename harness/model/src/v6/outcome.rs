//! What a translator has done, and why it dropped packets.

use std::fmt;

/// The reason why a translator between the families has dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TranslationDrop {
    /// An address stands for no host.
    NoHost,
    /// The well-known prefix may not have this IPv4 address behind it (RFC 6052, section 3.1).
    NotPublic,
    /// The pool has no address left for a further host.
    Exhausted,
    /// The transport protocol is none of TCP, UDP and ICMP.
    Protocol,
    /// The ICMP message has no counterpart in the other family (RFC 7915, sections 4.2 and 5.2).
    Message,
    /// A fragment of a message of ICMP, or of a datagram of UDP without a checksum.
    Fragment,
    /// The headers are cut off, or contradict each other.
    Malformed,
}

impl TranslationDrop {
    /// All reasons.
    pub const ALL: [TranslationDrop; 7] = [
        TranslationDrop::NoHost,
        TranslationDrop::NotPublic,
        TranslationDrop::Exhausted,
        TranslationDrop::Protocol,
        TranslationDrop::Message,
        TranslationDrop::Fragment,
        TranslationDrop::Malformed,
    ];
}

impl fmt::Display for TranslationDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TranslationDrop::NoHost => "an address stands for no host",
            TranslationDrop::NotPublic => "the well-known prefix leads to public addresses only",
            TranslationDrop::Exhausted => "the pool has no address left",
            TranslationDrop::Protocol => "the protocol is not translated",
            TranslationDrop::Message => "the ICMP message has no counterpart",
            TranslationDrop::Fragment => "the fragment cannot be translated by itself",
            TranslationDrop::Malformed => "the headers cannot be read",
        })
    }
}

/// Numbers of packets that a translator between the families has seen. A super-frame of several
/// segments counts as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranslationCounters {
    /// Packets of IPv6 that were made into packets of IPv4.
    pub to_v4: u64,
    /// Packets of IPv4 that were made into packets of IPv6.
    pub to_v6: u64,
    pub(super) dropped: [u64; TranslationDrop::ALL.len()],
}

impl TranslationCounters {
    /// Returns the number of packets that were dropped for a reason.
    pub fn dropped(&self, why: TranslationDrop) -> u64 {
        self.dropped[why as usize]
    }
}
