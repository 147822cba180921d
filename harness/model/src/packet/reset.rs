//! TCP resets that both ends believe.
//!
//! A receiver takes a RST only if its sequence number is exactly the next one that the receiver
//! expects (RFC 5961, section 3.2). So both resets are made from a packet of the connection that is
//! itself dropped. The receiver of that packet expects its sequence number; the sender expects the
//! number that the packet acknowledges.

use std::net::IpAddr;

use super::build::PacketSpec;
use super::headers::Headers;
use super::transport::{Tcp, TcpFlags, Transport};

/// Returns two frames: the first goes where `frame` went, the second back to its sender.
///
/// There are none if the frame is no TCP over Ethernet.
pub fn of(frame: &[u8], headers: &Headers) -> Option<[Vec<u8>; 2]> {
    let (tcp, [source, destination], macs) = (headers.tcp()?, headers.ips?, headers.macs?);
    let [begin, end] = headers.payload;
    let length = u32::try_from(end - begin).ok()?;
    // SYN and FIN take a sequence number each (RFC 9293, section 3.4).
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
        // A SYN acknowledges nothing yet. A client in SYN-SENT takes a RST by its acknowledgment
        // number instead (RFC 9293, section 3.5.2).
        seq: if acknowledges { tcp.ack } else { 0 },
        ack: Some(after),
    };
    let tags = tags(frame, headers);
    Some([onward.frame(tags)?, back.frame(tags)?])
}

/// Returns the bytes between the MAC addresses and the IP header: VLAN tags and the ethertype.
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
        let [source, destination] = self.ports;
        let flags = match self.ack {
            Some(_) => TcpFlags::RST.union(TcpFlags::ACK),
            None => TcpFlags::RST,
        };
        let tcp = Tcp {
            source,
            destination,
            seq: self.seq,
            ack: self.ack.unwrap_or(0),
            window: 0,
            flags,
        };
        let packet = PacketSpec {
            ips: self.ips,
            transport: Transport::Tcp(tcp),
            payload: &[],
        };
        packet.tagged_frame(self.macs, tags)
    }
}
