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
    /// The packet passes as if there were no rule; it is counted, and remembered in
    /// `RuleGuard::events`.
    Pass,
    /// The packet is lost.
    Drop,
    /// The packet arrives so much later, in addition to the delay of the link; others overtake it.
    Delay(Duration),
    /// The packet arrives twice.
    Duplicate,
    /// One bit of the packet is flipped: in the middle of its payload, or in its last header if it
    /// has no payload. Checksums stay as they were, so that a test sees how the receiver checks
    /// them.
    Corrupt,
    /// The packet is kept back until `RuleGuard::release`, or until the guard is dropped.
    Hold,
    /// The TCP connection of the packet is reset: the packet is lost, and both ends get a RST that
    /// looks as if the other end had sent it. A packet of another protocol is only lost.
    Reset,
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
