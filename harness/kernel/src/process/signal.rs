//! Signals as descriptors, and their default dispositions.
//!
//! What every trial does is done by bare system calls: libc's own functions lie on pages that each
//! process would have to be given first.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, signal, sigprocmask};
pub use nix::sys::signal::{Signal, kill, raise};

/// Signals that wait to be read.
///
/// The descriptor stays good across `fork`: whoever reads it reads its own signals.
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Blocks `signals` for this process and its children, to be read from here.
    pub fn of(signals: &[Signal]) -> nix::Result<SignalFd> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the set lives across the call.
        let fd = Errno::result(unsafe { libc::signalfd(-1, set.as_ref(), flags) })?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(SignalFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The number of the next signal, if one has come.
    pub fn next(&self) -> Option<i32> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of_val(&info);
        // SAFETY: the kernel writes at most as much as there is room for.
        let read = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        // SAFETY: what was read is whole, for it is never read in parts.
        (read > 0).then(|| unsafe { info.assume_init() }.ssi_signo.cast_signed())
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The signals that the calling thread blocked at some moment.
#[derive(Debug)]
pub struct BlockedSignals(SigSet);

impl BlockedSignals {
    /// Returns the signals that the calling thread blocks now.
    ///
    /// # Errors
    /// The kernel refused to tell.
    pub fn current() -> nix::Result<Self> {
        let mut blocked = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_SETMASK, None, Some(&mut blocked))?;
        Ok(Self(blocked))
    }

    /// Makes the calling thread block just these signals again.
    ///
    /// # Errors
    /// The kernel refused the change.
    pub fn restore(&self) -> nix::Result<()> {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None)
    }
}

/// The kernel's set of signals: a bit each. Its size goes with every call.
type Mask = u64;

/// Unblocks every signal.
pub fn unblock_all() -> nix::Result<()> {
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

/// Lets the kernel reap children: no zombies, no `wait`.
pub fn ignore_children() -> nix::Result<()> {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.map(drop)
}

/// Gives back the default disposition of `SIGCHLD`, so that children can be waited for.
pub fn default_children() -> nix::Result<()> {
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
pub fn wait_for(signal: Signal) -> nix::Result<()> {
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

/// The signal that makes a test body write down where it stands: far from those that programs use.
fn trace_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// Asks the test body `pid` to write down where it stands.
pub fn send_trace(pid: nix::unistd::Pid) -> nix::Result<()> {
    // SAFETY: no pointers.
    Errno::result(unsafe { libc::kill(pid.as_raw(), trace_signal()) }).map(drop)
}

static TRACE: OnceLock<fn()> = OnceLock::new();

/// From now on the trace signal makes the first thread of this process, or of a copy of it, run
/// `trace`, wherever it is.
///
/// `trace` may allocate, which a signal handler must not: it may deadlock. It runs once, in a
/// process that has hung and is about to be killed, with a time limit kept by somebody else.
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
        if libc::gettid() != first {
            libc::syscall(libc::SYS_tgkill, first, first, number);
            return;
        }
    }
    if let Some(trace) = TRACE.get() {
        trace();
    }
}
