//! Mappings for packets: found, made, removed when their time is over.

use std::net::SocketAddrV4;

use super::allocate::WantedMapping;
use super::engine::Nat;
use super::mapping::{Mapping, MappingKind};
use super::outcome::{NatDrop, NatMapping};
use super::packet::{IcmpKind, NatProtocol, V4Packet};
use super::spec::{Exhausted, NOBODY, UnknownFlow};
use super::table::{FlowEnd, MappingNumber};
use crate::packet::transport::TcpFlags;

/// Why a packet from inside gets no mapping.
pub(super) enum NoMapping {
    /// The packet is dropped.
    Drop(NatDrop),
    /// The packet is dropped, and its sender gets a RST.
    Reset,
    /// The packet is dropped, and its sender gets an ICMP error.
    Icmp,
}

impl Nat {
    /// Finds or makes the mapping for a packet from inside.
    pub(super) fn mapping_for(
        &mut self,
        packet: &V4Packet,
        protocol: NatProtocol,
        own: bool,
        now: u64,
    ) -> Result<MappingNumber, NoMapping> {
        let (inside, remote) = (packet.source, packet.destination);
        let found = self.find_inside(protocol, inside, remote, now);
        let is_known = found
            .and_then(|number| self.table.get(number))
            .is_some_and(|mapping| {
                protocol != NatProtocol::Tcp
                    || packet.is_syn()
                    || mapping.kind != MappingKind::Dynamic
                    || mapping.has_session(remote, now)
            });
        if let Some(number) = found.filter(|_| is_known) {
            return Ok(number);
        }
        if packet.icmp == Some(IcmpKind::Answer) {
            return Err(NoMapping::Drop(NatDrop::NoMapping));
        }
        let is_stray = protocol == NatProtocol::Tcp && !packet.is_syn() && !own;
        if is_stray {
            match self.spec.unknown_flow {
                UnknownFlow::Adopt if !packet.tcp.contains(TcpFlags::RST) => {}
                UnknownFlow::Reset => return Err(NoMapping::Reset),
                UnknownFlow::Adopt | UnknownFlow::Drop => {
                    return Err(NoMapping::Drop(NatDrop::UnknownFlow));
                }
            }
        }
        match found {
            Some(number) => Ok(number),
            None => self.make_mapping(protocol, inside, remote, own, now),
        }
    }

    pub(super) fn make_mapping(
        &mut self,
        protocol: NatProtocol,
        inside: SocketAddrV4,
        remote: SocketAddrV4,
        own: bool,
        now: u64,
    ) -> Result<MappingNumber, NoMapping> {
        let wanted = WantedMapping { protocol, inside };
        let (part, kind) = match own {
            true => (NOBODY, MappingKind::Own),
            false => (
                self.spec.mapping_of(protocol).part_of(remote),
                MappingKind::Dynamic,
            ),
        };
        // The router's own ports are not translated, unless a mapping has them already.
        let kept = own && self.allocator.take(&self.spec, wanted, inside);
        let outside = match kept {
            true => Some(inside),
            false => self.allocate(wanted, part),
        };
        let outside = match (outside, self.spec.exhausted) {
            (Some(outside), _) => outside,
            (None, Exhausted::Drop) => return Err(NoMapping::Drop(NatDrop::Exhausted)),
            (None, Exhausted::IcmpError) => return Err(NoMapping::Icmp),
            (None, Exhausted::EvictOldest) => {
                if let Some(oldest) = self.table.oldest() {
                    self.remove(oldest);
                }
                let again = self.allocate(wanted, part);
                again.ok_or(NoMapping::Drop(NatDrop::Exhausted))?
            }
        };
        let mut mapping = Mapping::new(protocol, inside, outside, part, kind);
        // The packet that made the mapping puts off its end; until then it must not be expired.
        mapping.expires = now.saturating_add(1);
        self.counters.mappings_made += 1;
        Ok(self.table.insert(mapping))
    }

    pub(super) fn allocate(
        &mut self,
        wanted: WantedMapping,
        part: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        let Self {
            spec,
            allocator,
            table,
            ..
        } = self;
        allocator.allocate(spec, wanted, |at| {
            let is_free = |remote| {
                let key = FlowEnd {
                    at,
                    remote,
                    protocol: wanted.protocol,
                };
                table.by_outside(&key).is_none()
            };
            spec.shares_ports() && is_free(part) && is_free(NOBODY)
        })
    }

    /// Returns the mapping of an address and port inside for a remote host.
    pub(super) fn find_inside(
        &mut self,
        protocol: NatProtocol,
        at: SocketAddrV4,
        remote: SocketAddrV4,
        now: u64,
    ) -> Option<MappingNumber> {
        let part = self.spec.mapping_of(protocol).part_of(remote);
        let find = |remote| {
            let key = FlowEnd {
                at,
                remote,
                protocol,
            };
            self.table.by_inside(&key)
        };
        // A connection that a remote host has begun stays with the mapping by which its SYN came,
        // although there may be a mapping for that remote host too.
        let begun = match protocol {
            NatProtocol::Tcp => self.table.begun_outside(at, remote, now),
            NatProtocol::Udp | NatProtocol::Icmp => None,
        };
        let goes_on = |number: &MappingNumber| {
            let mapping = self.table.get(*number);
            mapping.is_some_and(|it| it.expires > now && it.has_session(remote, now))
        };
        let own = || match find(NOBODY) {
            None => find(part),
            // A forwarded port answers every remote host by its own mapping. A session that goes on
            // keeps its port nevertheless, although the host has asked for another port meanwhile:
            // Linux does so with connections that it tracks.
            Some(open) if part != NOBODY => find(part).filter(goes_on).or(Some(open)),
            Some(open) => Some(open),
        };
        let number = begun.or_else(own)?;
        self.living(number, now)
    }

    /// Returns whether an address and port inside have an open connection of TCP with a remote host
    /// already.
    pub(super) fn has_open(
        &mut self,
        inside: SocketAddrV4,
        remote: SocketAddrV4,
        now: u64,
    ) -> bool {
        let number = self.find_inside(NatProtocol::Tcp, inside, remote, now);
        let mapping = number.and_then(|number| self.table.get(number));
        mapping.is_some_and(|mapping| mapping.is_open(remote, now))
    }

    /// Returns the mapping of an external address and port for a remote host.
    pub(super) fn find_outside(
        &mut self,
        protocol: NatProtocol,
        at: SocketAddrV4,
        remote: SocketAddrV4,
        now: u64,
    ) -> Option<MappingNumber> {
        let part = self.spec.mapping_of(protocol).part_of(remote);
        let find = |remote| {
            let key = FlowEnd {
                at,
                remote,
                protocol,
            };
            self.table.by_outside(&key)
        };
        let number = find(part).or_else(|| find(NOBODY))?;
        self.living(number, now)
    }

    /// Returns the mapping by which packets from `inside` to `remote` leave, if there is one.
    pub fn outbound_mapping(
        &mut self,
        protocol: NatProtocol,
        inside: SocketAddrV4,
        remote: SocketAddrV4,
        now: u64,
    ) -> Option<NatMapping> {
        let number = self.find_inside(protocol, inside, remote, now)?;
        Some(self.table.get(number)?.value(now))
    }

    /// Returns the mapping to which packets from `remote` to `outside` belong, if there is one,
    /// whether or not it lets them in.
    pub fn inbound_mapping(
        &mut self,
        protocol: NatProtocol,
        outside: SocketAddrV4,
        remote: SocketAddrV4,
        now: u64,
    ) -> Option<NatMapping> {
        let number = self.find_outside(protocol, outside, remote, now)?;
        Some(self.table.get(number)?.value(now))
    }

    /// Removes a mapping that has expired, though its alarm is yet to come.
    fn living(&mut self, number: MappingNumber, now: u64) -> Option<MappingNumber> {
        if self.table.get(number)?.expires > now {
            return Some(number);
        }
        self.remove(number);
        None
    }

    pub(super) fn expire(&mut self, now: u64) {
        while let Some(number) = self.table.next_expired(now) {
            self.remove(number);
        }
    }

    pub(super) fn remove(&mut self, number: MappingNumber) {
        if let Some(mapping) = self.table.remove(number) {
            self.allocator.release(mapping.wanted(), mapping.outside);
        }
    }
}
