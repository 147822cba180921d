//! Mappings, found from either side, and by the time at which they expire.
//!
//! A packet costs what it has to fetch from memory, and no more: a cell of an index, and the one
//! cache line of its mapping.
//!
//! | file | role |
//! |---|---|
//! | `index` | numbers of mappings by a hash |

mod index;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddrV4;

use self::index::MappingIndex;
use super::mapping::Mapping;
use super::packet::NatProtocol;
use super::spec::NOBODY;
use crate::random::{GOLDEN, mix};

/// Number of a mapping in its table.
pub(super) type MappingNumber = u32;

/// Key by which a mapping is found: an address and port on one side, and the part of the remote
/// address and port that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowEnd {
    pub(super) at: SocketAddrV4,
    pub(super) remote: SocketAddrV4,
    pub(super) protocol: NatProtocol,
}

impl FlowEnd {
    /// Returns the key by which a mapping is found from inside.
    fn inside(mapping: &Mapping) -> FlowEnd {
        FlowEnd {
            at: mapping.inside,
            remote: mapping.remote,
            protocol: mapping.protocol,
        }
    }

    /// Returns the hash. Keys come from inside or are ports of ours, so that nobody gains by
    /// collisions.
    pub(super) fn hash(&self) -> u32 {
        let word = |it: SocketAddrV4| u64::from(u32::from(*it.ip())) << 16 | u64::from(it.port());
        let local = word(self.at) | (self.protocol.index() as u64) << 48;
        (mix(local ^ mix(word(self.remote) ^ GOLDEN)) >> 32) as u32
    }
}

/// Number of packets whose mappings are fetched at a time. A core of today has a dozen or two of
/// reads of memory under way, and the places of so many hashes stay in its registers and its
/// nearest cache.
pub(super) const BURST: usize = 32;

/// The side from which a mapping is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableSide {
    Inside,
    Outside,
}

/// A place for a mapping, in a cache line of its own: 64 bytes on every processor of today that
/// matters here.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Slot(Option<Mapping>);

/// The mappings of a NAT.
#[derive(Debug)]
pub(super) struct MappingTable {
    /// Whether an external port is shared by mappings that differ in their remote host.
    shares: bool,
    slots: Vec<Slot>,
    free: Vec<MappingNumber>,
    inside: MappingIndex,
    outside: MappingIndex,
    /// TCP connections that a remote host has begun by a mapping for another remote host. The key
    /// is the end inside and the remote end. Segments of the host inside find the mapping in this
    /// map alone, since the mapping's own key names the other remote host. Connections that have
    /// ended, and those of mappings that were removed, are in the map until it is tidied up.
    begun_outside: HashMap<[SocketAddrV4; 2], MappingNumber>,
    /// Times at which mappings may expire: one entry for each mapping that can. A mapping that was
    /// used since is put back with its time by then.
    alarms: BinaryHeap<Reverse<(u64, MappingNumber)>>,
}

impl MappingTable {
    /// Makes a table without mappings. `shares` says whether an external port is shared by mappings
    /// that differ in their remote host.
    pub(super) fn new(shares: bool) -> MappingTable {
        MappingTable {
            shares,
            slots: Vec::new(),
            free: Vec::new(),
            inside: MappingIndex::default(),
            outside: MappingIndex::default(),
            begun_outside: HashMap::new(),
            alarms: BinaryHeap::new(),
        }
    }

    pub(super) fn by_inside(&self, key: &FlowEnd) -> Option<MappingNumber> {
        self.inside
            .find(key.hash(), |number| self.has_inside(number, key))
    }

    /// Returns the mapping with this external address and port. The remote host counts where ports
    /// are shared.
    pub(super) fn by_outside(&self, key: &FlowEnd) -> Option<MappingNumber> {
        let key = FlowEnd {
            remote: if self.shares { key.remote } else { NOBODY },
            ..*key
        };
        self.outside
            .find(key.hash(), |number| self.has_outside(number, &key))
    }

    /// Notes that a remote host has begun a connection of TCP by a mapping.
    pub(super) fn note_begun_outside(
        &mut self,
        number: MappingNumber,
        remote: SocketAddrV4,
        now: u64,
    ) {
        let Some(inside) = self.get(number).map(|mapping| mapping.inside) else {
            return;
        };
        // The tidy-up looks at each connection. Room for as many connections as are left keeps the
        // next one at least half the length of the map away, so that a new connection costs two
        // looks, however few have ended.
        if self.begun_outside.len() == self.begun_outside.capacity() {
            let mut begun = std::mem::take(&mut self.begun_outside);
            begun.retain(|key, number| self.has_begun(*number, *key, now));
            begun.reserve(begun.len());
            self.begun_outside = begun;
        }
        self.begun_outside.insert([inside, remote], number);
    }

    /// Returns the mapping of a connection of TCP that a remote host has begun.
    pub(super) fn begun_outside(
        &self,
        inside: SocketAddrV4,
        remote: SocketAddrV4,
        now: u64,
    ) -> Option<MappingNumber> {
        let key = [inside, remote];
        let number = *self.begun_outside.get(&key)?;
        self.has_begun(number, key, now).then_some(number)
    }

    /// Returns whether a connection in the map still is one. Its number may be that of a later
    /// mapping by now, which has the connection only if the same two ends talk by it.
    fn has_begun(
        &self,
        number: MappingNumber,
        [inside, remote]: [SocketAddrV4; 2],
        now: u64,
    ) -> bool {
        self.get(number).is_some_and(|it| {
            it.protocol == NatProtocol::Tcp
                && it.inside == inside
                && it.expires > now
                && it.has_session(remote, now)
        })
    }

    /// Reads the mappings that have these hashes, none of which has to wait for another one, and
    /// returns the number of mappings that were found.
    pub(super) fn read(&self, side: TableSide, hashes: &[u32]) -> usize {
        let index = match side {
            TableSide::Inside => &self.inside,
            TableSide::Outside => &self.outside,
        };
        let mut numbers = [MappingNumber::MAX; BURST];
        for (number, hash) in numbers.iter_mut().zip(hashes) {
            // The bits of the hash in the cell tell mappings apart nearly always.
            *number = index.find(*hash, |_| true).unwrap_or(MappingNumber::MAX);
        }
        let found = numbers.map(|number| self.get(number).is_some());
        found.into_iter().filter(|it| *it).count()
    }

    /// Returns the key by which a mapping is found from outside.
    fn outside_of(&self, mapping: &Mapping) -> FlowEnd {
        FlowEnd {
            at: mapping.outside,
            remote: if self.shares { mapping.remote } else { NOBODY },
            protocol: mapping.protocol,
        }
    }

    fn has_inside(&self, number: MappingNumber, key: &FlowEnd) -> bool {
        let mapping = self.get(number);
        mapping.is_some_and(|mapping| FlowEnd::inside(mapping) == *key)
    }

    fn has_outside(&self, number: MappingNumber, key: &FlowEnd) -> bool {
        let mapping = self.get(number);
        mapping.is_some_and(|mapping| self.outside_of(mapping) == *key)
    }

    pub(super) fn get(&self, number: MappingNumber) -> Option<&Mapping> {
        self.slots.get(number as usize)?.0.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: MappingNumber) -> Option<&mut Mapping> {
        self.slots.get_mut(number as usize)?.0.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MappingNumber, &Mapping)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(at, slot)| Some((at as MappingNumber, slot.0.as_ref()?)))
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, mapping: Mapping) -> MappingNumber {
        let [inside, outside] = [FlowEnd::inside(&mapping), self.outside_of(&mapping)];
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as MappingNumber
        });
        self.slots[number as usize].0 = Some(mapping);
        let mut index = std::mem::take(&mut self.inside);
        let hash_of = |it| self.hash_of(it, FlowEnd::inside);
        index.insert(
            inside.hash(),
            number,
            |it| self.has_inside(it, &inside),
            hash_of,
        );
        self.inside = index;
        self.add_outside(number, &outside);
        self.set_alarm(number);
        number
    }

    fn add_outside(&mut self, number: MappingNumber, key: &FlowEnd) {
        let mut index = std::mem::take(&mut self.outside);
        let hash_of = |it| self.hash_of(it, |mapping| self.outside_of(mapping));
        index.insert(key.hash(), number, |it| self.has_outside(it, key), hash_of);
        self.outside = index;
    }

    fn remove_inside(&mut self, number: MappingNumber, key: &FlowEnd) {
        let mut index = std::mem::take(&mut self.inside);
        let hash_of = |it| self.hash_of(it, FlowEnd::inside);
        index.remove(key.hash(), number, hash_of);
        self.inside = index;
    }

    fn remove_outside(&mut self, number: MappingNumber, key: &FlowEnd) {
        let mut index = std::mem::take(&mut self.outside);
        let hash_of = |it| self.hash_of(it, |mapping| self.outside_of(mapping));
        index.remove(key.hash(), number, hash_of);
        self.outside = index;
    }

    /// Returns the hash of one of the keys of a mapping that is in an index.
    fn hash_of(&self, number: MappingNumber, key: impl Fn(&Mapping) -> FlowEnd) -> u32 {
        let mapping = self.get(number);
        mapping.map_or(0, |mapping| key(mapping).hash())
    }

    /// Sets the alarm of a mapping that has none, or none so early.
    pub(super) fn set_alarm(&mut self, number: MappingNumber) {
        let Some(Slot(Some(mapping))) = self.slots.get_mut(number as usize) else {
            return;
        };
        if mapping.expires < mapping.alarm {
            mapping.alarm = mapping.expires;
            self.alarms.push(Reverse((mapping.expires, number)));
        }
    }

    /// Takes a mapping out. Its alarm stays, and finds nothing or a mapping with another
    /// alarm, which does no harm. Connections that were begun outside stay likewise: to look for
    /// those of each mapping takes too long where thousands are removed.
    pub(super) fn remove(&mut self, number: MappingNumber) -> Option<Mapping> {
        let mapping = self.slots.get_mut(number as usize)?.0.take()?;
        let outside = self.outside_of(&mapping);
        // Another mapping may have taken the place of one of the keys, and then stays there.
        self.remove_inside(number, &FlowEnd::inside(&mapping));
        self.remove_outside(number, &outside);
        self.free.push(number);
        Some(mapping)
    }

    /// Gives a mapping another external address and port.
    pub(super) fn move_outside(&mut self, number: MappingNumber, to: SocketAddrV4) {
        let Some(before) = self.get(number).map(|mapping| self.outside_of(mapping)) else {
            return;
        };
        self.remove_outside(number, &before);
        if let Some(mapping) = self.get_mut(number) {
            mapping.outside = to;
        }
        self.add_outside(number, &FlowEnd { at: to, ..before });
    }

    /// Returns a mapping that has expired, if there is one; it is still in the table.
    pub(super) fn next_expired(&mut self, now: u64) -> Option<MappingNumber> {
        while let Some(&Reverse((at, number))) = self.alarms.peek()
            && at <= now
        {
            self.alarms.pop();
            let Some(mapping) = self.get_mut(number) else {
                continue;
            };
            // An alarm of a mapping that was in this place before, or one that was brought forward.
            if mapping.alarm != at {
                continue;
            }
            if mapping.expires <= now {
                return Some(number);
            }
            mapping.tidy(now);
            mapping.alarm = u64::MAX;
            self.set_alarm(number);
        }
        None
    }

    /// Returns the dynamic mapping that expires first.
    pub(super) fn oldest(&self) -> Option<MappingNumber> {
        let oldest = self.iter().min_by_key(|(number, it)| (it.expires, *number));
        oldest
            .filter(|(_, it)| it.expires != u64::MAX)
            .map(|(number, _)| number)
    }

    /// Returns the bytes of memory that the table occupies, without sessions beyond the first of a
    /// mapping.
    pub(super) fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.free.capacity() * size_of::<MappingNumber>()
            + self.alarms.capacity() * size_of::<Reverse<(u64, MappingNumber)>>()
            + self.begun_outside.capacity() * size_of::<([SocketAddrV4; 2], MappingNumber)>()
            + self.inside.memory()
            + self.outside.memory()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::nat::mapping::{MappingKind, Passing};
    use crate::nat::spec::NatTimeouts;
    use crate::packet::transport::TcpFlags;

    /// A packet that finds its mapping waits for the memory once.
    #[test]
    fn a_mapping_takes_one_cache_line() {
        assert_eq!(size_of::<Slot>(), 64);
        assert_eq!(align_of::<Slot>(), 64);
    }

    const INSIDE: SocketAddrV4 = end(2, 5000);
    const SECOND: u64 = 1_000_000_000;

    const fn end(host: u8, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, host), port)
    }

    fn insert(table: &mut MappingTable, protocol: NatProtocol) -> MappingNumber {
        let kind = MappingKind::Dynamic;
        let mapping = Mapping::new(protocol, INSIDE, end(1, 5000), end(7, 80), kind);
        table.insert(mapping)
    }

    /// Notes a connection from a port of a remote host.
    fn begin(table: &mut MappingTable, number: MappingNumber, port: u16, now: u64) {
        let passing = Passing {
            remote: end(8, port),
            flags: TcpFlags::SYN,
            outbound: false,
            now,
        };
        let mapping = table.get_mut(number).expect("a mapping");
        mapping.pass(&passing, &NatTimeouts::default(), false);
        table.note_begun_outside(number, passing.remote, now);
    }

    #[test]
    fn a_mapping_is_removed_without_a_look_at_the_connections_of_others() {
        let mut table = MappingTable::new(false);
        let number = insert(&mut table, NatProtocol::Tcp);
        begin(&mut table, number, 9000, 0);
        assert_eq!(table.begun_outside(INSIDE, end(8, 9000), 0), Some(number));
        table.remove(number);
        assert_eq!(table.begun_outside.len(), 1, "left for the tidy-up");
        assert_eq!(table.begun_outside(INSIDE, end(8, 9000), 0), None);
        // A mapping that gets the number has none of the connections.
        let other = insert(&mut table, NatProtocol::Udp);
        assert_eq!(other, number);
        let mapping = table.get_mut(other).expect("a mapping");
        mapping.hold(end(8, 9000), SECOND, 0);
        assert_eq!(table.begun_outside(INSIDE, end(8, 9000), 0), None);
    }

    #[test]
    fn a_tidy_up_that_finds_little_makes_room_for_as_much_again() {
        let mut table = MappingTable::new(false);
        let number = insert(&mut table, NatProtocol::Tcp);
        begin(&mut table, number, 1, 0);
        let mut port = 1;
        while port < 100 || table.begun_outside.len() < table.begun_outside.capacity() {
            port += 1;
            begin(&mut table, number, port, SECOND);
        }
        let full = table.begun_outside.len();
        let opening = NatTimeouts::default().nanoseconds(NatProtocol::Tcp, false);
        // The first connection has ended, and no other one.
        begin(&mut table, number, port + 1, opening);
        assert_eq!(table.begun_outside.len(), full);
        let left = full - 1;
        let capacity = table.begun_outside.capacity();
        assert!(capacity >= 2 * left, "{capacity} places for {left}");
    }
}
