//! What a rule does to the packets that it is about.

use std::fmt;
use std::time::Duration;

use crate::packet::Headers;
use crate::packet::ethernet::HEADER_LENGTH;

/// What a rule does to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes as if there were no rule; it is counted, and remembered in
    /// `RuleGuard::events`.
    Pass,
    /// It is lost.
    Drop,
    /// It arrives so much later, in addition to the link's own delay; others overtake it.
    Delay(Duration),
    /// It arrives twice.
    Duplicate,
    /// One bit of it is flipped: in the middle of its payload, or of its last header if it has none. Checksums are left
    /// as they were, so that the receiver's check is what is tested.
    Corrupt,
    /// It is kept back until `RuleGuard::release`, or until the guard is dropped.
    Hold,
    /// Its TCP connection is reset: the packet is lost, and both ends get a RST that looks as if the other had sent it.
    /// What is no TCP is only lost.
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

/// Which bit [`Verdict::Corrupt`] flips: the byte and its mask. Nothing beyond the Ethernet header, nothing to flip.
pub fn bit_to_flip(frame: &[u8]) -> Option<(usize, u8)> {
    let headers = Headers::of(frame);
    let [begin, end] = headers.payload;
    let byte = match begin < end {
        true => begin + (end - begin) / 2,
        false => begin.checked_sub(1)?,
    };
    (byte >= HEADER_LENGTH && byte < frame.len()).then_some((byte, 0x10))
}
