//! Changes of a NAT at work: other behaviours, other ports, other addresses, no mappings.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::allocate::{Allocator, WantedMapping};
use super::engine::Nat;
use super::mapping::{Mapping, MappingKind};
use super::packet::{NatProtocol, V4Packet};
use super::spec::{NOBODY, NatSpec};
use super::table::{MappingNumber, MappingTable};

/// An external port that a host inside asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedPort {
    /// The protocol: UDP or TCP.
    pub protocol: NatProtocol,
    /// The address and port inside.
    pub inside: SocketAddrV4,
    /// The external port that the host would like, or 0.
    pub port: u16,
    /// Whether no other port will do.
    pub exact: bool,
    /// The time at which the mapping ends, in nanoseconds; `u64::MAX` for never.
    pub until: u64,
}

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
        for number in self.numbers(|mapping| mapping.kind == MappingKind::Dynamic) {
            let Some(mapping) = self.table.get(number).cloned() else {
                continue;
            };
            let wanted = mapping.wanted();
            // The old port is taken still, so that the other one differs.
            match self.allocate(wanted, mapping.remote) {
                Some(other) => {
                    self.allocator.release(wanted, mapping.outside);
                    self.table.move_outside(number, other);
                }
                None => self.remove(number),
            }
        }
    }

    /// Gives the NAT other external addresses, beside those of its pool. Mappings go on with an
    /// address and port of those, and with the same port where it was asked for. Mappings of the
    /// router itself are forgotten, and so are those of an exposed host, which the next packet
    /// makes again.
    pub fn rebind_addresses(&mut self, uplink: &[Ipv4Addr]) {
        let ends = [MappingKind::Own, MappingKind::Exposed];
        for number in self.numbers(|mapping| ends.contains(&mapping.kind)) {
            self.remove(number);
        }
        let addresses = self.spec.external_addresses(uplink);
        let seed = self.allocator.next_seed();
        self.allocator = Allocator::new(&addresses, seed);
        // Forwarded ports and those that hosts have asked for go first: they have to be the same
        // ones, since a host that renews asks for the port that it was given (RFC 6886, section
        // 3.3).
        let keeps = |mapping: &Mapping| match mapping.kind {
            MappingKind::Forward | MappingKind::Requested => true,
            MappingKind::Dynamic | MappingKind::Own | MappingKind::Exposed => false,
        };
        let mut numbers = self.numbers(keeps);
        numbers.extend(self.numbers(|mapping| !keeps(mapping)));
        for number in numbers {
            let Some(mapping) = self.table.get(number).cloned() else {
                continue;
            };
            let wanted = mapping.wanted();
            let port = mapping.outside.port();
            // An address of the pool is there still, and two mappings may have one port at two
            // addresses.
            let own = addresses.iter().find(|it| *it == mapping.outside.ip());
            let same = own.into_iter().chain(addresses.first());
            let mut same = same
                .filter(|_| keeps(&mapping))
                .map(|it| SocketAddrV4::new(*it, port));
            let same = same.find(|at| self.allocator.take(&self.spec, wanted, *at));
            let other = match mapping.kind {
                MappingKind::Forward => same,
                MappingKind::Dynamic
                | MappingKind::Requested
                | MappingKind::Own
                | MappingKind::Exposed => same.or_else(|| self.allocate(wanted, mapping.remote)),
            };
            match other {
                Some(other) => self.table.move_outside(number, other),
                // The old address is not the allocator's any more, which has nothing to release.
                None => drop(self.table.remove(number)),
            }
        }
    }

    /// Takes over the addresses that the uplink has from now on. The mappings of other ones are
    /// forgotten, as by a router whose provider gives it another address.
    pub fn set_uplink(&mut self, uplink: &[Ipv4Addr]) {
        if self.uplink == uplink {
            return;
        }
        self.uplink = uplink.to_vec();
        self.begin_with(&self.spec.external_addresses(uplink));
    }

    /// Begins without mappings, with these external addresses.
    fn begin_with(&mut self, addresses: &[Ipv4Addr]) {
        self.table = MappingTable::new(self.spec.shares_ports());
        let seed = self.allocator.next_seed();
        self.allocator = Allocator::new(addresses, seed);
        self.add_forwards();
    }

    /// Takes over other behaviours. Mappings go on where they can: a change of what mappings depend
    /// on, of ports, of addresses or of forwarded ports forgets them.
    pub fn change(&mut self, spec: NatSpec) {
        let before = &self.spec;
        // Without `..`, so that the compiler names this place for a new behaviour.
        let NatSpec {
            mapping,
            tcp_mapping,
            ports,
            port_range,
            pool,
            forwards,
            engine: _,
            filtering: _,
            tcp_filtering: _,
            parity: _,
            pooling: _,
            exhausted: _,
            hairpinning: _,
            timeouts: _,
            inbound_refresh: _,
            unknown_flow: _,
            unsolicited: _,
            icmp_errors: _,
        } = &spec;
        let keeps = before.mapping == *mapping
            && before.tcp_mapping == *tcp_mapping
            && before.ports == *ports
            && before.port_range == *port_range
            && before.pool == *pool
            && before.forwards == *forwards;
        if keeps {
            let is_exposed = before.exposed_host() == spec.exposed_host();
            self.spec = spec;
            if !is_exposed {
                for number in self.numbers(|mapping| mapping.kind == MappingKind::Exposed) {
                    self.remove(number);
                }
            }
            return;
        }
        let addresses = self.allocator.addresses();
        let uplink: Vec<Ipv4Addr> = addresses.filter(|it| !before.pool.contains(it)).collect();
        self.spec = spec;
        self.begin_with(&self.spec.external_addresses(&uplink));
    }

    /// Makes or prolongs a mapping that a host inside has asked for, as by PCP or NAT-PMP, and
    /// returns its external address and port. The port asked for is given if it is free.
    ///
    /// The mapping is for all remote hosts, and lets all of them in, whatever the mappings of other
    /// traffic depend on, as RFC 6887, section 11, requires of MAP. Traffic that has another
    /// mapping already keeps the old mapping until the old mapping expires.
    pub fn request(&mut self, wanted: &RequestedPort, now: u64) -> Option<SocketAddrV4> {
        let RequestedPort {
            protocol,
            inside,
            port,
            exact,
            until,
        } = *wanted;
        self.expire(now);
        let first = self.allocator.addresses().next()?;
        let at = SocketAddrV4::new(first, port);
        if let Some(number) = self.find_inside(protocol, inside, NOBODY, now)
            && let Some(mapping) = self.table.get_mut(number)
        {
            let fits = !exact || mapping.outside == at;
            let is_asked_for = mapping.kind == MappingKind::Requested;
            match mapping.kind {
                MappingKind::Forward | MappingKind::Own if fits => return Some(mapping.outside),
                MappingKind::Forward | MappingKind::Own => return None,
                MappingKind::Dynamic | MappingKind::Requested | MappingKind::Exposed if fits => {
                    mapping.kind = MappingKind::Requested;
                    mapping.expires = until;
                    let outside = mapping.outside;
                    self.table.set_alarm(number);
                    return Some(outside);
                }
                // The port that has to be this one takes the place of another that nobody chose.
                MappingKind::Dynamic | MappingKind::Requested | MappingKind::Exposed => {}
            }
            if is_asked_for {
                return None;
            }
            self.remove(number);
        }
        let wanted = WantedMapping { protocol, inside };
        let in_range = port >= self.spec.port_range[0] && port <= self.spec.port_range[1];
        let is_asked = port != 0 && (exact || in_range);
        let outside = if is_asked && self.allocator.take(&self.spec, wanted, at) {
            at
        } else if exact {
            return None;
        } else {
            self.allocate(wanted, NOBODY)?
        };
        let kind = MappingKind::Requested;
        let mut mapping = Mapping::new(protocol, inside, outside, NOBODY, kind);
        mapping.expires = until;
        self.counters.mappings_made += 1;
        self.table.insert(mapping);
        Some(outside)
    }

    /// Makes or prolongs the mapping for the traffic of a host inside with one remote host, as by
    /// PCP, and returns its external address and port.
    pub fn hold(
        &mut self,
        protocol: NatProtocol,
        inside: SocketAddrV4,
        remote: SocketAddrV4,
        until: u64,
        now: u64,
    ) -> Option<SocketAddrV4> {
        self.expire(now);
        let number = match self.find_inside(protocol, inside, remote, now) {
            Some(number) => number,
            None => self
                .make_mapping(protocol, inside, remote, false, now)
                .ok()?,
        };
        let mapping = self.table.get_mut(number)?;
        mapping.hold(remote, until, now);
        let outside = mapping.outside;
        self.table.set_alarm(number);
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

    /// Forwards the port of an unsolicited packet to the exposed host, if the NAT has one, and
    /// returns the mapping.
    pub(super) fn expose(
        &mut self,
        packet: &V4Packet,
        protocol: NatProtocol,
        now: u64,
    ) -> Option<MappingNumber> {
        let host = self.spec.exposed_host()?;
        let outside = packet.destination;
        let inside = SocketAddrV4::new(host, outside.port());
        let is_stray = protocol == NatProtocol::Tcp && !packet.is_syn();
        // Where a port of the host has a mapping already, answers from that port leave by the
        // external port of that mapping, and not by the one to which the packet was sent.
        let is_taken = self.find_inside(protocol, inside, NOBODY, now).is_some();
        if protocol == NatProtocol::Icmp || is_stray || is_taken || packet.is_dhcp_offer() {
            return None;
        }
        let wanted = WantedMapping { protocol, inside };
        if !self.allocator.take(&self.spec, wanted, outside) {
            return None;
        }
        let kind = MappingKind::Exposed;
        let mut mapping = Mapping::new(protocol, inside, outside, NOBODY, kind);
        // The host inside has that time to answer.
        let lasts = self.spec.timeouts.nanoseconds(protocol, false);
        mapping.expires = now.saturating_add(lasts);
        self.counters.mappings_made += 1;
        Some(self.table.insert(mapping))
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
                self.table.insert(mapping);
            }
        }
    }

    fn numbers(&self, pick: impl Fn(&Mapping) -> bool) -> Vec<MappingNumber> {
        let picked = self.table.iter().filter(|(_, mapping)| pick(mapping));
        picked.map(|(number, _)| number).collect()
    }
}
