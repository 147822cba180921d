//! One direction of a wire: it decides the fate of each packet, and the time at which it is due.
//!
//! A channel has no clock and no packets. The carrier of packets says what time it is, and keeps
//! each packet until it is due. So a second of traffic takes a moment to test, and a decision
//! depends on nothing that is not passed in.
//!
//! Nothing is allocated for a packet, but for room that grows with the packets under way, up to the
//! limit of the queue.
//!
//! | file | role |
//! |---|---|
//! | `draw` | random numbers of packets, and probabilities |
//! | `flow` | flows, and the random numbers of their packets |
//! | `chance` | loss, duplicates, reordering, jitter, flipped bits |
//! | `bottleneck`, `work` | rates that are constant |
//! | `schedule` | rates, delays and losses that follow a trace |
//! | `held` | packets that are admitted and not due yet |

mod bottleneck;
mod chance;
mod draw;
mod flow;
mod held;
mod schedule;
mod work;

use self::bottleneck::Bottleneck;
use self::chance::Odds;
use self::draw::{Draw, Threshold};
use self::flow::{Flows, Turn};
use self::held::HeldPackets;
use self::schedule::Conditions;
use super::counters::{Cause, Counters, Traffic};
use super::impairment::Impairment;

/// One direction of a wire.
pub struct Channel {
    impairment: Impairment,
    needs_segments: bool,
    odds: Odds,
    flows: Flows,
    conditions: Conditions,
    bottleneck: Bottleneck,
    held: HeldPackets,
    /// Time at which the last packet under way is due: a packet that is due before it overtakes.
    latest: u64,
    counters: Counters,
}

/// The fate of a packet: its deliveries, or the cause of its loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fate {
    /// Delivery of the packet itself, unless it is lost.
    pub first: Option<Delivery>,
    /// Delivery of the duplicate.
    pub second: Option<Delivery>,
    /// Cause of the loss, if the packet is lost.
    pub cause: Option<Cause>,
}

impl Fate {
    fn one(delivery: Delivery) -> Fate {
        Fate {
            first: Some(delivery),
            ..Fate::default()
        }
    }
}

/// The time at which a packet comes out, and the state in which it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// Time at which the packet is due, in nanoseconds of the clock whose `now` was passed in.
    /// Packets that are due at the same time come out in the order in which they were admitted.
    pub due: u64,
    /// Index of the byte of the frame that is spoiled, and the bit in it.
    pub flip: Option<(usize, u8)>,
    /// Whether the packet comes out before one that was admitted before it.
    pub reordered: bool,
}

impl Channel {
    /// Returns a direction with this impairment, which has been validated. A trace starts with the
    /// first packet.
    ///
    /// The seed is that of the link, made of the seed of the trial and the name of the link.
    pub fn new(impairment: &Impairment, seed: u64) -> Channel {
        Channel {
            odds: Odds::of(impairment),
            flows: Flows::new(seed),
            conditions: Conditions::of(impairment),
            bottleneck: Bottleneck::of(impairment, 0),
            held: HeldPackets::new(impairment.queue),
            latest: 0,
            counters: Counters::default(),
            needs_segments: impairment.needs_segments(),
            impairment: impairment.clone(),
        }
    }

    /// Changes what is done to packets from now on.
    ///
    /// Packets under way come out as was decided, and packets that have to wait for a rate wait
    /// behind them. The random numbers of flows go on. A trace goes on if it stays the same;
    /// otherwise it starts now.
    pub fn change(&mut self, impairment: &Impairment, now: u64) {
        let goes_on = self.impairment.trace.is_some() && self.impairment.trace == impairment.trace;
        let origin = self.conditions.origin().filter(|_| goes_on);
        self.odds = Odds::of(impairment);
        self.conditions = Conditions::of(impairment);
        self.held.limit(impairment.queue);
        self.bottleneck = Bottleneck::of(impairment, self.bottleneck.free());
        self.needs_segments = impairment.needs_segments();
        self.impairment = impairment.clone();
        self.start(origin.unwrap_or(now));
    }

    /// Returns the impairment that is in force.
    pub fn impairment(&self) -> &Impairment {
        &self.impairment
    }

    /// Returns whether each packet has to be admitted by itself; otherwise batches may
    /// [pass](Channel::pass).
    pub fn needs_segments(&self) -> bool {
        self.needs_segments
    }

    /// Decides about one packet: an Ethernet frame as it is on a wire, not a batch.
    ///
    /// `now`, in nanoseconds, never goes back.
    pub fn admit(&mut self, now: u64, frame: &[u8]) -> Fate {
        self.counters.sent += Traffic::frame(frame.len());
        self.decide(now, frame)
    }

    /// Decides about a packet that was [kept back](Channel::keep_back).
    pub fn admit_late(&mut self, now: u64, frame: &[u8]) -> Fate {
        self.decide(now, frame)
    }

    /// Decides about a copy of a packet, made by a rule.
    pub fn admit_copy(&mut self, now: u64, frame: &[u8]) -> Fate {
        self.counters.duplicated += Traffic::frame(frame.len());
        self.decide(now, frame)
    }

    /// Lets packets pass that have nothing but the delay before them, and returns the time at which
    /// they are due. If there is no room for all, returns nothing: each packet is to be admitted by
    /// itself.
    ///
    /// No random number of a flow is used up, so the number of batches makes no difference.
    pub fn pass(&mut self, now: u64, packets: Traffic) -> Option<u64> {
        debug_assert!(!self.needs_segments);
        let due = self.pass_by(now, packets)?.due;
        self.counters.sent += packets;
        Some(due)
    }

    /// Counts a packet that was dropped before it was admitted, by a rule or because the link is
    /// cut.
    pub fn refuse(&mut self, cause: Cause, length: usize) {
        self.counters.sent += Traffic::frame(length);
        self.count_lost(cause, Traffic::frame(length));
    }

    /// Counts a packet that was [kept back](Channel::keep_back) and is dropped now.
    pub fn refuse_late(&mut self, cause: Cause, length: usize) -> Fate {
        self.dropped(cause, length)
    }

    /// Counts a packet that came and is to be admitted later.
    pub fn keep_back(&mut self, length: usize) {
        self.counters.sent += Traffic::frame(length);
    }

    /// Counts packets that have come out at the other end.
    pub fn count_delivered(&mut self, packets: Traffic) {
        self.counters.delivered += packets;
    }

    /// Counts packets that did not come out, though they were under way or kept back.
    pub fn count_lost(&mut self, cause: Cause, packets: Traffic) {
        *self.counters.lost.by_mut(cause) += packets;
    }

    /// Counts packets that nobody had time to look at, and whose lengths are not known.
    pub fn count_overrun(&mut self, packets: u64) {
        let packets = Traffic { packets, bytes: 0 };
        self.counters.sent += packets;
        self.count_lost(Cause::Overrun, packets);
    }

    /// Counts a packet in which a rule has flipped a bit.
    pub fn count_corrupted(&mut self, length: usize) {
        self.counters.corrupted += Traffic::frame(length);
    }

    /// Delays an admitted packet by this number of nanoseconds; other packets may overtake it.
    pub fn put_off(&mut self, delivery: &mut Delivery, by: u64) {
        delivery.due = delivery.due.saturating_add(by);
        self.latest = self.latest.max(delivery.due);
    }

    /// Returns the counters of the direction.
    pub fn counters(&self) -> Counters {
        let mut all = self.counters.sent;
        all += self.counters.duplicated;
        Counters {
            queued: all - self.counters.delivered - self.counters.lost.total(),
            most_queued: self.held.most(),
            ..self.counters
        }
    }

    fn decide(&mut self, now: u64, frame: &[u8]) -> Fate {
        let length = frame.len();
        if !self.needs_segments {
            return match self.pass_by(now, Traffic::frame(length)) {
                Some(delivery) => Fate::one(delivery),
                None => self.dropped(Cause::Queue, length),
            };
        }
        self.held.release(now);
        if self.conditions.origin().is_none() {
            self.start(now);
        }
        let flow = self.flows.of(frame);
        let mut turn = flow.turn();
        let loss = self.conditions.loss(now).unwrap_or(self.odds.loss);
        let lost = self.odds.lost(loss, flow, &turn);
        let twice = turn.hits(Draw::Duplicate, self.odds.duplicate);
        let overtakes = self.odds.overtakes(flow, &mut turn);

        if self.odds.is_too_large(frame) {
            return self.dropped(Cause::Mtu, length);
        }
        // netem adds one for a duplicate and takes one away for a loss, so a packet that is both is
        // sent once (net/sched/sch_netem.c, netem_enqueue).
        let copies = 1 + usize::from(twice) - usize::from(lost.is_some());
        if let (0, Some(cause)) = (copies, lost) {
            return self.dropped(cause, length);
        }
        let Some(first) = self.send(now, &turn, overtakes, length) else {
            return self.dropped(Cause::Queue, length);
        };
        let second = match copies {
            2 => self.duplicate(now, &turn.again(), loss, length),
            _ => None,
        };
        Fate {
            second,
            ..Fate::one(first)
        }
    }

    fn pass_by(&mut self, now: u64, packets: Traffic) -> Option<Delivery> {
        self.held.release(now);
        if !self.held.has_room(packets) {
            return None;
        }
        let due = now.saturating_add(self.odds.delay);
        Some(self.under_way(due, None, packets))
    }

    fn start(&mut self, origin: u64) {
        self.conditions.start(origin);
        self.bottleneck.start(origin);
    }

    fn dropped(&mut self, cause: Cause, length: usize) -> Fate {
        self.count_lost(cause, Traffic::frame(length));
        Fate {
            cause: Some(cause),
            ..Fate::default()
        }
    }

    /// Decides about the second copy of a packet, which has chances of its own.
    ///
    /// The state of the flow stays as it is, so duplicates do not change which packets are lost.
    fn duplicate(
        &mut self,
        now: u64,
        turn: &Turn,
        loss: Threshold,
        length: usize,
    ) -> Option<Delivery> {
        self.counters.duplicated += Traffic::frame(length);
        let lost = self.odds.lost_again(loss, turn);
        let overtakes = turn.may_overtake && turn.hits(Draw::Reorder, self.odds.reorder);
        let sent = match lost {
            Some(cause) => Err(cause),
            None => self.send(now, turn, overtakes, length).ok_or(Cause::Queue),
        };
        sent.map_err(|cause| self.count_lost(cause, Traffic::frame(length)))
            .ok()
    }

    /// Puts a packet on its way, or returns nothing if there is no room.
    fn send(&mut self, now: u64, turn: &Turn, overtakes: bool, length: usize) -> Option<Delivery> {
        if !self.held.has_room(Traffic::frame(length)) {
            return None;
        }
        let due = if overtakes {
            self.bottleneck.overtake(now, length)
        } else {
            // The delay comes first and the rate after it (net/sched/sch_netem.c, netem_enqueue).
            let delay = self.conditions.delay(now).unwrap_or(self.odds.delay);
            let arrival = now.saturating_add(self.odds.delay_of(delay, turn));
            self.bottleneck.serve(arrival, length)
        };
        let flip = self.odds.flip(turn, length);
        if flip.is_some() {
            self.count_corrupted(length);
        }
        Some(self.under_way(due, flip, Traffic::frame(length)))
    }

    fn under_way(&mut self, due: u64, flip: Option<(usize, u8)>, packets: Traffic) -> Delivery {
        let reordered = due < self.latest;
        self.latest = self.latest.max(due);
        self.held.add(due, packets);
        if reordered {
            self.counters.reordered += packets;
        }
        Delivery {
            due,
            flip,
            reordered,
        }
    }
}
