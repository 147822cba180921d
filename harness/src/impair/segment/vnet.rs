//! The virtio-net header: what the kernel has left to be done for a frame.

use super::headers::Transport;
use crate::kernel::frame::VNET_HEADER;

/// One of them, in the machine's own byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vnet {
    flags: u8,
    kind: u8,
    /// The payload of each segment.
    pub(super) segment: u16,
    start: u16,
    offset: u16,
}

const NEEDS_CHECKSUM: u8 = 1;
const TCP_V4: u8 = 1;
const TCP_V6: u8 = 4;
const UDP: u8 = 5;
/// Explicit congestion notification, in addition to one of these.
const ECN: u8 = 0x80;

impl Vnet {
    pub(super) fn of(header: &[u8; VNET_HEADER]) -> Vnet {
        let number = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        Vnet {
            flags: header[0],
            kind: header[1],
            segment: number(4),
            start: number(6),
            offset: number(8),
        }
    }

    /// Of which protocol it is to be cut, if it is.
    pub(super) fn transport(&self) -> Option<Transport> {
        match self.kind & !ECN {
            _ if self.segment == 0 => None,
            TCP_V4 | TCP_V6 => Some(Transport::Tcp),
            UDP => Some(Transport::Udp),
            _ => None,
        }
    }

    /// From where on a checksum has to be summed, if one has.
    pub(super) fn checksum_start(&self) -> Option<usize> {
        (self.flags & NEEDS_CHECKSUM != 0).then_some(usize::from(self.start))
    }

    /// Where that checksum is to stand.
    pub(super) fn checksum_at(&self) -> usize {
        usize::from(self.start) + usize::from(self.offset)
    }
}
