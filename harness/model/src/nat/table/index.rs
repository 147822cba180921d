//! The numbers of mappings, by a hash of what each mapping is found by.

use super::MappingNumber;

/// The number in a cell that is empty.
const NONE: MappingNumber = MappingNumber::MAX;

/// Numbers of cells of the smallest index.
const FEWEST: usize = 16;

/// An index of mappings: open addressing with linear probing (Knuth, "The Art of Computer
/// Programming", volume 3, section 6.4, algorithms L and R).
///
/// A cell has a hash and a number, and the mapping itself has the key. So the index of 100,000
/// mappings has 1 MiB, most of which stays in the caches of a processor, and a packet waits for the
/// memory once: for its mapping.
#[derive(Debug, Default)]
pub(super) struct MappingIndex {
    /// As many cells as a power of two, or none.
    cells: Vec<Cell>,
    taken: usize,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    hash: u32,
    number: MappingNumber,
}

impl Cell {
    const EMPTY: Cell = Cell {
        hash: 0,
        number: NONE,
    };
}

impl MappingIndex {
    /// Returns the mapping with this hash that is the one.
    pub(super) fn find(
        &self,
        hash: u32,
        is_it: impl FnMut(MappingNumber) -> bool,
    ) -> Option<MappingNumber> {
        self.place_of(hash, is_it).map(|at| self.cells[at].number)
    }

    /// Adds a mapping, in the place of the one that has the same key.
    pub(super) fn insert(
        &mut self,
        hash: u32,
        number: MappingNumber,
        has_same_key: impl FnMut(MappingNumber) -> bool,
    ) {
        if let Some(at) = self.place_of(hash, has_same_key) {
            self.cells[at].number = number;
            return;
        }
        // Seven eighths: a search for a mapping that is there looks at 4.5 cells on average then
        // (Knuth, ibid., theorem K), which are in one or two cache lines.
        if self.taken >= self.cells.len() / 8 * 7 {
            self.grow();
        }
        self.put(Cell { hash, number });
        self.taken += 1;
    }

    /// Removes a mapping, unless another one has taken its place.
    pub(super) fn remove(&mut self, hash: u32, number: MappingNumber) {
        let Some(mut hole) = self.place_of(hash, |other| other == number) else {
            return;
        };
        let mask = self.cells.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let cell = self.cells[at];
            if cell.number == NONE {
                break;
            }
            // A cell behind the hole moves into it, unless the search for the cell begins behind
            // the hole.
            let home = cell.hash as usize & mask;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = Cell::EMPTY;
        self.taken -= 1;
    }

    /// Returns the bytes of memory that the index occupies.
    pub(super) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
    }

    fn place_of(&self, hash: u32, mut is_it: impl FnMut(MappingNumber) -> bool) -> Option<usize> {
        let mask = self.cells.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        // There is always an empty cell.
        loop {
            let cell = self.cells[at];
            if cell.number == NONE {
                return None;
            }
            if cell.hash == hash && is_it(cell.number) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    /// Puts a cell into the first empty place.
    fn put(&mut self, cell: Cell) {
        let mask = self.cells.len() - 1;
        let mut at = cell.hash as usize & mask;
        while self.cells[at].number != NONE {
            at = (at + 1) & mask;
        }
        self.cells[at] = cell;
    }

    fn grow(&mut self) {
        let more = (self.cells.len() * 2).max(FEWEST);
        let before = std::mem::replace(&mut self.cells, vec![Cell::EMPTY; more]);
        let taken = before.into_iter().filter(|cell| cell.number != NONE);
        taken.for_each(|cell| self.put(cell));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::random::{below, splitmix};

    /// The same work for an index and a map, with hashes of which many are alike.
    #[test]
    fn an_index_finds_what_a_map_finds() {
        for seed in 0..20 {
            let mut random = seed;
            let (mut index, mut map) = (MappingIndex::default(), HashMap::new());
            let hash_of = |key: u64| match key % 3 {
                // At the end, so that searches go on at the beginning.
                0 => u32::MAX - (key / 3 % 4) as u32,
                _ => (key as u32).wrapping_mul(0x9e37_79b9),
            };
            let mut keys = Vec::new();
            for _ in 0..3000 {
                let key = below(&mut random, 200);
                let hash = hash_of(key);
                if splitmix(&mut random) % 2 == 0 {
                    let number = keys.len() as u32;
                    keys.push(key);
                    index.insert(hash, number, |other| keys[other as usize] == key);
                    map.insert(key, number);
                } else if let Some(number) = map.remove(&key) {
                    index.remove(hash, number);
                    // A number that is not there any more removes nothing.
                    index.remove(hash, number);
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
