//! What a direction holds: packets that have been admitted and are not out yet.
//!
//! Only their times and lengths are kept, to know when there is room again. Most packets are due in the order in which they come, and wait in a queue;
//! those that are due earlier than one before them wait in a heap.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::impair::counters::{Counters, Traffic};
use crate::impair::queue::QueueLimit;

pub(super) struct Held {
    most_packets: u64,
    most_bytes: u64,
    traffic: Traffic,
    /// Due times and lengths, in order.
    in_order: VecDeque<(u64, u32)>,
    strays: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Held {
    pub(super) fn new(limit: QueueLimit) -> Held {
        let mut held = Held {
            most_packets: 0,
            most_bytes: 0,
            traffic: Traffic::default(),
            in_order: VecDeque::new(),
            strays: BinaryHeap::new(),
        };
        held.limit(limit);
        held
    }

    /// From now on, so much; what is held stays.
    pub(super) fn limit(&mut self, limit: QueueLimit) {
        let most = u64::from(QueueLimit::MOST_PACKETS);
        self.most_packets = limit.packets.map_or(most, |n| most.min(u64::from(n)));
        self.most_bytes = limit
            .bytes
            .map_or(QueueLimit::MOST_BYTES, |n| n.min(QueueLimit::MOST_BYTES));
    }

    pub(super) fn has_room(&self, length: usize) -> bool {
        self.traffic.packets < self.most_packets
            && self.traffic.bytes + length as u64 <= self.most_bytes
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.traffic
    }

    pub(super) fn add(&mut self, due: u64, length: usize, counters: &mut Counters) {
        let packet = (due, length as u32);
        match self.in_order.back() {
            Some((last, _)) if due < *last => self.strays.push(Reverse(packet)),
            _ => self.in_order.push_back(packet),
        }
        self.traffic.add(length);
        let most = &mut counters.most_queued;
        most.packets = most.packets.max(self.traffic.packets);
        most.bytes = most.bytes.max(self.traffic.bytes);
    }

    /// Lets out what is due.
    pub(super) fn release(&mut self, now: u64, counters: &mut Counters) {
        while let Some((due, length)) = self.in_order.front().copied()
            && due <= now
        {
            self.in_order.pop_front();
            self.out(length, counters);
        }
        while let Some(Reverse((due, length))) = self.strays.peek().copied()
            && due <= now
        {
            self.strays.pop();
            self.out(length, counters);
        }
    }

    fn out(&mut self, length: u32, counters: &mut Counters) {
        self.traffic.remove(length as usize);
        counters.delivered.add(length as usize);
    }
}
