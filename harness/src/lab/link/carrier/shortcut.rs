//! The shortcut of a userspace wire that has nothing to do: the kernel carries its frames.
//!
//! A wire copies each frame twice more than a veth pair does, on one thread. On a machine with two
//! cores four TCP streams take 71 ms of CPU time a gigabit so, against 30 of a veth pair (measured
//! for this project, 2026-11-30), so that no wire in userspace comes to half of a veth pair. But a
//! wire that is asked for from the start, in order to be impaired later, has nothing to do at
//! first. Until then rules of nftables carry the frames from one inner end to the other:
//!
//! ```text
//!   eth0 ═ m7a ─┬─ nftables: frames to the address of the host at the other side ─┬─ m7b ═ eth0
//!               └─ packet sockets and the wire: all others                       ─┘
//! ```
//!
//! The first impairment, cut, rule, listener or NAT ends the shortcut for good: frames that follow
//! each other would pass each other if it began again under load. Which way a frame goes is decided
//! by one value, the address of the inner end (`nft::shortcut` of the kernel's crate), so that no
//! frame is lost or doubled at the change.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use crate::impair::{Direction, Impairment, Traffic};
use crate::kernel::netlink::{Batch, Netlink, NetlinkError};
use crate::kernel::nft::FilterConversation;
use crate::kernel::qdisc::QdiscPosition;
use crate::lab::error::Result;
use crate::lab::link::carrier::wire_interface::{WireInterface, execute};
use crate::lab::link::ends::LinkEnds;
use crate::model::side::Side;

/// The shortcut of one link, and what has passed by it.
pub(crate) struct Shortcut {
    is_taken: bool,
    /// What had passed in each direction when somebody asked last.
    passed: [Traffic; 2],
}

impl Shortcut {
    /// Makes the shortcut of a link whose frames nobody looks at. Returns nothing where there is
    /// something to do, and where the kernel cannot forward frames by rules.
    pub(crate) fn begin(
        ends: &LinkEnds,
        namespace: &OwnedFd,
        impairments: &[Impairment; 2],
    ) -> Option<Self> {
        if !is_idle(ends, impairments) {
            return None;
        }
        make(ends, namespace).ok()?;
        Some(Self {
            is_taken: true,
            passed: Default::default(),
        })
    }

    /// Returns whether the kernel carries frames.
    pub(crate) fn is_taken(&self) -> bool {
        self.is_taken
    }

    /// Leaves all frames to the wire that are sent from now on.
    pub(crate) fn leave(&mut self, ends: &LinkEnds, namespace: &OwnedFd) -> Result<()> {
        if !self.is_taken {
            return Ok(());
        }
        let mut batch = Batch::new();
        for side in Side::BOTH {
            let inner = WireInterface::inner_end(ends, side);
            batch.leave_shortcut(inner.device(), host(ends, side));
        }
        execute(ends, namespace, batch)?;
        self.is_taken = false;
        Ok(())
    }

    /// Returns what has passed in a direction without having come to the wire.
    pub(crate) fn passed(
        &mut self,
        ends: &LinkEnds,
        namespace: &OwnedFd,
        direction: Direction,
    ) -> Traffic {
        let leaves = WireInterface::inner_end(ends, direction.receiver());
        let entry = Netlink::open_in(namespace.as_fd())
            .and_then(|mut netlink| netlink.qdisc(leaves.device(), QdiscPosition::ROOT));
        let passed = &mut self.passed[direction.index()];
        // An inner end goes with the node at its other end, and then nothing passes any more.
        if let Ok(entry) = entry {
            *passed = Traffic {
                packets: entry.statistics.packets,
                bytes: entry.statistics.bytes,
            };
        }
        *passed
    }
}

/// Tells whether a wire with these impairments would have nothing to do, so that the link can have
/// a shortcut.
pub(crate) fn is_idle(ends: &LinkEnds, impairments: &[Impairment; 2]) -> bool {
    // A frame to a switch has the address of any host behind the switch.
    let is_between_hosts = Side::BOTH.iter().all(|side| !ends.is_port(*side));
    is_between_hosts && impairments.iter().all(Impairment::is_none) && !ends.cable().translates()
}

/// Returns the address of the host to which frames go that come to the inner end of `side`.
fn host(ends: &LinkEnds, side: Side) -> [u8; 6] {
    ends.cable().ends[side.other()].mac
}

fn make(ends: &LinkEnds, namespace: &OwnedFd) -> Result<(), NetlinkError> {
    let inner = Side::BOTH.map(|side| WireInterface::inner_end(ends, side));
    let devices = inner.each_ref().map(WireInterface::device);
    let mut netlink = Netlink::open_in(namespace.as_fd())?;
    let mut batch = Batch::new();
    devices
        .iter()
        .for_each(|device| batch.count_packets(*device));
    netlink.execute(batch)?;
    let table = format!("shortcut-{}", ends.link().index());
    FilterConversation::default().forward_between(namespace.as_fd(), &table, devices)?;
    // The addresses of the hosts are set last: until then, only broadcasts match the rules, which
    // compare the receiver of a frame with the address of the inner end.
    let mut batch = Batch::new();
    for (side, device) in Side::BOTH.into_iter().zip(devices) {
        batch.take_shortcut(device, host(ends, side));
    }
    netlink.execute(batch)
}

impl fmt::Debug for Shortcut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = if self.is_taken { "taken" } else { "left" };
        f.write_str(taken)
    }
}
