//! The packets of a link, kept for a test that looks at them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::headers::Headers;
use super::listen::{FrameEvent, FrameFate, Listener};
use super::packet::{Packet, View};
use super::watch::Watch;

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
    watch: Option<Watch>,
}

impl Recording {
    /// `connect` has the listener told of frames: by a wire, or by the watch that it gives back.
    pub(crate) fn begin<E>(
        link: &str,
        connect: impl FnOnce(Arc<dyn Listener>) -> Result<Option<Watch>, E>,
    ) -> Result<Recording, E> {
        let recorder = Arc::new(Recorder {
            link: link.into(),
            kept: Mutex::default(),
        });
        let ear = Ear(Arc::downgrade(&recorder));
        Ok(Recording {
            watch: connect(Arc::new(ear))?,
            recorder,
        })
    }

    /// All packets that came to the link since the recording began, oldest first; the last 100,000, or 64 MB, of them.
    ///
    /// Each is there once, at the time when it came, and those that the link [lost](Packet::lost) at once are among them. On a link
    /// without an impairment, what the kernel hands over as one piece to be cut by a network card is one packet, of up to 64 KB.
    pub fn packets(&self) -> Vec<Packet> {
        if let Some(watch) = &self.watch {
            watch.drain();
        }
        self.recorder.kept().packets.iter().cloned().collect()
    }

    /// How many packets came that are not, or no longer, among [`packets`](Recording::packets).
    pub fn left_out(&self) -> u64 {
        let missed = self.watch.as_ref().map_or(0, Watch::take_lost);
        let mut kept = self.recorder.kept();
        kept.left_out += missed;
        kept.left_out
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

    fn record(&self, event: &FrameEvent<'_>) {
        let view = View {
            link: &self.link,
            direction: event.direction,
            time: event.time,
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

/// A wire tells a listener of frames for the rest of its life, which may be longer than the recording's.
struct Ear(Weak<Recorder>);

impl Listener for Ear {
    fn frame(&self, event: &FrameEvent<'_>) {
        if let Some(recorder) = self.0.upgrade() {
            recorder.record(event);
        }
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ear")
    }
}
