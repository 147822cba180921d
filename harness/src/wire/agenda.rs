//! What is due when.
//!
//! Most packets come out in the order in which they came in, and wait in a queue; those that are due earlier than one before them wait
//! in a heap.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use super::parcel::Parcel;

/// The packets that are under way in one direction.
#[derive(Default)]
pub(super) struct Agenda {
    in_order: VecDeque<Entry>,
    strays: BinaryHeap<Reverse<Entry>>,
    /// How many there have been.
    count: u64,
}

struct Entry {
    parcel: Parcel,
    /// What is due at the same time comes out in the order in which it came.
    number: u64,
}

impl Agenda {
    pub(super) fn is_empty(&self) -> bool {
        self.in_order.is_empty() && self.strays.is_empty()
    }

    pub(super) fn add(&mut self, parcel: Parcel) {
        let number = self.count;
        self.count += 1;
        let is_stray = self
            .in_order
            .back()
            .is_some_and(|last| parcel.due < last.parcel.due);
        let entry = Entry { parcel, number };
        match is_stray {
            true => self.strays.push(Reverse(entry)),
            false => self.in_order.push_back(entry),
        }
    }

    /// How many packets have been added so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Takes back all that was added since `count`, if it is this many packets that come out one after the other at one time, just as they came in.
    pub(super) fn take_back(&mut self, count: u64, packets: usize) -> Option<Vec<Parcel>> {
        let first = self.in_order.len().checked_sub(packets)?;
        let due = self.in_order.get(first)?.parcel.due;
        let is_plain = |entry: &Entry| entry.parcel.due == due && entry.parcel.marks.is_none();
        let are_all = self.count - count == packets as u64 && self.in_order[first].number == count;
        if !are_all || !self.in_order.range(first..).all(is_plain) {
            return None;
        }
        let taken = self.in_order.drain(first..);
        Some(taken.map(|entry| entry.parcel).collect())
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<u64> {
        let first = self.in_order.front().map(|entry| entry.parcel.due);
        let stray = self.strays.peek().map(|entry| entry.0.parcel.due);
        [first, stray].into_iter().flatten().min()
    }

    /// The next one that is due by then.
    pub(super) fn take_due(&mut self, now: u64) -> Option<Parcel> {
        let first = self.in_order.front().map(Entry::key);
        let stray = self.strays.peek().map(|entry| entry.0.key());
        let from_strays = match (first, stray) {
            (None, None) => return None,
            (Some(first), Some(stray)) => stray < first,
            (first, _) => first.is_none(),
        };
        let (due, _) = if from_strays { stray } else { first }?;
        if due > now {
            return None;
        }
        let entry = match from_strays {
            true => self.strays.pop().map(|entry| entry.0),
            false => self.in_order.pop_front(),
        };
        entry.map(|entry| entry.parcel)
    }
}

impl Entry {
    fn key(&self) -> (u64, u64) {
        (self.parcel.due, self.number)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::super::parcel::{Marks, Memory};
    use super::*;
    use crate::impair::Traffic;

    fn parcel(due: u64, name: u8) -> Parcel {
        Parcel {
            due,
            marks: Marks::default(),
            packets: Traffic::frame(1),
            memory: Memory::Small(vec![name]),
        }
    }

    fn drain(agenda: &mut Agenda, now: u64) -> Vec<u8> {
        std::iter::from_fn(|| agenda.take_due(now))
            .map(|parcel| parcel.whole()[0])
            .collect()
    }

    #[test]
    fn what_is_due_first_comes_out_first_and_equals_in_their_order() {
        let mut agenda = Agenda::default();
        for (name, due) in [50, 70, 60, 20, 20, 70, 60, 50].into_iter().enumerate() {
            agenda.add(parcel(due, name as u8));
        }
        assert_eq!(agenda.next_due(), Some(20));
        assert!(drain(&mut agenda, 19).is_empty());
        assert_eq!(drain(&mut agenda, 50), [3, 4, 0, 7]);
        assert_eq!(agenda.next_due(), Some(60));
        agenda.add(parcel(55, 8));
        assert_eq!(drain(&mut agenda, u64::MAX), [8, 2, 6, 1, 5]);
        assert!(agenda.is_empty() && agenda.next_due().is_none());
    }

    #[test]
    fn only_what_stayed_together_is_taken_back() {
        let mut agenda = Agenda::default();
        agenda.add(parcel(50, 0));
        let count = agenda.count();
        for name in 1..=3 {
            agenda.add(parcel(50, name));
        }
        assert!(agenda.take_back(count, 4).is_none(), "one was lost");
        assert!(agenda.take_back(count, 2).is_none(), "one is a duplicate");
        let taken = agenda.take_back(count, 3).expect("all three");
        assert_eq!(taken.len(), 3);
        assert_eq!(drain(&mut agenda, 50), [0]);

        for dues in [[50, 60, 60], [60, 60, 50]] {
            let count = agenda.count();
            for due in dues {
                agenda.add(parcel(due, 1));
            }
            assert!(agenda.take_back(count, 3).is_none(), "{dues:?}");
            assert_eq!(drain(&mut agenda, 60).len(), 3);
        }

        let count = agenda.count();
        agenda.add(Parcel {
            marks: Marks {
                is_copy: false,
                flipped: Some(20),
            },
            ..parcel(50, 1)
        });
        agenda.add(parcel(50, 2));
        assert!(agenda.take_back(count, 2).is_none(), "one is spoiled");
    }
}
