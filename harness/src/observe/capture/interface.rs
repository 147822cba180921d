//! One interface of a capture: makes a block of each frame of a link, or of a node's interface.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::pcapng::PacketBlock;
use super::write_queue::WriteQueue;
use crate::events::clock;
use crate::kernel::sync::{Guard, Lock};
use crate::model::direction::Direction;
use crate::model::packet::{FrameEvent, FrameFate, FrameSource, Listener};

/// An interface of the trial's capture, which several guards may share.
pub(crate) struct CaptureInterface {
    queue: Arc<WriteQueue>,
    /// Number of the interface in the file.
    number: u32,
    /// Direction in which frames are outbound.
    outbound: Direction,
    in_use: Lock<InterfaceUse>,
    /// Number of frames that are in the file.
    seen: AtomicU64,
    /// Number of frames that came and are not in the file.
    lost: AtomicU64,
}

/// Users of an interface, and the source of the frames meanwhile.
#[derive(Default)]
struct InterfaceUse {
    guards: u32,
    source: Option<Box<dyn FrameSource>>,
}

impl CaptureInterface {
    pub(super) fn new(queue: &Arc<WriteQueue>, number: u32, outbound: Direction) -> Self {
        Self {
            queue: Arc::clone(queue),
            number,
            outbound,
            in_use: Lock::default(),
            seen: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    fn in_use(&self) -> Guard<'_, InterfaceUse> {
        self.in_use.lock()
    }

    /// Captures from now on, until [`release`](Self::release) was called as often. `connect` makes
    /// the link or the interface tell the listener of its frames.
    ///
    /// # Errors
    /// The error of `connect`.
    pub(super) fn acquire<E>(
        self: &Arc<Self>,
        connect: impl FnOnce(Arc<dyn Listener>) -> Result<Box<dyn FrameSource>, E>,
    ) -> Result<(), E> {
        let mut in_use = self.in_use();
        if in_use.source.is_none() {
            in_use.source = Some(connect(Arc::clone(self) as Arc<dyn Listener>)?);
        }
        in_use.guards += 1;
        Ok(())
    }

    /// Takes note that a guard is gone; the last one ends the capture of this interface.
    pub(super) fn release(&self) {
        let mut in_use = self.in_use();
        in_use.guards = in_use.guards.saturating_sub(1);
        if in_use.guards == 0 {
            in_use.source = None;
        }
    }

    /// Ends the capture of this interface, whoever still has a guard.
    pub(super) fn end(&self) {
        *self.in_use() = InterfaceUse::default();
    }

    /// Captures everything that has passed by now.
    pub(super) fn drain(&self) {
        if let Some(source) = &self.in_use().source {
            source.drain();
        }
    }

    /// Returns how many frames have passed, and how many of them are not in the file.
    pub(super) fn counts(&self) -> (u64, u64) {
        let lost = self.lost.load(Ordering::Relaxed);
        (self.seen.load(Ordering::Relaxed) + lost, lost)
    }

    /// Returns the number of the interface in the file.
    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

impl Listener for CaptureInterface {
    fn frame(&self, event: &FrameEvent<'_>) {
        let Some(comment) = comment(event) else {
            return;
        };
        let kept = self.queue.push(&PacketBlock {
            interface: self.number,
            time: clock().time_of_day(event.time),
            outbound: event.direction == self.outbound,
            frame: event.frame,
            comment: &comment,
        });
        if kept {
            self.seen.fetch_add(1, Ordering::Relaxed);
        } else {
            self.missed(1);
        }
    }

    fn missed(&self, frames: u64) {
        self.lost.fetch_add(frames, Ordering::Relaxed);
    }
}

/// Returns the comment on a frame, which is empty for most, or nothing if the event is not for the
/// file.
///
/// A frame stands in the file as it came to the link. It stands there once more only if something
/// has happened to it since.
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

impl fmt::Debug for CaptureInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureInterface")
            .field("number", &self.number)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
