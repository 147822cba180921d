//! ICMP errors: both the packet that carries the error and the one that it quotes are translated
//! (RFC 5508, section 4).

use std::net::SocketAddrV4;

use super::engine::Nat;
use super::mapping::MappingKind;
use super::outcome::{NatDrop, NatOutcome};
use super::packet::{Checksums, NatProtocol, PacketEnd, V4Packet};
use crate::packet::checksum::ChecksumChange;
use crate::packet::ethernet::exchange_macs;
use crate::packet::transport::{ICMP_CHECKSUM_AT, ICMP_LENGTH};

impl Nat {
    /// Translates an error from outside about a packet from inside.
    pub(super) fn inbound_error(
        &mut self,
        frame: &mut [u8],
        packet: &V4Packet,
        now: u64,
    ) -> NatOutcome {
        let Some((quoted, protocol)) = quoted(frame, packet) else {
            // About a packet without ports, which can only be one of the router itself.
            return NatOutcome::Pass;
        };
        // The quoted packet is the one that has left here: its source is an external address.
        let number = self.find_outside(protocol, quoted.source, quoted.destination, now);
        let Some(mapping) = number.and_then(|number| self.table.get(number)) else {
            return NatOutcome::Drop(NatDrop::IcmpError);
        };
        if mapping.kind != MappingKind::Own && !self.spec.icmp_errors {
            return NatOutcome::Drop(NatDrop::IcmpError);
        }
        let inside = mapping.inside;
        translate(
            frame,
            packet,
            &quoted,
            [PacketEnd::Source, PacketEnd::Destination],
            inside,
        );
        self.counters.inbound += 1;
        NatOutcome::Pass
    }

    /// Translates an error from inside, or of the router itself, about a packet from outside.
    pub(super) fn outbound_error(
        &mut self,
        frame: &mut [u8],
        packet: &V4Packet,
        now: u64,
    ) -> NatOutcome {
        let own = self.allocator.has(*packet.source.ip());
        if self.allocator.has(*packet.destination.ip()) && !own {
            return self.hairpin_error(frame, packet, now);
        }
        let refused = match own {
            true => NatOutcome::Pass,
            false => NatOutcome::Drop(NatDrop::IcmpError),
        };
        let Some((quoted, protocol)) = quoted(frame, packet) else {
            return refused;
        };
        // The quoted packet is the one that was let in: its destination is inside.
        let number = self.find_inside(protocol, quoted.destination, quoted.source, now);
        let Some(mapping) = number.and_then(|number| self.table.get(number)) else {
            return refused;
        };
        if !self.spec.icmp_errors && !own {
            return NatOutcome::Drop(NatDrop::IcmpError);
        }
        let outside = mapping.outside;
        translate(
            frame,
            packet,
            &quoted,
            [PacketEnd::Destination, PacketEnd::Source],
            outside,
        );
        self.counters.outbound += 1;
        NatOutcome::Pass
    }

    /// Sends an error from inside about a packet that came back inside to the host inside that sent
    /// the packet (RFC 5508, REQ-7).
    fn hairpin_error(&mut self, frame: &mut [u8], packet: &V4Packet, now: u64) -> NatOutcome {
        if !self.spec.hairpinning.is_on() {
            return NatOutcome::Drop(NatDrop::Hairpin);
        }
        let ends = quoted(frame, packet).and_then(|(quoted, protocol)| {
            let number = self.find_inside(protocol, quoted.destination, quoted.source, now)?;
            let receiver = self.table.get(number)?.outside;
            let number = self.find_outside(protocol, quoted.source, receiver, now)?;
            let sender = self.table.get(number)?;
            // The router itself has sent the packet to the address inside.
            (sender.kind != MappingKind::Own).then_some((quoted, receiver, sender.inside))
        });
        let Some((quoted, receiver, sender)) = ends else {
            return self.back_to_router(frame, packet, NatDrop::IcmpError);
        };
        if !self.spec.icmp_errors {
            return NatOutcome::Drop(NatDrop::IcmpError);
        }
        let by_receiver = [PacketEnd::Destination, PacketEnd::Source];
        translate(frame, packet, &quoted, by_receiver, receiver);
        let by_sender = [PacketEnd::Source, PacketEnd::Destination];
        translate(frame, packet, &quoted, by_sender, sender);
        exchange_macs(frame);
        NatOutcome::Hairpin
    }
}

/// Returns the packet that an error quotes, if it has ports.
fn quoted(frame: &[u8], packet: &V4Packet) -> Option<(V4Packet, NatProtocol)> {
    let quoted = V4Packet::quoted(frame, packet.ip.payload_at + ICMP_LENGTH)?;
    Some((quoted, quoted.protocol?))
}

/// Writes an address and port into the quoted packet, and the address into the packet itself, with
/// the checksums of both.
fn translate(
    frame: &mut [u8],
    packet: &V4Packet,
    quoted: &V4Packet,
    [quoted_end, end]: [PacketEnd; 2],
    new: SocketAddrV4,
) {
    // A short frame is padded, and what stands behind the packet belongs to no checksum.
    let length = packet.ip.end(frame);
    let frame = &mut frame[..length];
    // All that changes in the quoted packet is in its headers. The longest one is that of TCP up
    // to its checksum.
    let to = length.min(quoted.ip.payload_at + 20);
    // A checksum takes an odd byte at its end as the first one of a word, and no byte there is
    // changed by itself.
    let to = to - (to - quoted.ip.at) % 2;
    let before = frame[quoted.ip.at..to].to_vec();
    quoted.rewrite(frame, Checksums::Complete, quoted_end, new);
    let change = ChecksumChange::default().exchange(&before, &frame[quoted.ip.at..to]);
    change.apply(frame, packet.ip.payload_at + ICMP_CHECKSUM_AT);
    packet.rewrite(
        frame,
        Checksums::Complete,
        end,
        SocketAddrV4::new(*new.ip(), 0),
    );
}
