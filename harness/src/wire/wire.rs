//! Both directions of one link, as the worker that carries the link has them.

use std::sync::Arc;

use super::direction::WireDirection;
use super::lateness::{Lateness, LatenessHistogram};
use super::observers::Observers;
use super::packet_pool::{PacketPool, SMALL};
use super::uplink_nat::UplinkNat;
use super::wire_port::WirePort;
use super::wire_spec::WireSpec;
use crate::kernel::frames::{Inbox, ReceivedFrame};
use crate::model::impair::channel::Channel;
use crate::model::impair::{Counters, Direction};
use crate::model::packet::Listener;
use crate::model::random::splitmix;
use crate::model::rules::{Order, RuleBook};

/// A wire between two ports. Only the thread of the worker touches the wire.
pub(super) struct Wire {
    observers: Observers,
    ports: [WirePort; 2],
    /// Directions by their index, which is also that of the port at which each begins.
    directions: [WireDirection; 2],
    spin: bool,
    nat: Option<Arc<UplinkNat>>,
}

impl Wire {
    pub(super) fn new(spec: &WireSpec, ports: [WirePort; 2], rules: Arc<RuleBook>) -> Self {
        let WireSpec {
            name,
            seed,
            impairments,
            cut,
            spin,
            nat,
        } = spec;
        // Each direction has a stream of its own, so that packets of one direction do not change
        // which packets the other one loses.
        let mut seeds = *seed;
        let directions = Direction::BOTH.map(|direction| {
            let impairment = &impairments[direction.index()];
            let channel = Channel::new(impairment, splitmix(&mut seeds));
            // What leaves the router is translated when it is received, below.
            let arriving = nat.clone().filter(|_| direction == Direction::BToA);
            let mut made = WireDirection::new(direction, channel, arriving);
            if cut[direction.index()] {
                made.cut();
            }
            made
        });
        Self {
            observers: Observers::new(Arc::clone(name), rules),
            ports,
            directions,
            spin: *spin,
            nat: nat.clone(),
        }
    }

    pub(super) fn ports(&self) -> &[WirePort; 2] {
        &self.ports
    }

    pub(super) fn direction_mut(&mut self, direction: Direction) -> &mut WireDirection {
        &mut self.directions[direction.index()]
    }

    /// Returns whether the worker busy-waits for the last part of a wait.
    pub(super) fn spins(&self) -> bool {
        self.spin
    }

    pub(super) fn set_spin(&mut self, on: bool) {
        self.spin = on;
    }

    pub(super) fn add_listener(&mut self, listener: Arc<dyn Listener>) {
        self.observers.add_listener(listener);
    }

    /// Removes the listener whose object is at the address `listener`.
    pub(super) fn remove_listener(&mut self, listener: usize) {
        self.observers.remove_listener(listener);
    }

    /// Returns the earliest time at which a packet is due, in either direction.
    pub(super) fn next_due(&self) -> Option<u64> {
        let directions = self.directions.iter();
        directions.filter_map(WireDirection::next_due).min()
    }

    /// Returns the counters of a direction, with the packets that the kernel has dropped by now.
    pub(super) fn counters(&mut self, direction: Direction) -> Counters {
        // Frames that found the socket's buffer full were sent into the link as well, though no
        // thread of ours has seen them.
        let lost = self.ports[direction.index()].take_lost();
        let channel = self.direction_mut(direction).channel_mut();
        channel.count_overrun(lost);
        channel.counters()
    }

    /// Returns how late the deliveries of both directions were.
    pub(super) fn lateness(&self) -> Lateness {
        let mut both = LatenessHistogram::NONE;
        for direction in &self.directions {
            both.merge(direction.lateness());
        }
        both.summary()
    }

    /// Receives what a port has, and returns how many frames of an ordinary length that was. An
    /// error means that the port will never have anything again.
    pub(super) fn receive(
        &mut self,
        end: usize,
        pool: &mut PacketPool,
        inbox: &mut Inbox,
        clock: impl FnOnce() -> u64,
    ) -> crate::kernel::Result<usize> {
        self.ports[end].receive(inbox)?;
        let (to, received) = (&self.ports[1 - end], inbox.received());
        // A super-frame is a batch already: waiting for more of them gains nothing.
        let is_small = |slot: &&ReceivedFrame| slot.buffer.whole().len() <= SMALL;
        let small = received.iter().filter(is_small).count();
        // The clock is read after the system call, which takes a while for a full inbox: time
        // that has passed already must not be added to the delay.
        let now = clock();
        if let (0, Some(nat)) = (end, &self.nat) {
            nat.outbound(received, now, |whole| {
                // A full socket loses the frame, as a network would.
                let _ = self.ports[0].send(&[whole]);
            });
        }
        self.directions[end].take_in(&self.observers, pool, received, to, now);
        self.send_answers(pool, now);
        Ok(small)
    }

    /// Delivers what is due by the time `until`.
    pub(super) fn deliver(&mut self, pool: &mut PacketPool, now: u64, until: u64) {
        let [a, b] = &self.ports;
        for (direction, to) in self.directions.iter_mut().zip([b, a]) {
            direction.deliver(&self.observers, pool, to, now, until);
        }
        self.send_answers(pool, now);
    }

    /// Sends what a NAT answers to packets from outside.
    fn send_answers(&mut self, pool: &mut PacketPool, now: u64) {
        let [leaving, arriving] = &mut self.directions;
        for frame in arriving.take_answers() {
            leaving.send(&self.observers, pool, (&frame, "answered by the NAT"), now);
        }
    }

    /// Carries out what the packet rules have ordered.
    pub(super) fn carry_out_orders(&mut self, pool: &mut PacketPool, now: u64) {
        // This runs on the thread that judges packets. So a packet that a rule holds has been put
        // aside before the order to release it is carried out.
        for order in self.observers.rules().take_orders() {
            match order {
                // A rule may hold packets of both directions.
                Order::Release(rule) => {
                    for direction in &mut self.directions {
                        direction.release(&self.observers, pool, rule, now);
                    }
                }
                Order::Send { direction, frame } => {
                    let direction = &mut self.directions[direction.index()];
                    direction.send(&self.observers, pool, (&frame, "sent by a rule"), now);
                }
            }
        }
    }
}
