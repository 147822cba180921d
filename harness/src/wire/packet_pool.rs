//! Memory of packets, kept for reuse.
//!
//! A wire that passes 200,000 packets a second would otherwise allocate and free as many blocks,
//! and the buffers of super-frames are 64 KB each.

use crate::kernel::frames::Buffer;

/// Memory of a frame, with its virtio-net header in front.
pub(super) enum PacketMemory {
    /// One packet, as it is on a wire.
    Small(Vec<u8>),
    /// A super-frame, as it was received.
    Large(Buffer),
}

impl PacketMemory {
    /// Returns the virtio-net header and the frame.
    pub(super) fn whole(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large(buffer) => buffer.whole(),
        }
    }

    /// Returns the virtio-net header and the frame, to be changed.
    pub(super) fn whole_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large(buffer) => buffer.whole_mut(),
        }
    }
}

/// Memory that is free to be used for the next packets.
#[derive(Default)]
pub(super) struct PacketPool {
    small: Vec<Vec<u8>>,
    large: Vec<Buffer>,
}

/// Bytes that a packet of an ordinary MTU needs: 1,500 and its headers, rounded up.
pub(super) const SMALL: usize = 2048;

/// Most small blocks that are kept: 8 MB.
const MOST_SMALL: usize = 4096;

/// Most buffers for super-frames that are kept: 8 MB.
const MOST_LARGE: usize = 128;

impl PacketPool {
    /// Returns a block for a small packet; the content is arbitrary.
    pub(super) fn small(&mut self) -> Vec<u8> {
        self.small
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(SMALL))
    }

    /// Returns a block that holds a copy of these bytes.
    pub(super) fn copy(&mut self, of: &[u8]) -> Vec<u8> {
        let mut bytes = self.small();
        bytes.clear();
        bytes.extend_from_slice(of);
        bytes
    }

    fn large(&mut self) -> Buffer {
        // A new buffer has 64 KB, but the kernel gives it pages only as they are written to.
        self.large.pop().unwrap_or_else(Buffer::new)
    }

    /// Takes a received frame out of its buffer.
    pub(super) fn take(&mut self, buffer: &mut Buffer) -> PacketMemory {
        if buffer.whole().len() > SMALL {
            // Exchanging the buffers costs nothing, where copying 64 KB costs microseconds.
            return PacketMemory::Large(std::mem::replace(buffer, self.large()));
        }
        // A small packet is copied: otherwise each packet in flight would occupy 64 KB.
        PacketMemory::Small(self.copy(buffer.whole()))
    }

    /// Keeps memory for a later packet, or frees it where enough is kept.
    pub(super) fn give_back(&mut self, memory: PacketMemory) {
        match memory {
            // Beyond a limit memory is freed: one burst of many packets must not keep its memory
            // for the rest of the test.
            PacketMemory::Small(bytes) => {
                if self.small.len() < MOST_SMALL {
                    self.small.push(bytes);
                }
            }
            PacketMemory::Large(buffer) => {
                if self.large.len() < MOST_LARGE {
                    self.large.push(buffer);
                }
            }
        }
    }
}
