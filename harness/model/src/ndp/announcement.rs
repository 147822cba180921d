//! Frames by which a host tells its neighbours that it has an address: an ARP announcement (RFC
//! 5227, section 3) and an unsolicited neighbour advertisement (RFC 4861, section 7.2.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::advertisement::{ALL_NODES, ALL_NODES_MAC, to_group};
use crate::packet::ethernet::ETHERTYPE_ARP;

/// The type of neighbour advertisements.
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// Returns the frame by which the host with this MAC address tells all its neighbours that it has
/// an address. A neighbour that has known another MAC address for it takes this one.
pub fn announcement(mac: [u8; 6], ip: IpAddr, is_router: bool) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => arp(mac, ip),
        IpAddr::V6(ip) => neighbour(mac, ip, is_router),
    }
}

/// Returns a request for the address from the address itself (RFC 5227, section 1.1).
fn arp(mac: [u8; 6], ip: Ipv4Addr) -> Vec<u8> {
    let mut frame = [[0xff; 6], mac].concat();
    frame.extend(ETHERTYPE_ARP.to_be_bytes());
    // Ethernet, IPv4, the lengths of both kinds of addresses, and a request (RFC 826).
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(ip.octets());
    frame.extend([0; 6]);
    frame.extend(ip.octets());
    frame
}

fn neighbour(mac: [u8; 6], ip: Ipv6Addr, is_router: bool) -> Vec<u8> {
    // Section 4.4: the flags R and O. Without the first, hosts give up a router that they had.
    let flags = if is_router { 0xa0 } else { 0x20 };
    let mut message = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    message.extend(ip.octets());
    // The MAC address of the target (option 2).
    message.extend([2, 1]);
    message.extend(mac);
    to_group([ALL_NODES_MAC, mac], [ip, ALL_NODES], message)
}
