//! A super-frame as the segments that go over a wire.

use super::adapt::SegmentPlace;
use super::complete::complete;
use super::layout::SegmentLayout;
use super::vnet::Vnet;
use crate::impair::counters::Traffic;
use crate::packet::VNET_HEADER;

/// The frames that a frame is on a wire: the frame itself, or some segments.
pub struct Segments<'a> {
    vnet: Vnet,
    frame: &'a [u8],
    /// Places at which to cut, unless the frame stays whole.
    layout: Option<SegmentLayout>,
    count: usize,
}

impl<'a> Segments<'a> {
    /// Finds the segments of a frame that has its virtio-net header in front of it, or returns
    /// nothing if there is no whole header.
    ///
    /// A super-frame whose headers contradict its virtio-net header stays whole.
    pub fn of(whole: &'a [u8]) -> Option<Segments<'a>> {
        let (header, frame) = whole.split_first_chunk::<VNET_HEADER>()?;
        let vnet = Vnet::of(header);
        let layout = SegmentLayout::of(&vnet, frame);
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

    /// Returns the number of frames on the wire: at least one.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the number and the length of all frames, as they are counted.
    pub fn traffic(&self) -> Traffic {
        let headers = self.layout.map_or(0, |layout| layout.payload);
        Traffic {
            packets: self.count as u64,
            bytes: (self.frame.len() + (self.count - 1) * headers) as u64,
        }
    }

    /// Writes one frame, with complete checksums and an empty virtio-net header.
    pub fn write(&self, index: usize, to: &mut Vec<u8>) {
        to.clear();
        to.extend_from_slice(&[0; VNET_HEADER]);
        match &self.layout {
            None => {
                to.extend_from_slice(self.frame);
                complete(&self.vnet, &mut to[VNET_HEADER..]);
            }
            Some(layout) => {
                let size = usize::from(self.vnet.segment);
                let begin = layout.payload + index * size;
                let end = self.frame.len().min(begin + size);
                to.extend_from_slice(&self.frame[..layout.payload]);
                to.extend_from_slice(&self.frame[begin..end]);
                let is_last = index + 1 == self.count;
                let place = SegmentPlace {
                    index,
                    size,
                    is_last,
                };
                layout.adapt(&mut to[VNET_HEADER..], place);
            }
        }
    }
}
