//! Locks that outlive a panic.
//!
//! A test may panic on any thread, and what the library does afterwards (healing faults, completing
//! captures, ending processes) must still reach its data. std's locks refuse after such a panic, as
//! the data may be half changed. The data here is changed by single calls that do not panic
//! midway, so that the refusal would protect nothing.

use std::fmt;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    TryLockError,
};
use std::time::Duration;

/// The access to the data of a [`Lock`], until dropped.
pub type Guard<'a, T> = MutexGuard<'a, T>;

/// A mutex that is locked whether or not a thread has panicked while it held the lock.
#[derive(Default)]
pub struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    /// Creates an unlocked lock.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Guard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the data without locking: the caller alone can reach the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the data out.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A lock for many readers or one writer, which outlives a panic as [`Lock`] does.
#[derive(Debug, Default)]
pub struct SharedLock<T>(RwLock<T>);

impl<T> SharedLock<T> {
    /// Creates an unlocked lock.
    pub const fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    /// Waits until no thread writes, and takes the lock for reading.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock for reading if that needs no waiting.
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        match self.0.try_read() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Waits for the lock, and takes it for writing.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A condition that threads wait for, with the lock of the data that it is about.
#[derive(Debug, Default)]
pub struct Notifier(Condvar);

impl Notifier {
    /// Creates a notifier for which nobody waits.
    pub const fn new() -> Self {
        Self(Condvar::new())
    }

    /// Wakes all threads that wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Wakes one of the threads that wait.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Gives the lock back, waits for a notification, and takes the lock again. It may also return
    /// without a notification, so that callers look at the data again.
    pub fn wait<'a, T>(&self, guard: Guard<'a, T>) -> Guard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as [`wait`](Self::wait) does, and no longer than `limit`.
    pub fn wait_timeout<'a, T>(&self, guard: Guard<'a, T>, limit: Duration) -> Guard<'a, T> {
        // The flag of the time-out is of no use: a wait may also end without a cause, so callers
        // look at the data.
        let waited = self.0.wait_timeout(guard, limit);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Makes a channel that carries one answer from one thread to another.
///
/// The answer lies in memory that both ends share. A channel of std beside it carries no message:
/// its end says that the answer is there. With a channel of std for the answer itself, 50 functions
/// are compiled for each type of answer (three kinds of queues); for seven types they were a 25th
/// of the code that was generated for snowglobe in a user's first build (`-Zdump-mono-stats`,
/// 2026-11-30).
pub fn answer<T>() -> (AnswerSender<T>, AnswerReceiver<T>) {
    let place = Arc::new(Lock::new(None));
    let (end, ended) = mpsc::channel();
    let sender = AnswerSender {
        place: Arc::clone(&place),
        _end: end,
    };
    (sender, AnswerReceiver { place, ended })
}

/// The sending half of the channel, for the thread that answers.
#[derive(Debug)]
pub struct AnswerSender<T> {
    place: Arc<Lock<Option<T>>>,
    /// Sender whose drop tells the receiver that the answer is there, or that none will come.
    _end: Sender<()>,
}

impl<T> AnswerSender<T> {
    /// Gives the answer.
    pub fn send(self, answer: T) {
        *self.place.lock() = Some(answer);
    }
}

/// The receiving half of the channel, for the thread that waits for the answer.
#[derive(Debug)]
pub struct AnswerReceiver<T> {
    place: Arc<Lock<Option<T>>>,
    ended: Receiver<()>,
}

impl<T> AnswerReceiver<T> {
    /// Waits for the answer. Returns nothing if the sender was dropped without an answer, as by a
    /// panic.
    pub fn receive(self) -> Option<T> {
        // No message is ever sent, so `recv` returns when the sender is dropped.
        let _ = self.ended.recv();
        self.place.lock().take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_or_the_asker_learns_that_none_will() {
        let (sender, receiver) = answer();
        let thread = std::thread::spawn(move || sender.send(7));
        assert_eq!(receiver.receive(), Some(7));
        thread.join().unwrap();
        let (sender, receiver) = answer::<u8>();
        let thread = std::thread::spawn(move || {
            let _sender = sender;
            panic!("before the answer");
        });
        assert_eq!(receiver.receive(), None);
        thread.join().unwrap_err();
    }

    #[test]
    fn the_data_can_be_reached_after_a_panic() {
        let lock = Lock::new(1);
        std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _guard = lock.lock();
                panic!("while the lock is held");
            });
            panicking.join().unwrap_err();
        });
        *lock.lock() += 1;
        assert_eq!(lock.into_inner(), 2);
    }
}
