//! A packet that a firewall did not let through, as an event.

use std::net::SocketAddr;

use crate::events::EventKind;
use crate::kernel::nft::LoggedPacket;
use crate::model::packet::Headers;

/// Bytes of an Ethernet header, which a logged packet lacks.
const ETHERNET: usize = 14;

/// Returns the event of a packet that a firewall of a node did not let through; none if the packet
/// is not of IP.
pub(super) fn event(node: &str, packet: &LoggedPacket) -> Option<EventKind> {
    // The headers of frames are read by one reader, which wants the Ethernet header.
    let mut frame = vec![0; ETHERNET];
    let (ethertype, protocol_at) = match packet.bytes.first()? >> 4 {
        4 => ([0x08, 0x00], 9),
        6 => ([0x86, 0xdd], 6),
        _ => return None,
    };
    frame[ETHERNET - 2..].copy_from_slice(&ethertype);
    frame.extend(&packet.bytes);
    let headers = Headers::of(&frame);
    let [from, to] = headers.ips?;
    let [source, destination] = headers.ports().unwrap_or_default();
    Some(EventKind::FirewallDropped {
        node: node.into(),
        rule: packet.text.as_str().into(),
        protocol: *packet.bytes.get(protocol_at)?,
        source: SocketAddr::new(from, source),
        destination: SocketAddr::new(to, destination),
    })
}
