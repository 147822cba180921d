//! Which flow a packet belongs to, and what is known of flows.
//!
//! A packet's fate shall be the same in each run. The order in which packets of different flows come is not: it hangs on how the kernel scheduled
//! their senders. So each flow has random numbers of its own, and a packet's are those of its place in its flow. Ports
//! that a kernel chose by itself are left out: they differ from run to run.

use crate::packet::flow_key;
use crate::random::{GOLDEN, mix};

use super::draw::{Draw, Threshold};

/// How many flows are told apart. Later ones share what is left.
const MOST: usize = 4096;

/// How many of these there are.
const SHARED: u64 = 64;

/// What is known of a flow.
#[derive(Clone)]
pub(crate) struct Flow {
    /// Which flow it is; 0 in a place that is free.
    key: u64,
    /// Where its random numbers come from.
    stream: u64,
    /// How many packets it had.
    packets: u64,
    /// The packets since one was lost as the n-th.
    pub(crate) since_lost: u32,
    /// The packets delayed since one was reordered.
    pub(crate) since_reordered: u32,
    /// Whether the last packet was reordered.
    pub(crate) was_reordered: bool,
    /// The state of the Gilbert–Elliott model.
    pub(crate) is_bad: bool,
}

/// A packet's random numbers, and in which state of its flow it came.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    numbers: u64,
    pub(crate) found_bad: bool,
    pub(crate) may_overtake: bool,
}

impl Flow {
    /// The next packet of the flow.
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
    /// A random number. Those for different purposes have nothing to do with each other.
    pub(crate) fn draw(&self, purpose: Draw) -> u64 {
        const STEP: u64 = 0xd1b5_4a32_d192_ed03;
        mix(self.numbers.wrapping_add(STEP.wrapping_mul(purpose as u64)))
    }

    pub(crate) fn hits(&self, purpose: Draw, threshold: Threshold) -> bool {
        threshold.hit(self.draw(purpose))
    }

    /// The same packet once more, with other random numbers.
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
    /// Where the last packet's flow is: the next is often of the same.
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

    /// The flow of a frame.
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

    /// Where a flow is, or the free place where it can be.
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
