//! Threads that were in a node, kept for the next visit: to start a thread costs more than to wake
//! one.
//!
//! A waiting thread is at home, in the test's own namespaces. So it holds nothing of a node that
//! crashes or is removed meanwhile. A thread is used again only where a new thread would be the
//! same: see [`ThreadTraits`].

use std::backtrace::{Backtrace, BacktraceStatus};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;
use std::thread;

use crate::kernel::namespace::{self, CloneFlags};
use crate::kernel::process::pidfd_open;
use crate::kernel::sync::Lock;
use crate::kernel::thread::escort;
use crate::kernel::thread::scoped_worker::ScopedWorker;
use crate::kernel::thread::{ThreadTraits, go_home, show_as};
use crate::lab::attempt::{LabAttempt, ThreadPurpose};
use crate::lab::error::{LabError, Result};
use crate::sandbox::trial::body::end_fork_in_node;

/// Threads of a lab that wait for the next visit.
#[derive(Debug)]
pub(crate) struct Visitors {
    /// The pidfd of the test's process, by which a thread goes home.
    home: OwnedFd,
    /// The waiting threads; the one that has waited for longest comes first.
    idle: Lock<Vec<Visitor>>,
}

/// A thread that waits or, taken out, visits.
#[derive(Debug)]
struct Visitor {
    node: String,
    traits: ThreadTraits,
    worker: ScopedWorker,
}

/// Number of threads that wait at most, however many nodes there are.
const IDLE: usize = 8;

impl Visitors {
    pub(crate) fn new() -> Result<Visitors> {
        let home = pidfd_open(std::process::id().cast_signed())
            .map_err(|e| LabError::io(LabAttempt::OpenOwnProcess, &e))?;
        Ok(Visitors {
            home,
            idle: Lock::new(Vec::new()),
        })
    }

    /// Runs `work` on a thread with the name of the node. The thread is as a new one would be that
    /// the calling thread had started; `work`, which is given what both have in common, takes the
    /// thread to where it should be.
    ///
    /// The inner error is the payload of a panic.
    pub(crate) fn visit(
        &self,
        node: &str,
        work: impl FnOnce(&ThreadTraits) -> Result<()> + Send,
    ) -> Result<thread::Result<Result<()>>> {
        let failed = |e| {
            let purpose = ThreadPurpose::Visit {
                node: node.to_owned(),
            };
            LabError::io(LabAttempt::StartThread(purpose), &e).about_node(node)
        };
        // Traits are what a new thread inherits from the caller: signal mask, capabilities,
        // processors. A thread with others is no substitute.
        let traits = ThreadTraits::current().map_err(|e| failed(e.into()))?;
        let mut visitor = match self.take(node, &traits) {
            Some(visitor) => visitor,
            None => Visitor {
                node: node.to_owned(),
                worker: escort::escorted(|| ScopedWorker::start(node.to_owned()))
                    .map_err(|e| failed(e.into()))?
                    .map_err(failed)?,
                traits,
            },
        };
        let traits = &visitor.traits;
        let visits = std::process::id();
        // False also when `work` panics: a thread that unwound is not used again.
        let mut as_new = false;
        let outcome = visitor.worker.run(|| {
            // The name is what a debugger and /proc/PID/task show.
            show_as(node);
            let outcome = catch_unwind(AssertUnwindSafe(|| work(traits)));
            // Nobody waits for this thread in a process that `work` has forked.
            if std::process::id() != visits {
                end_fork_in_node(node, outcome.is_ok());
            }
            let value = outcome.unwrap_or_else(|panic| resume_unwind(panic));
            // Whoever looks for what hangs is not to take it for something in the node.
            show_as("idle");
            // A thread that does not get home, or whose traits have changed, is ended and not kept.
            as_new = go_home(&self.home).is_ok() && ThreadTraits::current().as_ref() == Ok(traits);
            value
        });
        if as_new {
            self.keep(visitor);
        }
        Ok(outcome)
    }

    fn take(&self, node: &str, traits: &ThreadTraits) -> Option<Visitor> {
        let mut idle = self.idle.lock();
        let fits = |visitor: &Visitor| visitor.node == node && visitor.traits == *traits;
        // The thread that visited last: its memory and stack are most likely in the caches.
        let found = idle.iter().rposition(fits)?;
        Some(idle.remove(found))
    }

    fn keep(&self, visitor: Visitor) {
        let mut idle = self.idle.lock();
        idle.push(visitor);
        // The lock is released before a surplus thread is joined, which takes as long as the thread
        // needs to end.
        let surplus = (idle.len() > IDLE).then(|| idle.remove(0));
        drop(idle);
        drop(surplus);
    }

    /// Ends all threads that wait.
    pub(crate) fn dismiss(&self) {
        // Dropped without the lock: the threads end, and are joined.
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }
}

/// Takes the calling thread into the namespaces of a node's first process that a thread can change,
/// all but PID and user, and into the mount namespace that the process has made for visitors. The
/// thread then has these traits, and not the rights of an escort that may have started it.
pub(crate) fn enter(
    process: BorrowedFd<'_>,
    mounts: BorrowedFd<'_>,
    traits: &ThreadTraits,
) -> crate::kernel::Result<()> {
    // setns(2): a thread that shares its root and working directory with others (CLONE_FS) cannot
    // enter another mount namespace.
    namespace::unshare(CloneFlags::CLONE_FS)?;
    namespace::enter(
        process,
        CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC,
    )?;
    namespace::enter(mounts, CloneFlags::CLONE_NEWNS)?;
    if escort::is_needed() {
        traits.take_on()?;
    }
    Ok(())
}

/// Makes std read the symbols of this program, if backtraces are wanted, while the file of the
/// program is in sight: a node with a root filesystem of its own does not have it.
///
/// std keeps the symbols of the last few files that it has read (backtrace-rs,
/// `src/symbolize/gimli.rs`, `MAPPINGS_CACHE_SIZE`).
pub(crate) fn read_symbols() {
    static READ: Once = Once::new();
    READ.call_once(|| {
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            let _ = trace.to_string();
        }
    });
}
