//! The packets that a direction holds: admitted, and not due yet.
//!
//! A queue has a limit, so the channel has to know when there is room again. For that only times
//! and lengths of packets are kept. Most packets are due in the order in which they come, and wait
//! in a queue; packets that are due earlier than one before them wait in a heap.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::impair::counters::Traffic;
use crate::impair::queue::QueueLimit;

pub(crate) struct HeldPackets {
    limit: Traffic,
    traffic: Traffic,
    /// Most packets, and most bytes, that were held.
    most: Traffic,
    in_order: VecDeque<Load>,
    strays: BinaryHeap<Reverse<Load>>,
}

/// Packets that are due at the same time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Load {
    due: u64,
    packets: u32,
    bytes: u32,
}

impl HeldPackets {
    pub(crate) fn new(limit: QueueLimit) -> HeldPackets {
        let mut held = HeldPackets {
            limit: Traffic::default(),
            traffic: Traffic::default(),
            most: Traffic::default(),
            in_order: VecDeque::new(),
            strays: BinaryHeap::new(),
        };
        held.limit(limit);
        held
    }

    /// Sets the limit for packets to come; packets that are held stay.
    pub(crate) fn limit(&mut self, limit: QueueLimit) {
        let packets = limit.packets.unwrap_or(u32::MAX);
        let bytes = limit.bytes.unwrap_or(u64::MAX);
        self.limit = Traffic {
            packets: packets.min(QueueLimit::MOST_PACKETS).into(),
            bytes: bytes.min(QueueLimit::MOST_BYTES),
        };
    }

    pub(crate) fn has_room(&self, load: Traffic) -> bool {
        self.traffic.packets + load.packets <= self.limit.packets
            && self.traffic.bytes + load.bytes <= self.limit.bytes
    }

    pub(crate) fn most(&self) -> Traffic {
        self.most
    }

    pub(crate) fn add(&mut self, due: u64, load: Traffic) {
        self.traffic += load;
        self.most.packets = self.most.packets.max(self.traffic.packets);
        self.most.bytes = self.most.bytes.max(self.traffic.bytes);
        let load = Load {
            due,
            packets: load.packets as u32,
            bytes: load.bytes as u32,
        };
        match self.in_order.back() {
            Some(last) if due < last.due => self.strays.push(Reverse(load)),
            _ => self.in_order.push_back(load),
        }
    }

    /// Makes room by letting go packets that are due.
    pub(crate) fn release(&mut self, now: u64) {
        while let Some(load) = self.in_order.front().copied()
            && load.due <= now
        {
            self.in_order.pop_front();
            self.out(load);
        }
        while let Some(Reverse(load)) = self.strays.peek().copied()
            && load.due <= now
        {
            self.strays.pop();
            self.out(load);
        }
    }

    fn out(&mut self, load: Load) {
        self.traffic.packets -= u64::from(load.packets);
        self.traffic.bytes -= u64::from(load.bytes);
    }
}
