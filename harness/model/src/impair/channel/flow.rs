//! Flows, and the random numbers of their packets.
//!
//! The fate of a packet has to be the same in each run. The order of packets of different flows is
//! not: it depends on when the kernel ran their senders. So each flow has random numbers of its
//! own, and each packet has those of its place in its flow.

use crate::packet::flow_key;
use crate::random::{GOLDEN, mix};

use super::draw::{Draw, Threshold};

/// Number of flows that are told apart. Later flows share a few streams of random numbers.
const MOST: usize = 4096;

/// Number of streams of random numbers that later flows share.
const SHARED: u64 = 64;

/// The state of a flow.
#[derive(Clone)]
pub(crate) struct Flow {
    /// Key of the flow; 0 in a place that is free.
    key: u64,
    /// Seed of the random numbers of the flow.
    stream: u64,
    /// Number of packets so far.
    packets: u64,
    /// Number of packets since one was lost as the n-th.
    pub(crate) since_lost: u32,
    /// Number of packets delayed since one was reordered.
    pub(crate) since_reordered: u32,
    /// Whether the last packet was reordered.
    pub(crate) was_reordered: bool,
    /// Whether the Gilbert–Elliott model is in its bad state.
    pub(crate) is_bad: bool,
}

/// The random numbers of a packet, and the state of its flow when the packet came.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    numbers: u64,
    pub(crate) found_bad: bool,
    pub(crate) may_overtake: bool,
}

impl Flow {
    /// Counts the next packet of the flow.
    pub(crate) fn turn(&mut self) -> Turn {
        let numbers = mix(self.stream ^ self.packets.wrapping_mul(GOLDEN));
        self.packets += 1;
        Turn {
            numbers,
            found_bad: self.is_bad,
            may_overtake: true,
        }
    }
}

impl Turn {
    /// Returns a random number. Numbers for different purposes are independent of each other.
    pub(crate) fn draw(&self, purpose: Draw) -> u64 {
        const STEP: u64 = 0xd1b5_4a32_d192_ed03;
        mix(self.numbers.wrapping_add(STEP.wrapping_mul(purpose as u64)))
    }

    pub(crate) fn hits(&self, purpose: Draw, threshold: Threshold) -> bool {
        threshold.hit(self.draw(purpose))
    }

    /// Returns the same packet once more, with other random numbers.
    pub(crate) fn again(&self) -> Turn {
        Turn {
            numbers: self.draw(Draw::Again),
            ..*self
        }
    }
}

/// All flows: a hash table with open addressing, which grows up to its limit.
pub(crate) struct Flows {
    seed: u64,
    places: Vec<Flow>,
    used: usize,
    /// Place of the flow of the last packet: the next packet is often of the same flow.
    last: usize,
}

impl Flows {
    pub(crate) fn new(seed: u64) -> Flows {
        const FIRST: usize = 16;
        Flows {
            seed,
            places: vec![Flow::free(); FIRST],
            used: 0,
            last: 0,
        }
    }

    /// Returns the flow of a frame.
    pub(crate) fn of(&mut self, frame: &[u8]) -> &mut Flow {
        let key = flow_key(frame).max(SHARED + 1);
        if self.places[self.last].key != key {
            self.last = self.find(key);
        }
        &mut self.places[self.last]
    }

    fn find(&mut self, key: u64) -> usize {
        let place = self.place(key);
        if self.places[place].key == key {
            return place;
        }
        if self.used >= MOST {
            let shared = 1 + key % SHARED;
            let place = self.place(shared);
            return self.occupy(place, shared);
        }
        self.occupy(place, key)
    }

    /// Returns the place of a flow, or the free place that the flow can have.
    fn place(&self, key: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut place = key as usize & mask;
        while !matches!(self.places[place].key, 0) && self.places[place].key != key {
            place = (place + 1) & mask;
        }
        place
    }

    fn occupy(&mut self, place: usize, key: u64) -> usize {
        if self.places[place].key == key {
            return place;
        }
        self.places[place] = Flow {
            key,
            stream: mix(self.seed ^ key),
            ..Flow::free()
        };
        self.used += 1;
        if self.used * 2 <= self.places.len() {
            return place;
        }
        self.grow();
        self.place(key)
    }

    fn grow(&mut self) {
        let larger = vec![Flow::free(); self.places.len() * 2];
        let flows = std::mem::replace(&mut self.places, larger);
        for flow in flows.into_iter().filter(|flow| flow.key != 0) {
            let place = self.place(flow.key);
            self.places[place] = flow;
        }
    }
}

impl Flow {
    fn free() -> Flow {
        Flow {
            key: 0,
            stream: 0,
            packets: 0,
            since_lost: 0,
            since_reordered: 0,
            was_reordered: false,
            is_bad: false,
        }
    }
}
