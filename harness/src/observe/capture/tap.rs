//! One interface of a capture: what puts the frames of a link, or of a node's interface, into it.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pcapng::PacketBlock;
use super::session::Session;
use crate::impair::Direction;
use crate::observe::Result;
use crate::observe::clock::clock;
use crate::observe::listen::{FrameEvent, FrameFate, Listener};
use crate::observe::watch::Watch;

/// How a tap comes by its frames.
#[derive(Debug)]
pub(crate) enum Source {
    /// A packet socket, for as long as somebody captures.
    Watch(Watch),
    /// A wire, which tells of its frames for the rest of its life.
    Wire,
}

/// An interface of the trial's capture, which several guards may want.
pub(crate) struct Tap {
    session: Arc<Session>,
    /// Its number in the file.
    interface: u32,
    /// The direction in which frames are outbound.
    outbound: Direction,
    open: AtomicBool,
    used: Mutex<Use>,
    seen: AtomicU64,
    lost: AtomicU64,
}

#[derive(Default)]
struct Use {
    guards: u32,
    source: Option<Source>,
}

impl Tap {
    pub(super) fn new(session: &Arc<Session>, interface: u32, outbound: Direction) -> Tap {
        Tap {
            session: Arc::clone(session),
            interface,
            outbound,
            open: AtomicBool::new(false),
            used: Mutex::default(),
            seen: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    fn in_use(&self) -> MutexGuard<'_, Use> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Captures from now on, until it was released as often.
    pub(super) fn acquire(
        self: &Arc<Self>,
        connect: impl FnOnce(Arc<dyn Listener>) -> Result<Source>,
    ) -> Result<()> {
        let mut in_use = self.in_use();
        self.open.store(true, Ordering::Relaxed);
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
            self.close(&mut in_use);
        }
    }

    /// Nobody captures any more.
    pub(super) fn end(&self) {
        let mut in_use = self.in_use();
        in_use.guards = 0;
        self.close(&mut in_use);
    }

    fn close(&self, in_use: &mut Use) {
        if let Some(Source::Watch(watch)) = &in_use.source {
            self.catch_up(watch);
            in_use.source = None;
        }
        self.open.store(false, Ordering::Relaxed);
    }

    /// Takes what has passed by now.
    pub(super) fn drain(&self) {
        if let Some(Source::Watch(watch)) = &self.in_use().source {
            self.catch_up(watch);
        }
    }

    fn catch_up(&self, watch: &Watch) {
        watch.drain();
        self.lose(watch.take_lost());
    }

    fn lose(&self, frames: u64) {
        self.lost.fetch_add(frames, Ordering::Relaxed);
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
        if !self.open.load(Ordering::Relaxed) {
            return;
        }
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
            false => self.lose(1),
        }
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
