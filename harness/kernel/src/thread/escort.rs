//! A thread that may enter namespaces, in a process whose other threads may not.
//!
//! `setns(2)` wants `CAP_SYS_ADMIN` in the caller's own user namespace, whatever the caller may do
//! in the namespace that is entered. Capabilities belong to a thread and not to its process
//! (`capabilities(7)`). So a process that gives them up starts a thread before, which keeps them,
//! does what the others ask for, and sleeps meanwhile.

use std::cell::{Cell, OnceCell};
use std::io;
use std::panic::resume_unwind;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::SigSet;

use super::erased;
use super::scoped_worker::ScopedWorker;
use crate::netns::Netns;
use crate::process::leaks;
use crate::sync::Lock;

/// The thread, where this process has one.
static ESCORT: OnceLock<Escort> = OnceLock::new();

struct Escort {
    worker: Lock<ScopedWorker>,
    /// Id of the process whose thread it is: a fork has a copy of this value and no such thread.
    process: u32,
}

thread_local! {
    static IS_ESCORT: Cell<bool> = const { Cell::new(false) };
    static LOBBY: OnceCell<Netns> = const { OnceCell::new() };
}

/// Starts the thread, with the capabilities of the calling one. Only the first call counts.
///
/// # Errors
/// There are too many threads.
pub fn start() -> io::Result<()> {
    let mut worker = ScopedWorker::start("escort".to_owned())?;
    let begun = worker.run(|| {
        IS_ESCORT.set(true);
        leaks::keep_what_this_thread_holds();
        // Handlers of signals are code of the test, which runs on threads of the test.
        SigSet::all().thread_block()
    });
    begun.unwrap_or_else(|panic| resume_unwind(panic))?;
    ESCORT.get_or_init(|| Escort {
        worker: Lock::new(worker),
        process: std::process::id(),
    });
    Ok(())
}

/// Returns whether the threads of this process need an escort to enter namespaces.
pub fn is_needed() -> bool {
    ESCORT.get().is_some()
}

/// Runs `work` where namespaces may be entered: on the calling thread, unless that one needs an
/// escort. A thread that `work` starts has the rights of the escort.
///
/// # Errors
/// `EPERM` in a fork of a process with an escort.
pub fn escorted<T: Send>(work: impl FnOnce() -> T + Send) -> crate::Result<T> {
    erased(work, escorted_erased)
}

fn escorted_erased(work: &mut (dyn FnMut() + Send)) -> crate::Result<()> {
    let Some(escort) = ESCORT.get().filter(|_| !IS_ESCORT.get()) else {
        work();
        return Ok(());
    };
    if escort.process != std::process::id() {
        return Err(Errno::EPERM);
    }
    let outcome = escort.worker.lock().run(work);
    outcome.unwrap_or_else(|panic| resume_unwind(panic));
    Ok(())
}

/// Returns whether the calling thread needs an escort to enter namespaces.
pub(crate) fn is_needed_here() -> bool {
    is_needed() && !IS_ESCORT.get()
}

/// Runs `work` on the escort's thread inside `netns`.
pub(crate) fn escorted_into(
    netns: std::os::fd::BorrowedFd<'_>,
    work: &mut (dyn FnMut() + Send),
) -> crate::Result<()> {
    escorted(|| LOBBY.with(|lobby| lobby_of(lobby)?.excursion(netns, work)))?
}

/// Returns the network namespace in which the escort waits.
///
/// The network namespace in which the escort was started belongs to a user namespace in which the
/// escort has no rights, so that it cannot come back there. A namespace of a node in which the
/// escort stayed would live as long as the thread.
fn lobby_of(lobby: &OnceCell<Netns>) -> crate::Result<&Netns> {
    if let Some(lobby) = lobby.get() {
        return Ok(lobby);
    }
    nix::sched::unshare(CloneFlags::CLONE_NEWNET)?;
    let made = Netns::current()?;
    Ok(lobby.get_or_init(|| made))
}
