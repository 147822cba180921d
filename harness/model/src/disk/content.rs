//! The bytes of one file, as programs see them and as they are durable.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::call::SeekTarget;

/// Bytes of a block: a page of memory, and the block size of most filesystems.
pub const BLOCK: usize = 4096;

/// Bytes of a disk: as many as a trial may have in each of its other filesystems.
pub(super) const DISK_BYTES: u64 = 1 << 30;

/// A block of [`BLOCK`] bytes, which versions of a file share until one of them is written to.
pub(super) type Block = Arc<[u8]>;

/// One version of the bytes of a file. What has no block is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) blocks: BTreeMap<u64, Block>,
    pub(super) size: u64,
}

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// The bytes that programs see.
    pub(super) seen: Version,
    /// The bytes that a power cut leaves.
    pub(super) durable: Version,
    /// Numbers of the blocks in which the two may differ.
    pub(super) dirty: BTreeSet<u64>,
}

impl Version {
    /// Cuts off what is behind `size`. Returns the version with the blocks that were there.
    fn cut(&mut self, size: u64) -> Version {
        let (number, within) = split(size);
        let blocks = self.blocks.split_off(&number);
        if within > 0
            && let Some(block) = blocks.get(&number)
        {
            let mut start = Arc::clone(block);
            // What grows again later shows zeros behind the old end (ftruncate(2)).
            Arc::make_mut(&mut start)[within..].fill(0);
            self.blocks.insert(number, start);
        }
        let before = self.size;
        self.size = before.min(size);
        Version {
            blocks,
            size: before,
        }
    }

    /// Takes a cut at `size` back, unless the version ends elsewhere than the cut has let it end.
    /// Returns whether the cut is taken back.
    fn restore(&mut self, size: u64, tail: &Version) -> bool {
        if self.size != tail.size.min(size) {
            return false;
        }
        let (first, within) = split(size);
        for (number, block) in &tail.blocks {
            let start = if *number == first { within } else { 0 };
            let own = self.blocks.entry(*number).or_insert_with(empty);
            if start == 0 {
                *own = Arc::clone(block);
            } else {
                Arc::make_mut(own)[start..].copy_from_slice(&block[start..]);
            }
        }
        self.size = tail.size;
        true
    }
}

/// Returns the number of the block of an offset, and the place in it.
pub(super) fn split(offset: u64) -> (u64, usize) {
    let block = BLOCK as u64;
    (offset / block, (offset % block) as usize)
}

impl Content {
    /// Appends the bytes at `offset` to `to`, at most `length` of them.
    pub(super) fn read(&self, offset: u64, length: usize, to: &mut Vec<u8>) {
        let end = self.seen.size.min(offset.saturating_add(length as u64));
        let mut at = offset;
        while at < end {
            let (number, within) = split(at);
            let count = (BLOCK - within).min((end - at) as usize);
            match self.seen.blocks.get(&number) {
                Some(block) => to.extend_from_slice(&block[within..within + count]),
                None => to.resize(to.len() + count, 0),
            }
            at += count as u64;
        }
    }

    /// Writes bytes at `offset`. Returns the number of blocks that the file has more.
    pub(super) fn write(&mut self, offset: u64, mut bytes: &[u8]) -> u64 {
        let before = self.seen.blocks.len();
        let mut at = offset;
        while !bytes.is_empty() {
            let (number, within) = split(at);
            let count = (BLOCK - within).min(bytes.len());
            let (now, rest) = bytes.split_at(count);
            if count == BLOCK {
                self.seen.blocks.insert(number, Arc::from(now));
            } else {
                let block = self.seen.blocks.entry(number).or_insert_with(empty);
                Arc::make_mut(block)[within..within + count].copy_from_slice(now);
            }
            self.dirty.insert(number);
            at += count as u64;
            bytes = rest;
        }
        self.seen.size = self.seen.size.max(at);
        (self.seen.blocks.len() - before) as u64
    }

    /// Sets the size. Returns the number of blocks that the file has less.
    pub(super) fn resize(&mut self, size: u64) -> u64 {
        let (number, within) = split(size);
        let mut gone = 0;
        if size < self.seen.size {
            let first = number + u64::from(within > 0);
            let cut = self.seen.blocks.split_off(&first);
            gone = cut.len() as u64;
            self.dirty.extend(cut.into_keys());
            // What grows again later shows zeros behind the old end (ftruncate(2)).
            if within > 0
                && let Some(block) = self.seen.blocks.get_mut(&number)
            {
                Arc::make_mut(block)[within..].fill(0);
                self.dirty.insert(number);
            }
        }
        self.seen.size = size;
        gone
    }

    /// Takes the blocks of a range away, so that zeros are read there. Returns their number.
    pub(super) fn punch(&mut self, offset: u64, length: u64) -> u64 {
        let end = offset.saturating_add(length).min(self.seen.size);
        let mut gone = 0;
        let mut at = offset;
        while at < end {
            let (number, within) = split(at);
            let count = (BLOCK - within).min((end - at) as usize);
            let size = self.seen.size;
            if count == BLOCK || (within == 0 && at + count as u64 == size) {
                gone += u64::from(self.seen.blocks.remove(&number).is_some());
            } else if let Some(block) = self.seen.blocks.get_mut(&number) {
                Arc::make_mut(block)[within..within + count].fill(0);
            }
            self.dirty.insert(number);
            at += count as u64;
        }
        gone
    }

    /// Gives every block of a range its space. Returns the number of new blocks.
    pub(super) fn allocate(&mut self, offset: u64, length: u64) -> u64 {
        let before = self.seen.blocks.len();
        let end = offset.saturating_add(length);
        let last = end.div_ceil(BLOCK as u64);
        for number in offset / BLOCK as u64..last {
            if let Entry::Vacant(place) = self.seen.blocks.entry(number) {
                place.insert(empty());
                self.dirty.insert(number);
            }
        }
        (self.seen.blocks.len() - before) as u64
    }

    /// Returns the next offset from `offset` on where there is data, or where there is none.
    pub(super) fn seek(&self, offset: u64, what: SeekTarget) -> Option<u64> {
        let size = self.seen.size;
        if offset >= size {
            return None;
        }
        let (first, _) = split(offset);
        if what == SeekTarget::Data {
            let (number, _) = self.seen.blocks.range(first..).next()?;
            let at = (number * BLOCK as u64).max(offset);
            return (at < size).then_some(at);
        }
        let mut number = first;
        while self.seen.blocks.contains_key(&number) {
            number += 1;
        }
        Some((number * BLOCK as u64).max(offset).min(size))
    }

    /// Cuts off what is behind `size`, in both versions. Returns what was there, in which the bytes
    /// before `size` mean nothing. What was not durable before is not durable now either.
    pub(super) fn cut(&mut self, size: u64) -> Content {
        let (number, within) = split(size);
        let dirty = self.dirty.split_off(&number);
        // The block with the new end stays, and may differ before that end.
        if within > 0 && dirty.contains(&number) {
            self.dirty.insert(number);
        }
        Content {
            seen: self.seen.cut(size),
            durable: self.durable.cut(size),
            dirty,
        }
    }

    /// Gives back the end that [`Self::cut`] at `size` has taken, to each version that still ends
    /// where the cut has let that version end. Returns the number of blocks that the file has
    /// more, or nothing if what is seen ends elsewhere.
    pub(super) fn restore(&mut self, size: u64, tail: &Content) -> Option<u64> {
        let before = self.seen.blocks.len();
        if !self.seen.restore(size, &tail.seen) {
            return None;
        }
        self.durable.restore(size, &tail.durable);
        let (first, _) = split(size);
        let (seen, durable) = (&self.seen.blocks, &self.durable.blocks);
        for number in seen.range(first..).chain(durable.range(first..)) {
            let (number, _) = number;
            match seen.get(number) == durable.get(number) {
                true => self.dirty.remove(number),
                false => self.dirty.insert(*number),
            };
        }
        Some((self.seen.blocks.len() - before) as u64)
    }

    /// Makes what is seen durable.
    pub(super) fn sync(&mut self) {
        for number in std::mem::take(&mut self.dirty) {
            match self.seen.blocks.get(&number) {
                Some(block) => self.durable.blocks.insert(number, Arc::clone(block)),
                None => self.durable.blocks.remove(&number),
            };
        }
        self.durable.size = self.seen.size;
    }

    /// Returns whether a power cut may change the file.
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.seen.size != self.durable.size
    }
}

/// Returns a block of zeros.
pub(super) fn empty() -> Block {
    Arc::from([0; BLOCK].as_slice())
}
