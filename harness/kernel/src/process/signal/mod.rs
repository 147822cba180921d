//! Signals as descriptors, their default dispositions, and the signal for stack traces.
//!
//! A signal handler may do almost nothing (`signal-safety(7)`), so signals are blocked and read
//! from a descriptor. What every trial does is done by bare system calls: libc's own functions are
//! on pages that each forked process would have to fault in first.
#![allow(unsafe_code)]

mod aborts;
mod passing;

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::OnceLock;

pub use aborts::{forget_aborts, on_abort};
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, signal, sigprocmask};
pub use nix::sys::signal::{Signal, kill, raise};
pub use passing::{
    PASSED_ON, await_signals_to_groups, become_program, closed_by_caller, die_by, is_end_pending,
    is_in_our_group, is_stop_pending, remember_caller, spawn_program, stop_by, take_all_pending,
    take_pending, was_started_without_pipe,
};

/// A descriptor from which signals are read.
///
/// The descriptor works across `fork`: each process that reads it gets its own signals
/// (`signalfd(2)`).
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Blocks `signals` for the calling thread and its children, and makes a descriptor for them.
    ///
    /// # Errors
    /// There are too many descriptors.
    pub fn of(signals: &[Signal]) -> crate::Result<SignalFd> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the set lives across the call.
        let fd = Errno::result(unsafe { libc::signalfd(-1, set.as_ref(), flags) })?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(SignalFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Returns the number of the next signal, if one has come.
    pub fn next(&self) -> Option<i32> {
        Some(self.read()?.ssi_signo.cast_signed())
    }

    fn read(&self) -> Option<libc::signalfd_siginfo> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of_val(&info);
        // SAFETY: the kernel writes at most as much as there is room for.
        let read = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        // SAFETY: what was read is whole, for it is never read in parts.
        (read > 0).then(|| unsafe { info.assume_init() })
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The signals that the calling thread blocked at some moment.
#[derive(Clone, Debug)]
pub struct BlockedSignals(SigSet);

impl BlockedSignals {
    /// Returns the signals that the calling thread blocks now.
    ///
    /// # Errors
    /// The kernel refused to tell.
    pub fn current() -> crate::Result<Self> {
        let mut blocked = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_SETMASK, None, Some(&mut blocked))?;
        Ok(Self(blocked))
    }

    /// Makes the calling thread block just these signals again.
    ///
    /// # Errors
    /// The kernel refused the change.
    pub fn restore(&self) -> crate::Result<()> {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None)
    }
}

/// The kernel's set of signals, one bit each. libc's `sigset_t` is larger, so each system call is
/// told the size.
type Mask = u64;

/// Unblocks every signal for the calling thread.
///
/// # Errors
/// Does not happen for valid arguments.
pub fn unblock_all() -> crate::Result<()> {
    let none: Mask = 0;
    // SAFETY: the set lives across the call, and the size is its own.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const none,
            ptr::null_mut::<Mask>(),
            size_of::<Mask>(),
        )
    };
    Errno::result(done).map(drop)
}

/// Makes the kernel reap children by itself, so that none becomes a zombie (`wait(2)`, notes).
///
/// # Errors
/// Does not happen for valid arguments.
pub fn ignore_children() -> crate::Result<()> {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.map(drop)
}

/// Sets the default disposition of `SIGCHLD`, so that children can be waited for.
///
/// # Errors
/// Does not happen for valid arguments.
pub fn default_children() -> crate::Result<()> {
    // `struct sigaction` as the kernel has it: all zero is SIG_DFL, no flags, and an empty mask.
    let default = [0u64; 4];
    // SAFETY: the structure lives across the call and is no shorter than the kernel's.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            libc::SIGCHLD,
            &raw const default,
            ptr::null_mut::<u64>(),
            size_of::<Mask>(),
        )
    };
    Errno::result(done).map(drop)
}

/// Waits for `signal`, which must be blocked.
///
/// # Errors
/// Does not happen for valid arguments.
pub fn wait_for(signal: Signal) -> crate::Result<()> {
    let only: Mask = 1 << (signal as u32 - 1);
    loop {
        // SAFETY: the set lives across the call, and the size is its own; nothing is written.
        let done = unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const only,
                ptr::null_mut::<libc::siginfo_t>(),
                ptr::null::<libc::timespec>(),
                size_of::<Mask>(),
            )
        };
        match Errno::result(done) {
            Err(Errno::EINTR) => {}
            done => return done.map(drop),
        }
    }
}

/// Returns the signal that makes a test body write a stack trace.
fn trace_signal() -> i32 {
    // Real-time signals at the upper end are those that programs use least.
    libc::SIGRTMAX() - 3
}

/// Asks the test body `pid` to write a stack trace.
///
/// # Errors
/// `ESRCH` if there is no such process.
pub fn send_trace(pid: nix::unistd::Pid) -> crate::Result<()> {
    // SAFETY: no pointers.
    Errno::result(unsafe { libc::kill(pid.as_raw(), trace_signal()) }).map(drop)
}

static TRACE: OnceLock<fn()> = OnceLock::new();

/// Makes the trace signal run `trace` on the first thread of this process, or of a copy of this
/// process.
///
/// `trace` may allocate, which a signal handler must not do: it may deadlock. It runs once, in a
/// process that hangs and is about to be killed, and another process keeps the time limit.
pub fn on_trace_signal(trace: fn()) {
    let _ = TRACE.set(trace);
    // SAFETY: the structure is plain data; the handler has the signature for no SA_SIGINFO.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_trace as extern "C" fn(i32) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(trace_signal(), &raw const action, ptr::null_mut());
    }
}

extern "C" fn on_trace(number: i32) {
    // SAFETY: plain system calls without pointers.
    unsafe {
        let first = libc::getpid();
        // A signal for the process goes to any thread that does not block it (signal(7)), and the
        // test runs on the first thread.
        if libc::gettid() != first {
            libc::syscall(libc::SYS_tgkill, first, first, number);
            return;
        }
    }
    if let Some(trace) = TRACE.get() {
        trace();
    }
}
