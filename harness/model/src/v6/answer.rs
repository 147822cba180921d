//! ICMP errors of the translator itself, to senders of packets that cannot be translated.

use super::outcome::TranslationDrop;
use crate::packet::VNET_HEADER;
use crate::packet::build::icmp_error;
use crate::packet::ip::{Fragment, ICMP, ICMPV6, IpHeader, IpVersion};

/// Returns the error, as a frame with an empty virtio-net header, if the sender is to be told.
pub(super) fn error(
    frame: &[u8],
    ip: &IpHeader,
    why: TranslationDrop,
    macs: [[u8; 6]; 2],
) -> Option<Vec<u8>> {
    // "Communication administratively prohibited" (RFC 1812, section 5.2.7.1; RFC 4443, section
    // 3.1), and "address unreachable" for want of an address (RFC 6146, section 3.5.1.1).
    let [kind, code] = match (why, ip.version) {
        (TranslationDrop::NotPublic, IpVersion::V4) => [3, 13],
        (TranslationDrop::NotPublic, IpVersion::V6) => [1, 1],
        (TranslationDrop::Exhausted, IpVersion::V6) => [1, 3],
        (
            TranslationDrop::Exhausted
            | TranslationDrop::NoHost
            | TranslationDrop::Protocol
            | TranslationDrop::Message
            | TranslationDrop::Fragment
            | TranslationDrop::Malformed,
            _,
        ) => return None,
    };
    // No error is about another one, or about a later fragment (RFC 1122, section 3.2.2).
    if ip.fragment == Fragment::Later || matches!(ip.protocol, ICMP | ICMPV6) {
        return None;
    }
    // The error seems to come from the host that is not reached: the translator has no address of
    // its own.
    let [_, receiver] = ip.addresses(frame);
    let error = icmp_error(frame, ip, receiver, [kind, code], macs)?;
    Some([&[0; VNET_HEADER][..], &error].concat())
}
