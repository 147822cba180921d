//! Which flow a packet belongs to, and what is known of flows.
//!
//! A packet's fate shall be the same in each run. The order in which packets of different flows come is not: it hangs on how the kernel scheduled
//! their senders. So each flow has random numbers of its own, and a packet's are those of its place in its flow. Ports
//! that a kernel chose by itself are left out: they differ from run to run.

use crate::random::{GOLDEN, mix};

use super::ETHERNET;
use super::chance::{Draw, Threshold};

/// How many flows are told apart. Later ones share what is left.
const MOST: usize = 4096;

/// How many of these there are.
const SHARED: u64 = 64;

/// Where the ports begin that Linux gives to clients.
const EPHEMERAL: u16 = 32_768;

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
        let key = key(frame);
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

/// Which flow a frame belongs to, as a number that is not 0. A frame that is cut short or strange belongs to the flow of its ethertype.
fn key(frame: &[u8]) -> u64 {
    let (ethertype, packet) = network(frame);
    let key = match ethertype {
        0x0800 => ipv4(packet),
        0x86dd => ipv6(packet),
        _ => None,
    };
    key.unwrap_or_else(|| mix(GOLDEN ^ u64::from(ethertype)))
        .max(SHARED + 1)
}

/// The ethertype, and what follows it, VLAN tags skipped.
pub(crate) fn network(frame: &[u8]) -> (u16, &[u8]) {
    let mut at = ETHERNET - 2;
    loop {
        let Some(ethertype) = word(frame, at) else {
            return (0, &[]);
        };
        match ethertype {
            0x8100 | 0x88a8 => at += 4,
            _ => return (ethertype, &frame[at + 2..]),
        }
    }
}

fn ipv4(packet: &[u8]) -> Option<u64> {
    let header = packet.first_chunk::<20>()?;
    let [.., a, b, c, d, e, f, g, h] = *header;
    let addresses = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let protocol = header[9];
    let is_later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
    let length = usize::from(header[0] & 0x0f) * 4;
    let ports = match is_later_fragment {
        true => 0,
        false => ports(protocol, packet.get(length..)?),
    };
    let rest = u64::from(ports) << 16 | 0x0400 | u64::from(protocol);
    Some(mix(mix(addresses ^ GOLDEN) ^ rest))
}

fn ipv6(packet: &[u8]) -> Option<u64> {
    let header = packet.first_chunk::<40>()?;
    let mut key = GOLDEN;
    for word in header[8..].chunks_exact(8) {
        let word = word.try_into().expect("exactly 8");
        key = mix(key ^ u64::from_be_bytes(word));
    }
    let (protocol, rest) = skip_extensions(header[6], &packet[40..]);
    let rest = u64::from(ports(protocol, rest)) << 16 | 0x0600 | u64::from(protocol);
    Some(mix(key ^ rest))
}

/// The protocol beyond IPv6's extension headers. Of a fragment that is not the first, nothing.
fn skip_extensions(mut protocol: u8, mut rest: &[u8]) -> (u8, &[u8]) {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const DESTINATION: u8 = 60;
    loop {
        let length = match (protocol, rest) {
            (HOP_BY_HOP | ROUTING | DESTINATION, [_, length, ..]) => 8 + usize::from(*length) * 8,
            (FRAGMENT, [_, _, high, low, ..]) => {
                if u16::from_be_bytes([*high, *low]) >> 3 != 0 {
                    return (rest[0], &[]);
                }
                8
            }
            _ => return (protocol, rest),
        };
        match rest.get(length..) {
            Some(beyond) => (protocol, rest) = (rest[0], beyond),
            None => return (protocol, &[]),
        }
    }
}

/// Both ports, of protocols that have some; those that a kernel may have chosen count as 0.
fn ports(protocol: u8, rest: &[u8]) -> u32 {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    const DCCP: u8 = 33;
    const SCTP: u8 = 132;
    const UDP_LITE: u8 = 136;
    if !matches!(protocol, TCP | UDP | DCCP | SCTP | UDP_LITE) {
        return 0;
    }
    let port = |at| word(rest, at).filter(|port| *port < EPHEMERAL).unwrap_or(0);
    u32::from(port(0)) << 16 | u32::from(port(2))
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let word = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([word[0], word[1]]))
}
