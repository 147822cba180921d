//! Changes of a NAT at work: other behaviours, other ports, other addresses, no mappings.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::allocate::{Allocator, WantedMapping};
use super::engine::Nat;
use super::mapping::{Mapping, MappingKind};
use super::packet::NatProtocol;
use super::spec::{NOBODY, NatSpec};
use super::table::{MappingNumber, MappingTable};

impl Nat {
    /// Forgets all mappings but those of forwarded ports.
    pub fn flush(&mut self) {
        for number in self.numbers(|mapping| mapping.kind != MappingKind::Forward) {
            self.remove(number);
        }
    }

    /// Gives every mapping another external port. Packets to the old ports find no mapping.
    ///
    /// A mapping for which there is no other port is removed.
    pub fn rebind_ports(&mut self) {
        let shares = self.spec.shares_ports();
        for number in self.numbers(|mapping| mapping.kind == MappingKind::Dynamic) {
            let Some(mapping) = self.table.get(number).cloned() else {
                continue;
            };
            let wanted = mapping.wanted();
            // The old port is taken still, so that the other one differs.
            match self.allocate(wanted, mapping.remote) {
                Some(other) => {
                    self.allocator.release(wanted, mapping.outside);
                    self.table.move_outside(number, other, shares);
                }
                None => self.remove(number),
            }
        }
    }

    /// Gives the NAT other external addresses, beside those of its pool. Mappings go on with an
    /// address and port of those; mappings of the router itself are forgotten.
    pub fn rebind_addresses(&mut self, uplink: &[Ipv4Addr]) {
        for number in self.numbers(|mapping| mapping.kind == MappingKind::Own) {
            self.remove(number);
        }
        let addresses = self.spec.external_addresses(uplink);
        let seed = self.allocator.next_seed();
        self.allocator = Allocator::new(&addresses, seed);
        let shares = self.spec.shares_ports();
        // Forwarded ports first: they have to be the same ones.
        let mut numbers = self.numbers(|mapping| mapping.kind == MappingKind::Forward);
        numbers.extend(self.numbers(|mapping| mapping.kind != MappingKind::Forward));
        for number in numbers {
            let Some(mapping) = self.table.get(number).cloned() else {
                continue;
            };
            let wanted = mapping.wanted();
            let other = match (mapping.kind, addresses.first()) {
                (MappingKind::Forward, Some(first)) => {
                    let at = SocketAddrV4::new(*first, mapping.outside.port());
                    self.allocator.take(&self.spec, wanted, at).then_some(at)
                }
                _ => self.allocate(wanted, mapping.remote),
            };
            match other {
                Some(other) => self.table.move_outside(number, other, shares),
                // The old address is not the allocator's any more, which has nothing to release.
                None => drop(self.table.remove(number, shares)),
            }
        }
    }

    /// Takes over other behaviours. Mappings go on where they can: a change of what mappings depend
    /// on, of ports, of addresses or of forwarded ports forgets them.
    pub fn change(&mut self, spec: NatSpec) {
        let before = &self.spec;
        let keeps = before.mapping == spec.mapping
            && before.tcp_mapping == spec.tcp_mapping
            && before.ports == spec.ports
            && before.port_range == spec.port_range
            && before.pool == spec.pool
            && before.forwards == spec.forwards;
        if keeps {
            self.spec = spec;
            return;
        }
        let addresses = self.allocator.addresses();
        let uplink: Vec<Ipv4Addr> = addresses.filter(|it| !before.pool.contains(it)).collect();
        let addresses = spec.external_addresses(&uplink);
        self.table = MappingTable::default();
        self.spec = spec;
        let seed = self.allocator.next_seed();
        self.allocator = Allocator::new(&addresses, seed);
        self.add_forwards();
    }

    /// Makes or prolongs a mapping that a host inside has asked for, as by PCP or NAT-PMP, and
    /// returns its external address and port. The port asked for is given if it is free.
    pub fn request(
        &mut self,
        protocol: NatProtocol,
        inside: SocketAddrV4,
        port: u16,
        lifetime: Duration,
        now: u64,
    ) -> Option<SocketAddrV4> {
        let until = now.saturating_add(u64::try_from(lifetime.as_nanos()).unwrap_or(u64::MAX));
        if let Some(number) = self.find_inside(protocol, inside, NOBODY, now)
            && let Some(mapping) = self.table.get_mut(number)
        {
            if mapping.kind == MappingKind::Dynamic {
                mapping.kind = MappingKind::Requested;
            }
            mapping.expires = mapping.expires.max(until);
            return Some(mapping.outside);
        }
        let wanted = WantedMapping { protocol, inside };
        let first = self.allocator.addresses().next()?;
        let at = SocketAddrV4::new(first, port);
        let is_asked = port >= self.spec.port_range[0] && port <= self.spec.port_range[1];
        let outside = if is_asked && self.allocator.take(&self.spec, wanted, at) {
            at
        } else {
            self.allocate(wanted, NOBODY)?
        };
        let kind = MappingKind::Requested;
        let mut mapping = Mapping::new(protocol, inside, outside, NOBODY, kind);
        mapping.expires = until;
        self.counters.mappings_made += 1;
        self.table.insert(mapping, self.spec.shares_ports());
        Some(outside)
    }

    /// Removes a mapping that a host inside has asked for. Returns whether there was one.
    pub fn withdraw(&mut self, protocol: NatProtocol, inside: SocketAddrV4) -> bool {
        let is_it = |mapping: &Mapping| {
            mapping.kind == MappingKind::Requested
                && (mapping.protocol, mapping.inside) == (protocol, inside)
        };
        let numbers = self.numbers(is_it);
        numbers.iter().for_each(|number| self.remove(*number));
        !numbers.is_empty()
    }

    pub(super) fn add_forwards(&mut self) {
        let Some(first) = self.allocator.addresses().next() else {
            return;
        };
        for forward in self.spec.forwards.clone() {
            let outside = SocketAddrV4::new(first, forward.port);
            let wanted = WantedMapping {
                protocol: forward.protocol,
                inside: forward.to,
            };
            if self.allocator.take(&self.spec, wanted, outside) {
                let kind = MappingKind::Forward;
                let mapping = Mapping::new(forward.protocol, forward.to, outside, NOBODY, kind);
                self.table.insert(mapping, self.spec.shares_ports());
            }
        }
    }

    fn numbers(&self, pick: impl Fn(&Mapping) -> bool) -> Vec<MappingNumber> {
        let picked = self.table.iter().filter(|(_, mapping)| pick(mapping));
        picked.map(|(number, _)| number).collect()
    }
}
