//! The payload of packets: checksums for other addresses, and fragments.

use std::net::Ipv6Addr;

use super::header::{FragmentPart, PacketFields, v6_pseudo_header};
use super::icmp::LEAST_MTU;
use super::outcome::TranslationDrop;
use crate::packet::checksum::{ChecksumChange, Sum};
use crate::packet::ip::{FRAGMENT, FRAGMENT_LENGTH, Fragment, IPV6_LENGTH, TCP, UDP};
use crate::packet::transport::UDP_CHECKSUM_AT;

/// The work that the virtio-net header of a frame leaves to do.
#[derive(Clone, Copy)]
pub(super) struct Work {
    /// Whether the transport checksum is left to a later device.
    pub(super) partial: bool,
    /// Bytes of payload of each segment, of a super-frame.
    pub(super) segment: Option<usize>,
}

/// A packet that a translator has made, and by how much its headers grew.
pub(super) struct Made {
    pub(super) packet: Vec<u8>,
    pub(super) shift: isize,
}

pub(super) fn change_of<const N: usize, const M: usize>(
    old: &[[u8; N]; 2],
    new: &[[u8; M]; 2],
) -> ChecksumChange {
    ChecksumChange::default().exchange(old.as_flattened(), new.as_flattened())
}

/// Returns what TCP or UDP carries, with the checksum for other addresses.
pub(super) fn transport(
    protocol: u8,
    payload: &[u8],
    fields: &PacketFields,
    change: ChecksumChange,
    work: Option<Work>,
) -> Result<Vec<u8>, TranslationDrop> {
    if !matches!(protocol, TCP | UDP) {
        return Err(TranslationDrop::Protocol);
    }
    let mut payload = payload.to_vec();
    if fields.fragment != Fragment::Later {
        let partial = work.is_some_and(|work| work.partial);
        let ports = ChecksumChange::default();
        // A packet that an error quotes may end before its checksum, which is no harm.
        change.apply_transport(ports, protocol, partial, &mut payload, 0);
    }
    Ok(payload)
}

/// Gives a datagram a checksum that had none: in IPv6 it must have one (RFC 7915, section 4.5).
pub(super) fn add_checksum(
    datagram: &mut [u8],
    fields: &PacketFields,
    ends: [Ipv6Addr; 2],
) -> Result<(), TranslationDrop> {
    let place = UDP_CHECKSUM_AT..UDP_CHECKSUM_AT + 2;
    let has_none = datagram.get(place.clone()) == Some(&[0, 0]);
    match fields.fragment {
        Fragment::Later => Ok(()),
        Fragment::First | Fragment::Whole if !has_none => Ok(()),
        // The checksum covers what the other fragments have.
        Fragment::First => Err(TranslationDrop::Fragment),
        Fragment::Whole => {
            let pseudo = v6_pseudo_header(ends, UDP, datagram.len());
            let checksum = Sum::default().add(&pseudo).add(datagram).udp_checksum();
            datagram[place].copy_from_slice(&checksum);
            Ok(())
        }
    }
}

/// Cuts a packet of IPv6 without a fragment header into fragments of the least MTU.
pub(super) fn cut(packet: &[u8], fields: &PacketFields) -> Vec<Made> {
    const UNITS: usize = (LEAST_MTU - IPV6_LENGTH - FRAGMENT_LENGTH) / 8;
    let (header, payload) = packet.split_at(IPV6_LENGTH);
    let chunks = payload.chunks(UNITS * 8);
    let last = chunks.len() - 1;
    let base = fields.part.map_or(0, |part| part.offset);
    let more_follow = fields.part.is_some_and(|part| part.more);
    let made = |(number, chunk): (usize, &[u8])| {
        let mut packet = header.to_vec();
        let length = (FRAGMENT_LENGTH + chunk.len()) as u16;
        packet[4..6].copy_from_slice(&length.to_be_bytes());
        packet[6] = FRAGMENT;
        let part = FragmentPart {
            offset: base + (number * UNITS) as u16,
            more: number < last || more_follow,
            id: fields.id,
        };
        packet.extend(part.header(header[6]));
        packet.extend(chunk);
        Made { packet, shift: 0 }
    };
    chunks.enumerate().map(made).collect()
}
