//! The numbers of mappings, by a hash of what each mapping is found by.

use super::MappingNumber;

/// A cell that is empty.
const EMPTY: u32 = u32::MAX;

/// Number of cells of the smallest index.
const FEWEST: usize = 16;

/// An index of mappings: open addressing with linear probing (Knuth, "The Art of Computer
/// Programming", volume 3, section 6.4, algorithms L and R).
///
/// A cell of four bytes has a number in its low bits, as many as the numbers of the index need, and
/// bits of the hash in the others; the mapping itself has the key. So the index of 100,000 mappings
/// has 512 KiB, of which the caches of a processor keep much, and a packet waits for the memory
/// about once: for its mapping.
#[derive(Debug, Default)]
pub(super) struct MappingIndex {
    /// Cells of the index: none, or a power of two that is greater than each number of a mapping.
    cells: Vec<u32>,
    taken: usize,
}

impl MappingIndex {
    /// Returns the mapping with this hash that is the one.
    pub(super) fn find(
        &self,
        hash: u32,
        is_it: impl FnMut(MappingNumber) -> bool,
    ) -> Option<MappingNumber> {
        self.place_of(hash, is_it)
            .map(|at| self.number(self.cells[at]))
    }

    /// Adds a mapping, in the place of the one that has the same key. `hash_of` returns the hash of
    /// a mapping that is in the index.
    pub(super) fn insert(
        &mut self,
        hash: u32,
        number: MappingNumber,
        has_same_key: impl FnMut(MappingNumber) -> bool,
        hash_of: impl Fn(MappingNumber) -> u32,
    ) {
        // Seven eighths: a search for a mapping that is there looks at 4.5 cells on average then
        // (Knuth, ibid., theorem K), which are in one or two cache lines.
        while self.taken >= self.cells.len() / 8 * 7 || number as usize + 1 >= self.cells.len() {
            self.grow(&hash_of);
        }
        if let Some(at) = self.place_of(hash, has_same_key) {
            self.cells[at] = self.cell(hash, number);
            return;
        }
        self.put(hash, number);
        self.taken += 1;
    }

    /// Removes a mapping, unless another one has taken its place.
    pub(super) fn remove(
        &mut self,
        hash: u32,
        number: MappingNumber,
        hash_of: impl Fn(MappingNumber) -> u32,
    ) {
        let Some(mut hole) = self.place_of(hash, |other| other == number) else {
            return;
        };
        let mask = self.mask();
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let cell = self.cells[at];
            if cell == EMPTY {
                break;
            }
            // A cell behind the hole moves into it, unless the search for the cell begins behind
            // the hole.
            let home = hash_of(self.number(cell)) as usize & mask;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = EMPTY;
        self.taken -= 1;
    }

    /// Returns the bytes of memory that the index occupies.
    pub(super) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<u32>()
    }

    fn mask(&self) -> usize {
        self.cells.len().wrapping_sub(1)
    }

    fn number(&self, cell: u32) -> MappingNumber {
        cell & self.mask() as u32
    }

    /// Returns the cell of a mapping. The highest number is below the number of cells by more than
    /// one, so that no cell is like an empty one.
    fn cell(&self, hash: u32, number: MappingNumber) -> u32 {
        // The low bits of the hash are in the place of the cell already.
        hash & !(self.mask() as u32) | number
    }

    fn place_of(&self, hash: u32, mut is_it: impl FnMut(MappingNumber) -> bool) -> Option<usize> {
        if self.cells.is_empty() {
            return None;
        }
        let mask = self.mask();
        let mut at = hash as usize & mask;
        // There is always an empty cell.
        loop {
            let cell = self.cells[at];
            if cell == EMPTY {
                return None;
            }
            if (cell ^ hash) & !(mask as u32) == 0 && is_it(self.number(cell)) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    /// Puts a mapping into the first empty place.
    fn put(&mut self, hash: u32, number: MappingNumber) {
        let mask = self.mask();
        let mut at = hash as usize & mask;
        while self.cells[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.cells[at] = self.cell(hash, number);
    }

    fn grow(&mut self, hash_of: &impl Fn(MappingNumber) -> u32) {
        let numbers: Vec<MappingNumber> = {
            let taken = self.cells.iter().filter(|cell| **cell != EMPTY);
            taken.map(|cell| self.number(*cell)).collect()
        };
        self.cells = vec![EMPTY; (self.cells.len() * 2).max(FEWEST)];
        for number in numbers {
            self.put(hash_of(number), number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::random::{below, splitmix};

    /// Does the same work with an index and a map, with hashes of which many are alike.
    #[test]
    fn an_index_finds_what_a_map_finds() {
        for seed in 0..20 {
            let mut random = seed;
            let (mut index, mut map) = (MappingIndex::default(), HashMap::new());
            let hash_of = |key: u64| match key % 3 {
                // These keys lie at the end, so that searches go on at the beginning.
                0 => u32::MAX - (key / 3 % 4) as u32,
                _ => (key as u32).wrapping_mul(0x9e37_79b9),
            };
            let mut keys = Vec::new();
            for _ in 0..3000 {
                let key = below(&mut random, 200);
                let hash = hash_of(key);
                if splitmix(&mut random).is_multiple_of(2) {
                    let number = keys.len() as u32;
                    keys.push(key);
                    let hash_at = |it: u32| hash_of(keys[it as usize]);
                    index.insert(hash, number, |it| keys[it as usize] == key, hash_at);
                    map.insert(key, number);
                } else if let Some(number) = map.remove(&key) {
                    let hash_at = |it: u32| hash_of(keys[it as usize]);
                    index.remove(hash, number, hash_at);
                    // A number that is not there any more removes nothing.
                    index.remove(hash, number, hash_at);
                }
                for key in 0..200 {
                    let found = index.find(hash_of(key), |it| keys[it as usize] == key);
                    assert_eq!(found, map.get(&key).copied(), "seed {seed}, key {key}");
                }
            }
            assert_eq!(index.taken, map.len());
        }
    }
}
