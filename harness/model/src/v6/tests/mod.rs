//! Translations of IPv6: the examples of the standards, and packets made anew by another crate.

mod addresses;
mod exchanged;
mod messages;
mod packets;
mod random;
mod wrong;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use crate::packet::VNET_HEADER;
use crate::packet::build::PacketSpec;
use crate::packet::ethernet::HEADER_LENGTH;
use crate::packet::testing::{MAC_A, MAC_B};
use crate::packet::transport::Transport;

/// A host of IPv6, a server of IPv4, and the address that stands for the host.
const HOST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);
const SERVER: Ipv4Addr = Ipv4Addr::new(5, 6, 7, 8);
const STANDS_FOR_HOST: Ipv4Addr = Ipv4Addr::new(198, 18, 64, 1);
/// The length of everything in front of a packet.
const FRONT: usize = VNET_HEADER + HEADER_LENGTH;

fn well_known() -> EmbeddingPrefix {
    Nat64Spec::new().parsed_prefix().unwrap()
}

/// Returns the address of the server for hosts of IPv6.
fn server_v6() -> Ipv6Addr {
    well_known().embed(SERVER)
}

fn nat64() -> FamilyTranslator {
    let pool = Nat64Spec::new().parsed_pool().unwrap();
    FamilyTranslator::nat64(well_known(), pool, [MAC_A, MAC_B])
}

/// Makes a NAT64 that knows the host.
fn acquainted() -> FamilyTranslator {
    let mut nat64 = nat64();
    let hello = made(HOST.into(), server_v6().into(), udp(1, 2), b"hello");
    assert_eq!(nat64.translate(&hello, 0).len(), 1);
    nat64
}

fn udp(source: u16, destination: u16) -> Transport {
    Transport::Udp {
        source,
        destination,
    }
}

/// Returns a frame with an empty virtio-net header in front.
fn made(from: IpAddr, to: IpAddr, transport: Transport, payload: &[u8]) -> Vec<u8> {
    let spec = PacketSpec {
        ips: [from, to],
        transport,
        payload,
    };
    let frame = spec.frame([MAC_A, MAC_B]).expect("a packet");
    [&[0; VNET_HEADER][..], &frame].concat()
}

/// Translates a frame of which one frame is made.
fn one(translator: &mut FamilyTranslator, whole: &[u8]) -> Vec<u8> {
    let mut made = translator.translate(whole, 0);
    assert_eq!(made.len(), 1, "{:?}", translator.counters());
    made.pop().unwrap()
}

/// Reads a frame by another crate, which checks lengths, and its checksums.
fn checked(whole: &[u8]) -> etherparse::PacketHeaders<'_> {
    let headers = etherparse::PacketHeaders::from_ethernet_slice(&whole[VNET_HEADER..]).unwrap();
    let payload = headers.payload.slice();
    use etherparse::{NetHeaders, TransportHeader};
    match (&headers.net, &headers.transport) {
        (Some(NetHeaders::Ipv4(ip, _)), transport) => {
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            let found = match transport {
                Some(TransportHeader::Udp(udp)) => {
                    Some((udp.checksum, udp.calc_checksum_ipv4(ip, payload).unwrap()))
                }
                Some(TransportHeader::Tcp(tcp)) => {
                    Some((tcp.checksum, tcp.calc_checksum_ipv4(ip, payload).unwrap()))
                }
                Some(TransportHeader::Icmpv4(icmp)) => {
                    Some((icmp.checksum, icmp.icmp_type.calc_checksum(payload)))
                }
                _ => None,
            };
            assert!(found.is_none_or(|(is, ought)| is == ought), "{found:x?}");
        }
        (Some(NetHeaders::Ipv6(ip, _)), transport) => {
            let found = match transport {
                Some(TransportHeader::Udp(udp)) => {
                    Some((udp.checksum, udp.calc_checksum_ipv6(ip, payload).unwrap()))
                }
                Some(TransportHeader::Tcp(tcp)) => {
                    Some((tcp.checksum, tcp.calc_checksum_ipv6(ip, payload).unwrap()))
                }
                Some(TransportHeader::Icmpv6(icmp)) => {
                    let kind = &icmp.icmp_type;
                    let ought = kind.calc_checksum(ip.source, ip.destination, payload);
                    Some((icmp.checksum, ought.unwrap()))
                }
                _ => None,
            };
            assert!(found.is_none_or(|(is, ought)| is == ought), "{found:x?}");
        }
        other => panic!("no IP: {other:?}"),
    }
    headers
}

/// Returns the addresses of a frame.
fn ends(whole: &[u8]) -> [IpAddr; 2] {
    crate::packet::Headers::of(&whole[VNET_HEADER..])
        .ips
        .expect("addresses")
}
