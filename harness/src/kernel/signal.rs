//! Signals as descriptors, and their default dispositions.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Blocks `signals` for this process and its children and returns a descriptor to read them from.
///
/// The descriptor stays good across `fork`: whoever reads it reads its own signals.
pub(crate) fn read_as_fd(signals: &[Signal]) -> nix::Result<SignalFd> {
    let set: SigSet = signals.iter().copied().collect();
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// Unblocks every signal.
pub(crate) fn unblock_all() -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Lets the kernel reap children: no zombies, no `wait`.
pub(crate) fn ignore_children() -> nix::Result<()> {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.map(drop)
}

/// Gives back the default disposition of `SIGCHLD`, so that children can be waited for.
pub(crate) fn default_children() -> nix::Result<()> {
    // SAFETY: SIG_DFL runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.map(drop)
}

/// Whether something can be read from `fd` right now.
pub(crate) fn is_readable(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut polled = [PollFd::new(fd, PollFlags::POLLIN)];
    matches!(poll(&mut polled, PollTimeout::ZERO), Ok(n) if n > 0)
}

/// Waits for `signal`, which must be blocked.
pub(crate) fn wait_for(signal: Signal) -> nix::Result<()> {
    let set: SigSet = [signal].into_iter().collect();
    loop {
        match set.wait() {
            Err(nix::errno::Errno::EINTR) => {}
            done => return done.map(drop),
        }
    }
}

/// The signal that makes a test body write down where it stands: far from those that programs use.
fn trace_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// Asks the test body `pid` to write down where it stands.
pub(crate) fn send_trace(pid: nix::unistd::Pid) -> nix::Result<()> {
    // SAFETY: no pointers.
    nix::errno::Errno::result(unsafe { libc::kill(pid.as_raw(), trace_signal()) }).map(drop)
}

static TRACED_THREAD: AtomicI32 = AtomicI32::new(0);
static TRACE: OnceLock<fn()> = OnceLock::new();

/// From now on the trace signal makes the calling thread run `trace`, wherever it is.
///
/// `trace` may allocate, which a signal handler must not: it may deadlock. It runs once, in a
/// process that has hung and is about to be killed, with a time limit kept by somebody else.
pub(crate) fn trace_this_thread(trace: fn()) {
    let _ = TRACE.set(trace);
    // SAFETY: `gettid` has no precondition.
    TRACED_THREAD.store(unsafe { libc::gettid() }, Ordering::Relaxed);
    // SAFETY: the structure is plain data; the handler has the signature for no SA_SIGINFO.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_trace as extern "C" fn(i32) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(trace_signal(), &raw const action, std::ptr::null_mut());
    }
}

extern "C" fn on_trace(number: i32) {
    let traced = TRACED_THREAD.load(Ordering::Relaxed);
    // SAFETY: plain system calls without pointers.
    unsafe {
        if libc::gettid() != traced {
            libc::syscall(libc::SYS_tgkill, libc::getpid(), traced, number);
            return;
        }
    }
    if let Some(trace) = TRACE.get() {
        trace();
    }
}
