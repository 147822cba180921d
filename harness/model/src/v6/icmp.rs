//! ICMP messages of either family, with the packets that they quote (RFC 7915, sections 4.2, 4.3,
//! 5.2 and 5.3).

use std::net::Ipv6Addr;

use super::header::{PacketFields, v6_pseudo_header};
use super::outcome::TranslationDrop;
use crate::packet::checksum::ChecksumChange;
use crate::packet::ip::{Fragment, ICMPV6, IpVersion};
use crate::packet::transport::{ICMP_CHECKSUM_AT, ICMP_LENGTH};

/// The least MTU of IPv6 (RFC 8200, section 5), which is also the length of the longest ICMPv6
/// error (RFC 4443, section 2.4).
pub(super) const LEAST_MTU: usize = 1280;
/// Bytes by which IP headers of the two families differ.
pub(super) const HEADER_DIFFERENCE: usize = 20;
/// The longest ICMP error (RFC 1812, section 4.3.2.3).
const LONGEST_V4: usize = 576;

/// A message that is an error, without its quoted packet: the first 8 bytes with a checksum of 0.
type ErrorHeader = [u8; ICMP_LENGTH];

/// Returns an echo request or reply as the family `to` has it; none for another message.
///
/// `v6` are the addresses of the packet of IPv6, which are in the sum of ICMPv6 alone.
pub(super) fn echo(
    message: &[u8],
    fields: &PacketFields,
    v6: [Ipv6Addr; 2],
    to: IpVersion,
) -> Result<Option<Vec<u8>>, TranslationDrop> {
    // Echo requests and replies: RFC 792 and RFC 4443.
    const ECHOES: [[u8; 2]; 2] = [[8, 128], [0, 129]];
    if fields.fragment != Fragment::Whole {
        return Err(TranslationDrop::Fragment);
    }
    let header = message.first_chunk::<ICMP_LENGTH>();
    let &[kind, code, ..] = header.ok_or(TranslationDrop::Malformed)?;
    let kinds = ECHOES.map(|[v4, v6]| match to {
        IpVersion::V4 => [v6, v4],
        IpVersion::V6 => [v4, v6],
    });
    let Some([_, other]) = kinds.into_iter().find(|[it, _]| *it == kind) else {
        return Ok(None);
    };
    let pseudo = v6_pseudo_header(v6, ICMPV6, fields.declared);
    let (taken_out, put_in) = match to {
        IpVersion::V4 => (&pseudo[..], &[][..]),
        IpVersion::V6 => (&[][..], &pseudo[..]),
    };
    let change = ChecksumChange::default()
        .exchange(&[kind, code], &[other, code])
        .exchange(taken_out, put_in);
    let mut message = message.to_vec();
    message[0] = other;
    change.apply(&mut message, ICMP_CHECKSUM_AT);
    Ok(Some(message))
}

/// Returns the quoted packet of an ICMP error, without the extensions behind it (RFC 4884), which
/// have no counterpart.
fn quoted(message: &[u8], length_at: usize, unit: usize, has_length: bool) -> &[u8] {
    let all = message.get(ICMP_LENGTH..).unwrap_or_default();
    let declared = usize::from(message[length_at]) * unit;
    match declared {
        1.. if has_length && declared <= all.len() => &all[..declared],
        _ => all,
    }
}

/// Makes an ICMPv6 error of an ICMP error, its checksum being left to the caller. `translate` makes
/// a packet of IPv6 of the quoted one.
pub(super) fn error_to_v6(
    message: &[u8],
    translate: impl FnOnce(&[u8]) -> Result<Vec<u8>, TranslationDrop>,
) -> Result<Vec<u8>, TranslationDrop> {
    let header = message.first_chunk::<ICMP_LENGTH>();
    let header = header.ok_or(TranslationDrop::Malformed)?;
    let quoted = quoted(message, 5, 4, matches!(header[0], 3 | 11 | 12));
    let new = error_header_to_v6(header, quoted).ok_or(TranslationDrop::Message)?;
    let mut error = new.to_vec();
    error.extend(translate(quoted)?);
    error.truncate(LEAST_MTU - 40);
    Ok(error)
}

fn error_header_to_v6(header: &ErrorHeader, quoted: &[u8]) -> Option<ErrorHeader> {
    let plain = |kind, code| Some([kind, code, 0, 0, 0, 0, 0, 0]);
    let with_word = |kind: u8, code: u8, word: u32| {
        let [a, b, c, d] = word.to_be_bytes();
        Some([kind, code, 0, 0, a, b, c, d])
    };
    match header[..2] {
        // These are unreachable: network, host, source route, and others of the kind.
        [3, 0 | 1 | 5 | 6 | 7 | 8 | 11 | 12] => plain(1, 0),
        // An unknown protocol is an unknown next header, whose place is byte 6.
        [3, 2] => with_word(4, 1, 6),
        [3, 3] => plain(1, 4),
        [3, 4] => {
            let told = usize::from(u16::from_be_bytes([header[6], header[7]]));
            let mtu = if told == 0 { plateau(quoted) } else { told };
            let mtu = (mtu + HEADER_DIFFERENCE).max(LEAST_MTU);
            with_word(2, 0, mtu as u32)
        }
        [3, 9 | 10 | 13 | 15] => plain(1, 1),
        [11, code @ (0 | 1)] => plain(3, code),
        // The message points to a field of the header (RFC 7915, figure 3).
        [12, 0 | 2] => {
            let pointer = match header[4] {
                at @ (0 | 1) => at,
                2 | 3 => 4,
                8 => 7,
                9 => 6,
                12..=15 => 8,
                16..=19 => 24,
                _ => return None,
            };
            with_word(4, 0, pointer.into())
        }
        _ => None,
    }
}

/// Returns the MTU that a router has which tells none: the next lower one of RFC 1191, section 7.1.
fn plateau(quoted: &[u8]) -> usize {
    const PLATEAUS: [usize; 10] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];
    let length = quoted.get(2..4).and_then(|it| it.first_chunk::<2>());
    let length = length.map_or(0, |it| usize::from(u16::from_be_bytes(*it)));
    let lower = PLATEAUS.into_iter().find(|it| *it < length);
    lower.unwrap_or(68)
}

/// Makes an ICMP error of an ICMPv6 error, its checksum being left to the caller. `translate` makes
/// a packet of IPv4 of the quoted one.
pub(super) fn error_to_v4(
    message: &[u8],
    translate: impl FnOnce(&[u8]) -> Result<Vec<u8>, TranslationDrop>,
) -> Result<Vec<u8>, TranslationDrop> {
    let header = message.first_chunk::<ICMP_LENGTH>();
    let header = header.ok_or(TranslationDrop::Malformed)?;
    let quoted = quoted(message, 4, 8, matches!(header[0], 1 | 3));
    let new = error_header_to_v4(header).ok_or(TranslationDrop::Message)?;
    let mut error = new.to_vec();
    error.extend(translate(quoted)?);
    error.truncate(LONGEST_V4 - 20);
    Ok(error)
}

fn error_header_to_v4(header: &ErrorHeader) -> Option<ErrorHeader> {
    let plain = |kind, code| Some([kind, code, 0, 0, 0, 0, 0, 0]);
    let word = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    match header[..2] {
        [1, 0 | 2 | 3] => plain(3, 1),
        [1, 1] => plain(3, 10),
        [1, 4] => plain(3, 3),
        [2, _] => {
            let mtu = word.saturating_sub(HEADER_DIFFERENCE as u32);
            let [high, low] = u16::try_from(mtu).unwrap_or(u16::MAX).to_be_bytes();
            Some([3, 4, 0, 0, 0, 0, high, low])
        }
        [3, code @ (0 | 1)] => plain(11, code),
        [4, 1] => plain(3, 2),
        // The message points to a field of the header (RFC 7915, figure 6).
        [4, 0] => {
            let pointer = match word {
                0 => 0,
                1 => 1,
                4 | 5 => 2,
                6 => 9,
                7 => 8,
                8..=23 => 12,
                24..=39 => 16,
                _ => return None,
            };
            Some([12, 0, 0, 0, pointer, 0, 0, 0])
        }
        _ => None,
    }
}
