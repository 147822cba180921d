//! The threads of this process that carry wires: started with the first wire, gone with the last.

use std::io;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::line::Line;
use super::worker::{Request, Worker};
use crate::kernel::frames::Poller;

/// Where requests to one worker are put.
#[derive(Clone)]
pub(super) struct Mailbox {
    requests: Sender<Request>,
    poller: Arc<Poller>,
}

impl Mailbox {
    /// Whoever waits for an answer that never comes finds the channel closed.
    pub(super) fn post(&self, request: Request) {
        if self.requests.send(request).is_ok() {
            self.poller.wake();
        }
    }
}

struct Hand {
    mailbox: Mailbox,
    thread: JoinHandle<()>,
    wires: usize,
}

static CREW: Mutex<Vec<Hand>> = Mutex::new(Vec::new());

/// More would only take time from the programs whose packets are carried.
const MOST: usize = 2;

/// Gives a wire to the worker that has the fewest, and says where and under which number it is.
pub(super) fn carry(line: Line) -> io::Result<(Mailbox, usize)> {
    let mut crew = crew();
    let busiest_is_idle = crew.iter().any(|hand| hand.wires == 0);
    if crew.len() < MOST && !busiest_is_idle {
        crew.push(hire()?);
    }
    let hand = crew
        .iter_mut()
        .min_by_key(|hand| hand.wires)
        .expect("somebody was just hired");
    let (reply, answer) = sync_channel(1);
    hand.mailbox.post(Request::Carry(Box::new(line), reply));
    let index = answer
        .recv()
        .map_err(|_| io::Error::other("the thread that carries wires has panicked"))??;
    hand.wires += 1;
    Ok((hand.mailbox.clone(), index))
}

/// Takes a wire from its worker, which then does not touch it any more.
pub(super) fn end(mailbox: &Mailbox, index: usize) -> Option<Box<Line>> {
    let mut crew = crew();
    let (reply, answer) = sync_channel(1);
    mailbox.post(Request::End(index, reply));
    let line = answer.recv().ok().flatten();
    let at = crew
        .iter()
        .position(|hand| Arc::ptr_eq(&hand.mailbox.poller, &mailbox.poller))?;
    crew[at].wires -= 1;
    if crew[at].wires == 0 {
        let hand = crew.swap_remove(at);
        hand.mailbox.post(Request::Stop);
        // A panic has been reported where it happened.
        let _ = hand.thread.join();
    }
    line
}

fn crew() -> MutexGuard<'static, Vec<Hand>> {
    CREW.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hire() -> io::Result<Hand> {
    let poller = Arc::new(Poller::new()?);
    let (requests, theirs) = channel();
    let worker = Worker::new(Arc::clone(&poller), theirs);
    let thread = thread::Builder::new()
        .name("wires".into())
        .spawn(|| worker.run())?;
    Ok(Hand {
        mailbox: Mailbox { requests, poller },
        thread,
        wires: 0,
    })
}
