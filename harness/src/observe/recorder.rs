//! The packets of a link, kept for a test that looks at them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::events::clock;
use crate::model::packet::{FrameEvent, FrameFate, Headers, Listener, Packet, Source, View};

/// So many packets are kept, and so many bytes of them.
const KEPT: (usize, usize) = (100_000, 64 << 20);

/// Keeps the packets of a link, for as long as it lives; made by [`Link::record`](crate::lab::Link::record).
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
#[must_use = "nothing is recorded any more when it is dropped"]
pub struct Recording {
    recorder: Arc<Recorder>,
    source: Box<dyn Source>,
}

impl Recording {
    /// `connect` has the listener told of frames.
    pub(crate) fn begin<E>(
        link: &str,
        connect: impl FnOnce(Arc<dyn Listener>) -> Result<Box<dyn Source>, E>,
    ) -> Result<Recording, E> {
        let recorder = Arc::new(Recorder {
            link: link.into(),
            kept: Mutex::default(),
        });
        Ok(Recording {
            source: connect(Arc::clone(&recorder) as Arc<dyn Listener>)?,
            recorder,
        })
    }

    /// All packets that came to the link since the recording began, oldest first; the last 100,000, or 64 MB, of them.
    ///
    /// Each is there once, at the time when it came, and those that the link [lost](Packet::lost) at once are among them. On a link
    /// without an impairment, what the kernel hands over as one piece to be cut by a network card is one packet, of up to 64 KB.
    pub fn packets(&self) -> Vec<Packet> {
        self.source.drain();
        self.recorder.kept().packets.iter().cloned().collect()
    }

    /// How many packets came that are not, or no longer, among [`packets`](Recording::packets).
    pub fn left_out(&self) -> u64 {
        self.source.drain();
        self.recorder.kept().left_out
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("link", &self.recorder.link)
            .field("packets", &self.recorder.kept().packets.len())
            .finish_non_exhaustive()
    }
}

struct Recorder {
    link: Arc<str>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    packets: VecDeque<Packet>,
    bytes: usize,
    left_out: u64,
}

impl Recorder {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Recorder {
    fn frame(&self, event: &FrameEvent<'_>) {
        let view = View {
            link: &self.link,
            direction: event.direction,
            at: clock().since_start(event.time),
            headers: Headers::of(event.frame),
            frame: event.frame,
        };
        let packet = match event.fate {
            FrameFate::Entered => view.to_packet(),
            FrameFate::Dropped(cause) => view.to_lost_packet(cause),
            FrameFate::Delivered | FrameFate::DroppedLate(_) => return,
        };
        self.kept().push(packet);
    }

    fn missed(&self, frames: u64) {
        self.kept().left_out += frames;
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.link).finish()
    }
}

impl Kept {
    fn push(&mut self, packet: Packet) {
        self.bytes += packet.len();
        self.packets.push_back(packet);
        while self.packets.len() > KEPT.0 || self.bytes > KEPT.1 {
            let oldest = self.packets.pop_front();
            self.bytes -= oldest.as_ref().map_or(0, Packet::len);
            self.left_out += 1;
        }
    }
}
