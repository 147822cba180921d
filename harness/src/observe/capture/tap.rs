//! One interface of a capture: what puts the frames of a link, or of a node's interface, into it.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pcapng::PacketBlock;
use super::session::Session;
use crate::events::clock;
use crate::impair::Direction;
use crate::model::packet::{FrameEvent, FrameFate, Listener, Source};

/// An interface of the trial's capture, which several guards may want.
pub(crate) struct Tap {
    session: Arc<Session>,
    /// Its number in the file.
    interface: u32,
    /// The direction in which frames are outbound.
    outbound: Direction,
    used: Mutex<Use>,
    seen: AtomicU64,
    lost: AtomicU64,
}

#[derive(Default)]
struct Use {
    guards: u32,
    source: Option<Box<dyn Source>>,
}

impl Tap {
    pub(super) fn new(session: &Arc<Session>, interface: u32, outbound: Direction) -> Tap {
        Tap {
            session: Arc::clone(session),
            interface,
            outbound,
            used: Mutex::default(),
            seen: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    fn in_use(&self) -> MutexGuard<'_, Use> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Captures from now on, until it was released as often. `connect` has the listener told of frames.
    pub(super) fn acquire<E>(
        self: &Arc<Self>,
        connect: impl FnOnce(Arc<dyn Listener>) -> Result<Box<dyn Source>, E>,
    ) -> Result<(), E> {
        let mut in_use = self.in_use();
        if in_use.source.is_none() {
            in_use.source = Some(connect(Arc::clone(self) as Arc<dyn Listener>)?);
        }
        in_use.guards += 1;
        Ok(())
    }

    /// One guard less.
    pub(super) fn release(&self) {
        let mut in_use = self.in_use();
        in_use.guards = in_use.guards.saturating_sub(1);
        if in_use.guards == 0 {
            in_use.source = None;
        }
    }

    /// Nobody captures any more.
    pub(super) fn end(&self) {
        *self.in_use() = Use::default();
    }

    /// Takes what has passed by now.
    pub(super) fn drain(&self) {
        if let Some(source) = &self.in_use().source {
            source.drain();
        }
    }

    /// How many frames have passed, and how many of them are not in the file.
    pub(super) fn counts(&self) -> (u64, u64) {
        let lost = self.lost.load(Ordering::Relaxed);
        (self.seen.load(Ordering::Relaxed) + lost, lost)
    }

    pub(super) fn interface(&self) -> u32 {
        self.interface
    }
}

impl Listener for Tap {
    fn frame(&self, event: &FrameEvent<'_>) {
        let Some(comment) = comment(event) else {
            return;
        };
        let kept = self.session.push(&PacketBlock {
            interface: self.interface,
            time: clock().time_of_day(event.time),
            outbound: event.direction == self.outbound,
            frame: event.frame,
            comment: &comment,
        });
        match kept {
            true => drop(self.seen.fetch_add(1, Ordering::Relaxed)),
            false => self.missed(1),
        }
    }

    fn missed(&self, frames: u64) {
        self.lost.fetch_add(frames, Ordering::Relaxed);
    }
}

/// What is to be said about a frame; nothing at all if it is not for the file, in which a frame stands when it comes to a link, and
/// once more only where something has happened to it since.
fn comment(event: &FrameEvent<'_>) -> Option<String> {
    let mut comment = String::new();
    // Writing to a string does not fail.
    let _ = match event.fate {
        FrameFate::Entered => Ok(()),
        FrameFate::Dropped(cause) => write!(comment, "lost: {cause}"),
        FrameFate::DroppedLate(cause) => write!(comment, "lost on its way: {cause}"),
        FrameFate::Delivered => {
            event.remark?;
            Ok(())
        }
    };
    if let Some(remark) = event.remark {
        let between = if comment.is_empty() { "" } else { "; " };
        let _ = write!(comment, "{between}{remark}");
    }
    Some(comment)
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("interface", &self.interface)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
