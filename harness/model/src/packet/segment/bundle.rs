//! Small datagrams as one super-frame.
//!
//! What the kernel does with a frame costs more than what it does with the bytes. Datagrams of one flow that follow each
//! other, all of one length but for the last, may cross that path together: the kernel that receives them cuts them apart
//! (`net/ipv4/udp_offload.c`), as if a network card had gathered them (GRO).

use super::checksum::Sum;
use super::headers::{Ip, Layout, Transport};
use super::put;
use super::vnet::Vnet;
use crate::packet::VNET_HEADER;

/// The longest super-frame: that is what an interface takes that nobody has asked for more, and its IP packet's length fits into 16 bits.
const LONGEST: usize = 65_535;

/// Longer packets go one by one: what is cut by the receiver is not held against its MTU, and no MTU is smaller than this.
const SMALL: usize = 576;

/// The most segments that every kernel cuts (`UDP_MAX_SEGMENTS`).
const MOST: usize = 64;

/// How many frames, from the first one on, may go as one; each has its virtio-net header in front. At least one, unless there are none.
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

/// Appends the super-frame of several frames of which [`how_many_together`] has said that they may go as one.
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

/// A small datagram, whole, whose checksum is still to be completed. What is already wrong with it must not be put right here.
fn datagram(whole: &[u8]) -> Option<(&[u8], Layout)> {
    let (header, frame) = whole.split_first_chunk::<VNET_HEADER>()?;
    let layout = Layout::of_datagram(&Vnet::of(header), frame)?;
    let (headers, datagram) = frame.split_at(layout.transport_at);
    let ip = &headers[layout.network..];
    let is_right = layout.ip == Ip::V6 || Sum::default().add(ip).checksum() == [0, 0];
    let at = Transport::Udp.checksum_at();
    let fits = frame.len() - layout.network <= SMALL;
    let sum = layout.sum_to_complete(ip, datagram.len());
    (fits && is_right && datagram[at..at + 2] == sum).then_some((frame, layout))
}

/// Whether a frame differs from the first only as a segment with that number would.
fn follows(first: &[u8], frame: &[u8], number: usize, layout: &Layout) -> bool {
    let same = |from: usize, to: usize| first[from..to] == frame[from..to];
    let (ip, udp) = (layout.network, layout.transport_at);
    let alike = match layout.ip {
        // All but the length, the identification and the header's checksum.
        Ip::V4 => same(0, ip + 2) && same(ip + 6, ip + 10) && same(ip + 12, udp),
        Ip::V6 => same(0, ip + 4) && same(ip + 6, udp),
    };
    alike && same(udp, udp + 4) && (layout.ip == Ip::V6 || counts_on(first, frame, number, ip))
}

/// Whether the identification of an IPv4 packet is that of a segment; or means nothing, for it is never fragmented (RFC 6864).
fn counts_on(first: &[u8], frame: &[u8], number: usize, ip: usize) -> bool {
    const DONT_FRAGMENT: u8 = 0x40;
    let id = |frame: &[u8]| u16::from_be_bytes([frame[ip + 4], frame[ip + 5]]);
    let is_counted = id(frame) == id(first).wrapping_add(number as u16);
    is_counted || (first[ip + 6] & DONT_FRAGMENT != 0 && id(frame) == id(first))
}

impl Layout {
    /// Makes of the first datagram's headers those of the super-frame.
    fn gather(&self, frame: &mut [u8]) {
        let length = frame.len();
        let (headers, datagram) = frame.split_at_mut(self.transport_at);
        let ip = &mut headers[self.network..];
        self.adapt_ip(ip, length, 0);
        put(datagram, 4, datagram.len() as u16);
        let at = Transport::Udp.checksum_at();
        let sum = self.sum_to_complete(ip, datagram.len());
        datagram[at..at + 2].copy_from_slice(&sum);
    }

    /// What stands in the place of a checksum that is yet to be completed: the pseudo-header's sum, and not its complement.
    fn sum_to_complete(&self, ip: &[u8], length: usize) -> [u8; 2] {
        let checksum = self.pseudo_header(ip, length).checksum();
        checksum.map(|byte| !byte)
    }
}
