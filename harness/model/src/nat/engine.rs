//! The machine: decides about each packet of either direction, and keeps the mappings.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::allocate::Allocator;
use super::answer;
use super::lookup::NoMapping;
use super::mapping::{MappingKind, Passing};
use super::outcome::{NatCounters, NatDrop, NatMapping, NatOutcome};
use super::packet::fragments::{FragmentKey, Fragments, Translation};
use super::packet::{Checksums, IcmpKind, NatProtocol, PacketEnd, V4Packet};
use super::spec::{Hairpinning, NatSpec, Unsolicited};
use super::table::{MappingNumber, MappingTable};
use crate::order::sort_by_key;
use crate::packet::ethernet::exchange_macs;
use crate::packet::ip::Fragment;
use crate::packet::transport::TcpFlags;

/// A NAT with its mappings. The engine is given packets and times, and keeps nothing else.
///
/// Packets are frames from their Ethernet header on, and are rewritten in place. Frames that carry
/// no IPv4 pass as they are. Times are nanoseconds of any clock that does not go backward.
#[derive(Debug)]
pub struct Nat {
    pub(super) spec: NatSpec,
    pub(super) allocator: Allocator,
    pub(super) table: MappingTable,
    pub(super) counters: NatCounters,
    fragments: Fragments,
    /// Addresses of the uplink, for which the kernel answers.
    pub(super) uplink: Vec<Ipv4Addr>,
    /// Hardware address of the uplink, with which ARP requests for further addresses are answered.
    mac: [u8; 6],
}

impl Nat {
    /// Makes a NAT. Its external addresses are those of the uplink and the pool of the
    /// specification; `mac` is the uplink's hardware address.
    pub fn new(spec: NatSpec, uplink: &[Ipv4Addr], mac: [u8; 6], seed: u64) -> Nat {
        let mut nat = Nat {
            allocator: Allocator::new(&spec.external_addresses(uplink), seed),
            table: MappingTable::new(spec.shares_ports()),
            spec,
            counters: NatCounters::default(),
            fragments: Fragments::default(),
            uplink: uplink.to_vec(),
            mac,
        };
        nat.add_forwards();
        nat
    }

    /// Returns the behaviours that are in force.
    pub fn spec(&self) -> &NatSpec {
        &self.spec
    }

    /// Returns the external addresses, that of the uplink first.
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        self.allocator.addresses().collect()
    }

    /// Returns what has passed and what was dropped.
    pub fn counters(&self) -> &NatCounters {
        &self.counters
    }

    /// Returns the number of mappings.
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// Returns the bytes of memory that mappings occupy, without further remote hosts of a mapping.
    pub fn memory(&self) -> usize {
        self.table.memory()
    }

    /// Returns the mappings that have not expired by `now`.
    pub fn mappings(&self, now: u64) -> Vec<NatMapping> {
        let living = self.table.iter().filter(|(_, it)| it.expires > now);
        let mut mappings: Vec<NatMapping> = living.map(|(_, it)| it.value(now)).collect();
        sort_by_key(&mut mappings, |it| (it.protocol, it.inside, it.remote));
        mappings
    }

    /// Translates a packet that leaves by the uplink.
    pub fn outbound(&mut self, frame: &mut [u8], sums: Checksums, now: u64) -> NatOutcome {
        self.expire(now);
        let outcome = self.decide_outbound(frame, sums, now);
        self.note(outcome)
    }

    /// Translates a packet that has come by the uplink.
    pub fn inbound(&mut self, frame: &mut [u8], sums: Checksums, now: u64) -> NatOutcome {
        self.expire(now);
        let outcome = self.decide_inbound(frame, sums, now);
        self.note(outcome)
    }

    fn note(&mut self, outcome: NatOutcome) -> NatOutcome {
        match &outcome {
            NatOutcome::Drop(why) | NatOutcome::Answer { why: Some(why), .. } => {
                self.counters.dropped[*why as usize] += 1;
            }
            NatOutcome::Hairpin => self.counters.hairpinned += 1,
            NatOutcome::Pass | NatOutcome::Answer { why: None, .. } => {}
        }
        outcome
    }

    fn decide_outbound(&mut self, frame: &mut [u8], sums: Checksums, now: u64) -> NatOutcome {
        let Some(packet) = V4Packet::read(frame) else {
            // The router asks for an external address to which it forwards. Its own hardware
            // address would be a strange answer.
            let [first @ .., last] = self.mac;
            let [a, b, c, d, e] = first;
            return self.answer_arp(frame, [a, b, c, d, e, last ^ 1]);
        };
        let (from, to) = (*packet.source.ip(), *packet.destination.ip());
        // DHCP asks from 0.0.0.0, and routing protocols speak to groups.
        if from.is_unspecified() || to.is_multicast() || to.is_broadcast() {
            return NatOutcome::Pass;
        }
        let own = self.allocator.has(from);
        if packet.ip.fragment == Fragment::Later {
            return self.later_fragment(frame, &packet, own);
        }
        match (packet.protocol, packet.icmp) {
            (None, Some(IcmpKind::Error)) => return self.outbound_error(frame, &packet, now),
            (None, _) | (_, Some(IcmpKind::Answer)) if own => return NatOutcome::Pass,
            (None, _) => return NatOutcome::Drop(unreadable(&packet)),
            (Some(_), _) => {}
        }
        let Some(protocol) = packet.protocol.filter(|_| packet.has_whole_header(frame)) else {
            return NatOutcome::Drop(NatDrop::Malformed);
        };
        if self.allocator.has(to) && !own {
            return self.hairpin(frame, &packet, protocol, sums, now);
        }
        let number = match self.mapping_for(&packet, protocol, own, now) {
            Ok(number) => number,
            Err(why) => return self.refuse_outbound(frame, &packet, &why),
        };
        let outside = self.pass_outbound(number, &packet, now);
        packet.rewrite(frame, sums, PacketEnd::Source, outside);
        self.counters.outbound += 1;
        self.remember_fragment(&packet, Translation::source(*outside.ip()));
        NatOutcome::Pass
    }

    fn decide_inbound(&mut self, frame: &mut [u8], sums: Checksums, now: u64) -> NatOutcome {
        let Some(packet) = V4Packet::read(frame) else {
            return self.answer_arp(frame, self.mac);
        };
        if !self.allocator.has(*packet.destination.ip()) {
            return NatOutcome::Pass;
        }
        if packet.ip.fragment == Fragment::Later {
            return self.later_fragment(frame, &packet, true);
        }
        let Some(protocol) = packet.protocol else {
            return match packet.icmp {
                Some(IcmpKind::Error) => self.inbound_error(frame, &packet, now),
                _ if unreadable(&packet) == NatDrop::Malformed => {
                    NatOutcome::Drop(NatDrop::Malformed)
                }
                // Protocols without ports can only be meant for the router itself.
                _ => NatOutcome::Pass,
            };
        };
        if !packet.has_whole_header(frame) {
            return NatOutcome::Drop(NatDrop::Malformed);
        }
        // A ping of a stranger asks the router, whatever its identifier is.
        if packet.icmp == Some(IcmpKind::Query) {
            return self.refuse_inbound(frame, &packet, NatDrop::NoMapping);
        }
        let (remote, outside) = (packet.source, packet.destination);
        let found = self.find_outside(protocol, outside, remote, now);
        let Some(number) = found.or_else(|| self.expose(&packet, protocol, now)) else {
            return self.refuse_inbound(frame, &packet, NatDrop::NoMapping);
        };
        let inside = match self.admit_inbound(number, &packet, remote, now) {
            Ok(inside) => inside,
            Err(why) => return self.refuse_inbound(frame, &packet, why),
        };
        packet.rewrite(frame, sums, PacketEnd::Destination, inside);
        self.counters.inbound += 1;
        self.remember_fragment(&packet, Translation::destination(*inside.ip()));
        NatOutcome::Pass
    }

    /// Lets a packet into a mapping, if its filter allows, and returns the address and port inside.
    fn admit_inbound(
        &mut self,
        number: MappingNumber,
        packet: &V4Packet,
        remote: SocketAddrV4,
        now: u64,
    ) -> Result<SocketAddrV4, NatDrop> {
        let Some(mapping) = self.table.get(number) else {
            return Err(NatDrop::NoMapping);
        };
        let filtering = self.spec.filtering_of(mapping.protocol);
        if !mapping.admits(remote, filtering, now) {
            return Err(NatDrop::Filtered);
        }
        // A segment that neither opens a connection nor belongs to one has come too late.
        let stray = mapping.protocol == NatProtocol::Tcp
            && mapping.kind == MappingKind::Dynamic
            && !packet.is_syn()
            && !mapping.has_session(remote, now);
        if stray {
            return Err(NatDrop::NoMapping);
        }
        let inside = mapping.inside;
        // Answers of the host inside belong to this mapping, although the mapping was made for
        // another remote host.
        let is_other = mapping.protocol == NatProtocol::Tcp
            && mapping.kind == MappingKind::Dynamic
            && mapping.remote != self.spec.mapping_of(mapping.protocol).part_of(remote);
        self.pass(number, packet.tcp, remote, false, now);
        // An open connection between the same two ends keeps its mapping: a SYN, which anybody can
        // forge, must not move it. The host inside answers with an acknowledgment (RFC 5961,
        // section 4.2), and a remote host that knows of no connection resets the old one.
        if is_other && packet.is_syn() && !self.has_open(inside, remote, now) {
            self.table.note_begun_outside(number, remote, now);
        }
        Ok(inside)
    }

    /// Sends a packet for an external address back inside.
    fn hairpin(
        &mut self,
        frame: &mut [u8],
        packet: &V4Packet,
        protocol: NatProtocol,
        sums: Checksums,
        now: u64,
    ) -> NatOutcome {
        // The kernel of the router takes in packets to the address of the uplink. This packet is
        // for another external address, which the router itself does not have.
        if !self.spec.hairpinning.is_on() {
            return NatOutcome::Drop(NatDrop::Hairpin);
        }
        // A ping asks the router, as that of a stranger does.
        if protocol == NatProtocol::Icmp {
            return self.back_to_router(frame, packet, NatDrop::NoMapping);
        }
        let number = match self.mapping_for(packet, protocol, false, now) {
            Ok(number) => number,
            Err(why) => return self.refuse_outbound(frame, packet, &why),
        };
        let outside = self.pass_outbound(number, packet, now);
        let found = self.find_outside(protocol, packet.destination, outside, now);
        let admitted = match found.or_else(|| self.expose(packet, protocol, now)) {
            Some(target) => self.admit_inbound(target, packet, outside, now),
            None => Err(NatDrop::NoMapping),
        };
        let inside = match admitted {
            Ok(inside) => inside,
            Err(why @ NatDrop::NoMapping) => return self.back_to_router(frame, packet, why),
            Err(why) => return NatOutcome::Drop(why),
        };
        packet.rewrite(frame, sums, PacketEnd::Destination, inside);
        let mut translation = Translation::destination(*inside.ip());
        if self.spec.hairpinning == Hairpinning::ExternalSource {
            packet.rewrite(frame, sums, PacketEnd::Source, outside);
            translation.source = Some(*outside.ip());
        }
        translation.hairpins = true;
        self.remember_fragment(packet, translation);
        exchange_macs(frame);
        NatOutcome::Hairpin
    }

    /// Sends a packet from inside that no mapping claims back to the router as it is, if the router
    /// has the external address that the packet is for; or else drops the packet.
    pub(super) fn back_to_router(
        &mut self,
        frame: &mut [u8],
        packet: &V4Packet,
        why: NatDrop,
    ) -> NatOutcome {
        let has_address = self.spec.unsolicited == Unsolicited::ToRouter
            || self.uplink.contains(packet.destination.ip());
        if !has_address {
            return NatOutcome::Drop(why);
        }
        let as_it_is = Translation {
            hairpins: true,
            ..Translation::default()
        };
        self.remember_fragment(packet, as_it_is);
        exchange_macs(frame);
        NatOutcome::Hairpin
    }

    /// Notes a packet from inside at its mapping, and returns the external address and port.
    fn pass_outbound(
        &mut self,
        number: MappingNumber,
        packet: &V4Packet,
        now: u64,
    ) -> SocketAddrV4 {
        self.pass(number, packet.tcp, packet.destination, true, now);
        let mapping = self.table.get(number);
        mapping.map_or(packet.source, |mapping| mapping.outside)
    }

    fn pass(
        &mut self,
        number: MappingNumber,
        flags: TcpFlags,
        remote: SocketAddrV4,
        outbound: bool,
        now: u64,
    ) {
        let passing = Passing {
            remote,
            flags,
            outbound,
            now,
        };
        if let Some(mapping) = self.table.get_mut(number) {
            mapping.pass(&passing, &self.spec.timeouts, self.spec.inbound_refresh);
        }
        self.table.set_alarm(number);
    }

    fn refuse_outbound(&self, frame: &[u8], packet: &V4Packet, why: &NoMapping) -> NatOutcome {
        let answered = |why: NatDrop, frame: Option<Vec<u8>>| match frame {
            Some(frame) => NatOutcome::Answer {
                why: Some(why),
                frame,
            },
            None => NatOutcome::Drop(why),
        };
        match why {
            NoMapping::Drop(why) => NatOutcome::Drop(*why),
            NoMapping::Reset => answered(NatDrop::UnknownFlow, answer::reset(frame, packet)),
            NoMapping::Icmp => {
                let from = self.allocator.addresses().next();
                let from = from.unwrap_or(Ipv4Addr::UNSPECIFIED);
                let code = answer::ADMINISTRATIVELY_PROHIBITED;
                answered(
                    NatDrop::Exhausted,
                    answer::unreachable(frame, packet, from, code),
                )
            }
        }
    }

    fn refuse_inbound(&self, frame: &[u8], packet: &V4Packet, why: NatDrop) -> NatOutcome {
        // A router that starts again asks from 0.0.0.0, and the offer comes to the address that it
        // is given (RFC 2131, section 4.1): the one that it had, more often than not.
        if packet.is_dhcp_offer() {
            return NatOutcome::Pass;
        }
        match self.spec.unsolicited {
            // An exposed host gets its packets by `expose`, before this call.
            Unsolicited::Drop | Unsolicited::ToHost(_) => NatOutcome::Drop(why),
            Unsolicited::ToRouter if why == NatDrop::NoMapping => NatOutcome::Pass,
            Unsolicited::ToRouter => NatOutcome::Drop(why),
            Unsolicited::Reject => match answer::refusal(frame, packet) {
                Some(frame) => NatOutcome::Answer {
                    why: Some(why),
                    frame,
                },
                None => NatOutcome::Drop(why),
            },
        }
    }

    /// Answers a question for the hardware address of an address that the uplink does not have.
    fn answer_arp(&self, frame: &[u8], mac: [u8; 6]) -> NatOutcome {
        let is_further = |it| self.allocator.has(it) && !self.uplink.contains(&it);
        match answer::arp(frame, mac, is_further) {
            Some(frame) => NatOutcome::Answer { why: None, frame },
            None => NatOutcome::Pass,
        }
    }

    fn remember_fragment(&mut self, packet: &V4Packet, translation: Translation) {
        if packet.ip.fragment == Fragment::First {
            self.fragments
                .remember(FragmentKey::of(packet), translation);
        }
    }

    /// Treats a later fragment as the first one. `for_router` says whether it passes otherwise.
    fn later_fragment(
        &mut self,
        frame: &mut [u8],
        packet: &V4Packet,
        for_router: bool,
    ) -> NatOutcome {
        let Some(translation) = self.fragments.find(&FragmentKey::of(packet)) else {
            return match for_router {
                true if self.spec.unsolicited == Unsolicited::ToRouter => NatOutcome::Pass,
                _ => NatOutcome::Drop(NatDrop::Fragment),
            };
        };
        for (end, address) in [
            (PacketEnd::Source, translation.source),
            (PacketEnd::Destination, translation.destination),
        ] {
            if let Some(address) = address {
                let new = SocketAddrV4::new(address, 0);
                packet.rewrite(frame, Checksums::Complete, end, new);
            }
        }
        if translation.hairpins {
            exchange_macs(frame);
            return NatOutcome::Hairpin;
        }
        NatOutcome::Pass
    }
}

/// Returns why a packet without ports is not translated.
fn unreadable(packet: &V4Packet) -> NatDrop {
    match NatProtocol::of_number(packet.protocol_number) {
        // ICMP has messages that are neither queries nor errors.
        Some(NatProtocol::Icmp) if packet.icmp.is_some() => NatDrop::Protocol,
        Some(_) => NatDrop::Malformed,
        None => NatDrop::Protocol,
    }
}
