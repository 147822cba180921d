//! The packets of a link, kept in memory for a test that looks at them.
//!
//! An assertion like "one connection was opened" needs values, and not a file for Wireshark.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::events::clock;
use crate::kernel::sync::{Guard, Lock};
use crate::model::packet::{
    FrameEvent, FrameFate, FrameSource, Headers, Listener, Packet, PacketView,
};

/// Most packets that a recording keeps.
const MOST_PACKETS: usize = 100_000;

/// Most bytes of packets that a recording keeps.
const MOST_BYTES: usize = 64 << 20;

/// Keeps the packets of a link until dropped; made by [`Link::record`](crate::lab::Link::record).
///
/// ```no_run
/// use snowglobe::prelude::*;
///
/// # fn main() {}
/// #[snowglobe::test]
/// fn one_connection_is_enough() -> TestResult {
///     let lab = shape::pair().start()?;
///     let (alice, bob) = (lab.node("alice").unwrap(), lab.node("bob").unwrap());
///     let recording = lab.links().next().unwrap().record()?;
///     let listener = bob.run(|| TcpListener::bind("0.0.0.0:80"))?;
///     alice.run(|| TcpStream::connect("bob:80"))?;
///     let opened = recording.packets().iter().filter(|packet| packet.is_syn()).count();
///     assert_eq!(opened, 1);
///     Ok(())
/// }
/// ```
#[must_use = "a recording ends when it is dropped"]
pub struct Recording {
    recorder: Arc<FrameRecorder>,
    source: Box<dyn FrameSource>,
}

impl Recording {
    /// Begins to record the link `link`. `connect` makes the link tell the listener of its frames.
    ///
    /// # Errors
    /// The error of `connect`.
    pub(crate) fn begin<E>(
        link: &str,
        connect: impl FnOnce(Arc<dyn Listener>) -> Result<Box<dyn FrameSource>, E>,
    ) -> Result<Self, E> {
        let recorder = Arc::new(FrameRecorder {
            link: link.into(),
            recorded: Lock::default(),
        });
        Ok(Self {
            source: connect(Arc::clone(&recorder) as Arc<dyn Listener>)?,
            recorder,
        })
    }

    /// Returns the packets that came to the link since the recording began, oldest first: the last
    /// 100,000, or 64 MB, of them.
    ///
    /// Each packet is there once, with the time at which it came. Packets that the link
    /// [lost](Packet::lost) at once are among them. On a link without an impairment, what the
    /// kernel hands over in one piece, for a network card to cut, is one packet of up to 64 KB.
    pub fn packets(&self) -> Vec<Packet> {
        self.source.drain();
        self.recorder.recorded().packets.iter().cloned().collect()
    }

    /// Returns how many packets came that are not, or no longer, among
    /// [`packets`](Recording::packets).
    pub fn left_out(&self) -> u64 {
        self.source.drain();
        self.recorder.recorded().left_out
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("link", &self.recorder.link)
            .field("packets", &self.recorder.recorded().packets.len())
            .finish_non_exhaustive()
    }
}

struct FrameRecorder {
    link: Arc<str>,
    recorded: Lock<RecordedPackets>,
}

#[derive(Default)]
struct RecordedPackets {
    packets: VecDeque<Packet>,
    /// Length of all of `packets`.
    bytes: usize,
    /// Number of packets that came and are not among `packets`.
    left_out: u64,
}

impl FrameRecorder {
    fn recorded(&self) -> Guard<'_, RecordedPackets> {
        self.recorded.lock()
    }
}

impl Listener for FrameRecorder {
    fn frame(&self, event: &FrameEvent<'_>) {
        let view = PacketView {
            link: &self.link,
            direction: event.direction,
            at: clock().since_start(event.time),
            headers: Headers::of(event.frame),
            frame: event.frame,
        };
        let packet = match event.fate {
            FrameFate::Entered => view.to_packet(),
            FrameFate::Dropped(cause) => view.to_lost_packet(cause),
            // These packets were told of when they came.
            FrameFate::Delivered | FrameFate::DroppedLate(_) => return,
        };
        self.recorded().push(packet);
    }

    fn missed(&self, frames: u64) {
        self.recorded().left_out += frames;
    }
}

impl fmt::Debug for FrameRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FrameRecorder").field(&self.link).finish()
    }
}

impl RecordedPackets {
    fn push(&mut self, packet: Packet) {
        self.bytes += packet.len();
        self.packets.push_back(packet);
        while self.packets.len() > MOST_PACKETS || self.bytes > MOST_BYTES {
            let oldest = self.packets.pop_front();
            self.bytes -= oldest.as_ref().map_or(0, Packet::len);
            self.left_out += 1;
        }
    }
}
