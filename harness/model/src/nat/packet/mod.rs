//! The fields of a packet that a NAT reads and rewrites.
//!
//! | file | role |
//! |---|---|
//! | `fragments` | later fragments of packets, which have no ports |

pub(super) mod fragments;

use std::net::SocketAddrV4;

use snowglobe_derive::{Deserialize, Serialize};

use crate::dhcp::frame::{CLIENT_PORT, SERVER_PORT};
use crate::packet::VNET_HEADER;
use crate::packet::checksum::ChecksumChange;
use crate::packet::ethernet::EthernetHeader;
use crate::packet::ip::{self, Fragment, IpHeader, IpVersion};
use crate::packet::segment::Vnet;
use crate::packet::transport::{
    ICMP_CHECKSUM_AT, ICMP_LENGTH, TCP_LENGTH, TcpFlags, UDP_LENGTH, is_icmp_error,
};

/// A protocol that a NAT translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatProtocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// ICMP queries, whose identifier is in the place of a port (RFC 5508, section 3).
    Icmp,
}

impl NatProtocol {
    /// All protocols.
    pub const ALL: [NatProtocol; 3] = [NatProtocol::Udp, NatProtocol::Tcp, NatProtocol::Icmp];

    pub(crate) fn of_number(number: u8) -> Option<NatProtocol> {
        match number {
            ip::UDP => Some(NatProtocol::Udp),
            ip::TCP => Some(NatProtocol::Tcp),
            ip::ICMP => Some(NatProtocol::Icmp),
            _ => None,
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// Whether the transport checksum of a frame is there, or is left to a later device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksums {
    /// The checksum is complete.
    Complete,
    /// The checksum's place has the sum of the pseudo-header.
    Partial,
}

impl Checksums {
    /// Reads the virtio-net header of a frame.
    pub fn of(header: &[u8; VNET_HEADER]) -> Checksums {
        match Vnet::of(header).checksum_start() {
            None => Checksums::Complete,
            Some(_) => Checksums::Partial,
        }
    }
}

/// The kinds of ICMP messages that a NAT tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IcmpKind {
    /// An echo request, or another question with an identifier.
    Query,
    /// An answer to such a question.
    Answer,
    /// An error, which quotes a packet.
    Error,
    /// Anything else.
    Other,
}

impl IcmpKind {
    fn of(kind: u8) -> IcmpKind {
        match kind {
            // Echo, timestamp and address mask: RFC 792 and RFC 950.
            8 | 13 | 17 => IcmpKind::Query,
            0 | 14 | 18 => IcmpKind::Answer,
            _ if is_icmp_error(IpVersion::V4, kind) => IcmpKind::Error,
            _ => IcmpKind::Other,
        }
    }
}

/// One of the two ends of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketEnd {
    Source,
    Destination,
}

/// A packet of IPv4 in a frame, as far as a NAT is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct V4Packet {
    pub(super) ip: IpHeader,
    /// The protocol that the IPv4 header itself names: what an authentication header (RFC 4302)
    /// covers cannot be translated.
    pub(super) protocol_number: u8,
    /// The protocol, if it is one that has ports, and they are there.
    pub(super) protocol: Option<NatProtocol>,
    /// Source, with port 0 where there is none.
    pub(super) source: SocketAddrV4,
    /// Destination, with port 0 where there is none. The identifier of an ICMP query is the port of
    /// its source, and of an answer the port of its destination.
    pub(super) destination: SocketAddrV4,
    pub(super) tcp: TcpFlags,
    pub(super) icmp: Option<IcmpKind>,
    /// Identification of the IP header, which fragments share.
    pub(super) id: u16,
}

impl V4Packet {
    /// Reads a frame, or returns nothing if it carries no packet of IPv4.
    pub(super) fn read(frame: &[u8]) -> Option<V4Packet> {
        let ethernet = EthernetHeader::read(frame)?;
        Self::of(frame, IpHeader::read(frame, &ethernet)?)
    }

    /// Reads the packet that an ICMP error quotes, of which 8 bytes behind the IP header need be
    /// there (RFC 792).
    pub(super) fn quoted(frame: &[u8], at: usize) -> Option<V4Packet> {
        Self::of(frame, IpHeader::read_at(frame, at)?)
    }

    fn of(frame: &[u8], ip: IpHeader) -> Option<Self> {
        if ip.version != IpVersion::V4 {
            return None;
        }
        let header = &frame[ip.at..];
        let &[source, destination] = ip.address_bytes(frame).as_chunks::<4>().0 else {
            return None;
        };
        let transport = frame.get(ip.payload_at..)?;
        let word = |at: usize| u16::from_be_bytes([transport[at], transport[at + 1]]);
        let mut packet = V4Packet {
            ip,
            protocol_number: header[9],
            protocol: None,
            source: SocketAddrV4::new(source.into(), 0),
            destination: SocketAddrV4::new(destination.into(), 0),
            tcp: TcpFlags::default(),
            icmp: None,
            id: u16::from_be_bytes([header[4], header[5]]),
        };
        // The ports, and the identifier of ICMP, are in the first 8 bytes.
        if ip.fragment == Fragment::Later || transport.len() < UDP_LENGTH.min(ICMP_LENGTH) {
            return Some(packet);
        }
        match NatProtocol::of_number(packet.protocol_number) {
            Some(protocol @ (NatProtocol::Udp | NatProtocol::Tcp)) => {
                packet.protocol = Some(protocol);
                packet.source.set_port(word(0));
                packet.destination.set_port(word(2));
                if protocol == NatProtocol::Tcp {
                    packet.tcp = TcpFlags(transport.get(13).copied().unwrap_or(0));
                }
            }
            Some(NatProtocol::Icmp) => {
                let kind = IcmpKind::of(transport[0]);
                packet.icmp = Some(kind);
                // The identifier is that of the asker.
                let asker = match kind {
                    IcmpKind::Query => &mut packet.source,
                    IcmpKind::Answer => &mut packet.destination,
                    IcmpKind::Error | IcmpKind::Other => return Some(packet),
                };
                packet.protocol = Some(NatProtocol::Icmp);
                asker.set_port(word(4));
            }
            None => {}
        }
        Some(packet)
    }

    /// Returns whether a TCP header is whole; a packet that an ICMP error quotes need have 8 bytes.
    pub(super) fn has_whole_header(&self, frame: &[u8]) -> bool {
        self.protocol != Some(NatProtocol::Tcp) || frame.len() >= self.ip.payload_at + TCP_LENGTH
    }

    /// Returns whether the segment opens a connection.
    pub(super) fn is_syn(&self) -> bool {
        self.tcp.contains(TcpFlags::SYN) && !self.tcp.contains(TcpFlags::ACK)
    }

    /// Returns whether the packet is from a DHCP server to a client (RFC 2131, section 4.1).
    pub(super) fn is_dhcp_offer(&self) -> bool {
        let ports = [self.source.port(), self.destination.port()];
        self.protocol == Some(NatProtocol::Udp) && ports == [SERVER_PORT, CLIENT_PORT]
    }

    fn address_at(&self, end: PacketEnd) -> usize {
        match end {
            PacketEnd::Source => self.ip.at + 12,
            PacketEnd::Destination => self.ip.at + 16,
        }
    }

    fn port_at(&self, end: PacketEnd) -> Option<usize> {
        match (self.protocol?, end) {
            (NatProtocol::Icmp, _) => Some(self.ip.payload_at + 4),
            (NatProtocol::Udp | NatProtocol::Tcp, PacketEnd::Source) => Some(self.ip.payload_at),
            (NatProtocol::Udp | NatProtocol::Tcp, PacketEnd::Destination) => {
                Some(self.ip.payload_at + 2)
            }
        }
    }

    /// Writes another address and port at one end, with the checksums of both headers.
    ///
    /// In a packet without ports, a later fragment say, the address alone is written.
    pub(super) fn rewrite(
        &self,
        frame: &mut [u8],
        checksums: Checksums,
        end: PacketEnd,
        new: SocketAddrV4,
    ) {
        let address = put(frame, self.address_at(end), &new.ip().octets());
        address.apply(frame, self.ip.at + 10);
        if self.ip.fragment == Fragment::Later {
            return;
        }
        let ports = match self.port_at(end) {
            Some(at) => put(frame, at, &new.port().to_be_bytes()),
            None => ChecksumChange::default(),
        };
        let at = self.ip.payload_at;
        let partial = checksums == Checksums::Partial;
        match self.protocol_number {
            // ICMP has no pseudo-header (RFC 792), so that the addresses are not in the sum.
            ip::ICMP => ports.apply(frame, at + ICMP_CHECKSUM_AT),
            protocol => address.apply_transport(ports, protocol, partial, frame, at),
        }
    }
}

/// Writes some bytes, and returns what this changes in a checksum.
fn put(frame: &mut [u8], at: usize, new: &[u8]) -> ChecksumChange {
    let Some(place) = frame.get_mut(at..at + new.len()) else {
        return ChecksumChange::default();
    };
    let change = ChecksumChange::default().exchange(place, new);
    place.copy_from_slice(new);
    change
}
