//! Packets that the NAT itself sends: a RST, an ICMP error, an answer to ARP.

use std::net::Ipv4Addr;

use super::packet::{NatProtocol, V4Packet};
use crate::packet::build::icmp_error;
use crate::packet::ethernet::{ETHERTYPE_ARP, EthernetHeader, macs};
use crate::packet::headers::Headers;
use crate::packet::reset;
use crate::packet::transport::TcpFlags;

/// Type of ICMP "destination unreachable" (RFC 792).
const UNREACHABLE: u8 = 3;
/// Code of "port unreachable" (RFC 792).
const PORT_UNREACHABLE: u8 = 3;
/// Code of "communication administratively prohibited" (RFC 1812, section 5.2.7.1).
pub(super) const ADMINISTRATIVELY_PROHIBITED: u8 = 13;

/// Returns the RST for a TCP segment; there is none for another packet, or for a RST.
pub(super) fn reset(frame: &[u8], packet: &V4Packet) -> Option<Vec<u8>> {
    if packet.protocol != Some(NatProtocol::Tcp) || packet.tcp.contains(TcpFlags::RST) {
        return None;
    }
    let [_, back] = reset::of(frame, &Headers::of(frame))?;
    Some(back)
}

/// Returns what a host without a listener would answer: a RST, or "port unreachable".
pub(super) fn refusal(frame: &[u8], packet: &V4Packet) -> Option<Vec<u8>> {
    match packet.protocol? {
        NatProtocol::Tcp => reset(frame, packet),
        NatProtocol::Udp => unreachable(frame, packet, *packet.destination.ip(), PORT_UNREACHABLE),
        NatProtocol::Icmp => None,
    }
}

/// Returns the ICMP error "destination unreachable" to the sender of a packet.
pub(super) fn unreachable(
    frame: &[u8],
    packet: &V4Packet,
    from: Ipv4Addr,
    code: u8,
) -> Option<Vec<u8>> {
    let [sender, receiver] = macs(frame)?;
    let back = [receiver, sender];
    icmp_error(frame, &packet.ip, from.into(), [UNREACHABLE, code], back)
}

/// Returns the answer to an ARP request for an address for which the NAT answers (RFC 826).
pub(super) fn arp(
    frame: &[u8],
    mac: [u8; 6],
    answers_for: impl FnOnce(Ipv4Addr) -> bool,
) -> Option<Vec<u8>> {
    const REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];
    let ethernet = EthernetHeader::read(frame)?;
    let arp = frame.get(ethernet.length..)?.first_chunk::<28>()?;
    let target = Ipv4Addr::from(*arp.last_chunk::<4>()?);
    let is_asked =
        ethernet.ethertype == ETHERTYPE_ARP && arp.starts_with(&REQUEST) && answers_for(target);
    if !is_asked {
        return None;
    }
    let (asker, asker_ip) = (&arp[8..14], &arp[14..18]);
    let mut answer = [asker, &mac[..], &frame[12..ethernet.length]].concat();
    answer.extend([0, 1, 8, 0, 6, 4, 0, 2]);
    answer.extend([&mac[..], &target.octets(), asker, asker_ip].concat());
    Some(answer)
}
