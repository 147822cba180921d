//! One direction of a wire: decides about each packet, and holds the packets in flight.
//!
//! A kernel hands out super-frames, up to 64 KB of a TCP stream in one piece. A pair of TAP devices
//! carries 29 Gbit/s of TCP with super-frames and 2.2 Gbit/s without (measured for this project,
//! 2026-08). But loss, rules and rates are about packets. So a super-frame stays whole where
//! nothing looks at single packets, and where its packets all turn out to share one fate;
//! otherwise it is cut.

use std::fmt::Display;
use std::sync::Arc;

use super::delivery_queue::DeliveryQueue;
use super::frame_sender::FrameSender;
use super::lateness::LatenessHistogram;
use super::observers::Observers;
use super::packet::{Alterations, PacketInFlight};
use super::packet_pool::{PacketMemory, PacketPool};
use super::uplink_nat::{Arrival, UplinkNat, arrive};
use super::wire_port::WirePort;
use crate::kernel::frames::{BATCH, ReceivedFrame, VNET_HEADER};
use crate::model::impair::channel::{Channel, Delivery};
use crate::model::impair::{Cause, Direction, Traffic};
use crate::model::packet::FrameFate;
use crate::model::packet::segment::Segments;
use crate::model::rules::{RuleId, Ruling, bit_to_flip};
use crate::observe::Verdict;

/// One direction of a wire: its channel, and the packets that are under way.
pub(super) struct WireDirection {
    direction: Direction,
    channel: Channel,
    queue: DeliveryQueue,
    /// Packets that rules hold, in the order in which they came, with their virtio-net headers.
    held: Vec<(RuleId, Vec<u8>)>,
    /// Number of cuts that nobody has healed.
    cuts: u32,
    lateness: LatenessHistogram,
    /// Packets that are being delivered: memory that is used again for each batch.
    batch: Vec<PacketInFlight>,
    sender: FrameSender,
    /// The NAT through which packets of this direction arrive, if they do.
    nat: Option<Arc<UplinkNat>>,
    /// Frames with which the NAT answers.
    answers: Vec<Vec<u8>>,
}

impl WireDirection {
    pub(super) fn new(direction: Direction, channel: Channel, nat: Option<Arc<UplinkNat>>) -> Self {
        Self {
            direction,
            channel,
            queue: DeliveryQueue::default(),
            held: Vec::new(),
            cuts: 0,
            lateness: LatenessHistogram::NONE,
            batch: Vec::with_capacity(BATCH),
            sender: FrameSender::default(),
            nat,
            answers: Vec::new(),
        }
    }

    /// Returns the earliest time at which a packet is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.queue.next_due()
    }

    /// Returns the channel, which decides about packets and counts them.
    pub(super) fn channel_mut(&mut self) -> &mut Channel {
        &mut self.channel
    }

    pub(super) fn lateness(&self) -> &LatenessHistogram {
        &self.lateness
    }

    pub(super) fn cut(&mut self) {
        self.cuts += 1;
    }

    /// Heals one cut.
    pub(super) fn heal(&mut self) {
        self.cuts = self.cuts.saturating_sub(1);
    }

    /// Takes in what a port has received: decides about each packet and queues it. Frames that
    /// have nothing to wait for are sent at once.
    pub(super) fn take_in(
        &mut self,
        observers: &Observers,
        pool: &mut PacketPool,
        received: &mut [ReceivedFrame],
        to: &WirePort,
        now: u64,
    ) {
        let is_plain = observers.are_absent() && self.cuts == 0 && !self.channel.needs_segments();
        // Without a delay frames may go at once, but never past packets that are still under way
        // by an earlier impairment.
        if is_plain && self.channel.impairment().delay.is_zero() && self.queue.is_empty() {
            return self.pass_on(received, to, now);
        }
        for slot in received {
            // What is shorter than a virtio-net header is no frame.
            let Some(segments) = Segments::of(slot.buffer.whole()) else {
                continue;
            };
            let traffic = segments.traffic();
            if is_plain && let Some(due) = self.channel.pass(now, traffic) {
                self.queue.add(PacketInFlight {
                    due,
                    alterations: Alterations::default(),
                    traffic,
                    memory: pool.take(&mut slot.buffer),
                });
                continue;
            }
            let (count, before) = (segments.count(), self.queue.count());
            for index in 0..count {
                let mut bytes = pool.small();
                segments.write(index, &mut bytes);
                self.judge(observers, pool, bytes, now);
            }
            // Packets to which nothing was done go on as the super-frame that they came in, which
            // is several times as fast. Listeners are told of single packets at their delivery.
            if count > 1
                && !observers.has_listeners()
                && let Some(packets) = self.queue.take_back(before, count)
            {
                self.queue.add(PacketInFlight {
                    due: packets[0].due,
                    alterations: Alterations::default(),
                    traffic,
                    memory: pool.take(&mut slot.buffer),
                });
                for packet in packets {
                    pool.give_back(packet.memory);
                }
            }
        }
    }

    /// Sends received frames out of the other end, just as they came.
    fn pass_on(&mut self, received: &mut [ReceivedFrame], to: &WirePort, now: u64) {
        self.translate_received(received, now);
        let mut frames = [&[][..]; BATCH];
        let mut traffic = [Traffic::default(); BATCH];
        let mut count = 0;
        for slot in received {
            let whole = slot.buffer.whole();
            let Some(segments) = Segments::of(whole) else {
                continue;
            };
            frames[count] = whole;
            traffic[count] = segments.traffic();
            if self.channel.pass(now, traffic[count]).is_some() {
                count += 1;
            }
        }
        let channel = &mut self.channel;
        self.sender.send(to, &frames[..count], |at, was_sent| {
            if was_sent {
                channel.count_delivered(traffic[at]);
            } else {
                channel.count_lost(Cause::Overrun, traffic[at]);
            }
        });
    }

    /// Has the NAT translate frames that arrive at once. What it does not let in counts as
    /// delivered: the link has carried it.
    fn translate_received(&mut self, received: &mut [ReceivedFrame], now: u64) {
        let Some(place) = &self.nat else { return };
        let (channel, answers) = (&mut self.channel, &mut self.answers);
        place.translate(|nat| {
            nat.fetch(false, received.iter().map(|slot| slot.buffer.whole()));
            for slot in received {
                match arrive(nat, slot.buffer.whole_mut(), now) {
                    Arrival::Deliver => continue,
                    Arrival::Drop => {}
                    Arrival::Answer(frame) => answers.push(frame),
                }
                // The books of the link balance: what has entered is delivered, whatever comes of
                // it.
                if let Some(segments) = Segments::of(slot.buffer.whole())
                    && channel.pass(now, segments.traffic()).is_some()
                {
                    channel.count_delivered(segments.traffic());
                }
                slot.buffer.clear();
            }
        });
    }

    /// Lets the NAT translate the packets that are being delivered, and returns whether there is a
    /// NAT. Listeners are told of the packets as they were on the link, and of their delivery
    /// before the send: a packet that the receiver then refuses was told of as delivered.
    fn translate_batch(&mut self, observers: &Observers, now: u64) -> bool {
        let Some(place) = &self.nat else { return false };
        let (channel, answers, direction) = (&mut self.channel, &mut self.answers, self.direction);
        let batch = &mut self.batch;
        place.translate(|nat| {
            nat.fetch(false, batch.iter().map(|packet| packet.memory.whole()));
            batch.retain_mut(|packet| {
                let remark = packet.alterations.remark();
                observers.notify(direction, now, packet.frame(), FrameFate::Delivered, remark);
                match arrive(nat, packet.memory.whole_mut(), now) {
                    Arrival::Deliver => return true,
                    Arrival::Drop => {}
                    Arrival::Answer(frame) => answers.push(frame),
                }
                channel.count_delivered(packet.traffic);
                false
            });
        })
    }

    /// Returns the frames with which the NAT has answered since the last call.
    pub(super) fn take_answers(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.answers)
    }

    /// Asks the rules about one packet, in front of which there is an empty virtio-net header, and
    /// drops the packet, holds it, or admits it.
    fn judge(&mut self, observers: &Observers, pool: &mut PacketPool, bytes: Vec<u8>, now: u64) {
        let frame = &bytes[VNET_HEADER..];
        // Rules see a packet before a cut or chance does: a rule counts what was sent.
        let ruling = observers.rules().judge(self.direction, frame, now);
        let refused = match ruling.as_ref().map(|ruling| ruling.verdict) {
            Some(Verdict::Drop | Verdict::Reset) => Some(Cause::Rule),
            // A held packet is not on the link yet: a cut meets it when it is released.
            Some(Verdict::Hold) => None,
            None
            | Some(Verdict::Pass | Verdict::Delay(_) | Verdict::Duplicate | Verdict::Corrupt) => {
                (self.cuts > 0).then_some(Cause::Cut)
            }
        };
        if let Some(cause) = refused {
            self.channel.refuse(cause, frame.len());
            let why: &dyn Display = match &ruling {
                Some(ruling) => ruling,
                None => &cause,
            };
            self.notify(observers, now, frame, FrameFate::Dropped(why), None);
            return pool.give_back(PacketMemory::Small(bytes));
        }
        match ruling {
            Some(ruling) if ruling.verdict.keeps_back() => {
                self.channel.keep_back(frame.len());
                self.notify(observers, now, frame, FrameFate::Entered, Some(&ruling));
                self.held.push((ruling.rule, bytes));
            }
            ruling => self.admit(observers, pool, bytes, now, ruling.as_ref()),
        }
    }

    /// Sends a packet on its way, if chance and the queue limit allow.
    fn admit(
        &mut self,
        observers: &Observers,
        pool: &mut PacketPool,
        mut bytes: Vec<u8>,
        now: u64,
        ruling: Option<&Ruling>,
    ) {
        let frame = &bytes[VNET_HEADER..];
        let fate = self.channel.admit(now, frame);
        // Chance may duplicate a packet, a rule may, and chance may duplicate the rule's copy.
        let mut deliveries = [fate.first, fate.second, None, None];
        let mut flip = None;
        match ruling.map(|ruling| ruling.verdict) {
            Some(Verdict::Duplicate) => {
                let again = self.channel.admit_copy(now, frame);
                deliveries[2..].copy_from_slice(&[again.first, again.second]);
            }
            Some(Verdict::Delay(by)) => {
                for delivery in deliveries.iter_mut().flatten() {
                    self.channel.put_off(delivery, by.as_nanos() as u64);
                }
            }
            Some(Verdict::Corrupt) => flip = bit_to_flip(frame),
            // `judge` keeps packets from here that are to be dropped or held.
            None | Some(Verdict::Pass | Verdict::Drop | Verdict::Reset | Verdict::Hold) => {}
        }
        let remark = ruling.map(|ruling| ruling as &dyn Display);
        match fate.cause {
            Some(cause) if deliveries.iter().all(Option::is_none) => {
                self.notify(observers, now, frame, FrameFate::Dropped(&cause), remark);
            }
            _ => self.notify(observers, now, frame, FrameFate::Entered, remark),
        }
        // Listeners are told of the frame as it was sent, so the bit is flipped after that.
        if let Some((byte, mask)) = flip {
            self.channel.count_corrupted(frame.len());
            bytes[VNET_HEADER + byte] ^= mask;
        }
        let flipped = flip.map(|(byte, _)| byte);
        self.enqueue(pool, bytes, flipped, &deliveries);
    }

    /// Queues a packet as often as it is to come out. `flipped` is the byte of the frame that a
    /// rule has spoiled already.
    fn enqueue(
        &mut self,
        pool: &mut PacketPool,
        mut bytes: Vec<u8>,
        flipped: Option<usize>,
        deliveries: &[Option<Delivery>],
    ) {
        let mut left = deliveries.iter().flatten().count();
        for (at, delivery) in deliveries.iter().enumerate() {
            let Some(delivery) = delivery else { continue };
            left -= 1;
            // Nearly every packet comes out once, and its memory is not copied then.
            let mut memory = match left {
                0 => std::mem::take(&mut bytes),
                _ => pool.copy(&bytes),
            };
            if let Some((byte, mask)) = delivery.flip {
                memory[VNET_HEADER + byte] ^= mask;
            }
            self.queue.add(PacketInFlight {
                due: delivery.due,
                alterations: Alterations {
                    is_copy: at > 0,
                    flipped: delivery.flip.map(|(byte, _)| byte).or(flipped),
                },
                traffic: Traffic::frame(memory.len() - VNET_HEADER),
                memory: PacketMemory::Small(memory),
            });
        }
        if bytes.capacity() > 0 {
            pool.give_back(PacketMemory::Small(bytes));
        }
    }

    /// Sends the packets on their way that a rule holds.
    pub(super) fn release(
        &mut self,
        observers: &Observers,
        pool: &mut PacketPool,
        rule: RuleId,
        now: u64,
    ) {
        // `partition` keeps the order in which the packets came, of both parts.
        let held = std::mem::take(&mut self.held);
        let (released, held) = held.into_iter().partition(|(by, _)| *by == rule);
        self.held = held;
        for (_, bytes) in released {
            let frame = &bytes[VNET_HEADER..];
            let fate = match self.cuts {
                0 => self.channel.admit_late(now, frame),
                _ => self.channel.refuse_late(Cause::Cut, frame.len()),
            };
            if let Some(cause) = fate.cause {
                self.notify(observers, now, frame, FrameFate::DroppedLate(&cause), None);
            }
            self.enqueue(pool, bytes, None, &[fate.first, fate.second]);
        }
    }

    /// Sends a frame that a rule or a NAT has made, as `maker` says, undelayed and unjudged.
    pub(super) fn send(
        &mut self,
        observers: &Observers,
        pool: &mut PacketPool,
        (frame, maker): (&[u8], &'static str),
        now: u64,
    ) {
        self.channel.keep_back(frame.len());
        let remark = Some(&maker as &dyn Display);
        self.notify(observers, now, frame, FrameFate::Entered, remark);
        // An empty virtio-net header says that the frame is one packet with a whole checksum.
        let mut bytes = pool.copy(&[0; VNET_HEADER]);
        bytes.extend_from_slice(frame);
        self.queue.add(PacketInFlight {
            due: now,
            alterations: Alterations::default(),
            traffic: Traffic::frame(frame.len()),
            memory: PacketMemory::Small(bytes),
        });
    }

    /// Delivers to the other end what is due by the time `until`.
    pub(super) fn deliver(
        &mut self,
        observers: &Observers,
        pool: &mut PacketPool,
        to: &WirePort,
        now: u64,
        until: u64,
    ) {
        loop {
            while self.batch.len() < BATCH
                && let Some(packet) = self.queue.take_due(until)
            {
                self.batch.push(packet);
            }
            if self.batch.is_empty() {
                return;
            }
            // A cut link loses its packets in flight when they would come out and not at once:
            // those that are still under way when the link is healed arrive.
            match self.cuts {
                0 => self.send_batch(observers, to, now),
                _ => self.drop_batch(observers, now),
            }
            for packet in self.batch.drain(..) {
                pool.give_back(packet.memory);
            }
        }
    }

    fn send_batch(&mut self, observers: &Observers, to: &WirePort, now: u64) {
        // Listeners that were told of the frame on the link are not told of the translated one.
        let is_told = self.translate_batch(observers, now);
        let mut frames = [&[][..]; BATCH];
        for (frame, packet) in frames.iter_mut().zip(&self.batch) {
            *frame = packet.whole();
        }
        let (channel, lateness, batch) = (&mut self.channel, &mut self.lateness, &self.batch);
        self.sender
            .send(to, &frames[..batch.len()], |at, was_sent| {
                let packet = &batch[at];
                let notify = |fate| {
                    if !is_told {
                        let remark = packet.alterations.remark();
                        observers.notify(self.direction, now, packet.frame(), fate, remark);
                    }
                };
                if was_sent {
                    channel.count_delivered(packet.traffic);
                    // A worker's head start may deliver a packet before it is due: not late.
                    lateness.add(now.saturating_sub(packet.due), packet.traffic.packets);
                    notify(FrameFate::Delivered);
                } else {
                    channel.count_lost(Cause::Overrun, packet.traffic);
                    notify(FrameFate::DroppedLate(&Cause::Overrun));
                }
            });
    }

    fn drop_batch(&mut self, observers: &Observers, now: u64) {
        for packet in &self.batch {
            self.channel.count_lost(Cause::Cut, packet.traffic);
            let fate = FrameFate::DroppedLate(&Cause::Cut);
            let remark = packet.alterations.remark();
            self.notify(observers, now, packet.frame(), fate, remark);
        }
    }

    fn notify(
        &self,
        observers: &Observers,
        now: u64,
        frame: &[u8],
        fate: FrameFate<'_>,
        remark: Option<&dyn Display>,
    ) {
        observers.notify(self.direction, now, frame, fate, remark);
    }
}
