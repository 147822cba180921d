//! Packets under way, and the memory that they are in.

use std::fmt;

use crate::impair::Traffic;
use crate::kernel::frames::{Buffer, VNET_HEADER};

/// A packet under way, or a super-frame of several.
pub(super) struct Parcel {
    /// When it comes out.
    pub(super) due: u64,
    pub(super) marks: Marks,
    pub(super) packets: Traffic,
    pub(super) memory: Memory,
}

impl Parcel {
    /// What a port takes: the frame with its virtio-net header.
    pub(super) fn whole(&self) -> &[u8] {
        match &self.memory {
            Memory::Small(bytes) => bytes,
            Memory::Large(buffer) => buffer.whole(),
        }
    }

    /// The frame alone.
    pub(super) fn frame(&self) -> &[u8] {
        self.whole().get(VNET_HEADER..).unwrap_or(&[])
    }
}

/// What was done to a packet.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks {
    pub(super) is_copy: bool,
    /// The byte in which a bit was flipped.
    pub(super) flipped: Option<usize>,
}

impl Marks {
    /// Whether nothing was done.
    pub(super) fn is_none(&self) -> bool {
        !self.is_copy && self.flipped.is_none()
    }

    /// For a listener; nothing if nothing was done.
    pub(super) fn remark(&self) -> Option<&dyn fmt::Display> {
        (!self.is_none()).then_some(self)
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_copy, self.flipped) {
            (true, None) => f.write_str("duplicate"),
            (true, Some(byte)) => write!(f, "duplicate, bit flipped in byte {byte}"),
            (false, Some(byte)) => write!(f, "bit flipped in byte {byte}"),
            (false, None) => Ok(()),
        }
    }
}

/// What a frame is in.
pub(super) enum Memory {
    /// One packet, as it is on a wire.
    Small(Vec<u8>),
    /// A super-frame, as it was received.
    Large(Buffer),
}

/// Memory to be used again.
#[derive(Default)]
pub(super) struct Pool {
    small: Vec<Vec<u8>>,
    large: Vec<Buffer>,
}

/// What a packet of an ordinary MTU needs.
pub(super) const SMALL: usize = 2048;

/// How much is kept for later.
const MOST_SMALL: usize = 4096;
const MOST_LARGE: usize = 128;

impl Pool {
    pub(super) fn small(&mut self) -> Vec<u8> {
        self.small
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(SMALL))
    }

    pub(super) fn copy(&mut self, of: &[u8]) -> Vec<u8> {
        let mut bytes = self.small();
        bytes.clear();
        bytes.extend_from_slice(of);
        bytes
    }

    fn large(&mut self) -> Buffer {
        self.large.pop().unwrap_or_else(Buffer::new)
    }

    /// Takes a received frame away: small ones are copied, so that a small packet under way does not occupy 64 KB.
    pub(super) fn take(&mut self, buffer: &mut Buffer) -> Memory {
        if buffer.whole().len() > SMALL {
            return Memory::Large(std::mem::replace(buffer, self.large()));
        }
        Memory::Small(self.copy(buffer.whole()))
    }

    pub(super) fn give_back(&mut self, memory: Memory) {
        match memory {
            Memory::Small(bytes) if self.small.len() < MOST_SMALL => self.small.push(bytes),
            Memory::Large(buffer) if self.large.len() < MOST_LARGE => self.large.push(buffer),
            _ => {}
        }
    }
}
