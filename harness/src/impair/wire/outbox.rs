//! How frames go out: several with one system call, and datagrams that follow each other as one super-frame.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

use super::port::Port;
use crate::impair::segment::{bundle, bundled};
use crate::kernel::frame::BATCH;

/// Whether this kernel has refused a bundle of datagrams, as Linux before 6.2 does.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Room for bundles, used again and again.
#[derive(Default)]
pub(super) struct Outbox {
    memory: Vec<u8>,
}

/// Frames that go out as one.
#[derive(Clone)]
struct Bundle {
    frames: Range<usize>,
    /// Where in the memory they are, if there are several.
    memory: Range<usize>,
}

impl Outbox {
    /// Sends frames, at most [`BATCH`], and tells of each whether it went out. Nothing stops a wire: an interface that is down takes
    /// nothing, and may be up again later.
    pub(super) fn send(&mut self, to: &Port, frames: &[&[u8]], mut told: impl FnMut(usize, bool)) {
        if frames.len() < 2 || REFUSED.load(Ordering::Relaxed) {
            return send(to, frames, |at, outcome| told(at, outcome.is_ok()));
        }
        let mut bundles = [const {
            Bundle {
                frames: 0..0,
                memory: 0..0,
            }
        }; BATCH];
        let count = self.pack(frames, &mut bundles);
        let mut wholes = [&[][..]; BATCH];
        for (whole, bundle) in wholes.iter_mut().zip(&bundles[..count]) {
            *whole = match bundle.frames.len() {
                1 => frames[bundle.frames.start],
                _ => &self.memory[bundle.memory.clone()],
            };
        }
        send(to, &wholes[..count], |at, outcome| {
            let these = &bundles[at].frames;
            if outcome == Err(Errno::EINVAL) && these.len() > 1 {
                REFUSED.store(true, Ordering::Relaxed);
                let first = these.start;
                return send(to, &frames[these.clone()], |at, outcome| {
                    told(first + at, outcome.is_ok());
                });
            }
            these.clone().for_each(|at| told(at, outcome.is_ok()));
        });
    }

    /// Finds out which frames may go as one, and makes one of them; says of how many bundles.
    fn pack(&mut self, frames: &[&[u8]], bundles: &mut [Bundle; BATCH]) -> usize {
        self.memory.clear();
        let (mut at, mut count) = (0, 0);
        while at < frames.len() {
            let together = at..at + bundled(&frames[at..]);
            let begin = self.memory.len();
            if together.len() > 1 {
                bundle(&frames[together.clone()], &mut self.memory);
            }
            at = together.end;
            bundles[count] = Bundle {
                frames: together,
                memory: begin..self.memory.len(),
            };
            count += 1;
        }
        count
    }
}

/// Sends frames one by one as they are, and tells of each what came of it.
fn send(to: &Port, frames: &[&[u8]], mut told: impl FnMut(usize, nix::Result<()>)) {
    let (mut at, mut has_waited) = (0, false);
    while at < frames.len() {
        match to.send(&frames[at..]) {
            Ok(sent @ 1..) => {
                (at..at + sent).for_each(|at| told(at, Ok(())));
                at += sent;
                has_waited = false;
            }
            Err(Errno::EAGAIN | Errno::ENOBUFS) if !has_waited => {
                to.wait_for_room();
                has_waited = true;
            }
            refused => {
                told(at, Err(refused.err().unwrap_or(Errno::EIO)));
                at += 1;
            }
        }
    }
}
