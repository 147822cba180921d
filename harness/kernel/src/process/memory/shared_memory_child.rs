//! A child process in the memory of its parent, as after `vfork`.
//!
//! A fork copies the page tables, and then every page to which either side writes: 210 µs with 10
//! MB in use, and 1.9 ms with 100 MB (measured for this project, 2026-08). A thread shares the
//! memory, but can have neither a user namespace nor a PID namespace of its own (`clone(2)`,
//! CLONE_THREAD). Between the two is what `vfork` does: a process of its own in the same memory.
//!
//! Such a child is sound for the reason of `vfork`: one of the two sleeps while the other is awake.
//! So the child may do whatever the parent might, and the parent finds in memory what the child
//! left there. Descriptors, signal handlers, credentials and namespaces are the child's own. The
//! child has the thread-local values of the thread that makes it, and the lower part of that
//! thread's stack with the guard at its end. So a fork of the child is a copy of that thread, with
//! its name.
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

use crate::process::exit_now;

unsafe extern "C" {
    /// Names glibc's `clone` by its other name. ThreadSanitizer puts a function of its own before
    /// `clone`, which takes the child for a copy in a memory of its own
    /// (`compiler-rt/lib/tsan/rtl/tsan_interceptors_posix.cpp`).
    fn __clone(
        work: extern "C" fn(*mut c_void) -> c_int,
        stack: *mut c_void,
        flags: c_int,
        argument: *mut c_void,
        ...
    ) -> c_int;
}

/// Values that the parent and the child share.
struct SharedState<F> {
    /// The work of the child, which takes it.
    work: Cell<Option<F>>,
    /// Whether the child may begin: `WAIT`, `ENTER` or `LEAVE`.
    entry: AtomicU32,
    /// 1 until the child no longer uses the memory. The kernel then writes 0 and wakes the parent
    /// (`CLONE_CHILD_CLEARTID`).
    present: AtomicU32,
    /// Whether the work has returned.
    done: AtomicBool,
    /// The stack on which signals are handled. The kernel does not pass it on to a child in the
    /// same memory (`sigaltstack(2)`, notes).
    alternative: libc::stack_t,
}

/// Bytes of stack that the parent keeps for itself below its present frame. The thread must have so
/// much more stack than its child needs.
pub const OWN: usize = 64 << 10;

const WAIT: u32 = 0;
const ENTER: u32 = 1;
const LEAVE: u32 = 2;

/// Runs `work` in a child process in the namespaces that `flags` name, and waits until the child
/// has left the memory of this process.
///
/// Parts of the child may exist for a while after that. The kernel kills the child when this thread
/// ends. Every other thread of this process has to sleep meanwhile, or at least to be done with
/// locks and the heap.
///
/// `before` runs in this process first and is told the child's id. The child begins when `before`
/// has returned true, and ends at once when `before` has returned false.
///
/// Returns false if the child was killed in the midst of its work. Nobody knows what it has left in
/// memory then, so this process should end too.
///
/// # Errors
/// The reason why the kernel made no child (`clone(2)`).
pub fn run_in_child<F: FnOnce()>(
    flags: CloneFlags,
    before: impl FnOnce(i32) -> bool,
    work: F,
) -> io::Result<bool> {
    let shared = SharedState {
        work: Cell::new(Some(work)),
        entry: AtomicU32::new(WAIT),
        present: AtomicU32::new(1),
        done: AtomicBool::new(false),
        alternative: alternative_stack()?,
    };
    // CLONE_VM without CLONE_VFORK: the parent has to write the child's id mapping before it
    // sleeps.
    let flags = flags.bits() | libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    // Both x86-64 and AArch64 want stacks aligned to 16 bytes.
    let top = ((&raw const shared).expose_provenance() - OWN) & !0xf;
    // SAFETY: what lies so far below this frame is nobody's as long as this thread does little,
    // which is true of `before` and of what is done below; the child's frames end at this thread's
    // guard, as its own do. `shared` outlives the child, for we wait below until the kernel says
    // that the child has left this memory. Once it has been let in, this thread does nothing but
    // wait, and the others sleep.
    let pid = unsafe {
        __clone(
            enter::<F>,
            ptr::with_exposed_provenance_mut(top),
            flags,
            (&raw const shared).cast_mut().cast(),
            ptr::null_mut::<libc::pid_t>(),
            ptr::null_mut::<c_void>(),
            shared.present.as_ptr(),
        )
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    let entry = if before(pid) { ENTER } else { LEAVE };
    shared.entry.store(entry, Ordering::Release);
    wake(&shared.entry);
    // The kernel wakes with FUTEX_WAKE and without FUTEX_PRIVATE_FLAG (kernel/fork.c, mm_release),
    // so the wait must be without that flag too.
    while shared.present.load(Ordering::Acquire) != 0 {
        wait(&shared.present, 1, libc::FUTEX_WAIT);
    }
    Ok(entry == LEAVE || shared.done.load(Ordering::Acquire))
}

fn alternative_stack() -> crate::Result<libc::stack_t> {
    let mut found = MaybeUninit::uninit();
    // SAFETY: the kernel writes the whole structure if it succeeds.
    unsafe {
        Errno::result(libc::sigaltstack(ptr::null(), found.as_mut_ptr()))?;
        Ok(found.assume_init())
    }
}

extern "C" fn enter<F: FnOnce()>(shared: *mut c_void) -> c_int {
    // SAFETY: the parent has passed this address, and waits for our end before it lets go of it.
    let shared = unsafe { &*shared.cast::<SharedState<F>>() };
    if nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).is_err() {
        exit_now(1)
    }
    // SAFETY: it belongs to this thread, of which the child and its copies are continuations.
    unsafe { libc::sigaltstack(&raw const shared.alternative, ptr::null_mut()) };
    crate::thread::rseq::register();
    while shared.entry.load(Ordering::Acquire) == WAIT {
        wait(
            &shared.entry,
            WAIT,
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
        );
    }
    if shared.entry.load(Ordering::Acquire) == ENTER
        && let Some(work) = shared.work.take()
        && catch_unwind(AssertUnwindSafe(work)).is_ok()
    {
        shared.done.store(true, Ordering::Release);
    }
    exit_now(0)
}

/// Waits until another process wakes this one, unless the word already differs from `expected`.
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
