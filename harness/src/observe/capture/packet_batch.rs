//! Packets that are written to the file together.

use super::pcapng::{self, PacketBlock};

/// Packet blocks in memory.
///
/// Several threads add packets, each thread in the order of time. So a batch is nearly sorted.
#[derive(Default)]
pub(super) struct PacketBatch {
    bytes: Vec<u8>,
    /// Time of each packet, and the place at which its block begins.
    packets: Vec<(u64, usize)>,
}

impl PacketBatch {
    /// Appends the block of one packet.
    pub(super) fn push(&mut self, packet: &PacketBlock<'_>) {
        self.packets.push((packet.time, self.bytes.len()));
        pcapng::packet(&mut self.bytes, packet);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Returns the number of packets.
    pub(super) fn count(&self) -> u64 {
        self.packets.len() as u64
    }

    /// Returns the number of bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the times of the first and of the last packet.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        let times = || self.packets.iter().map(|(time, _)| *time);
        Some((times().min()?, times().max()?))
    }

    /// Returns the blocks in the order of time.
    pub(super) fn sorted(self) -> Vec<u8> {
        if self.packets.is_sorted_by_key(|(time, _)| *time) {
            return self.bytes;
        }
        let ends = self.packets.iter().skip(1).map(|(_, start)| *start);
        let mut blocks: Vec<(u64, &[u8])> = self
            .packets
            .iter()
            .zip(ends.chain([self.bytes.len()]))
            .map(|((time, start), end)| (*time, &self.bytes[*start..end]))
            .collect();
        // The sort is stable: blocks of one time stay in the order in which they came.
        blocks.sort_by_key(|(time, _)| *time);
        blocks
            .iter()
            .flat_map(|(_, block)| *block)
            .copied()
            .collect()
    }
}
