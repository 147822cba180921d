//! Places in the headers of a super-frame, as far as cutting needs them.

use super::vnet::Vnet;
use crate::packet::ethernet::EthernetHeader;
use crate::packet::ip::{
    self, Fragment, IPV4_LENGTH, IPV6_LENGTH, IpHeader, IpVersion, ipv4_length,
};
use crate::packet::transport::{
    TCP_CHECKSUM_AT, TCP_LENGTH, UDP_CHECKSUM_AT, UDP_LENGTH, tcp_length,
};

/// Places of the headers of a super-frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentLayout {
    /// Version of the IP header.
    pub(crate) ip: IpVersion,
    /// Index at which the IP header begins.
    pub(crate) network: usize,
    /// Protocol of the segments.
    pub(crate) protocol: SegmentProtocol,
    /// Index at which the transport header begins.
    pub(crate) transport_at: usize,
    /// Index at which the payload begins.
    pub(crate) payload: usize,
}

/// A protocol whose packets can be cut into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentProtocol {
    Tcp,
    Udp,
}

impl SegmentLayout {
    /// Finds the headers of a super-frame, unless they contradict its virtio-net header.
    ///
    /// The length of the headers is not taken from the virtio-net header, where Linux gives it as a
    /// hint only (`include/linux/virtio_net.h`, `virtio_net_hdr_from_skb`).
    pub(crate) fn of(vnet: &Vnet, frame: &[u8]) -> Option<SegmentLayout> {
        let ethernet = EthernetHeader::read(frame)?;
        let ip = IpVersion::of_ethertype(ethernet.ethertype)?;
        let network = ethernet.length;
        let protocol = vnet.protocol()?;
        let shortest = match ip {
            IpVersion::V4 => IPV4_LENGTH.max(ipv4_length(*frame.get(network)?)),
            IpVersion::V6 => IPV6_LENGTH,
        };
        // The place of the transport header is the kernel's word, so no extension header is walked.
        let transport_at = vnet.checksum_start()?;
        if transport_at < network + shortest {
            return None;
        }
        let length = match protocol {
            SegmentProtocol::Tcp => tcp_length(*frame.get(transport_at + 12)?),
            SegmentProtocol::Udp => UDP_LENGTH,
        };
        let payload = transport_at + length;
        let whole = length >= protocol.shortest() && payload <= frame.len();
        whole.then_some(SegmentLayout {
            ip,
            network,
            protocol,
            transport_at,
            payload,
        })
    }

    /// Finds the headers of a plain frame that holds one whole datagram and nothing else, and whose
    /// checksum is yet to be completed.
    pub(crate) fn of_datagram(vnet: &Vnet, frame: &[u8]) -> Option<SegmentLayout> {
        if !vnet.is_plain() {
            return None;
        }
        let ip = IpHeader::read(frame, &EthernetHeader::read(frame)?)?;
        let plain_length = match ip.version {
            IpVersion::V4 => IPV4_LENGTH,
            IpVersion::V6 => IPV6_LENGTH,
        };
        let layout = SegmentLayout {
            ip: ip.version,
            network: ip.at,
            protocol: SegmentProtocol::Udp,
            transport_at: ip.payload_at,
            payload: ip.payload_at + UDP_LENGTH,
        };
        let datagram = frame.get(ip.payload_at..)?;
        let declared = u16::from_be_bytes([*datagram.get(4)?, *datagram.get(5)?]);
        let is_datagram = ip.protocol == ip::UDP
            && ip.fragment == Fragment::Whole
            && ip.payload_at - ip.at == plain_length
            && ip.declared_length == frame.len() - ip.at
            && usize::from(declared) == datagram.len()
            && frame.len() > layout.payload
            && vnet.has_checksum(ip.payload_at, UDP_CHECKSUM_AT);
        is_datagram.then_some(layout)
    }
}

impl SegmentProtocol {
    fn shortest(self) -> usize {
        match self {
            SegmentProtocol::Tcp => TCP_LENGTH,
            SegmentProtocol::Udp => UDP_LENGTH,
        }
    }

    /// Returns the number of the protocol in IP headers.
    pub(crate) fn number(self) -> u8 {
        match self {
            SegmentProtocol::Tcp => ip::TCP,
            SegmentProtocol::Udp => ip::UDP,
        }
    }

    /// Returns the index of the checksum in the transport header.
    pub(crate) fn checksum_at(self) -> usize {
        match self {
            SegmentProtocol::Tcp => TCP_CHECKSUM_AT,
            SegmentProtocol::Udp => UDP_CHECKSUM_AT,
        }
    }
}
