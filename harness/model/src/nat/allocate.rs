//! The choice of an external address and port for a new mapping.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::packet::NatProtocol;
use super::ports::{Parity, PortSet};
use super::spec::{NatSpec, Pooling, PortAssignment};
use crate::random::splitmix;

/// The external addresses of a NAT, and which of their ports are taken.
#[derive(Debug)]
pub(super) struct Allocator {
    addresses: Vec<ExternalAddress>,
    subscribers: HashMap<Ipv4Addr, Subscriber>,
    /// Number of mappings that share an external address and port; empty where none do.
    sharers: HashMap<(NatProtocol, SocketAddrV4), u32>,
    random: u64,
    /// Index of the address that the next subscriber gets.
    next_address: usize,
}

#[derive(Debug)]
struct ExternalAddress {
    address: Ipv4Addr,
    /// By the index of the protocol. Without a set, no port was taken yet.
    ports: [Option<PortSet>; 3],
    /// Last port that was given out, by protocol.
    last: [u16; 3],
    /// Beginnings of blocks that subscribers have.
    blocks: Vec<u16>,
}

/// An address inside, with what it was given.
#[derive(Debug)]
struct Subscriber {
    address: usize,
    blocks: Vec<u16>,
    mappings: u32,
}

/// A mapping for which an address and port are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct WantedMapping {
    pub(super) protocol: NatProtocol,
    pub(super) inside: SocketAddrV4,
}

impl Allocator {
    pub(super) fn new(addresses: &[Ipv4Addr], seed: u64) -> Allocator {
        let address = |address: &Ipv4Addr| ExternalAddress {
            address: *address,
            ports: [None, None, None],
            last: [0; 3],
            blocks: Vec::new(),
        };
        Allocator {
            addresses: addresses.iter().map(address).collect(),
            subscribers: HashMap::new(),
            sharers: HashMap::new(),
            random: seed,
            next_address: 0,
        }
    }

    pub(super) fn has(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|it| it.address == address)
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses.iter().map(|it| it.address)
    }

    /// Returns the seed of a machine that goes on where this one ends.
    pub(super) fn next_seed(&mut self) -> u64 {
        splitmix(&mut self.random)
    }

    /// Takes exactly this address and port, if it is free.
    pub(super) fn take(&mut self, spec: &NatSpec, wanted: WantedMapping, at: SocketAddrV4) -> bool {
        let Some(index) = self.addresses.iter().position(|it| it.address == *at.ip()) else {
            return false;
        };
        let is_taken = self.ports(spec, index, wanted.protocol).take(at.port());
        if is_taken {
            self.count(spec, wanted, index, at);
        }
        is_taken
    }

    /// Finds an address and port, and takes it. `shared` tells whether a taken port serves as well,
    /// since the remote hosts differ.
    pub(super) fn allocate(
        &mut self,
        spec: &NatSpec,
        wanted: WantedMapping,
        shared: impl Fn(SocketAddrV4) -> bool,
    ) -> Option<SocketAddrV4> {
        let first = self.choose_address(spec, *wanted.inside.ip())?;
        // A paired mapping has one address to choose from; others look at all, from the first on.
        let count = if is_paired(spec) {
            1
        } else {
            self.addresses.len()
        };
        for step in 0..count {
            let index = (first + step) % self.addresses.len();
            if let Some(port) = self.choose_port(spec, index, wanted, &shared) {
                let address = self.addresses[index].address;
                self.ports(spec, index, wanted.protocol).take(port);
                let at = SocketAddrV4::new(address, port);
                self.count(spec, wanted, index, at);
                return Some(at);
            }
        }
        None
    }

    /// Gives a port back, once for each mapping that has it.
    pub(super) fn release(&mut self, wanted: WantedMapping, at: SocketAddrV4) {
        let mut is_shared = false;
        if let Some(sharers) = self.sharers.get_mut(&(wanted.protocol, at)) {
            *sharers -= 1;
            is_shared = *sharers > 0;
            if !is_shared {
                self.sharers.remove(&(wanted.protocol, at));
            }
        }
        let found = self.addresses.iter_mut().find(|it| it.address == *at.ip());
        if let Some(external) = found
            && !is_shared
            && let Some(ports) = &mut external.ports[wanted.protocol.index()]
        {
            ports.release(at.port());
        }
        let inside = *wanted.inside.ip();
        let Some(subscriber) = self.subscribers.get_mut(&inside) else {
            return;
        };
        subscriber.mappings = subscriber.mappings.saturating_sub(1);
        // An address inside without mappings gives its blocks back.
        if subscriber.mappings == 0 {
            let external = &mut self.addresses[subscriber.address];
            external
                .blocks
                .retain(|block| !subscriber.blocks.contains(block));
            self.subscribers.remove(&inside);
        }
    }

    /// Counts one more mapping that has this address and port.
    fn count(&mut self, spec: &NatSpec, wanted: WantedMapping, index: usize, at: SocketAddrV4) {
        if spec.shares_ports() {
            *self.sharers.entry((wanted.protocol, at)).or_insert(0) += 1;
        }
        self.subscriber(*wanted.inside.ip(), index).mappings += 1;
    }

    /// Returns what an address inside has; at first, only this external address.
    fn subscriber(&mut self, inside: Ipv4Addr, address: usize) -> &mut Subscriber {
        self.subscribers.entry(inside).or_insert(Subscriber {
            address,
            blocks: Vec::new(),
            mappings: 0,
        })
    }

    fn choose_address(&mut self, spec: &NatSpec, inside: Ipv4Addr) -> Option<usize> {
        if self.addresses.is_empty() {
            return None;
        }
        if is_paired(spec)
            && let Some(subscriber) = self.subscribers.get(&inside)
        {
            return Some(subscriber.address);
        }
        let chosen = self.next_address % self.addresses.len();
        self.next_address = chosen + 1;
        Some(chosen)
    }

    fn ports(&mut self, spec: &NatSpec, index: usize, protocol: NatProtocol) -> &mut PortSet {
        // An identifier of ICMP is no port: all of them may be used.
        let range = match protocol {
            NatProtocol::Icmp => [0, u16::MAX],
            NatProtocol::Udp | NatProtocol::Tcp => spec.port_range,
        };
        let ports = &mut self.addresses[index].ports[protocol.index()];
        ports.get_or_insert_with(|| PortSet::new(range))
    }

    fn choose_port(
        &mut self,
        spec: &NatSpec,
        index: usize,
        wanted: WantedMapping,
        shared: &impl Fn(SocketAddrV4) -> bool,
    ) -> Option<u16> {
        let WantedMapping { protocol, inside } = wanted;
        let parity = match (spec.parity, protocol) {
            (true, NatProtocol::Udp | NatProtocol::Tcp) => Parity::of(inside.port()),
            (true, NatProtocol::Icmp) | (false, _) => Parity::Any,
        };
        let address = self.addresses[index].address;
        let last = self.addresses[index].last[protocol.index()];
        let random = splitmix(&mut self.random);
        let ports = self.ports(spec, index, protocol);
        let range = ports.range();
        let somewhere = random_port(range, random);
        let own = inside.port();
        let is_usable = |port| {
            let at = SocketAddrV4::new(address, port);
            ports.is_in_range(port) && (ports.is_free(port) || shared(at))
        };
        match spec.ports {
            PortAssignment::Preserving | PortAssignment::Overloading if is_usable(own) => Some(own),
            PortAssignment::Preserving | PortAssignment::Random => {
                ports.next_free(somewhere, range, parity)
            }
            PortAssignment::Overloading => {
                let free = ports.next_free(somewhere, range, parity);
                free.or_else(|| (range[0]..=range[1]).find(|port| is_usable(*port)))
            }
            PortAssignment::Sequential => {
                let start = match last {
                    0 => range[0],
                    last => last.wrapping_add(1),
                };
                let port = ports.next_free(start, range, parity)?;
                self.addresses[index].last[protocol.index()] = port;
                Some(port)
            }
            PortAssignment::Blocks {
                size,
                per_subscriber,
            } => self.in_blocks(spec, index, wanted, parity, [size, per_subscriber]),
        }
    }

    /// Returns a free port of the blocks of an address inside, which gets another block where that
    /// is allowed.
    fn in_blocks(
        &mut self,
        spec: &NatSpec,
        index: usize,
        wanted: WantedMapping,
        parity: Parity,
        [size, most]: [u16; 2],
    ) -> Option<u16> {
        let WantedMapping { protocol, inside } = wanted;
        let mine = self.subscribers.get(inside.ip());
        let mut blocks = mine.map_or_else(Vec::new, |it| it.blocks.clone());
        loop {
            let ports = self.ports(spec, index, protocol);
            for block in &blocks {
                let range = [*block, block + (size - 1)];
                if let Some(port) = ports.next_free(*block, range, parity) {
                    return Some(port);
                }
            }
            if blocks.len() >= usize::from(most) {
                return None;
            }
            let [first, last] = spec.port_range.map(u32::from);
            let size = u32::from(size);
            // Blocks begin at multiples of their size.
            let mut begins = (first.div_ceil(size) * size..).step_by(size as usize);
            let external = &mut self.addresses[index];
            let block = begins.find_map(|begin| match u16::try_from(begin) {
                Ok(begin) if u32::from(begin) + size - 1 <= last => {
                    (!external.blocks.contains(&begin)).then_some(Some(begin))
                }
                Ok(_) | Err(_) => Some(None),
            })??;
            external.blocks.push(block);
            blocks.push(block);
            self.subscriber(*inside.ip(), index).blocks.push(block);
        }
    }
}

/// Returns whether all mappings of an address inside have the same external address. Blocks are
/// ports of one address.
fn is_paired(spec: &NatSpec) -> bool {
    spec.pooling == Pooling::Paired || matches!(spec.ports, PortAssignment::Blocks { .. })
}

fn random_port([first, last]: [u16; 2], random: u64) -> u16 {
    let count = u64::from(last - first) + 1;
    // The remainder's bias is below 2⁻⁴⁸.
    first + (random % count) as u16
}
