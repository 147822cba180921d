//! The headers of TCP, UDP and ICMP.
//!
//! A rule of a test speaks of ports, flags and sequence numbers. This module reads them from the
//! bytes behind an IP header; `build` writes the same values.

use std::fmt;

use super::ip::{ICMP, ICMPV6, IpVersion, TCP, UDP};

/// Length of a TCP header without options, in bytes.
pub const TCP_LENGTH: usize = 20;
/// Length of a UDP header, in bytes.
pub const UDP_LENGTH: usize = 8;
/// Length of the part that all ICMP messages have in common, in bytes.
pub const ICMP_LENGTH: usize = 8;

/// Index of the checksum in a TCP header.
pub const TCP_CHECKSUM_AT: usize = 16;
/// Index of the checksum in a UDP header.
pub const UDP_CHECKSUM_AT: usize = 6;
/// Index of the checksum in an ICMP message.
pub const ICMP_CHECKSUM_AT: usize = 2;

/// The header of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// The sender's port.
    pub source: u16,
    /// The receiver's port.
    pub destination: u16,
    /// The sequence number of the first byte.
    pub seq: u32,
    /// The acknowledgment number; of no meaning without the ACK flag.
    pub ack: u32,
    /// The receive window, not scaled.
    pub window: u16,
    /// SYN, ACK, FIN and the others.
    pub flags: TcpFlags,
}

/// The flags of a TCP segment, as they stand in its header (RFC 9293, section 3.1).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgment number counts.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// The urgent pointer counts.
    pub const URG: TcpFlags = TcpFlags(0x20);
    /// Congestion was experienced.
    pub const ECE: TcpFlags = TcpFlags(0x40);
    /// The congestion window was reduced.
    pub const CWR: TcpFlags = TcpFlags(0x80);

    /// Returns whether all of `flags` are set.
    pub const fn contains(self, flags: TcpFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Returns whether any of `flags` is set.
    pub const fn intersects(self, flags: TcpFlags) -> bool {
        self.0 & flags.0 != 0
    }

    /// Returns the flags of both.
    pub const fn union(self, flags: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | flags.0)
    }
}

/// `SYN ACK`, as Wireshark has it.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        let mut between = "";
        for (bit, name) in NAMES.iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{between}{name}")?;
                between = " ";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// The transport header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP segment.
    Tcp(Tcp),
    /// A UDP datagram.
    Udp {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
    },
    /// ICMP or ICMPv6.
    Icmp {
        /// Type of the message.
        kind: u8,
        /// Code of the message.
        code: u8,
    },
    /// Nothing that is known here, or a fragment.
    Other,
}

impl Transport {
    /// Reads the header that stands at the beginning of `bytes`, and finds the payload behind it.
    ///
    /// A header that is cut off or makes no sense is returned as [`Transport::Other`], and all of
    /// `bytes` as its payload.
    pub(super) fn read(protocol: u8, bytes: &[u8]) -> (Transport, [usize; 2]) {
        let known = match protocol {
            TCP => read_tcp(bytes),
            UDP => read_udp(bytes),
            ICMP | ICMPV6 => read_icmp(bytes),
            _ => None,
        };
        known.unwrap_or((Transport::Other, [0, bytes.len()]))
    }
}

/// Returns whether a message of ICMP (RFC 792) or ICMPv6 (RFC 4443, section 2.1) is an error, which
/// quotes a packet.
pub(crate) fn is_icmp_error(version: IpVersion, kind: u8) -> bool {
    match version {
        // Unreachable, source quench, time exceeded, parameter problem.
        IpVersion::V4 => matches!(kind, 3 | 4 | 11 | 12),
        IpVersion::V6 => kind < 128,
    }
}

/// Returns the length of a TCP header with options, in bytes, as the byte of its data offset says.
pub fn tcp_length(data_offset: u8) -> usize {
    usize::from(data_offset >> 4) * 4
}

fn read_tcp(bytes: &[u8]) -> Option<(Transport, [usize; 2])> {
    let header = bytes.first_chunk::<TCP_LENGTH>()?;
    let length = tcp_length(header[12]);
    if length < TCP_LENGTH || bytes.len() < length {
        return None;
    }
    let [s, t, d, e, seq @ .., _, _, _, _, _, _, _, _, _, _, _, _] = *header;
    let [.., a, b, c, f, _, flags, w, x, _, _, _, _] = *header;
    let tcp = Tcp {
        source: u16::from_be_bytes([s, t]),
        destination: u16::from_be_bytes([d, e]),
        seq: u32::from_be_bytes(seq),
        ack: u32::from_be_bytes([a, b, c, f]),
        window: u16::from_be_bytes([w, x]),
        flags: TcpFlags(flags),
    };
    Some((Transport::Tcp(tcp), [length, bytes.len()]))
}

fn read_udp(bytes: &[u8]) -> Option<(Transport, [usize; 2])> {
    let header = bytes.first_chunk::<UDP_LENGTH>()?;
    let [s, t, d, e, l, m, _, _] = *header;
    let declared = usize::from(u16::from_be_bytes([l, m]));
    // A length that cannot be true does not count: the header may have been corrupted.
    let end = if (UDP_LENGTH..=bytes.len()).contains(&declared) {
        declared
    } else {
        bytes.len()
    };
    let udp = Transport::Udp {
        source: u16::from_be_bytes([s, t]),
        destination: u16::from_be_bytes([d, e]),
    };
    Some((udp, [UDP_LENGTH, end]))
}

fn read_icmp(bytes: &[u8]) -> Option<(Transport, [usize; 2])> {
    let [kind, code, ..] = *bytes.first_chunk::<ICMP_LENGTH>()?;
    Some((Transport::Icmp { kind, code }, [ICMP_LENGTH, bytes.len()]))
}
