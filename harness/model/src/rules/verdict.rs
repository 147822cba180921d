//! The treatments that a rule can give to packets.
//!
//! A new variant is named by the compiler wherever a wire carries out verdicts, since no `match` on
//! them has a `_` arm.

use std::fmt;
use std::time::Duration;

use crate::packet::Headers;
use crate::packet::ethernet::HEADER_LENGTH;

/// The treatment of a packet by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Lets the packet pass as if there were no rule. The packet is still counted, and recorded in
    /// `RuleGuard::events`.
    Pass,
    /// Drops the packet.
    Drop,
    /// Delays the packet by this time, in addition to the delay of the link.
    /// Other packets may overtake a delayed packet.
    Delay(Duration),
    /// Delivers the packet twice.
    Duplicate,
    /// Flips one bit of the packet: in the middle of its payload, or in its last header if the
    /// packet has no payload. Checksums stay unchanged, so a test sees how the receiver checks
    /// checksums.
    Corrupt,
    /// Keeps the packet back until `RuleGuard::release`, or until the guard is dropped.
    Hold,
    /// Resets the TCP connection of the packet: drops the packet, and sends each end a RST that
    /// seems to come from the other end. A packet of another protocol is only dropped.
    Reset,
}

impl Verdict {
    /// Returns whether the verdict only takes note of the packet, so that later rules see the
    /// packet too.
    pub fn only_counts(self) -> bool {
        match self {
            Self::Pass => true,
            Self::Drop
            | Self::Delay(_)
            | Self::Duplicate
            | Self::Corrupt
            | Self::Hold
            | Self::Reset => false,
        }
    }

    /// Returns whether the verdict keeps the packet back until the rule releases the packet.
    pub fn keeps_back(self) -> bool {
        match self {
            Self::Hold => true,
            Self::Pass
            | Self::Drop
            | Self::Delay(_)
            | Self::Duplicate
            | Self::Corrupt
            | Self::Reset => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Pass => f.write_str("pass"),
            Verdict::Drop => f.write_str("drop"),
            Verdict::Delay(by) => write!(f, "delay by {by:?}"),
            Verdict::Duplicate => f.write_str("duplicate"),
            Verdict::Corrupt => f.write_str("corrupt"),
            Verdict::Hold => f.write_str("hold"),
            Verdict::Reset => f.write_str("reset"),
        }
    }
}

/// Returns the bit that [`Verdict::Corrupt`] flips, as the index of its byte and a mask.
///
/// A frame with nothing behind its Ethernet header has no such bit.
pub fn bit_to_flip(frame: &[u8]) -> Option<(usize, u8)> {
    let headers = Headers::of(frame);
    let [begin, end] = headers.payload;
    let byte = if begin < end {
        begin + (end - begin) / 2
    } else {
        begin.checked_sub(1)?
    };
    (byte >= HEADER_LENGTH && byte < frame.len()).then_some((byte, 0x10))
}
