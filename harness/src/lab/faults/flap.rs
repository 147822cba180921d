//! A link that is cut and healed by turns, for as long as a guard lives.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::impair::Direction;
use crate::lab::error::{LabError, Result};
use crate::lab::faults::cut::Cut;
use crate::lab::faults::guard::Healing;
use crate::lab::link::ends::LinkEnds;

/// A link that is cut and healed by turns for as long as this lives.
#[derive(Debug)]
pub(crate) struct Flap {
    /// Dropping it stops the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Flap {
    /// Starts to flap a link that is cut: `first` lasts for the first half of the first period.
    pub(crate) fn start(ends: &LinkEnds, first: Cut, period: Duration) -> Result<Self> {
        if period.is_zero() {
            let why = "cannot flap with a period of zero";
            return Err(LabError::invalid(ends.subject(), why));
        }
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("flap".to_owned())
            .spawn(move || flap(first, period / 2, &stopped))
            .map_err(|e| LabError::io("start a thread that flaps a link", &e))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

fn flap(first: Cut, half: Duration, stopped: &Receiver<()>) {
    // Kept apart from the cut, which is dropped in every other half.
    let state = Arc::clone(first.state());
    let mut cut = Some(first);
    while stopped.recv_timeout(half) == Err(RecvTimeoutError::Timeout) {
        cut = match cut.take() {
            Some(cut) => {
                drop(cut);
                None
            }
            None => match Cut::new(&state, &Direction::BOTH) {
                Ok(cut) => Some(cut),
                // The link was removed from the lab: nothing is left to flap.
                Err(_) => return,
            },
        };
    }
}

impl Healing for Flap {
    fn heal(self: Box<Self>) -> Result<()> {
        // The drop stops the thread and waits for it; the thread heals its cut.
        drop(self);
        Ok(())
    }
}

impl Drop for Flap {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by the panic hook. Its cut was healed while it
            // unwound.
            let _ = thread.join();
        }
    }
}
