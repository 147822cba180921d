//! Super-frames, and how they are cut into frames as they are on a wire.
//!
//! A sender's kernel leaves this to the network card, and here we are the card: TCP segmentation (TSO), UDP segmentation (USO) and the
//! completion of checksums, as Linux does it in software (`net/ipv4/tcp_offload.c`, `udp_offload.c`).

mod bundle;
mod checksum;
mod headers;
pub mod testing;
#[cfg(test)]
mod tests;
mod vnet;

pub use self::bundle::{bundle, how_many_together};
use self::checksum::Sum;
use self::headers::{Ip, Layout, Transport};
use self::vnet::Vnet;
use crate::impair::counters::Traffic;
use crate::packet::VNET_HEADER;

/// What a frame is on a wire: itself, or some segments.
pub struct Segments<'a> {
    vnet: Vnet,
    frame: &'a [u8],
    /// Where to cut; nothing for what stays whole.
    layout: Option<Layout>,
    count: usize,
}

impl<'a> Segments<'a> {
    /// Of a frame with its virtio-net header in front of it. Nothing if there is no whole header.
    ///
    /// A super-frame whose headers are not what they should be stays whole.
    pub fn of(whole: &'a [u8]) -> Option<Segments<'a>> {
        let (header, frame) = whole.split_first_chunk::<VNET_HEADER>()?;
        let vnet = Vnet::of(header);
        let layout = Layout::of(&vnet, frame);
        let count = layout.map_or(1, |layout| {
            let payload = frame.len() - layout.payload;
            payload.div_ceil(usize::from(vnet.segment)).max(1)
        });
        Some(Segments {
            vnet,
            frame,
            layout,
            count,
        })
    }

    /// How many there are: at least one.
    pub fn count(&self) -> usize {
        self.count
    }

    /// All of them, as they are counted.
    pub fn traffic(&self) -> Traffic {
        let headers = self.layout.map_or(0, |layout| layout.payload);
        Traffic {
            packets: self.count as u64,
            bytes: (self.frame.len() + (self.count - 1) * headers) as u64,
        }
    }

    /// Writes one of them, with complete checksums and an empty virtio-net header.
    pub fn write(&self, index: usize, to: &mut Vec<u8>) {
        to.clear();
        to.extend_from_slice(&[0; VNET_HEADER]);
        match &self.layout {
            None => {
                to.extend_from_slice(self.frame);
                self.complete(&mut to[VNET_HEADER..]);
            }
            Some(layout) => {
                let size = usize::from(self.vnet.segment);
                let begin = layout.payload + index * size;
                let end = self.frame.len().min(begin + size);
                to.extend_from_slice(&self.frame[..layout.payload]);
                to.extend_from_slice(&self.frame[begin..end]);
                layout.adapt(&mut to[VNET_HEADER..], index, size, index + 1 == self.count);
            }
        }
    }

    /// Completes the checksum of a frame that is not cut: that of its pseudo-header stands in its place.
    fn complete(&self, frame: &mut [u8]) {
        let Some(start) = self.vnet.checksum_start() else {
            return;
        };
        let at = self.vnet.checksum_at();
        if at + 2 > frame.len() || start > at {
            return;
        }
        let checksum = never_zero(Sum::default().add(&frame[start..]).checksum());
        frame[at..at + 2].copy_from_slice(&checksum);
    }
}

impl Layout {
    /// Makes of the super-frame's headers those of one segment.
    fn adapt(&self, frame: &mut [u8], index: usize, size: usize, is_last: bool) {
        let length = frame.len();
        let (headers, transport) = frame.split_at_mut(self.transport_at);
        let ip = &mut headers[self.network..];
        self.adapt_ip(ip, length, index as u16);
        match self.transport {
            Transport::Tcp => adapt_tcp(transport, (index * size) as u32, index == 0, is_last),
            Transport::Udp => put(transport, 4, transport.len() as u16),
        }
        let at = self.transport.checksum_at();
        put(transport, at, 0);
        let sum = self.pseudo_header(ip, transport.len()).add(transport);
        let checksum = match self.transport {
            Transport::Tcp => sum.checksum(),
            Transport::Udp => never_zero(sum.checksum()),
        };
        transport[at..at + 2].copy_from_slice(&checksum);
    }

    /// Makes of an IP header that of a frame of this length, so many segments later.
    fn adapt_ip(&self, ip: &mut [u8], length: usize, index: u16) {
        match self.ip {
            Ip::V4 => adapt_v4(ip, length - self.network, index),
            Ip::V6 => put(ip, 4, (length - self.network - 40) as u16),
        }
    }

    fn pseudo_header(&self, ip: &[u8], length: usize) -> Sum {
        let addresses = match self.ip {
            Ip::V4 => &ip[12..20],
            Ip::V6 => &ip[8..40],
        };
        Sum::default()
            .add(addresses)
            .add_u16(self.transport.number())
            .add_u16(length as u16)
    }
}

fn adapt_v4(ip: &mut [u8], length: usize, index: u16) {
    let id = u16::from_be_bytes([ip[4], ip[5]]);
    put(ip, 2, length as u16);
    put(ip, 4, id.wrapping_add(index));
    put(ip, 10, 0);
    let checksum = Sum::default().add(ip).checksum();
    ip[10..12].copy_from_slice(&checksum);
}

fn adapt_tcp(tcp: &mut [u8], offset: u32, is_first: bool, is_last: bool) {
    const FIN_PSH: u8 = 0x09;
    const CWR: u8 = 0x80;
    let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
    tcp[4..8].copy_from_slice(&seq.wrapping_add(offset).to_be_bytes());
    if !is_last {
        tcp[13] &= !FIN_PSH;
    }
    if !is_first {
        tcp[13] &= !CWR;
    }
}

fn put(bytes: &mut [u8], at: usize, number: u16) {
    bytes[at..at + 2].copy_from_slice(&number.to_be_bytes());
}

/// In UDP a checksum of zero says that there is none; for the others both forms of zero are the same.
fn never_zero(checksum: [u8; 2]) -> [u8; 2] {
    match checksum {
        [0, 0] => [0xff, 0xff],
        checksum => checksum,
    }
}
