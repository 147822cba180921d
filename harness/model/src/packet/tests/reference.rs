//! Headers as an independent parser reads them: the crate etherparse.

use std::net::IpAddr;

use etherparse::{LaxNetSlice, LaxSlicedPacket, PacketBuilder, TransportSlice};

use super::*;
use crate::packet::ethernet::EthernetHeader;
use crate::packet::ip::{Fragment, IpHeader};
use crate::packet::{PacketSpec, Tcp, Transport};
use crate::random::splitmix;

type Read<'f> = (Option<[IpAddr; 2]>, Option<[u16; 2]>, &'f [u8]);

/// Returns the addresses, the ports and the payload that etherparse finds in a frame.
fn expected(frame: &[u8]) -> Read<'_> {
    let Ok(sliced) = LaxSlicedPacket::from_ethernet(frame) else {
        return (None, None, &[]);
    };
    let mut payload = sliced.ether_payload().map_or(&[][..], |ip| ip.payload);
    let ips: Option<[IpAddr; 2]> = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            Some([
                header.source_addr().into(),
                header.destination_addr().into(),
            ])
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            Some([
                header.source_addr().into(),
                header.destination_addr().into(),
            ])
        }
        Some(LaxNetSlice::Arp(_)) | None => None,
    };
    if let Some(ip) = sliced.ip_payload() {
        payload = ip.payload;
        if ip.fragmented {
            // The reference looks for extension headers in the payload of later fragments.
            return (ips, None, &[]);
        }
    }
    let mut ports = None;
    match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            ports = Some([tcp.source_port(), tcp.destination_port()]);
            payload = tcp.payload();
        }
        Some(TransportSlice::Udp(udp)) => {
            ports = Some([udp.source_port(), udp.destination_port()]);
            payload = udp.payload();
        }
        Some(TransportSlice::Icmpv4(icmp)) => payload = icmp.payload(),
        Some(TransportSlice::Icmpv6(icmp)) => payload = icmp.payload(),
        _ => {}
    }
    (ips, ports, payload)
}

fn read(frame: &[u8]) -> Read<'_> {
    let headers = Headers::of(frame);
    let [begin, end] = headers.payload;
    let ip = EthernetHeader::read(frame).and_then(|ethernet| IpHeader::read(frame, &ethernet));
    if ip.is_some_and(|ip| ip.fragment != Fragment::Whole) {
        return (headers.ips, headers.ports(), &[]);
    }
    (headers.ips, headers.ports(), &frame[begin..end])
}

/// Makes an IPv6 packet with two extension headers and a fragment header of the whole packet in
/// front of a datagram.
fn with_extensions() -> Vec<u8> {
    let plain = udp_from(9, b"behind extensions");
    let mut frame = plain[..54].to_vec();
    frame[20] = 0;
    frame[18..20].copy_from_slice(&((plain.len() - 54 + 40) as u16).to_be_bytes());
    frame.extend([60, 0, 1, 4, 0, 0, 0, 0]);
    frame.extend([44, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend([51, 0, 0, 0, 1, 2, 3, 4]);
    // The fragment header is followed by an authentication header of 12 bytes.
    let length = (plain.len() - 54 + 8 + 16 + 8 + 12) as u16;
    frame[18..20].copy_from_slice(&length.to_be_bytes());
    frame.extend([17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    frame.extend(&plain[54..]);
    frame
}

fn frames() -> [Vec<u8>; 6] {
    let plain = udp_from(9, b"hello");
    let tagged = [&plain[..12], &[0x81, 0, 0x60, 42], &plain[12..]].concat();
    [
        syn(),
        tcp_to_server(TcpFlags::ACK, 1, 1, b"some data"),
        plain,
        tagged,
        with_extensions(),
        arp(),
    ]
}

#[test]
fn whole_frames_are_read_as_the_reference_reads_them() {
    for frame in frames() {
        assert_eq!(read(&frame), expected(&frame), "{frame:02x?}");
    }
    assert_eq!(read(&with_extensions()).1, Some([9, 53]));
}

#[test]
fn corrupted_headers_are_read_as_the_reference_reads_them() {
    let mut seed = 1;
    let frames = frames();
    for round in 0..30_000usize {
        let mut frame = frames[round % frames.len()].clone();
        // The ethertype and the version of IP stay: where they contradict each other, a receiver
        // drops the packet, and the reference believes the version.
        let first = frame.len().min(19);
        for _ in 0..2 {
            let at = first + splitmix(&mut seed) as usize % (frame.len() - first);
            frame[at] = splitmix(&mut seed) as u8;
        }
        if round % 3 == 0 {
            frame.truncate(splitmix(&mut seed) as usize % (frame.len() + 1));
        }
        assert_eq!(read(&frame), expected(&frame), "{frame:02x?}");
    }
}

#[test]
fn packets_are_built_as_the_reference_builds_them() {
    let tcp = Tcp {
        source: 1,
        destination: 2,
        seq: 3,
        ack: 4,
        window: 5,
        flags: TcpFlags::RST.union(TcpFlags::ACK),
    };
    let (v4, v6) = ([CLIENT, SERVER], [[1u8; 16], [2u8; 16]]);
    let udp = Transport::Udp {
        source: 7,
        destination: 8,
    };
    for length in 0..40 {
        let payload = &[0xa5; 40][..length];
        let built = |ips: [IpAddr; 2], transport| {
            let packet = PacketSpec {
                ips,
                transport,
                payload,
            };
            packet
                .frame([MAC_A, MAC_B])
                .expect("addresses of one version")
        };
        let ethernet = || PacketBuilder::ethernet2(MAC_A, MAC_B);
        let mut expected: [Vec<u8>; 4] = Default::default();
        let [tcp4, tcp6, udp4, udp6] = &mut expected;
        let ip = ethernet().ipv4(v4[0], v4[1], 64);
        ip.tcp(1, 2, 3, 5)
            .rst()
            .ack(4)
            .write(tcp4, payload)
            .unwrap();
        let ip = ethernet().ipv6(v6[0], v6[1], 64);
        ip.tcp(1, 2, 3, 5)
            .rst()
            .ack(4)
            .write(tcp6, payload)
            .unwrap();
        let ip = ethernet().ipv4(v4[0], v4[1], 64);
        ip.udp(7, 8).write(udp4, payload).unwrap();
        let ip = ethernet().ipv6(v6[0], v6[1], 64);
        ip.udp(7, 8).write(udp6, payload).unwrap();
        let made = [
            built(v4.map(IpAddr::from), Transport::Tcp(tcp)),
            built(v6.map(IpAddr::from), Transport::Tcp(tcp)),
            built(v4.map(IpAddr::from), udp),
            built(v6.map(IpAddr::from), udp),
        ];
        assert_eq!(made, expected, "{length} bytes");
    }
    let ping = Transport::Icmp { kind: 8, code: 0 };
    for ips in [v4.map(IpAddr::from), v6.map(IpAddr::from)] {
        let packet = PacketSpec {
            ips,
            transport: ping,
            payload: b"ping",
        };
        let frame = packet
            .frame([MAC_A, MAC_B])
            .expect("addresses of one version");
        assert_eq!(Headers::of(&frame).transport, ping);
    }
}
