//! The headers of a super-frame, made into those of one segment.

use super::layout::{SegmentLayout, SegmentProtocol};
use crate::packet::checksum::Sum;
use crate::packet::ip::{IPV6_LENGTH, IpVersion};
use crate::packet::transport::TcpFlags;

/// Place of a segment in its super-frame.
#[derive(Clone, Copy)]
pub(super) struct SegmentPlace {
    /// Number of the segment, from 0 on.
    pub(super) index: usize,
    /// Length of the payload of each segment but the last, in bytes.
    pub(super) size: usize,
    /// Whether no segment follows.
    pub(super) is_last: bool,
}

impl SegmentLayout {
    /// Makes of the super-frame's headers those of one segment, which `frame` holds.
    pub(super) fn adapt(&self, frame: &mut [u8], place: SegmentPlace) {
        let length = frame.len();
        let (headers, transport) = frame.split_at_mut(self.transport_at);
        let ip = &mut headers[self.network..];
        self.adapt_ip(ip, length, place.index as u16);
        match self.protocol {
            SegmentProtocol::Tcp => adapt_tcp(transport, place),
            SegmentProtocol::Udp => put_u16(transport, 4, transport.len() as u16),
        }
        let at = self.protocol.checksum_at();
        put_u16(transport, at, 0);
        let sum = self.pseudo_header(ip, transport.len()).add(transport);
        let checksum = match self.protocol {
            SegmentProtocol::Tcp => sum.checksum(),
            SegmentProtocol::Udp => sum.udp_checksum(),
        };
        transport[at..at + 2].copy_from_slice(&checksum);
    }

    /// Makes of an IP header that of a frame of this length, so many segments later.
    pub(super) fn adapt_ip(&self, ip: &mut [u8], length: usize, index: u16) {
        match self.ip {
            IpVersion::V4 => adapt_v4(ip, length - self.network, index),
            IpVersion::V6 => put_u16(ip, 4, (length - self.network - IPV6_LENGTH) as u16),
        }
    }

    /// Returns the sum of the pseudo-header of a transport header and payload of this length.
    pub(super) fn pseudo_header(&self, ip: &[u8], length: usize) -> Sum {
        Sum::pseudo_header(self.ip, ip, self.protocol.number(), length)
    }
}

fn adapt_v4(ip: &mut [u8], length: usize, index: u16) {
    // Each segment has the identification after that of the one before it (net/ipv4/af_inet.c,
    // inet_gso_segment), so that fragments of two segments never mix (RFC 6864).
    let id = u16::from_be_bytes([ip[4], ip[5]]);
    put_u16(ip, 2, length as u16);
    put_u16(ip, 4, id.wrapping_add(index));
    put_u16(ip, 10, 0);
    let checksum = Sum::default().add(ip).checksum();
    ip[10..12].copy_from_slice(&checksum);
}

fn adapt_tcp(tcp: &mut [u8], place: SegmentPlace) {
    const FIN_PSH: u8 = TcpFlags::FIN.union(TcpFlags::PSH).0;
    const CWR: u8 = TcpFlags::CWR.0;
    let offset = (place.index * place.size) as u32;
    let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
    tcp[4..8].copy_from_slice(&seq.wrapping_add(offset).to_be_bytes());
    // FIN and PSH belong to the last segment, CWR to the first
    // (net/ipv4/tcp_offload.c, tcp_gso_segment).
    if !place.is_last {
        tcp[13] &= !FIN_PSH;
    }
    if place.index > 0 {
        tcp[13] &= !CWR;
    }
}

/// Writes a big-endian number.
pub(super) fn put_u16(bytes: &mut [u8], at: usize, number: u16) {
    bytes[at..at + 2].copy_from_slice(&number.to_be_bytes());
}
