//! A packet that a firewall did not let through, as an event.

use std::net::SocketAddr;

use crate::events::EventKind;
use crate::kernel::nft::LoggedPacket;
use crate::model::packet::Headers;
use crate::model::packet::ip::IpHeader;

/// Returns the event of a packet that a firewall of a node did not let through; none if the packet
/// is not of IP.
pub(super) fn event(node: &str, packet: &LoggedPacket) -> Option<EventKind> {
    // A logged packet begins with its IP header.
    let ip = IpHeader::read_at(&packet.bytes, 0)?;
    let headers = Headers::of_packet(&packet.bytes, &ip);
    let [from, to] = headers.ips?;
    let [source, destination] = headers.ports().unwrap_or_default();
    Some(EventKind::FirewallDropped {
        node: node.into(),
        rule: packet.text.as_str().into(),
        protocol: ip.protocol,
        source: SocketAddr::new(from, source),
        destination: SocketAddr::new(to, destination),
    })
}
