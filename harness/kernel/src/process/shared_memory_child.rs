//! A child process that is a guest in its parent's memory.
//!
//! A fork copies the tables of all pages, and then every page that either side writes to; a thread
//! shares them, but can have neither a user namespace nor a PID namespace of its own. Between the
//! two lies what `vfork` does: a process of its own in the same memory. That is sound for the same
//! reason: one of the two sleeps while the other is awake. So the guest may do whatever the parent
//! might, and what it leaves in memory is found there afterwards; descriptors, signal handlers,
//! credentials and namespaces are its own. It has the thread-local values of the thread that
//! invites it, and the lower part of that thread's stack, with the guard at its end: so a fork of
//! the guest is a copy of that thread, name and all.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;

use super::fork::exit_now;

/// What the two have in common.
struct Visit<F> {
    /// Taken by the guest.
    life: Cell<Option<F>>,
    /// Whether the guest may begin: not yet, yes, or never.
    entry: AtomicU32,
    /// Made zero by the kernel, which then wakes the parent, when the guest no longer uses the
    /// memory.
    present: AtomicU32,
    /// The guest has come to its own end.
    done: AtomicBool,
    /// Where signals are handled, which the kernel does not hand down to guests.
    alternative: libc::stack_t,
}

/// How much of the stack remains for what the inviting thread does meanwhile: it needs so much more
/// than its guest.
pub const OWN: usize = 64 << 10;

const WAIT: u32 = 0;
const ENTER: u32 = 1;
const LEAVE: u32 = 2;

/// Runs `life` in a process of its own, a child in the namespaces that `flags` name, and waits
/// until it has left this process' memory, though not until all of it is gone.
///
/// Every other thread of this process has to be asleep meanwhile, or at least on its way to be and
/// done with locks and the heap. The guest is killed when this thread ends. It begins after
/// `before` has returned true in this process, which is told the guest's id; if that is false, it
/// ends at once.
///
/// False if the guest was killed in the midst of something: then nobody knows what it has left
/// behind, and this process had better end too.
///
/// # Errors
/// What `clone` refuses.
pub fn run_in_child<F: FnOnce()>(
    flags: CloneFlags,
    before: impl FnOnce(i32) -> bool,
    life: F,
) -> io::Result<bool> {
    let visit = Visit {
        life: Cell::new(Some(life)),
        entry: AtomicU32::new(WAIT),
        present: AtomicU32::new(1),
        done: AtomicBool::new(false),
        alternative: alternative_stack()?,
    };
    let flags = flags.bits() | libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    let top = ((&raw const visit).expose_provenance() - OWN) & !0xf;
    // SAFETY: what lies so far below this frame is nobody's as long as this thread does little,
    // which is true of `before` and of what is done below; the guest's frames end at this thread's
    // guard, as its own do. `visit` outlives the guest, for we wait below until the kernel says
    // that the guest has left this memory. Once it has been let in, this thread does nothing but
    // wait, and the others sleep.
    let pid = unsafe {
        libc::clone(
            enter::<F>,
            ptr::with_exposed_provenance_mut(top),
            flags,
            (&raw const visit).cast_mut().cast(),
            ptr::null_mut::<libc::pid_t>(),
            ptr::null_mut::<c_void>(),
            visit.present.as_ptr(),
        )
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    let entry = if before(pid) { ENTER } else { LEAVE };
    visit.entry.store(entry, Ordering::Release);
    wake(&visit.entry);
    // The kernel wakes those who wait for a word that other processes may share, too.
    while visit.present.load(Ordering::Acquire) != 0 {
        wait(&visit.present, 1, libc::FUTEX_WAIT);
    }
    Ok(entry == LEAVE || visit.done.load(Ordering::Acquire))
}

fn alternative_stack() -> nix::Result<libc::stack_t> {
    let mut found = MaybeUninit::uninit();
    // SAFETY: the kernel writes the whole structure if it succeeds.
    unsafe {
        Errno::result(libc::sigaltstack(ptr::null(), found.as_mut_ptr()))?;
        Ok(found.assume_init())
    }
}

extern "C" fn enter<F: FnOnce()>(visit: *mut c_void) -> c_int {
    // SAFETY: the parent has passed this address, and waits for our end before it lets go of it.
    let visit = unsafe { &*visit.cast::<Visit<F>>() };
    if nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).is_err() {
        exit_now(1)
    }
    // SAFETY: it belongs to this thread, of which the guest and its copies are continuations.
    unsafe { libc::sigaltstack(&raw const visit.alternative, ptr::null_mut()) };
    crate::thread::rseq::register();
    while visit.entry.load(Ordering::Acquire) == WAIT {
        wait(
            &visit.entry,
            WAIT,
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
        );
    }
    if visit.entry.load(Ordering::Acquire) == ENTER
        && let Some(life) = visit.life.take()
        && catch_unwind(AssertUnwindSafe(life)).is_ok()
    {
        visit.done.store(true, Ordering::Release);
    }
    exit_now(0)
}

/// Until somebody wakes us, if the word is as `expected`.
fn wait(word: &AtomicU32, expected: u32, how: c_int) {
    let forever = ptr::null::<libc::timespec>();
    // SAFETY: the word lives across the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), how, expected, forever) };
}

fn wake(word: &AtomicU32) {
    let how = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word lives across the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), how, 1) };
}
