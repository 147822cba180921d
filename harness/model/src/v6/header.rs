//! IP headers of either family: what is read of them, and how they are made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::outcome::TranslationDrop;
use crate::packet::checksum::Sum;
use crate::packet::ip::{
    AUTHENTICATION, FRAGMENT, FRAGMENT_LENGTH, Fragment, IPV4_LENGTH, IPV6_LENGTH, IpHeader,
    ROUTING,
};

/// Fields of an IP header that both families have.
#[derive(Clone, Copy, Debug)]
pub(super) struct PacketFields {
    /// Type of service, or traffic class.
    pub(super) class: u8,
    /// Time to live, or hop limit.
    pub(super) hops: u8,
    pub(super) protocol: u8,
    /// The place of a fragment in its packet.
    pub(super) part: Option<FragmentPart>,
    /// Identification, which fragments share.
    pub(super) id: u32,
    /// Whether routers may not fragment the packet.
    pub(super) whole_only: bool,
    /// Bytes behind the headers as the header declares them, which a quoted packet need not have.
    pub(super) declared: usize,
    /// Index at which the transport header begins.
    pub(super) payload_at: usize,
    /// Index at which what is there ends.
    pub(super) end: usize,
    pub(super) fragment: Fragment,
}

/// The place of a fragment in its packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct FragmentPart {
    /// Units of 8 bytes before it.
    pub(super) offset: u16,
    pub(super) more: bool,
    pub(super) id: u32,
}

impl PacketFields {
    /// Reads the header at an index, whose addresses are returned too.
    pub(super) fn read_v4(frame: &[u8], ip: &IpHeader) -> Option<(Self, [Ipv4Addr; 2])> {
        const DONT_FRAGMENT: u8 = 0x40;
        let header = frame.get(ip.at..)?.first_chunk::<IPV4_LENGTH>()?;
        let [IpAddr::V4(from), IpAddr::V4(to)] = ip.addresses(frame) else {
            return None;
        };
        let flags = u16::from_be_bytes([header[6], header[7]]);
        let part = FragmentPart {
            offset: flags & 0x1fff,
            more: flags & 0x2000 != 0,
            id: u16::from_be_bytes([header[4], header[5]]).into(),
        };
        let fields = Self {
            class: header[1],
            hops: header[8],
            // The protocol is that of the header itself: what an authentication header covers
            // cannot be translated.
            protocol: header[9],
            part: (ip.fragment != Fragment::Whole).then_some(part),
            id: part.id,
            whole_only: header[6] & DONT_FRAGMENT != 0,
            declared: ip.declared_length.checked_sub(ip.payload_at - ip.at)?,
            payload_at: ip.payload_at,
            end: ip.end(frame),
            fragment: ip.fragment,
        };
        Some((fields, [from, to]))
    }

    /// Reads the header at an index, whose addresses are returned too.
    pub(super) fn read_v6(
        frame: &[u8],
        ip: &IpHeader,
    ) -> Result<(Self, [Ipv6Addr; 2]), TranslationDrop> {
        let malformed = TranslationDrop::Malformed;
        let header = frame
            .get(ip.at..)
            .and_then(|it| it.first_chunk::<IPV6_LENGTH>());
        let header = header.ok_or(malformed)?;
        let [IpAddr::V6(from), IpAddr::V6(to)] = ip.addresses(frame) else {
            return Err(malformed);
        };
        let part = fragment_part(frame, ip)?;
        let fields = Self {
            class: header[0] << 4 | header[1] >> 4,
            hops: header[7],
            protocol: ip.protocol,
            part: part.filter(|_| ip.fragment != Fragment::Whole),
            id: part.map_or(0, |part| part.id),
            whole_only: true,
            declared: (ip.declared_length)
                .checked_sub(ip.payload_at - ip.at)
                .ok_or(malformed)?,
            payload_at: ip.payload_at,
            end: ip.end(frame),
            fragment: ip.fragment,
        };
        Ok((fields, [from, to]))
    }
}

/// Finds the fragment header among the extension headers.
fn fragment_part(frame: &[u8], ip: &IpHeader) -> Result<Option<FragmentPart>, TranslationDrop> {
    let mut part = None;
    for (kind, header) in ip.extensions(frame) {
        match (kind, header) {
            // RFC 7915, section 5.1: a packet that is not at its destination yet stays here.
            (ROUTING, [_, _, _, left, ..]) if *left != 0 => return Err(TranslationDrop::Protocol),
            (AUTHENTICATION, _) => return Err(TranslationDrop::Protocol),
            (FRAGMENT, &[_, _, high, low, a, b, c, d]) => {
                let word = u16::from_be_bytes([high, low]);
                part = Some(FragmentPart {
                    offset: word >> 3,
                    more: word & 1 != 0,
                    id: u32::from_be_bytes([a, b, c, d]),
                });
            }
            _ => {}
        }
    }
    Ok(part)
}

impl FragmentPart {
    /// Returns the fragment header of IPv6 in front of a payload of a protocol.
    pub(super) fn header(self, protocol: u8) -> [u8; FRAGMENT_LENGTH] {
        let [high, low] = (self.offset << 3 | u16::from(self.more)).to_be_bytes();
        let [a, b, c, d] = self.id.to_be_bytes();
        [protocol, 0, high, low, a, b, c, d]
    }
}

/// Makes an IPv4 header without options.
///
/// `part` are the identification, the flags and the offset, as they stand in the header.
pub(super) fn v4_header(
    fields: &PacketFields,
    protocol: u8,
    payload: usize,
    part: [u16; 2],
    [from, to]: [Ipv4Addr; 2],
) -> Option<[u8; IPV4_LENGTH]> {
    const VERSION_AND_WORDS: u8 = 0x45;
    let length = u16::try_from(IPV4_LENGTH + payload).ok()?;
    let mut header = [0; IPV4_LENGTH];
    header[0] = VERSION_AND_WORDS;
    header[1] = fields.class;
    header[2..4].copy_from_slice(&length.to_be_bytes());
    header[4..6].copy_from_slice(&part[0].to_be_bytes());
    header[6..8].copy_from_slice(&part[1].to_be_bytes());
    header[8..10].copy_from_slice(&[fields.hops, protocol]);
    header[12..16].copy_from_slice(&from.octets());
    header[16..20].copy_from_slice(&to.octets());
    let checksum = Sum::default().add(&header).checksum();
    header[10..12].copy_from_slice(&checksum);
    Some(header)
}

/// Makes an IPv6 header, with a fragment header for a fragment.
pub(super) fn v6_header(
    fields: &PacketFields,
    protocol: u8,
    payload: usize,
    part: Option<FragmentPart>,
    [from, to]: [Ipv6Addr; 2],
) -> Option<Vec<u8>> {
    let extension = part.map_or(0, |_| FRAGMENT_LENGTH);
    let length = u16::try_from(extension + payload).ok()?.to_be_bytes();
    let first = part.map_or(protocol, |_| FRAGMENT);
    let mut header = vec![0x60 | fields.class >> 4, fields.class << 4, 0, 0];
    header.extend([length[0], length[1], first, fields.hops]);
    header.extend(from.octets());
    header.extend(to.octets());
    if let Some(part) = part {
        header.extend(part.header(protocol));
    }
    Some(header)
}

/// Returns the sum of the pseudo-header of a message between two addresses of IPv6 (RFC 8200,
/// section 8.1), as bytes.
pub(super) fn v6_pseudo_header([from, to]: [Ipv6Addr; 2], protocol: u8, length: usize) -> Vec<u8> {
    let [high, low] = (length as u16).to_be_bytes();
    [&from.octets()[..], &to.octets(), &[0, protocol, high, low]].concat()
}
