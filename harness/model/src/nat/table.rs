//! Mappings, found from either side, and by the time at which they expire.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddrV4;

use super::mapping::Mapping;
use super::packet::NatProtocol;
use super::spec::NOBODY;
use crate::random::{GOLDEN, mix};

/// Number of a mapping in its table.
pub(super) type MappingNumber = u32;

/// What a mapping is found by: an address and port on one side, and the part of the remote address
/// and port that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowEnd {
    pub(super) at: SocketAddrV4,
    pub(super) remote: SocketAddrV4,
    pub(super) protocol: NatProtocol,
}

/// A hasher that mixes the few words of a key. Keys come from inside or are ports of ours, so that
/// nobody gains by collisions.
#[derive(Default)]
pub(super) struct FlowHasher(u64);

impl Hasher for FlowHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let word = bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.write_u64(word);
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word ^ GOLDEN);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}

type Numbers = HashMap<FlowEnd, MappingNumber, BuildHasherDefault<FlowHasher>>;

/// The mappings of a NAT.
#[derive(Debug, Default)]
pub(super) struct MappingTable {
    slots: Vec<Option<Mapping>>,
    free: Vec<MappingNumber>,
    inside: Numbers,
    outside: Numbers,
    /// Times at which mappings may expire: one entry for each mapping that can. A mapping that was
    /// used since is put back with its time by then.
    alarms: BinaryHeap<Reverse<(u64, MappingNumber)>>,
}

/// Returns the two keys of a mapping. `shares` says whether the external port is shared by
/// mappings that differ in their remote host.
fn keys(mapping: &Mapping, shares: bool) -> [FlowEnd; 2] {
    let inside = FlowEnd {
        at: mapping.inside,
        remote: mapping.remote,
        protocol: mapping.protocol,
    };
    let outside = outside_key(mapping.protocol, mapping.outside, mapping.remote, shares);
    [inside, outside]
}

/// Returns the key of an external address and port.
pub(super) fn outside_key(
    protocol: NatProtocol,
    at: SocketAddrV4,
    remote: SocketAddrV4,
    shares: bool,
) -> FlowEnd {
    FlowEnd {
        at,
        remote: if shares { remote } else { NOBODY },
        protocol,
    }
}

impl MappingTable {
    pub(super) fn by_inside(&self, key: &FlowEnd) -> Option<MappingNumber> {
        self.inside.get(key).copied()
    }

    pub(super) fn by_outside(&self, key: &FlowEnd) -> Option<MappingNumber> {
        self.outside.get(key).copied()
    }

    pub(super) fn get(&self, number: MappingNumber) -> Option<&Mapping> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: MappingNumber) -> Option<&mut Mapping> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MappingNumber, &Mapping)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(at, slot)| Some((at as MappingNumber, slot.as_ref()?)))
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, mapping: Mapping, shares: bool) -> MappingNumber {
        let [inside, outside] = keys(&mapping, shares);
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as MappingNumber
        });
        self.slots[number as usize] = Some(mapping);
        self.inside.insert(inside, number);
        self.outside.insert(outside, number);
        self.set_alarm(number);
        number
    }

    /// Sets the alarm of a mapping that has none, or none so early.
    pub(super) fn set_alarm(&mut self, number: MappingNumber) {
        let Some(mapping) = self.slots.get_mut(number as usize).and_then(Option::as_mut) else {
            return;
        };
        if mapping.expires < mapping.alarm {
            mapping.alarm = mapping.expires;
            self.alarms.push(Reverse((mapping.expires, number)));
        }
    }

    /// Takes a mapping out. Its alarm stays, and finds nothing or a mapping with another
    /// alarm, which does no harm.
    pub(super) fn remove(&mut self, number: MappingNumber, shares: bool) -> Option<Mapping> {
        let mapping = self.slots.get_mut(number as usize)?.take()?;
        let [inside, outside] = keys(&mapping, shares);
        // Another mapping may have taken the place of one of the keys.
        if self.inside.get(&inside) == Some(&number) {
            self.inside.remove(&inside);
        }
        if self.outside.get(&outside) == Some(&number) {
            self.outside.remove(&outside);
        }
        self.free.push(number);
        Some(mapping)
    }

    /// Gives a mapping another external address and port.
    pub(super) fn move_outside(&mut self, number: MappingNumber, to: SocketAddrV4, shares: bool) {
        let Some(mapping) = self.slots.get_mut(number as usize).and_then(Option::as_mut) else {
            return;
        };
        let [_, before] = keys(mapping, shares);
        mapping.outside = to;
        let [_, after] = keys(mapping, shares);
        if self.outside.get(&before) == Some(&number) {
            self.outside.remove(&before);
        }
        self.outside.insert(after, number);
    }

    /// Returns a mapping that has expired, if there is one; it is still in the table.
    pub(super) fn next_expired(&mut self, now: u64) -> Option<MappingNumber> {
        while let Some(&Reverse((at, number))) = self.alarms.peek()
            && at <= now
        {
            self.alarms.pop();
            let Some(mapping) = self.slots.get_mut(number as usize).and_then(Option::as_mut) else {
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
        // hashbrown has a control byte for each bucket, and buckets for 8/7 of its capacity.
        let bucket = size_of::<(FlowEnd, MappingNumber)>() + 1;
        let buckets = |map: &Numbers| map.capacity() * 8 / 7 * bucket;
        self.slots.capacity() * size_of::<Option<Mapping>>()
            + self.free.capacity() * size_of::<MappingNumber>()
            + self.alarms.capacity() * size_of::<Reverse<(u64, MappingNumber)>>()
            + buckets(&self.inside)
            + buckets(&self.outside)
    }
}
