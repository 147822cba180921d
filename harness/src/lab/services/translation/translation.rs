//! The service: a veth pair, and the thread at its far end.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::pair::{MACS, TranslatorPair};
use crate::kernel::clock::monotonic;
use crate::kernel::errno::errno;
use crate::kernel::frames::{BATCH, Inbox, PacketSocket, Poller};
use crate::kernel::sync::Lock;
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::services::service::{Service, ServicePlace, ServiceThread, ServiceWork};
use crate::lab::stack::stack::Stack;
use crate::model::v6::{ClatSpec, FamilyTranslator, Nat64Spec};
use crate::topology::plan::StackPlan;

/// Number of frames that are received at once.
const SLOTS: usize = BATCH;
/// Number of such batches before other work.
const AT_ONCE: usize = 8;

/// Bytes by which a packet of IPv4 may grow: by the longer header, and by that of a fragment.
const GROWTH: u32 = 28;
/// The least MTU of IPv6 (RFC 8200, section 5).
const LEAST_MTU: u32 = 1280;
/// The metric of the default route over a client of 464XLAT: any other goes before it.
const LAST_RESORT: u32 = 4096;

/// A translator between the families in a node.
#[derive(Debug)]
pub(crate) struct Translation {
    kind: &'static str,
    stack: Arc<Stack>,
    pair: TranslatorPair,
    translator: Arc<Lock<FamilyTranslator>>,
}

impl Translation {
    /// Makes a NAT64; none for a specification that the check of the topology refuses.
    pub(crate) fn nat64(spec: &Nat64Spec, stack: &Arc<Stack>) -> Option<Self> {
        let (prefix, pool) = (spec.parsed_prefix().ok()?, spec.parsed_pool().ok()?);
        // Both ways lead into the pair: of IPv6 to servers, and of IPv4 back to hosts.
        let pair = TranslatorPair {
            number: 0,
            names: ["nat64", "nat64-far"],
            address: None,
            routes: vec![prefix.subnet(), pool],
            default: None,
        };
        let translator = FamilyTranslator::nat64(prefix, pool, frames_back());
        Some(Self::new("nat64", stack, pair, translator))
    }

    /// Makes the client side of 464XLAT; none for a specification that the check of the topology
    /// refuses.
    pub(crate) fn clat(spec: &ClatSpec, plan: &StackPlan, stack: &Arc<Stack>) -> Option<Self> {
        let prefix = spec.parsed_prefix().ok()?;
        // Senders know the MTU from the route, so that what they send fits the uplink at once.
        let least = plan.interfaces.iter().map(|it| it.mtu).min();
        let mtu = least.unwrap_or(LEAST_MTU).saturating_sub(GROWTH);
        let pair = TranslatorPair {
            number: 1,
            names: ["clat", "clat-far"],
            address: Some(ClatSpec::ADDRESS),
            routes: vec![ClatSpec::LOCAL.subnet()],
            default: Some((LAST_RESORT, mtu)),
        };
        // The NAT64 of the other side knows this node by its own address, which nftables puts in.
        let translator = FamilyTranslator::clat(prefix, frames_back());
        Some(Self::new("clat", stack, pair, translator))
    }

    fn new(
        kind: &'static str,
        stack: &Arc<Stack>,
        pair: TranslatorPair,
        translator: FamilyTranslator,
    ) -> Self {
        Self {
            kind,
            stack: Arc::clone(stack),
            pair,
            translator: Arc::new(Lock::new(translator)),
        }
    }

    /// Asks the translator something.
    pub(crate) fn with<R>(&self, ask: impl FnOnce(&FamilyTranslator) -> R) -> R {
        ask(&self.translator.lock())
    }
}

/// Returns the hardware addresses of the frames that a translator sends: from the far end to the
/// near one.
fn frames_back() -> [[u8; 6]; 2] {
    let [near, far] = MACS;
    [far, near]
}

impl Service for Translation {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        let name = place.place_name();
        // After a crash the node has another namespace, in which nothing is left of the pair.
        let netns = self.stack.require_netns()?;
        let made = self.pair.make(netns);
        made.map_err(|e| LabError::network(format!("node `{name}`"), e).about_node(name))?;
        let socket = PacketSocket::for_wire(netns, self.pair.far()).map_err(|error| {
            let kind = self.kind.to_owned();
            let what = NodeAttempt::OpenFarEnd { kind }.with(name);
            LabError::refused(what, errno(&error)).about_node(name)
        })?;
        let work = TranslationThread {
            socket,
            inbox: Inbox::new(SLOTS),
            translator: Arc::clone(&self.translator),
        };
        ServiceThread::start(self.kind, place, work)
    }
}

struct TranslationThread {
    socket: PacketSocket,
    inbox: Inbox,
    translator: Arc<Lock<FamilyTranslator>>,
}

impl ServiceWork for TranslationThread {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.socket.as_fd()]
    }

    fn hear(&mut self, _token: u64, _poller: &Poller) {
        for _ in 0..AT_ONCE {
            // An interface that is gone has no frames; the node is about to end.
            let Ok(1..) = self.socket.receive(&mut self.inbox) else {
                return;
            };
            let now = monotonic();
            // One lock is taken for a batch.
            let mut translator = self.translator.lock();
            // Whatever comes out of a frame follows it at once, so that order is kept.
            let received = self.inbox.received().iter();
            let made = received.flat_map(|it| translator.translate(it.buffer.whole(), now));
            let made: Vec<Vec<u8>> = made.collect();
            drop(translator);
            for batch in made.chunks(BATCH) {
                self.send(batch);
            }
        }
    }
}

impl TranslationThread {
    fn send(&self, made: &[Vec<u8>]) {
        // A batch is sent in part where one of its frames is refused.
        let mut left: Vec<&[u8]> = made.iter().map(Vec::as_slice).collect();
        while !left.is_empty() {
            match self.socket.send(&left) {
                Ok(sent) if sent > 0 => drop(left.drain(..sent)),
                // A frame that the kernel refuses is lost, as on any other way.
                Ok(_) | Err(_) => drop(left.remove(0)),
            }
        }
    }
}
