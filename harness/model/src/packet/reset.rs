//! TCP resets that both ends believe.
//!
//! Since RFC 5961 a receiver takes a RST only if its sequence number is exactly the next one that it expects, so both are
//! made from a packet of the connection that is itself dropped: its receiver expects that packet's sequence number,
//! and its sender what the packet acknowledged.

use std::net::IpAddr;

use etherparse::PacketBuilder;

use super::headers::{Headers, Tcp, TcpFlags};

/// Two frames: the first goes where `frame` went, the second back to its sender. Nothing if it is no TCP over Ethernet.
pub fn of(frame: &[u8], headers: &Headers) -> Option<[Vec<u8>; 2]> {
    let (tcp, [source, destination], macs) = (headers.tcp()?, headers.ips?, headers.macs?);
    let [begin, end] = headers.payload;
    let length = u32::try_from(end - begin).ok()?;
    let counted =
        u32::from(tcp.flags.contains(TcpFlags::SYN)) + u32::from(tcp.flags.contains(TcpFlags::FIN));
    let after = tcp.seq.wrapping_add(length).wrapping_add(counted);
    let acknowledges = tcp.flags.contains(TcpFlags::ACK);

    let onward = Reset {
        ports: [tcp.source, tcp.destination],
        ips: [source, destination],
        macs,
        seq: tcp.seq,
        ack: acknowledges.then_some(tcp.ack),
    };
    let back = Reset {
        ports: [tcp.destination, tcp.source],
        ips: [destination, source],
        macs: [macs[1], macs[0]],
        // A SYN acknowledges nothing yet; what answers it is told by the acknowledgment.
        seq: back_seq(tcp, acknowledges),
        ack: Some(after),
    };
    let tags = tags(frame, headers);
    Some([onward.frame(tags)?, back.frame(tags)?])
}

fn back_seq(tcp: &Tcp, acknowledges: bool) -> u32 {
    if acknowledges { tcp.ack } else { 0 }
}

/// The bytes between the MAC addresses and the IP header: VLAN tags and the type.
fn tags<'f>(frame: &'f [u8], headers: &Headers) -> &'f [u8] {
    frame.get(12..headers.network_at).unwrap_or_default()
}

struct Reset {
    ports: [u16; 2],
    ips: [IpAddr; 2],
    macs: [[u8; 6]; 2],
    seq: u32,
    ack: Option<u32>,
}

impl Reset {
    fn frame(&self, tags: &[u8]) -> Option<Vec<u8>> {
        let builder = match self.ips {
            [IpAddr::V4(from), IpAddr::V4(to)] => {
                PacketBuilder::ipv4(from.octets(), to.octets(), TTL)
            }
            [IpAddr::V6(from), IpAddr::V6(to)] => {
                PacketBuilder::ipv6(from.octets(), to.octets(), TTL)
            }
            _ => return None,
        };
        let [from, to] = self.ports;
        let mut builder = builder.tcp(from, to, self.seq, 0).rst();
        if let Some(ack) = self.ack {
            builder = builder.ack(ack);
        }
        let mut frame = [&self.macs[1][..], &self.macs[0], tags].concat();
        builder.write(&mut frame, &[]).ok()?;
        Some(frame)
    }
}

/// As Linux sends.
const TTL: u8 = 64;
