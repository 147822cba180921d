//! The NAT of a router, on the wire of its uplink.
//!
//! The router is at side a. What it sends is translated when the wire receives it, and what comes
//! for it when the wire delivers it: a mapping that is made while a packet is under way lets the
//! packet in, as it would on a real line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::kernel::frames::{ReceivedFrame, VNET_HEADER};
use crate::kernel::sync::Lock;
use crate::model::nat::{Checksums, Nat, NatOutcome};
use crate::model::v6::PrefixExchanger;

/// Translators of the addresses of packets at an uplink, by family.
#[derive(Debug, Default)]
pub(crate) struct UplinkTranslators {
    /// The NAT of IPv4.
    pub(crate) v4: Option<Nat>,
    /// The exchange of prefixes of IPv6.
    pub(crate) v6: Option<PrefixExchanger>,
}

impl UplinkTranslators {
    fn is_empty(&self) -> bool {
        self.v4.is_none() && self.v6.is_none()
    }

    /// Prefetches the memory that the translation of these packets will read. `from_router` says
    /// whether the router has sent the packets.
    pub(super) fn fetch<'f>(&self, from_router: bool, packets: impl Iterator<Item = &'f [u8]>) {
        let Some(v4) = &self.v4 else { return };
        let frames = packets.filter_map(|whole| whole.get(VNET_HEADER..));
        match from_router {
            true => v4.fetch_outbound(frames),
            false => v4.fetch_inbound(frames),
        };
    }

    fn outbound(&mut self, frame: &mut [u8], sums: Checksums, now: u64) -> NatOutcome {
        let v6 = self.v6.as_mut().and_then(|v6| v6.outbound(frame));
        let v4 = || self.v4.as_mut().map(|v4| v4.outbound(frame, sums, now));
        v6.or_else(v4).unwrap_or(NatOutcome::Pass)
    }

    fn inbound(&mut self, frame: &mut [u8], sums: Checksums, now: u64) -> NatOutcome {
        let v6 = self.v6.as_mut().and_then(|v6| v6.inbound(frame));
        let v4 = || self.v4.as_mut().map(|v4| v4.inbound(frame, sums, now));
        v6.or_else(v4).unwrap_or(NatOutcome::Pass)
    }
}

/// Translators that the threads of a wire and of the test share. They outlive the wire, so that
/// mappings stay when the link gets another carrier.
#[derive(Debug)]
pub(crate) struct UplinkNat {
    nat: Lock<UplinkTranslators>,
    /// Whether there is a NAT. A router may get one at any time, so that each wire of a node has a
    /// place for one; nearly all of these places are empty.
    is_there: AtomicBool,
}

/// The fate of a packet that has come to a router.
pub(super) enum Arrival {
    /// The router gets the packet.
    Deliver,
    /// Nobody gets the packet.
    Drop,
    /// Nobody gets the packet, and this frame goes back.
    Answer(Vec<u8>),
}

impl UplinkNat {
    /// Makes a place for a NAT, which may be empty.
    pub(crate) fn new(nat: UplinkTranslators) -> Arc<Self> {
        Arc::new(Self {
            is_there: AtomicBool::new(!nat.is_empty()),
            nat: Lock::new(nat),
        })
    }

    /// Does something to the translators. Packets wait meanwhile.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut UplinkTranslators) -> R) -> R {
        let mut nat = self.nat.lock();
        let done = work(&mut nat);
        self.is_there.store(!nat.is_empty(), Ordering::Release);
        done
    }

    /// Has the translators work on a batch of packets, and returns whether there are any.
    pub(super) fn translate(&self, work: impl FnOnce(&mut UplinkTranslators)) -> bool {
        // This is asked for every batch; an empty place answers by one atomic load.
        if !self.is_there.load(Ordering::Acquire) {
            return false;
        }
        // One lock is taken for a batch: a lock for each packet would cost more than its
        // translation.
        let mut nat = self.nat.lock();
        let is_there = !nat.is_empty();
        if is_there {
            work(&mut nat);
        }
        is_there
    }

    /// Translates what the router has sent. A frame that goes no further is taken out of its
    /// buffer; `back` is called with each frame that goes back to the router, with its header.
    pub(super) fn outbound(
        &self,
        received: &mut [ReceivedFrame],
        now: u64,
        mut back: impl FnMut(&[u8]),
    ) {
        self.translate(|nat| {
            nat.fetch(true, received.iter().map(|slot| slot.buffer.whole()));
            for slot in received {
                let Some((frame, sums)) = split(slot.buffer.whole_mut()) else {
                    continue;
                };
                // A super-frame is translated whole: its segments get the headers of the first one.
                match nat.outbound(frame, sums, now) {
                    NatOutcome::Pass => continue,
                    // The header of a super-frame holds after the translation as well.
                    NatOutcome::Hairpin => back(slot.buffer.whole()),
                    NatOutcome::Drop(_) => {}
                    NatOutcome::Answer { frame, .. } => {
                        back(&[&[0; VNET_HEADER], &frame[..]].concat());
                    }
                }
                slot.buffer.clear();
            }
        });
    }
}

/// Translates a frame that has come for the router, with its header in front.
pub(super) fn arrive(nat: &mut UplinkTranslators, whole: &mut [u8], now: u64) -> Arrival {
    let Some((frame, sums)) = split(whole) else {
        return Arrival::Deliver;
    };
    match nat.inbound(frame, sums, now) {
        // Nothing that comes from outside is sent back there.
        NatOutcome::Pass | NatOutcome::Hairpin => Arrival::Deliver,
        NatOutcome::Drop(_) => Arrival::Drop,
        NatOutcome::Answer { frame, .. } => Arrival::Answer(frame),
    }
}

/// Divides a frame from its virtio-net header, which tells whether the checksum is complete.
fn split(whole: &mut [u8]) -> Option<(&mut [u8], Checksums)> {
    let (header, frame) = whole.split_first_chunk_mut::<VNET_HEADER>()?;
    Some((frame, Checksums::of(header)))
}
