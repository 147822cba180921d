//! Packets in flight, sorted by the time at which each is due.
//!
//! Nearly all packets come out in the order in which they came in, so nearly all stand in a plain
//! queue. Jitter and reordering make a few due earlier than a packet before them: those stand in
//! a heap. A heap for all of them would cost each packet a number of comparisons that grows with
//! the packets in flight.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use super::packet::PacketInFlight;

/// Packets that are under way in one direction.
#[derive(Default)]
pub(super) struct DeliveryQueue {
    /// Packets of which none is due earlier than the one before it.
    in_order: VecDeque<QueuedPacket>,
    /// Packets that were due earlier than the last one of `in_order` when they came.
    overtaking: BinaryHeap<Reverse<QueuedPacket>>,
    /// Number of packets that have been added so far.
    count: u64,
}

struct QueuedPacket {
    packet: PacketInFlight,
    /// Number of packets that were added before: packets that are due at the same time come out
    /// in the order in which they came.
    number: u64,
}

impl DeliveryQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.in_order.is_empty() && self.overtaking.is_empty()
    }

    /// Adds a packet behind all that are due by the same time.
    pub(super) fn add(&mut self, packet: PacketInFlight) {
        let number = self.count;
        self.count += 1;
        // Compared with the last one alone: that keeps `in_order` sorted.
        let overtakes = self
            .in_order
            .back()
            .is_some_and(|last| packet.due < last.packet.due);
        let queued = QueuedPacket { packet, number };
        if overtakes {
            self.overtaking.push(Reverse(queued));
        } else {
            self.in_order.push_back(queued);
        }
    }

    /// Returns how many packets have been added so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Removes and returns everything that was added since the number of packets was `count`, if
    /// that is `packets` unaltered packets that come out together at one time. Otherwise leaves
    /// the queue as it is.
    pub(super) fn take_back(&mut self, count: u64, packets: usize) -> Option<Vec<PacketInFlight>> {
        let first = self.in_order.len().checked_sub(packets)?;
        let due = self.in_order.get(first)?.packet.due;
        let is_plain =
            |queued: &QueuedPacket| queued.packet.due == due && queued.packet.alterations.is_none();
        // A lost packet makes the count too low, a duplicate too high, and a packet in the heap
        // moves the first number.
        let are_all = self.count - count == packets as u64 && self.in_order[first].number == count;
        if !are_all || !self.in_order.range(first..).all(is_plain) {
            return None;
        }
        let taken = self.in_order.drain(first..);
        Some(taken.map(|queued| queued.packet).collect())
    }

    /// Returns the earliest time at which a packet is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        let first = self.in_order.front().map(|queued| queued.packet.due);
        let overtaking = self.overtaking.peek().map(|queued| queued.0.packet.due);
        [first, overtaking].into_iter().flatten().min()
    }

    /// Removes and returns the next packet, if it is due by the time `now`.
    pub(super) fn take_due(&mut self, now: u64) -> Option<PacketInFlight> {
        let first = self.in_order.front().map(QueuedPacket::key);
        let overtaking = self.overtaking.peek().map(|queued| queued.0.key());
        let overtakes = match (first, overtaking) {
            (None, None) => return None,
            (Some(first), Some(overtaking)) => overtaking < first,
            (first, _) => first.is_none(),
        };
        let (due, _) = if overtakes { overtaking } else { first }?;
        if due > now {
            return None;
        }
        let queued = if overtakes {
            self.overtaking.pop().map(|queued| queued.0)
        } else {
            self.in_order.pop_front()
        };
        queued.map(|queued| queued.packet)
    }
}

impl QueuedPacket {
    fn key(&self) -> (u64, u64) {
        (self.packet.due, self.number)
    }
}

impl Ord for QueuedPacket {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for QueuedPacket {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for QueuedPacket {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for QueuedPacket {}

#[cfg(test)]
mod tests {
    use super::super::packet::Alterations;
    use super::super::packet_pool::PacketMemory;
    use super::*;
    use crate::model::impair::Traffic;

    fn packet(due: u64, name: u8) -> PacketInFlight {
        PacketInFlight {
            due,
            alterations: Alterations::default(),
            traffic: Traffic::frame(1),
            memory: PacketMemory::Small(vec![name]),
        }
    }

    fn drain(queue: &mut DeliveryQueue, now: u64) -> Vec<u8> {
        std::iter::from_fn(|| queue.take_due(now))
            .map(|packet| packet.whole()[0])
            .collect()
    }

    #[test]
    fn what_is_due_first_comes_out_first_and_equals_in_their_order() {
        let mut queue = DeliveryQueue::default();
        for (name, due) in [50, 70, 60, 20, 20, 70, 60, 50].into_iter().enumerate() {
            queue.add(packet(due, name as u8));
        }
        assert_eq!(queue.next_due(), Some(20));
        assert!(drain(&mut queue, 19).is_empty());
        assert_eq!(drain(&mut queue, 50), [3, 4, 0, 7]);
        assert_eq!(queue.next_due(), Some(60));
        queue.add(packet(55, 8));
        assert_eq!(drain(&mut queue, u64::MAX), [8, 2, 6, 1, 5]);
        assert!(queue.is_empty() && queue.next_due().is_none());
    }

    #[test]
    fn only_what_stayed_together_is_taken_back() {
        let mut queue = DeliveryQueue::default();
        queue.add(packet(50, 0));
        let count = queue.count();
        for name in 1..=3 {
            queue.add(packet(50, name));
        }
        assert!(queue.take_back(count, 4).is_none(), "one was lost");
        assert!(queue.take_back(count, 2).is_none(), "one is a duplicate");
        let taken = queue.take_back(count, 3).expect("all three");
        assert_eq!(taken.len(), 3);
        assert_eq!(drain(&mut queue, 50), [0]);

        for dues in [[50, 60, 60], [60, 60, 50]] {
            let count = queue.count();
            for due in dues {
                queue.add(packet(due, 1));
            }
            assert!(queue.take_back(count, 3).is_none(), "{dues:?}");
            assert_eq!(drain(&mut queue, 60).len(), 3);
        }

        let count = queue.count();
        queue.add(PacketInFlight {
            alterations: Alterations {
                is_copy: false,
                flipped: Some(20),
            },
            ..packet(50, 1)
        });
        queue.add(packet(50, 2));
        assert!(queue.take_back(count, 2).is_none(), "one is spoiled");
    }
}
