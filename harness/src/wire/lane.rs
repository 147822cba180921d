//! One direction of a wire.

use super::agenda::Agenda;
use super::lateness::Histogram;
use super::outbox::Outbox;
use super::parcel::{Marks, Memory, Parcel, Pool};
use super::port::Port;
use super::watch::Watch;
use crate::impair::Direction;
use crate::impair::channel::{Channel, Delivery};
use crate::impair::segment::Segments;
use crate::impair::{Cause, Traffic};
use crate::kernel::frames::{BATCH, Slot, VNET_HEADER};
use crate::observe::{FrameFate, RuleId, Ruling, Verdict, bit_to_flip};

/// One direction: what it does to packets, and those that are under way.
pub(super) struct Lane {
    direction: Direction,
    pub(super) channel: Channel,
    agenda: Agenda,
    /// What rules hold, in the order in which it came.
    kept: Vec<(RuleId, Vec<u8>)>,
    /// How many cuts there are that nobody has mended.
    pub(super) cuts: u32,
    pub(super) lateness: Histogram,
    /// What is being delivered: room that is used again.
    batch: Vec<Parcel>,
    outbox: Outbox,
}

impl Lane {
    pub(super) fn new(direction: Direction, channel: Channel) -> Lane {
        Lane {
            direction,
            channel,
            agenda: Agenda::default(),
            kept: Vec::new(),
            cuts: 0,
            lateness: Histogram::NONE,
            batch: Vec::with_capacity(BATCH),
            outbox: Outbox::default(),
        }
    }

    pub(super) fn next_due(&self) -> Option<u64> {
        self.agenda.next_due()
    }

    /// Takes what has been received, and gives it to the other end at once if there is nothing to wait for.
    pub(super) fn take(
        &mut self,
        watch: &Watch,
        pool: &mut Pool,
        received: &mut [Slot],
        to: &Port,
        now: u64,
    ) {
        let is_plain = watch.is_idle() && self.cuts == 0 && !self.channel.needs_segments();
        if is_plain && self.channel.impairment().delay.is_zero() && self.agenda.is_empty() {
            return self.pass_on(received, to, now);
        }
        for slot in received {
            let Some(segments) = Segments::of(slot.buffer.whole()) else {
                continue;
            };
            let packets = segments.traffic();
            if is_plain && let Some(due) = self.channel.pass(now, packets) {
                let memory = pool.take(&mut slot.buffer);
                let marks = Marks::default();
                self.agenda.add(Parcel {
                    due,
                    marks,
                    packets,
                    memory,
                });
                continue;
            }
            let (count, before) = (segments.count(), self.agenda.count());
            for index in 0..count {
                let mut bytes = pool.small();
                segments.write(index, &mut bytes);
                self.judge(watch, pool, bytes, now);
            }
            // What nothing was done to goes on as it came: that is several times as fast. Who listens hears of single packets.
            if count > 1
                && watch.listeners.is_empty()
                && let Some(parcels) = self.agenda.take_back(before, count)
            {
                self.agenda.add(Parcel {
                    due: parcels[0].due,
                    marks: Marks::default(),
                    packets,
                    memory: pool.take(&mut slot.buffer),
                });
                for parcel in parcels {
                    pool.give_back(parcel.memory);
                }
            }
        }
    }

    /// Gives frames to the other end just as they came.
    fn pass_on(&mut self, received: &mut [Slot], to: &Port, now: u64) {
        let mut frames = [&[][..]; BATCH];
        let mut packets = [Traffic::default(); BATCH];
        let mut count = 0;
        for slot in received {
            let whole = slot.buffer.whole();
            let Some(segments) = Segments::of(whole) else {
                continue;
            };
            frames[count] = whole;
            packets[count] = segments.traffic();
            if self.channel.pass(now, packets[count]).is_some() {
                count += 1;
            }
        }
        let channel = &mut self.channel;
        self.outbox
            .send(to, &frames[..count], |at, is_out| match is_out {
                true => channel.deliver(packets[at]),
                false => channel.lose(Cause::Overrun, packets[at]),
            });
    }

    /// Decides what becomes of one packet, in front of which there is an empty virtio-net header.
    fn judge(&mut self, watch: &Watch, pool: &mut Pool, bytes: Vec<u8>, now: u64) {
        let frame = &bytes[VNET_HEADER..];
        let ruling = watch.rules.judge(self.direction, frame, now);
        let refused = match ruling.as_ref().map(|ruling| ruling.verdict) {
            Some(Verdict::Drop | Verdict::Reset) => Some(Cause::Rule),
            Some(Verdict::Hold) => None,
            _ => (self.cuts > 0).then_some(Cause::Cut),
        };
        if let Some(cause) = refused {
            self.channel.refuse(cause, frame.len());
            match &ruling {
                Some(ruling) => self.tell(watch, now, frame, FrameFate::Dropped(ruling), None),
                None => self.tell(watch, now, frame, FrameFate::Dropped(&cause), None),
            }
            return pool.give_back(Memory::Small(bytes));
        }
        match ruling {
            Some(ruling) if ruling.verdict == Verdict::Hold => {
                self.channel.keep_back(frame.len());
                self.tell(watch, now, frame, FrameFate::Entered, Some(&ruling));
                self.kept.push((ruling.rule, bytes));
            }
            ruling => self.admit(watch, pool, bytes, now, ruling.as_ref()),
        }
    }

    /// Sends a packet on its way, if chance and room allow.
    fn admit(
        &mut self,
        watch: &Watch,
        pool: &mut Pool,
        mut bytes: Vec<u8>,
        now: u64,
        ruling: Option<&Ruling>,
    ) {
        let frame = &bytes[VNET_HEADER..];
        let fate = self.channel.admit(now, frame);
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
            _ => {}
        }
        let remark = ruling.map(|ruling| ruling as &dyn std::fmt::Display);
        match fate.cause {
            Some(cause) if deliveries.iter().all(Option::is_none) => {
                self.tell(watch, now, frame, FrameFate::Dropped(&cause), remark);
            }
            _ => self.tell(watch, now, frame, FrameFate::Entered, remark),
        }
        if let Some((byte, mask)) = flip {
            self.channel.spoil(frame.len());
            bytes[VNET_HEADER + byte] ^= mask;
        }
        let flipped = flip.map(|(byte, _)| byte);
        self.set_off(pool, bytes, flipped, &deliveries);
    }

    /// Puts a packet, a byte of which a rule may have spoiled, onto the agenda as often as it is to come out.
    fn set_off(
        &mut self,
        pool: &mut Pool,
        mut bytes: Vec<u8>,
        flipped: Option<usize>,
        deliveries: &[Option<Delivery>],
    ) {
        let mut left = deliveries.iter().flatten().count();
        for (at, delivery) in deliveries.iter().enumerate() {
            let Some(delivery) = delivery else { continue };
            left -= 1;
            let mut memory = match left {
                0 => std::mem::take(&mut bytes),
                _ => pool.copy(&bytes),
            };
            if let Some((byte, mask)) = delivery.flip {
                memory[VNET_HEADER + byte] ^= mask;
            }
            self.agenda.add(Parcel {
                due: delivery.due,
                marks: Marks {
                    is_copy: at > 0,
                    flipped: delivery.flip.map(|(byte, _)| byte).or(flipped),
                },
                packets: Traffic::frame(memory.len() - VNET_HEADER),
                memory: Memory::Small(memory),
            });
        }
        if bytes.capacity() > 0 {
            pool.give_back(Memory::Small(bytes));
        }
    }

    /// Lets go what a rule holds.
    pub(super) fn release(&mut self, watch: &Watch, pool: &mut Pool, rule: RuleId, now: u64) {
        let kept = std::mem::take(&mut self.kept);
        let (released, kept) = kept.into_iter().partition(|(by, _)| *by == rule);
        self.kept = kept;
        for (_, bytes) in released {
            let frame = &bytes[VNET_HEADER..];
            let fate = match self.cuts {
                0 => self.channel.admit_late(now, frame),
                _ => self.channel.refuse_late(Cause::Cut, frame.len()),
            };
            if let Some(cause) = fate.cause {
                self.tell(watch, now, frame, FrameFate::DroppedLate(&cause), None);
            }
            self.set_off(pool, bytes, None, &[fate.first, fate.second]);
        }
    }

    /// Sends a frame that a rule has made, undelayed and unjudged.
    pub(super) fn send(&mut self, watch: &Watch, pool: &mut Pool, frame: &[u8], now: u64) {
        self.channel.keep_back(frame.len());
        let remark = Some(&"sent by a rule" as &dyn std::fmt::Display);
        self.tell(watch, now, frame, FrameFate::Entered, remark);
        let mut bytes = pool.copy(&[0; VNET_HEADER]);
        bytes.extend_from_slice(frame);
        self.agenda.add(Parcel {
            due: now,
            marks: Marks::default(),
            packets: Traffic::frame(frame.len()),
            memory: Memory::Small(bytes),
        });
    }

    /// Gives to the other end what is due by then.
    pub(super) fn deliver(
        &mut self,
        watch: &Watch,
        pool: &mut Pool,
        to: &Port,
        now: u64,
        until: u64,
    ) {
        loop {
            while self.batch.len() < BATCH
                && let Some(parcel) = self.agenda.take_due(until)
            {
                self.batch.push(parcel);
            }
            if self.batch.is_empty() {
                return;
            }
            match self.cuts {
                0 => self.hand_over(watch, to, now),
                _ => self.drop_batch(watch, now),
            }
            for parcel in self.batch.drain(..) {
                pool.give_back(parcel.memory);
            }
        }
    }

    fn hand_over(&mut self, watch: &Watch, to: &Port, now: u64) {
        let mut frames = [&[][..]; BATCH];
        for (frame, parcel) in frames.iter_mut().zip(&self.batch) {
            *frame = parcel.whole();
        }
        let (channel, lateness, batch) = (&mut self.channel, &mut self.lateness, &self.batch);
        self.outbox.send(to, &frames[..batch.len()], |at, is_out| {
            let parcel = &batch[at];
            let tell = |fate| {
                let remark = parcel.marks.remark();
                watch.tell(self.direction, now, parcel.frame(), fate, remark);
            };
            if is_out {
                channel.deliver(parcel.packets);
                lateness.add(now.saturating_sub(parcel.due), parcel.packets.packets);
                tell(FrameFate::Delivered);
            } else {
                channel.lose(Cause::Overrun, parcel.packets);
                tell(FrameFate::DroppedLate(&Cause::Overrun));
            }
        });
    }

    fn drop_batch(&mut self, watch: &Watch, now: u64) {
        for parcel in &self.batch {
            self.channel.lose(Cause::Cut, parcel.packets);
            let fate = FrameFate::DroppedLate(&Cause::Cut);
            self.tell(watch, now, parcel.frame(), fate, parcel.marks.remark());
        }
    }

    fn tell(
        &self,
        watch: &Watch,
        now: u64,
        frame: &[u8],
        fate: FrameFate<'_>,
        remark: Option<&dyn std::fmt::Display>,
    ) {
        watch.tell(self.direction, now, frame, fate, remark);
    }
}
