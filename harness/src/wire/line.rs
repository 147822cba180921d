//! Both directions of one wire.

use std::sync::Arc;

use super::handle::WireSpec;
use super::lane::Lane;
use super::lateness::{Histogram, Lateness};
use super::parcel::{Pool, SMALL};
use super::port::Port;
use super::watch::Watch;
use crate::impair::Counters;
use crate::impair::Direction;
use crate::impair::channel::Channel;
use crate::kernel::frames::{Inbox, Slot};
use crate::observe::{Order, RuleBook};
use crate::random::splitmix;

/// A wire as its worker has it.
pub(super) struct Line {
    pub(super) watch: Watch,
    pub(super) ports: [Port; 2],
    /// By the direction's index, which is also that of the port at which it begins.
    pub(super) lanes: [Lane; 2],
    pub(super) spin: bool,
}

impl Line {
    pub(super) fn new(spec: &WireSpec, ports: [Port; 2], rules: Arc<RuleBook>) -> Line {
        let mut seeds = spec.seed;
        let lanes = Direction::BOTH.map(|direction| {
            let impairment = &spec.impairments[direction.index()];
            Lane::new(direction, Channel::new(impairment, splitmix(&mut seeds)))
        });
        Line {
            watch: Watch {
                link: Arc::clone(&spec.name),
                rules,
                listeners: Vec::new(),
            },
            ports,
            lanes,
            spin: spec.spin,
        }
    }

    pub(super) fn lane(&mut self, direction: Direction) -> &mut Lane {
        &mut self.lanes[direction.index()]
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.lanes.iter().filter_map(Lane::next_due).min()
    }

    pub(super) fn counters(&mut self, direction: Direction) -> Counters {
        let lost = self.ports[direction.index()].take_lost();
        let channel = &mut self.lanes[direction.index()].channel;
        channel.overrun(lost);
        channel.counters()
    }

    pub(super) fn lateness(&self) -> Lateness {
        let mut both = Histogram::NONE;
        for lane in &self.lanes {
            both.merge(&lane.lateness);
        }
        both.summary()
    }

    /// Takes what a port has, and says how many frames of an ordinary length that was. An error says that it will never have anything again.
    pub(super) fn receive(
        &mut self,
        end: usize,
        pool: &mut Pool,
        inbox: &mut Inbox,
        clock: impl FnOnce() -> u64,
    ) -> nix::Result<usize> {
        self.ports[end].receive(inbox)?;
        let (to, received) = (&self.ports[1 - end], inbox.received());
        let is_small = |slot: &&Slot| slot.buffer.whole().len() <= SMALL;
        let small = received.iter().filter(is_small).count();
        self.lanes[end].take(&self.watch, pool, received, to, clock());
        Ok(small)
    }

    /// Delivers what is due by `until`.
    pub(super) fn deliver(&mut self, pool: &mut Pool, now: u64, until: u64) {
        let [a, b] = &self.ports;
        for (lane, to) in self.lanes.iter_mut().zip([b, a]) {
            lane.deliver(&self.watch, pool, to, now, until);
        }
    }

    /// Does what the rules have ordered.
    pub(super) fn obey(&mut self, pool: &mut Pool, now: u64) {
        for order in self.watch.rules.take_orders() {
            match order {
                Order::Release(rule) => {
                    for lane in &mut self.lanes {
                        lane.release(&self.watch, pool, rule, now);
                    }
                }
                Order::Send { direction, frame } => {
                    let lane = &mut self.lanes[direction.index()];
                    lane.send(&self.watch, pool, &frame, now);
                }
            }
        }
    }
}
