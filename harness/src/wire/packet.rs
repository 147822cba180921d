//! One packet between its arrival at a wire and its delivery.

use std::fmt;

use super::packet_pool::PacketMemory;
use crate::kernel::frames::VNET_HEADER;
use crate::model::impair::Traffic;

/// A packet that is under way, or a super-frame of several packets.
pub(super) struct PacketInFlight {
    /// Time at which the packet is due at the other end, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) due: u64,
    pub(super) alterations: Alterations,
    /// Number and bytes of the packets, as they are counted.
    pub(super) traffic: Traffic,
    pub(super) memory: PacketMemory,
}

impl PacketInFlight {
    /// Returns the frame with its virtio-net header in front, as a port takes it.
    pub(super) fn whole(&self) -> &[u8] {
        self.memory.whole()
    }

    /// Returns the frame without the virtio-net header.
    pub(super) fn frame(&self) -> &[u8] {
        self.whole().get(VNET_HEADER..).unwrap_or(&[])
    }
}

/// Changes that chance or a rule has made to a packet, beside delaying it.
#[derive(Clone, Copy, Default)]
pub(super) struct Alterations {
    /// Whether the packet is a copy that chance or a rule has made.
    pub(super) is_copy: bool,
    /// Index of the frame's byte in which a bit was flipped.
    pub(super) flipped: Option<usize>,
}

impl Alterations {
    /// Returns whether the packet is as it came.
    pub(super) fn is_none(&self) -> bool {
        let Self { is_copy, flipped } = self;
        !is_copy && flipped.is_none()
    }

    /// Returns the remark that a listener is told, if anything was done to the packet.
    pub(super) fn remark(&self) -> Option<&dyn fmt::Display> {
        (!self.is_none()).then_some(self)
    }
}

impl fmt::Display for Alterations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_copy, flipped } = *self;
        match (is_copy, flipped) {
            (true, None) => f.write_str("duplicate"),
            (true, Some(byte)) => write!(f, "duplicate, bit flipped in byte {byte}"),
            (false, Some(byte)) => write!(f, "bit flipped in byte {byte}"),
            (false, None) => Ok(()),
        }
    }
}
