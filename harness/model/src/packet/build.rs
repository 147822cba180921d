//! Packets that are made here: the opposite of reading headers.
//!
//! Rules reset connections by packets that no one has sent. Such a packet needs lengths and
//! checksums that a kernel accepts, and headers that look as if Linux had sent them.

use std::net::IpAddr;

use super::checksum::Sum;
use super::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use super::ip::{ICMP, ICMPV6, IPV4_LENGTH, IPV6_LENGTH, IpHeader, IpVersion, TCP, UDP};
use super::transport::{
    ICMP_CHECKSUM_AT, ICMP_LENGTH, TCP_CHECKSUM_AT, TCP_LENGTH, Tcp, Transport, UDP_CHECKSUM_AT,
    UDP_LENGTH,
};

/// Hop limit of packets as Linux sends them (`net.ipv4.ip_default_ttl`, ip(7)).
const HOP_LIMIT: u8 = 64;

/// A packet that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct PacketSpec<'a> {
    /// IP addresses of the sender and of the receiver.
    pub ips: [IpAddr; 2],
    /// Header of the transport protocol.
    pub transport: Transport,
    /// Bytes that the transport protocol carries.
    pub payload: &'a [u8],
}

impl PacketSpec<'_> {
    /// Returns the packet as a frame with an Ethernet header, from the first MAC address to the
    /// second.
    ///
    /// There is no frame for addresses of two versions, for a transport protocol that is not known,
    /// or for a payload that is too long.
    pub fn frame(&self, macs: [[u8; 6]; 2]) -> Option<Vec<u8>> {
        let ethertype = match self.ips[0] {
            IpAddr::V4(_) => ETHERTYPE_IPV4,
            IpAddr::V6(_) => ETHERTYPE_IPV6,
        };
        self.tagged_frame(macs, &ethertype.to_be_bytes())
    }

    /// Returns the packet as a frame with these bytes between its MAC addresses and its IP header:
    /// VLAN tags and the ethertype.
    pub(super) fn tagged_frame(&self, [from, to]: [[u8; 6]; 2], tags: &[u8]) -> Option<Vec<u8>> {
        let mut frame = [&to[..], &from, tags].concat();
        self.append_to(&mut frame)?;
        Some(frame)
    }

    fn append_to(&self, frame: &mut Vec<u8>) -> Option<()> {
        let (version, protocol) = self.protocol()?;
        let (header, checksum_at) = self.transport_header();
        let length = header.len() + self.payload.len();
        let at = frame.len();
        match self.ips {
            [IpAddr::V4(from), IpAddr::V4(to)] => {
                frame.extend(ipv4(protocol, u16::try_from(IPV4_LENGTH + length).ok()?));
                frame.extend([from.octets(), to.octets()].as_flattened());
                let checksum = Sum::default().add(&frame[at..]).checksum();
                frame[at + 10..at + 12].copy_from_slice(&checksum);
            }
            [IpAddr::V6(from), IpAddr::V6(to)] => {
                frame.extend(ipv6(protocol, u16::try_from(length).ok()?, HOP_LIMIT));
                frame.extend([from.octets(), to.octets()].as_flattened());
            }
            [IpAddr::V4(_), IpAddr::V6(_)] | [IpAddr::V6(_), IpAddr::V4(_)] => return None,
        }
        let transport_at = frame.len();
        frame.extend(header);
        frame.extend(self.payload);
        let sum = match protocol {
            // ICMP has no pseudo-header (RFC 792); ICMPv6 has one (RFC 4443, section 2.3).
            ICMP => Sum::default(),
            _ => Sum::pseudo_header(version, &frame[at..], protocol, length),
        };
        let sum = sum.add(&frame[transport_at..]);
        let checksum = match protocol {
            UDP => sum.udp_checksum(),
            _ => sum.checksum(),
        };
        let checksum_at = transport_at + checksum_at;
        frame[checksum_at..checksum_at + 2].copy_from_slice(&checksum);
        Some(())
    }

    fn protocol(&self) -> Option<(IpVersion, u8)> {
        let (version, icmp) = match self.ips[0] {
            IpAddr::V4(_) => (IpVersion::V4, ICMP),
            IpAddr::V6(_) => (IpVersion::V6, ICMPV6),
        };
        let protocol = match self.transport {
            Transport::Tcp(_) => TCP,
            Transport::Udp { .. } => UDP,
            Transport::Icmp { .. } => icmp,
            Transport::Other => return None,
        };
        Some((version, protocol))
    }

    /// Returns the transport header without its checksum, and the index of the checksum.
    fn transport_header(&self) -> (Vec<u8>, usize) {
        match self.transport {
            Transport::Tcp(tcp) => (tcp_header(&tcp).to_vec(), TCP_CHECKSUM_AT),
            Transport::Udp {
                source,
                destination,
            } => {
                let length = (UDP_LENGTH + self.payload.len()) as u16;
                let words = [source, destination, length, 0].map(u16::to_be_bytes);
                (words.as_flattened().to_vec(), UDP_CHECKSUM_AT)
            }
            Transport::Icmp { kind, code } => {
                let mut header = vec![0; ICMP_LENGTH];
                header[..2].copy_from_slice(&[kind, code]);
                (header, ICMP_CHECKSUM_AT)
            }
            Transport::Other => (Vec::new(), 0),
        }
    }
}

/// Returns a frame with the ICMP error about a packet, from an address to the sender of the packet.
pub(crate) fn icmp_error(
    frame: &[u8],
    about: &IpHeader,
    from: IpAddr,
    [kind, code]: [u8; 2],
    macs: [[u8; 6]; 2],
) -> Option<Vec<u8>> {
    /// Bytes of the payload that an error quotes at least (RFC 792); more would fit.
    const QUOTED: usize = 8;
    let [sender, _] = about.addresses(frame);
    let end = frame.len().min(about.payload_at + QUOTED);
    let error = PacketSpec {
        ips: [from, sender],
        transport: Transport::Icmp { kind, code },
        payload: &frame[about.at..end],
    };
    error.frame(macs)
}

/// Returns an IPv4 header up to its addresses, without its checksum.
fn ipv4(protocol: u8, length: u16) -> [u8; 12] {
    const VERSION_AND_WORDS: u8 = 0x45;
    const DONT_FRAGMENT: u8 = 0x40;
    let [high, low] = length.to_be_bytes();
    // A packet that is never fragmented needs no identification (RFC 6864, section 4.1).
    let start = [VERSION_AND_WORDS, 0, high, low, 0, 0, DONT_FRAGMENT, 0];
    let mut header = [0; 12];
    header[..8].copy_from_slice(&start);
    header[8..10].copy_from_slice(&[HOP_LIMIT, protocol]);
    header
}

/// Returns an IPv6 header up to its addresses, with traffic class and flow label 0.
pub(crate) fn ipv6(protocol: u8, payload: u16, hop_limit: u8) -> [u8; IPV6_LENGTH - 32] {
    const VERSION: u8 = 0x60;
    let [high, low] = payload.to_be_bytes();
    [VERSION, 0, 0, 0, high, low, protocol, hop_limit]
}

fn tcp_header(tcp: &Tcp) -> [u8; TCP_LENGTH] {
    const DATA_OFFSET: u8 = (TCP_LENGTH as u8 / 4) << 4;
    let Tcp {
        source,
        destination,
        seq,
        ack,
        window,
        flags,
    } = *tcp;
    let mut header = [0; TCP_LENGTH];
    header[..2].copy_from_slice(&source.to_be_bytes());
    header[2..4].copy_from_slice(&destination.to_be_bytes());
    header[4..8].copy_from_slice(&seq.to_be_bytes());
    header[8..12].copy_from_slice(&ack.to_be_bytes());
    header[12..14].copy_from_slice(&[DATA_OFFSET, flags.0]);
    header[14..16].copy_from_slice(&window.to_be_bytes());
    header
}
