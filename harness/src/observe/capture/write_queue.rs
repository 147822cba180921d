//! Packets that wait to be written, and the wake-up of the thread that writes them.
//!
//! A system call for each packet would make a capture several times slower than the link. So
//! packets are written together that come within a few milliseconds.

use std::time::{Duration, Instant};

use super::packet_batch::PacketBatch;
use super::pcapng::PacketBlock;
use crate::kernel::sync::{Lock, Notifier};

/// Most bytes of packets that wait for the file: packets that come then are lost.
const MOST_WAITING: usize = 64 << 20;

/// Time for which packets are left to gather.
const GATHER: Duration = Duration::from_millis(5);

/// Bytes of packets that are written without gathering more.
const ENOUGH: usize = 1 << 20;

/// The queue between the threads that see packets and the thread that writes them.
#[derive(Default)]
pub(super) struct WriteQueue {
    waiting: Lock<WaitingPackets>,
    more: Notifier,
}

#[derive(Default)]
struct WaitingPackets {
    batch: PacketBatch,
    /// Whether the capture has ended, so that nothing is added any more.
    over: bool,
}

impl WriteQueue {
    /// Adds a packet. Returns false if there is no room for the packet.
    pub(super) fn push(&self, packet: &PacketBlock<'_>) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.over || waiting.batch.len() > MOST_WAITING {
            return false;
        }
        // Only these two tell the writer something: it waits for a first packet, and then for many.
        if waiting.batch.is_empty() || waiting.batch.len() > ENOUGH {
            self.more.notify_one();
        }
        waiting.batch.push(packet);
        true
    }

    /// Takes all packets that wait.
    pub(super) fn take(&self) -> PacketBatch {
        std::mem::take(&mut self.waiting.lock().batch)
    }

    /// Waits until there are packets to be written. Returns true if the capture has ended.
    pub(super) fn wait(&self) -> bool {
        let mut waiting = self.waiting.lock();
        while waiting.batch.is_empty() && !waiting.over {
            waiting = self.more.wait(waiting);
        }
        let deadline = Instant::now() + GATHER;
        while waiting.batch.len() < ENOUGH && !waiting.over {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = self.more.wait_timeout(waiting, left);
        }
        waiting.over
    }

    /// Ends the capture: packets that come now are lost, and the writer does not wait any more.
    pub(super) fn end(&self) {
        self.waiting.lock().over = true;
        self.more.notify_one();
    }
}
