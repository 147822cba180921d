//! The threads of this process that carry wires: started with the first wire, ended with the last.
//!
//! A test without wires must not pay for a thread, and a test with fifty wires must not get fifty.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::wire::Wire;
use super::worker::{WireWorker, WorkerRequest};
use crate::kernel::frames::Poller;
use crate::kernel::sync::Lock;
use crate::kernel::sync::answer;
use crate::kernel::thread;

/// Sends requests to one worker, and wakes the worker to look at them.
#[derive(Clone)]
pub(super) struct WorkerSender {
    requests: Sender<WorkerRequest>,
    poller: Arc<Poller>,
}

impl WorkerSender {
    /// Sends a request. If the worker has ended, the request is dropped with the channel for its
    /// answer, so that whoever waits for the answer finds that channel closed.
    pub(super) fn send(&self, request: WorkerRequest) {
        // The request goes first: a worker that was woken before it would sleep again.
        if self.requests.send(request).is_ok() {
            self.poller.wake();
        }
    }

    fn is_same_worker(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.poller, &other.poller)
    }
}

/// A worker that is running.
struct PooledWorker {
    sender: WorkerSender,
    thread: JoinHandle<()>,
    /// Number of wires that the worker carries.
    wires: usize,
}

static WORKERS: Lock<Vec<PooledWorker>> = Lock::new(Vec::new());

/// Most workers of a process. More would only take CPU time from the programs whose packets are
/// carried: on two cores more queues gained nothing (measured for this project, 2026-08).
const MOST_WORKERS: usize = 2;

/// Gives a wire to the worker that has the fewest. Returns that worker and the wire's number.
pub(super) fn add_wire(wire: Wire) -> io::Result<(WorkerSender, usize)> {
    let mut workers = WORKERS.lock();
    // A worker without wires is there only if a wire could not be added to it before.
    let some_are_idle = workers.iter().any(|worker| worker.wires == 0);
    if workers.len() < MOST_WORKERS && !some_are_idle {
        workers.push(start_worker()?);
    }
    let worker = workers
        .iter_mut()
        .min_by_key(|worker| worker.wires)
        .expect("a worker was just started");
    // The lock is held until the worker has answered: otherwise another thread could take the
    // worker's last wire meanwhile, and end the worker.
    let (reply, answer) = answer();
    worker
        .sender
        .send(WorkerRequest::AddWire(Box::new(wire), reply));
    let index = answer
        .receive()
        .ok_or_else(|| io::Error::other("the thread that carries wires has panicked"))??;
    worker.wires += 1;
    Ok((worker.sender.clone(), index))
}

/// Takes a wire from its worker, which does not touch the wire any more when this returns. A
/// worker without wires is ended.
pub(super) fn remove_wire(sender: &WorkerSender, index: usize) -> Option<Box<Wire>> {
    let mut workers = WORKERS.lock();
    let (reply, answer) = answer();
    sender.send(WorkerRequest::RemoveWire(index, reply));
    let wire = answer.receive().flatten();
    let at = workers
        .iter()
        .position(|worker| worker.sender.is_same_worker(sender))?;
    workers[at].wires -= 1;
    if workers[at].wires == 0 {
        let worker = workers.swap_remove(at);
        worker.sender.send(WorkerRequest::Stop);
        // Joined, so that no thread is left when the last wire is gone. The panic hook has reported
        // a panic of that thread where it happened.
        let _ = worker.thread.join();
    }
    wire
}

fn start_worker() -> io::Result<PooledWorker> {
    let poller = Arc::new(Poller::new()?);
    let (requests, theirs) = channel();
    let worker = WireWorker::new(Arc::clone(&poller), theirs);
    let thread = thread::start("wires", || worker.run())?;
    Ok(PooledWorker {
        sender: WorkerSender { requests, poller },
        thread,
        wires: 0,
    })
}
