//! Ethernet frames in memory, as the kernel hands them out and takes them.
//!
//! A sender's kernel does not cut a TCP stream into packets of 1,500 bytes. The kernel passes
//! *super-frames* of up to 64 KB, often with a checksum that a later device is to complete; the
//! virtio-net header in front of each frame says so (`linux/virtio_net.h`). A wire that passes both
//! on untouched moves 24 to 29 Gbit/s, and one that asks for plain packets 2.2 (measured for this
//! project, 2026-08). So every frame here has its header in front.

/// Bytes of `struct virtio_net_hdr`.
pub const VNET_HEADER: usize = 10;

/// Bytes of the longest frame: the longest IP packet, an Ethernet header and two VLAN tags.
pub(crate) const FRAME_MAX: usize = 65_535 + 14 + 8;

/// Bytes in front of a frame, for a VLAN tag that the kernel keeps apart. Eight bytes also align
/// the network header.
const HEADROOM: usize = 8;
const VLAN_TAG: usize = 4;
const MAC_ADDRESSES: usize = 12;

/// Memory for one frame of any length.
pub struct Buffer {
    memory: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// Makes an empty buffer.
    pub fn new() -> Buffer {
        Buffer {
            // A zeroed vector of this size is fresh pages of the kernel, which take no memory until
            // they are used.
            memory: vec![0; HEADROOM + VNET_HEADER + FRAME_MAX].into_boxed_slice(),
            start: HEADROOM,
            end: HEADROOM,
        }
    }

    /// Returns the header and the frame, as a port takes them.
    pub fn whole(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Returns the header and the frame, to be changed.
    pub fn whole_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.end]
    }

    /// Makes the buffer empty: it holds no frame any more.
    pub fn clear(&mut self) {
        self.end = self.start;
    }

    /// Returns the frame from the destination's hardware address on, or nothing if less than a
    /// header was received.
    pub fn frame(&self) -> &[u8] {
        self.whole().get(VNET_HEADER..).unwrap_or(&[])
    }

    /// Returns the memory for the next frame; [`Buffer::set_filled`] then tells its length.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.start = HEADROOM;
        self.end = HEADROOM;
        &mut self.memory[HEADROOM..]
    }

    /// Sets the number of bytes that were written.
    pub(super) fn set_filled(&mut self, length: usize) {
        self.end = (self.start + length).min(self.memory.len());
    }

    /// Puts a VLAN tag back into the frame. The kernel takes the tag out before a packet socket
    /// sees the frame (`packet(7)`, `PACKET_AUXDATA`).
    pub(super) fn insert_vlan_tag(&mut self, protocol: u16, control: u16) {
        let front = VNET_HEADER + MAC_ADDRESSES;
        if self.end - self.start < front || self.start < VLAN_TAG {
            return;
        }
        let from = self.start;
        self.start -= VLAN_TAG;
        // The virtio-net header and both hardware addresses move to the front by four bytes; the
        // tag goes into the gap.
        self.memory.copy_within(from..from + front, from - VLAN_TAG);
        let tag = self.start + front;
        self.memory[tag..tag + 2].copy_from_slice(&protocol.to_be_bytes());
        self.memory[tag + 2..tag + 4].copy_from_slice(&control.to_be_bytes());
        self.shift_offsets();
    }

    /// Corrects the offsets in the virtio-net header, which are four bytes larger with a VLAN tag.
    fn shift_offsets(&mut self) {
        const NEEDS_CHECKSUM: u8 = 1;
        const HEADERS_LENGTH: usize = 2;
        const CHECKSUM_START: usize = 6;
        let header = &mut self.memory[self.start..self.start + VNET_HEADER];
        let segmented = header[1] != 0;
        let partial = header[0] & NEEDS_CHECKSUM != 0;
        for (shift, at) in [(segmented, HEADERS_LENGTH), (partial, CHECKSUM_START)] {
            if shift {
                // Native byte order, as of legacy virtio devices (include/linux/virtio_byteorder.h,
                // virtio_legacy_is_little_endian).
                let old = u16::from_ne_bytes([header[at], header[at + 1]]);
                let new = old.saturating_add(VLAN_TAG as u16);
                header[at..at + 2].copy_from_slice(&new.to_ne_bytes());
            }
        }
    }
}

/// A frame that was received, with its time and direction.
pub struct ReceivedFrame {
    /// Memory with the frame and its header.
    pub buffer: Buffer,
    /// Time at which the kernel had the frame, in nanoseconds of `CLOCK_REALTIME`; only from
    /// sockets for captures.
    pub time: Option<u64>,
    /// Whether the frame left through the interface, rather than arrived; only from sockets for
    /// captures.
    pub outgoing: bool,
}

/// Memory for frames that one system call receives.
pub struct Inbox {
    slots: Vec<ReceivedFrame>,
    filled: usize,
}

/// Most frames that one system call receives or sends.
pub const BATCH: usize = 32;

impl Inbox {
    /// Makes room for so many frames, at most [`BATCH`]. Each takes 64 KB of address space, of
    /// which only the used pages are in memory.
    pub fn new(slots: usize) -> Inbox {
        let slot = || ReceivedFrame {
            buffer: Buffer::new(),
            time: None,
            outgoing: false,
        };
        Inbox {
            slots: std::iter::repeat_with(slot)
                .take(slots.clamp(1, BATCH))
                .collect(),
            filled: 0,
        }
    }

    /// Returns the frames of the last call, in order. Callers may swap a buffer for another.
    pub fn received(&mut self) -> &mut [ReceivedFrame] {
        &mut self.slots[..self.filled]
    }

    pub(super) fn slots(&mut self) -> &mut [ReceivedFrame] {
        // A call that fails must not leave the frames of an earlier one behind.
        self.filled = 0;
        &mut self.slots
    }

    pub(super) fn set_received(&mut self, count: usize) {
        self.filled = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vlan_tag_comes_back_and_moves_what_the_header_points_at() {
        let mut buffer = Buffer::new();
        // Partial checksum, TCPv4, headers of 54, segments of 1448, checksum at 34 + 16.
        let header = [1, 1, 54, 0, 0xa8, 5, 34, 0, 16, 0];
        let frame: Vec<u8> = (0..60).collect();
        let space = buffer.space();
        space[..10].copy_from_slice(&header);
        space[10..70].copy_from_slice(&frame);
        buffer.set_filled(70);
        buffer.insert_vlan_tag(0x8100, 42);
        assert_eq!(buffer.frame()[..12], frame[..12]);
        assert_eq!(buffer.frame()[12..16], [0x81, 0, 0, 42]);
        assert_eq!(buffer.frame()[16..], frame[12..]);
        assert_eq!(
            buffer.whole()[..VNET_HEADER],
            [1, 1, 58, 0, 0xa8, 5, 38, 0, 16, 0]
        );
    }

    #[test]
    fn a_runt_gets_no_tag_and_no_panic() {
        let mut buffer = Buffer::new();
        for length in 0..22 {
            buffer.space();
            buffer.set_filled(length);
            buffer.insert_vlan_tag(0x8100, 1);
            assert_eq!(buffer.whole().len(), length);
            assert_eq!(buffer.frame().len(), length.saturating_sub(VNET_HEADER));
        }
    }
}
