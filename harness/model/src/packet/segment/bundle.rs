//! Small datagrams as one super-frame.
//!
//! A kernel spends more time on a frame than on the bytes in it. Datagrams of one flow that follow
//! each other, all of one length but for the last, may cross the kernel together. The kernel that
//! receives them cuts them apart (`net/ipv4/udp_offload.c`), as if a network card had gathered them
//! (GRO).

use super::adapt::put_u16;
use super::layout::{SegmentLayout, SegmentProtocol};
use super::vnet::Vnet;
use crate::packet::VNET_HEADER;
use crate::packet::checksum::Sum;
use crate::packet::ip::IpVersion;

/// Length of the longest super-frame, in bytes.
///
/// An interface takes so much by default (`GSO_LEGACY_MAX_SIZE`, include/linux/netdevice.h), and
/// the length of the IP packet in it fits into 16 bits.
const LONGEST: usize = 65_535;

/// Length of the longest IP packet that is bundled, in bytes.
///
/// The receiver does not hold a frame that it cuts against its MTU, and no MTU is smaller than
/// this.
const SMALL: usize = 576;

/// Number of segments that every kernel cuts: the least value that `UDP_MAX_SEGMENTS` has had
/// (include/linux/udp.h).
const MOST: usize = 64;

/// Returns how many frames, from the first one on, may go as one: at least one, unless there are
/// none.
///
/// Each frame has its virtio-net header in front.
pub fn how_many_together(frames: &[&[u8]]) -> usize {
    let Some((first, layout)) = frames.first().and_then(|whole| datagram(whole)) else {
        return frames.len().min(1);
    };
    let size = first.len() - layout.payload;
    let mut length = first.len();
    let mut count = 1;
    for whole in frames[1..].iter().take(MOST - 1) {
        let Some((frame, its)) = datagram(whole) else {
            break;
        };
        let payload = frame.len() - its.payload;
        length += payload;
        if its != layout
            || payload > size
            || length > LONGEST
            || !follows(first, frame, count, &layout)
        {
            break;
        }
        count += 1;
        if payload < size {
            break;
        }
    }
    count
}

/// Appends the super-frame of several frames that may go as one, according to
/// [`how_many_together`].
pub fn bundle(frames: &[&[u8]], to: &mut Vec<u8>) {
    let Some((first, layout)) = frames.first().and_then(|whole| datagram(whole)) else {
        return;
    };
    let begin = to.len();
    let size = first.len() - layout.payload;
    to.extend_from_slice(&Vnet::of_datagrams(size, &layout));
    to.extend_from_slice(first);
    for whole in &frames[1..] {
        to.extend_from_slice(&whole[VNET_HEADER + layout.payload..]);
    }
    layout.gather(&mut to[begin + VNET_HEADER..]);
}

/// Returns a small datagram whose checksum is still to be completed, unless something is wrong with
/// it: bundling would put that right.
fn datagram(whole: &[u8]) -> Option<(&[u8], SegmentLayout)> {
    let (header, frame) = whole.split_first_chunk::<VNET_HEADER>()?;
    let layout = SegmentLayout::of_datagram(&Vnet::of(header), frame)?;
    let (headers, datagram) = frame.split_at(layout.transport_at);
    let ip = &headers[layout.network..];
    let is_right = layout.ip == IpVersion::V6 || Sum::default().add(ip).checksum() == [0, 0];
    let at = SegmentProtocol::Udp.checksum_at();
    let fits = frame.len() - layout.network <= SMALL;
    let sum = layout.sum_to_complete(ip, datagram.len());
    (fits && is_right && datagram[at..at + 2] == sum).then_some((frame, layout))
}

/// Returns whether a frame differs from the first only as a segment with this number would.
fn follows(first: &[u8], frame: &[u8], number: usize, layout: &SegmentLayout) -> bool {
    let same = |from: usize, to: usize| first[from..to] == frame[from..to];
    let (ip, udp) = (layout.network, layout.transport_at);
    let alike = match layout.ip {
        // All fields but the length, the identification and the header's checksum are equal.
        IpVersion::V4 => same(0, ip + 2) && same(ip + 6, ip + 10) && same(ip + 12, udp),
        IpVersion::V6 => same(0, ip + 4) && same(ip + 6, udp),
    };
    alike
        && same(udp, udp + 4)
        && (layout.ip == IpVersion::V6 || counts_on(first, frame, number, ip))
}

/// Returns whether the identification of an IPv4 packet is that of the segment with this number, or
/// means nothing because the packet is never fragmented (RFC 6864, section 4.1).
fn counts_on(first: &[u8], frame: &[u8], number: usize, ip: usize) -> bool {
    const DONT_FRAGMENT: u8 = 0x40;
    let id = |frame: &[u8]| u16::from_be_bytes([frame[ip + 4], frame[ip + 5]]);
    let is_counted = id(frame) == id(first).wrapping_add(number as u16);
    is_counted || (first[ip + 6] & DONT_FRAGMENT != 0 && id(frame) == id(first))
}

impl SegmentLayout {
    /// Makes of the first datagram's headers those of the super-frame.
    fn gather(&self, frame: &mut [u8]) {
        let length = frame.len();
        let (headers, datagram) = frame.split_at_mut(self.transport_at);
        let ip = &mut headers[self.network..];
        self.adapt_ip(ip, length, 0);
        put_u16(datagram, 4, datagram.len() as u16);
        let at = SegmentProtocol::Udp.checksum_at();
        let sum = self.sum_to_complete(ip, datagram.len());
        datagram[at..at + 2].copy_from_slice(&sum);
    }

    /// Returns the sum of the pseudo-header, which stands in the place of a checksum that is yet to
    /// be completed.
    fn sum_to_complete(&self, ip: &[u8], length: usize) -> [u8; 2] {
        let checksum = self.pseudo_header(ip, length).checksum();
        checksum.map(|byte| !byte)
    }
}
