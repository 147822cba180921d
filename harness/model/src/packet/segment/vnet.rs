//! The virtio-net header: the work on a frame that a kernel leaves to a network card.
//!
//! The fields and constants are those of `include/uapi/linux/virtio_net.h`.

use super::layout::{SegmentLayout, SegmentProtocol};
use crate::packet::VNET_HEADER;
use crate::packet::ip::IpVersion;

/// A virtio-net header, whose numbers are in the machine's own byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vnet {
    flags: u8,
    kind: u8,
    /// Length of the payload of each segment, in bytes.
    pub(crate) segment: u16,
    start: u16,
    offset: u16,
}

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`.
const NEEDS_CHECKSUM: u8 = 1;
/// `VIRTIO_NET_HDR_GSO_TCPV4`.
const TCP_V4: u8 = 1;
/// `VIRTIO_NET_HDR_GSO_TCPV6`.
const TCP_V6: u8 = 4;
/// `VIRTIO_NET_HDR_GSO_UDP_L4`.
const UDP: u8 = 5;
/// `VIRTIO_NET_HDR_GSO_ECN`: explicit congestion notification, in addition to one of these.
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

    /// Returns the header of a super-frame of datagrams, each with `size` bytes of payload and a
    /// checksum that is yet to be completed.
    pub(crate) fn of_datagrams(size: usize, layout: &SegmentLayout) -> [u8; VNET_HEADER] {
        let offset = layout.protocol.checksum_at();
        let numbers = [layout.payload, size, layout.transport_at, offset];
        let mut bytes = [NEEDS_CHECKSUM, UDP, 0, 0, 0, 0, 0, 0, 0, 0];
        for (to, number) in bytes[2..].as_chunks_mut::<2>().0.iter_mut().zip(numbers) {
            *to = (number as u16).to_ne_bytes();
        }
        bytes
    }

    /// Returns the header of the same frame with an IP header of another version, by which the
    /// headers in front of the transport header grow.
    pub(crate) fn with_version(
        header: &[u8; VNET_HEADER],
        version: IpVersion,
        growth: isize,
    ) -> [u8; VNET_HEADER] {
        let vnet = Vnet::of(header);
        let mut header = *header;
        if let TCP_V4 | TCP_V6 = vnet.kind & !ECN {
            let kind = match version {
                IpVersion::V4 => TCP_V4,
                IpVersion::V6 => TCP_V6,
            };
            header[1] = vnet.kind & ECN | kind;
        }
        const HEADERS_LENGTH: usize = 2;
        const CHECKSUM_START: usize = 6;
        let partial = vnet.checksum_start().is_some();
        for (grows, at) in [
            (!vnet.is_plain(), HEADERS_LENGTH),
            (partial, CHECKSUM_START),
        ] {
            if grows {
                let old = u16::from_ne_bytes([header[at], header[at + 1]]);
                let new = old.saturating_add_signed(growth as i16);
                header[at..at + 2].copy_from_slice(&new.to_ne_bytes());
            }
        }
        header
    }

    /// Returns whether the frame is not to be cut.
    pub(crate) fn is_plain(&self) -> bool {
        self.kind == 0
    }

    /// Returns whether a checksum has to be completed that covers the bytes from `start` on and
    /// stands `offset` bytes behind `start`.
    pub(crate) fn has_checksum(&self, start: usize, offset: usize) -> bool {
        self.checksum_start() == Some(start) && usize::from(self.offset) == offset
    }

    /// Returns the protocol whose segments the frame is to be cut into, if it is.
    pub(crate) fn protocol(&self) -> Option<SegmentProtocol> {
        match self.kind & !ECN {
            _ if self.segment == 0 => None,
            TCP_V4 | TCP_V6 => Some(SegmentProtocol::Tcp),
            UDP => Some(SegmentProtocol::Udp),
            _ => None,
        }
    }

    /// Returns the index from which on a checksum has to be summed, if one has.
    pub(crate) fn checksum_start(&self) -> Option<usize> {
        (self.flags & NEEDS_CHECKSUM != 0).then_some(usize::from(self.start))
    }

    /// Returns the index at which that checksum is to stand.
    pub(crate) fn checksum_at(&self) -> usize {
        usize::from(self.start) + usize::from(self.offset)
    }
}
