//! The IP header of a packet, with the extension headers of IPv6.
//!
//! Where the transport header begins hangs on options (IPv4, RFC 791) and on a chain of extension
//! headers (IPv6, RFC 8200). This is the one place that walks them.

use std::net::IpAddr;

use super::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthernetHeader, word};

/// Protocol number of ICMP.
pub const ICMP: u8 = 1;
/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;
/// Protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;

/// Length of an IPv4 header without options, in bytes.
pub const IPV4_LENGTH: usize = 20;
/// Length of an IPv6 header without extension headers, in bytes.
pub const IPV6_LENGTH: usize = 40;

/// Version of the Internet protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    /// All versions, in the order in which values of both are kept.
    pub const BOTH: [IpVersion; 2] = [IpVersion::V4, IpVersion::V6];

    /// Returns the version that an address is of.
    pub fn of(address: IpAddr) -> IpVersion {
        match address {
            IpAddr::V4(_) => IpVersion::V4,
            IpAddr::V6(_) => IpVersion::V6,
        }
    }

    /// Returns the index in [`BOTH`](IpVersion::BOTH).
    pub fn index(self) -> usize {
        match self {
            IpVersion::V4 => 0,
            IpVersion::V6 => 1,
        }
    }

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            IpVersion::V4 => "IPv4",
            IpVersion::V6 => "IPv6",
        }
    }

    /// Returns the number of bits of an address.
    pub fn address_bits(self) -> u8 {
        match self {
            IpVersion::V4 => 32,
            IpVersion::V6 => 128,
        }
    }

    /// Returns the version that an ethertype stands for.
    pub fn of_ethertype(ethertype: u16) -> Option<IpVersion> {
        match ethertype {
            ETHERTYPE_IPV4 => Some(IpVersion::V4),
            ETHERTYPE_IPV6 => Some(IpVersion::V6),
            _ => None,
        }
    }
}

/// Part of a packet that a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// The whole packet: it was not fragmented.
    Whole,
    /// The first fragment, which has the transport header.
    First,
    /// A later fragment, which begins in the middle of the payload.
    Later,
}

impl Fragment {
    fn new(offset: u16, more: bool) -> Fragment {
        match (offset, more) {
            (0, false) => Fragment::Whole,
            (0, true) => Fragment::First,
            (1.., _) => Fragment::Later,
        }
    }
}

/// Facts of an IP header that those need who read on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpHeader {
    /// Version of the protocol.
    pub version: IpVersion,
    /// Index in the frame at which the IP header begins.
    pub at: usize,
    /// Index in the frame at which the payload begins, behind options and extension headers.
    pub payload_at: usize,
    /// Length of the packet as its header declares it, in bytes.
    pub declared_length: usize,
    /// Number of the protocol of the payload; of the extension header that is cut off, if one is.
    pub protocol: u8,
    /// Part of a packet that this is.
    pub fragment: Fragment,
}

impl IpHeader {
    /// Reads the IP header of a frame, or returns nothing if the frame carries no whole one.
    #[inline]
    pub fn read(frame: &[u8], ethernet: &EthernetHeader) -> Option<IpHeader> {
        let version = IpVersion::of_ethertype(ethernet.ethertype)?;
        // A receiver drops packets whose version contradicts the ethertype
        // (net/ipv4/ip_input.c, ip_rcv_core; net/ipv6/ip6_input.c, ip6_rcv_core).
        IpHeader::read_at(frame, ethernet.length).filter(|ip| ip.version == version)
    }

    /// Reads the IP header that begins at an index, of the version that its first byte says.
    #[inline]
    pub fn read_at(frame: &[u8], at: usize) -> Option<IpHeader> {
        match frame.get(at)? >> 4 {
            4 => IpHeader::read_v4(frame, at),
            6 => IpHeader::read_v6(frame, at),
            _ => None,
        }
    }

    #[inline]
    fn read_v4(frame: &[u8], at: usize) -> Option<IpHeader> {
        const OFFSET: u16 = 0x1fff;
        const MORE_FRAGMENTS: u16 = 0x2000;
        let header = frame[at..].first_chunk::<IPV4_LENGTH>()?;
        let length = ipv4_length(header[0]);
        if length < IPV4_LENGTH || frame.len() < at + length {
            return None;
        }
        let fragment = u16::from_be_bytes([header[6], header[7]]);
        let mut ip = IpHeader {
            version: IpVersion::V4,
            at,
            payload_at: at + length,
            declared_length: usize::from(u16::from_be_bytes([header[2], header[3]])),
            protocol: header[9],
            fragment: Fragment::new(fragment & OFFSET, fragment & MORE_FRAGMENTS != 0),
        };
        if ip.protocol == AUTHENTICATION {
            ip.skip_extensions(&frame[..ip.end(frame)]);
        }
        Some(ip)
    }

    #[inline]
    fn read_v6(frame: &[u8], at: usize) -> Option<IpHeader> {
        let header = frame[at..].first_chunk::<IPV6_LENGTH>()?;
        let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let mut ip = IpHeader {
            version: IpVersion::V6,
            at,
            payload_at: at + IPV6_LENGTH,
            declared_length: IPV6_LENGTH + payload,
            protocol: header[6],
            fragment: Fragment::Whole,
        };
        // Most packets have no extension header, so the walk stays out of the fast path.
        if let HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION = ip.protocol {
            ip.skip_extensions(&frame[..ip.end(frame)]);
        }
        Some(ip)
    }

    /// Walks the extension headers up to the transport header, or to the first that is cut off.
    fn skip_extensions(&mut self, frame: &[u8]) {
        // The kernel walks the same ones (net/ipv6/exthdrs_core.c, ipv6_ext_hdr).
        while self.fragment != Fragment::Later {
            let Some([next, units, rest @ ..]) = frame.get(self.payload_at..) else {
                return;
            };
            let is_first = self.payload_at == self.at + IPV6_LENGTH;
            // Behind another header the hop-by-hop options are unknown (RFC 8200, section 4.1).
            if self.protocol == HOP_BY_HOP && !is_first {
                return;
            }
            let Some(length) = extension_length(self.protocol, *units) else {
                return;
            };
            if frame.len() < self.payload_at + length {
                return;
            }
            if self.protocol == FRAGMENT {
                let word = word(rest, 0).unwrap_or_default();
                self.fragment = Fragment::new(word >> 3, word & 1 != 0);
            }
            self.protocol = *next;
            self.payload_at += length;
        }
    }

    /// Returns the extension headers between an IPv6 header and the payload, each with its number.
    pub(crate) fn extensions<'f>(&self, frame: &'f [u8]) -> impl Iterator<Item = (u8, &'f [u8])> {
        let (mut next, mut rest) = (
            frame[self.at + 6],
            &frame[self.at + IPV6_LENGTH..self.payload_at],
        );
        std::iter::from_fn(move || {
            let kind = next;
            next = *rest.first()?;
            let header = rest.split_off(..extension_length(kind, *rest.get(1)?)?)?;
            Some((kind, header))
        })
    }

    /// Returns the index in the frame at which the packet ends; what follows is padding.
    ///
    /// A declared length that cannot be true does not count: the header may have been corrupted,
    /// and segments with BIG TCP declare 0.
    pub fn end(&self, frame: &[u8]) -> usize {
        let end = self.at + self.declared_length;
        if end < self.least_end() || end > frame.len() {
            frame.len()
        } else {
            end
        }
    }

    /// Returns the least index at which a packet with this header can end.
    fn least_end(&self) -> usize {
        match self.version {
            IpVersion::V4 => self.payload_at,
            // A payload length of 0 is that of a jumbogram (RFC 2675).
            IpVersion::V6 => self.payload_at.max(self.at + IPV6_LENGTH + 1),
        }
    }

    /// Returns the bytes of both addresses, the sender's first.
    #[inline]
    pub fn address_bytes<'f>(&self, frame: &'f [u8]) -> &'f [u8] {
        addresses(self.version, &frame[self.at..])
    }

    /// Returns both addresses, the sender's first.
    pub fn addresses(&self, frame: &[u8]) -> [IpAddr; 2] {
        let bytes = self.address_bytes(frame);
        let (from, to) = bytes.split_at(bytes.len() / 2);
        [from, to].map(|bytes| match self.version {
            IpVersion::V4 => <[u8; 4]>::try_from(bytes).unwrap_or_default().into(),
            IpVersion::V6 => <[u8; 16]>::try_from(bytes).unwrap_or_default().into(),
        })
    }
}

/// Returns the length of an extension header in bytes, as its second byte says; none for what is no
/// such header.
fn extension_length(kind: u8, units: u8) -> Option<usize> {
    match kind {
        HOP_BY_HOP | ROUTING | DESTINATION => Some(8 + usize::from(units) * 8),
        // RFC 4302, section 2, counts units of 4 bytes without the first two; the header has 12
        // bytes at least.
        AUTHENTICATION if units > 0 => Some(8 + usize::from(units) * 4),
        FRAGMENT => Some(FRAGMENT_LENGTH),
        _ => None,
    }
}

/// Returns the length of an IPv4 header with options, in bytes, as its first byte says.
pub fn ipv4_length(first: u8) -> usize {
    usize::from(first & 0x0f) * 4
}

/// Returns the bytes of both addresses in an IP header, the sender's first.
#[inline]
pub fn addresses(version: IpVersion, header: &[u8]) -> &[u8] {
    match version {
        IpVersion::V4 => &header[12..20],
        IpVersion::V6 => &header[8..40],
    }
}

/// Numbers of the extension headers of IPv6 (RFC 8200, section 4; RFC 4302).
const HOP_BY_HOP: u8 = 0;
pub(crate) const ROUTING: u8 = 43;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// Length of the fragment header of IPv6 (RFC 8200, section 4.5), in bytes.
pub(crate) const FRAGMENT_LENGTH: usize = 8;
