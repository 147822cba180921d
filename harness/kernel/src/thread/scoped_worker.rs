//! Work on borrowed values for a thread that outlives them.
//!
//! A scoped thread may borrow because it ends before what it borrows does. A thread that is kept
//! for the next work may borrow all the same while the lender waits; that it waits, whatever
//! happens, is what this file is for.
#![allow(unsafe_code)]

use std::io;
use std::mem::transmute;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvError, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::erased;

/// A thread that does one piece of work after the other, and ends when this value is dropped.
#[derive(Debug)]
pub struct ScopedWorker {
    works: Option<Sender<Work>>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

type Work = Box<dyn FnOnce() + Send>;

impl ScopedWorker {
    /// Starts the thread.
    ///
    /// # Errors
    /// There are too many threads.
    pub fn start(name: String) -> io::Result<ScopedWorker> {
        let (works, todo) = mpsc::channel::<Work>();
        let (tell, done) = mpsc::channel();
        let thread = super::start(name, move || {
            while let Ok(work) = receive_soon(&todo) {
                work();
                if tell.send(()).is_err() {
                    return;
                }
            }
        })?;
        Ok(ScopedWorker {
            works: Some(works),
            done,
            thread: Some(thread),
        })
    }

    /// Runs `work` on the thread, and waits until it has returned.
    ///
    /// # Errors
    /// The payload of a panic in `work`.
    pub fn run<'w, T: Send + 'w>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'w,
    ) -> thread::Result<T> {
        erased(work, |work| self.run_erased(work))
    }

    fn run_erased(&mut self, work: &mut (dyn FnMut() + Send)) -> thread::Result<()> {
        let mut outcome = None;
        let work: Box<dyn FnOnce() + Send + '_> =
            Box::new(|| outcome = Some(catch_unwind(AssertUnwindSafe(work))));
        // SAFETY: the type forgets for how long `work` and `outcome` may be used. Both outlive the
        // use: this function does not return, nor unwind, before the thread has said that it is
        // done, by which time it has consumed the work; or before the channel is closed, which is
        // when the thread has unwound and dropped it.
        let work = unsafe { transmute::<Box<dyn FnOnce() + Send + '_>, Work>(work) };
        if let Some(works) = &self.works
            && works.send(work).is_ok()
        {
            // An error means that the thread has unwound, and has dropped the work.
            let _ = receive_soon(&self.done);
        }
        outcome.unwrap_or_else(|| Err(Box::new("the thread that was to do this has ended")))
    }
}

/// Waits for a value that is likely to come at once.
fn receive_soon<T>(from: &Receiver<T>) -> Result<T, RecvError> {
    // An idle processor takes longer to wake up than most pieces of work take.
    const SOON: Duration = Duration::from_micros(50);
    let begin = Instant::now();
    loop {
        match from.try_recv() {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Disconnected) => return Err(RecvError),
            Err(TryRecvError::Empty) if begin.elapsed() > SOON => return from.recv(),
            // On a busy machine a yield would give the processor away for milliseconds.
            Err(TryRecvError::Empty) => std::hint::spin_loop(),
        }
    }
}

/// Closes the channel and waits for the end of the thread.
impl Drop for ScopedWorker {
    fn drop(&mut self) {
        drop(self.works.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_borrows_and_is_the_same_thread_each_time() {
        let mut worker = ScopedWorker::start("lent".to_owned()).unwrap();
        let (text, mut seen) = (String::from("borrowed"), Vec::new());
        let first = worker.run(|| thread::current().id()).unwrap();
        for _ in 0..3 {
            let length = worker.run(|| {
                seen.push(thread::current().id());
                text.len()
            });
            assert_eq!(length.unwrap(), 8);
        }
        assert_eq!(seen, [first; 3]);
        assert_ne!(first, thread::current().id());
    }

    #[test]
    fn a_panic_comes_back_and_the_worker_goes_on() {
        let mut worker = ScopedWorker::start("lent".to_owned()).unwrap();
        let payload = worker.run(|| panic!("boom")).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
        assert_eq!(worker.run(|| 7).unwrap(), 7);
    }
}
