//! The virtio-net header: what the kernel has left to be done for a frame.

use super::headers::{Layout, Transport};
use crate::packet::VNET_HEADER;

/// One of them, in the machine's own byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vnet {
    flags: u8,
    kind: u8,
    /// The payload of each segment.
    pub(crate) segment: u16,
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
    pub(crate) fn of(header: &[u8; VNET_HEADER]) -> Vnet {
        let number = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        Vnet {
            flags: header[0],
            kind: header[1],
            segment: number(4),
            start: number(6),
            offset: number(8),
        }
    }

    /// That of datagrams of so many bytes each, laid out like this, with checksums to be completed: as the kernel takes it.
    pub(crate) fn of_datagrams(size: usize, layout: &Layout) -> [u8; VNET_HEADER] {
        let offset = layout.transport.checksum_at();
        let numbers = [layout.payload, size, layout.transport_at, offset];
        let mut bytes = [NEEDS_CHECKSUM, UDP, 0, 0, 0, 0, 0, 0, 0, 0];
        for (to, number) in bytes[2..].as_chunks_mut::<2>().0.iter_mut().zip(numbers) {
            *to = (number as u16).to_ne_bytes();
        }
        bytes
    }

    /// Whether nothing is left to be done but the checksum that is there, of what begins there.
    pub(crate) fn is_plain_but_for_checksum(&self, start: usize, offset: usize) -> bool {
        self.kind == 0 && self.checksum_start() == Some(start) && usize::from(self.offset) == offset
    }

    /// Of which protocol it is to be cut, if it is.
    pub(crate) fn transport(&self) -> Option<Transport> {
        match self.kind & !ECN {
            _ if self.segment == 0 => None,
            TCP_V4 | TCP_V6 => Some(Transport::Tcp),
            UDP => Some(Transport::Udp),
            _ => None,
        }
    }

    /// From where on a checksum has to be summed, if one has.
    pub(crate) fn checksum_start(&self) -> Option<usize> {
        (self.flags & NEEDS_CHECKSUM != 0).then_some(usize::from(self.start))
    }

    /// Where that checksum is to stand.
    pub(crate) fn checksum_at(&self) -> usize {
        usize::from(self.start) + usize::from(self.offset)
    }
}
