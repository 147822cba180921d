//! Signals of a process that stands between a caller and a program, and that neither should notice.
//!
//! Such a process takes signals for the program, stops when the program stops, and ends as the
//! program has ended, so that a shell sees what it would have seen of the program.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask,
};
use nix::unistd::{Pid, execvp, getpgid, getpgrp, setpgid};

use super::{BlockedSignals, Mask, SignalFd, unblock_all};
use crate::process::{exit_now, limits};

/// Descriptors of stdin, stdout and stderr.
const STANDARD: [i32; 3] = [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO];

/// Whether this program was started with SIGPIPE ignored. std ignores that signal before `main`
/// (`library/std/src/rt.rs`), and nothing tells afterwards what the caller had wanted.
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);

/// A bit for each of stdin, stdout and stderr that was closed when this program was started. std
/// opens /dev/null in their places before `main` (`library/std/src/sys/pal/unix/mod.rs`,
/// `sanitize_standard_fds`).
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// Remembers how this program was started. Must be called before `main`.
pub fn remember_caller() {
    let closed = STANDARD.map(|fd| {
        // SAFETY: a query by number, which touches no memory.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        u8::from(flags == -1) << fd
    });
    CLOSED.store(closed.into_iter().sum(), Ordering::Relaxed);
    // SAFETY: the structure is ours, lives across the call, and nothing is set.
    let ignored = unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        let done = libc::sigaction(libc::SIGPIPE, ptr::null(), &raw mut now);
        done == 0 && now.sa_sigaction == libc::SIG_IGN
    };
    PIPE_IGNORED.store(ignored, Ordering::Relaxed);
}

/// Returns which of stdin, stdout and stderr the caller of this program has left closed, a bit
/// each.
pub fn closed_by_caller() -> u8 {
    CLOSED.load(Ordering::Relaxed)
}

/// Closes what the caller of this program has left closed. Nobody may use these descriptors from
/// then on.
fn close_as_caller() {
    let closed = CLOSED.load(Ordering::Relaxed);
    for fd in STANDARD.into_iter().filter(|fd| closed & 1 << fd != 0) {
        // SAFETY: std has put /dev/null there, and this process becomes another program at once.
        unsafe { libc::close(fd) };
    }
}

/// Signals that a process may get from its caller, its terminal, or whoever knows its number.
pub const PASSED_ON: [Signal; 12] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// Becomes a program, which finds the blocked signals, the SIGPIPE and the closed descriptors that
/// the caller of this program has left. Returns only if that fails.
///
/// # Errors
/// The kernel refused to run the program (`execve(2)`), or none of that name is in `PATH`.
pub fn become_program(words: &[CString], blocked: &BlockedSignals) -> crate::Result<Infallible> {
    let program = words.first().ok_or(Errno::ENOENT)?;
    if !PIPE_IGNORED.load(Ordering::Relaxed) {
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        // SAFETY: the default disposition runs no code of ours.
        unsafe { sigaction(Signal::SIGPIPE, &default) }?;
    }
    // Limit and mask belong to the trial, and a program would not expect them (execve(2) keeps
    // limits).
    limits::give_back_open_files()?;
    blocked.restore()?;
    close_as_caller();
    execvp(program, words)
}

/// Starts a program as a child, which finds the blocked signals, the SIGPIPE and the closed
/// descriptors that the caller of this program has left.
///
/// # Errors
/// As of [`Command::spawn`].
pub fn spawn_program(command: &mut Command, blocked: &BlockedSignals) -> io::Result<Child> {
    let blocked = blocked.0;
    let prepare = move || {
        // std sets the default in every child (`library/std/src/sys/process/unix/unix.rs`).
        if PIPE_IGNORED.load(Ordering::Relaxed) {
            let ignored = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
            // SAFETY: SIG_IGN runs no code of ours.
            unsafe { sigaction(Signal::SIGPIPE, &ignored) }?;
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&blocked), None)?;
        close_as_caller();
        Ok(())
    };
    // SAFETY: all calls are safe between fork and exec (signal-safety(7)).
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

/// Returns whether this program was started with SIGPIPE ignored.
pub fn was_started_without_pipe() -> bool {
    PIPE_IGNORED.load(Ordering::Relaxed)
}

/// Takes a signal that is blocked and waits for this process. Returns whether there was one.
pub fn take_pending(number: i32) -> bool {
    take_one_of(1 << (number.cast_unsigned() - 1)) == Some(number)
}

/// Takes all of [`PASSED_ON`] that wait for this process, which blocks them.
pub fn take_all_pending() {
    // The kernel keeps a signal that is blocked until the process takes it (signal(7)), and the
    // process would take it for a later one.
    let all = PASSED_ON.iter();
    let all = all.fold(0, |all: Mask, signal| all | 1 << (*signal as u32 - 1));
    while take_one_of(all).is_some() {}
}

/// Takes one of these signals, which are blocked, and returns its number if one waits.
fn take_one_of(signals: Mask) -> Option<i32> {
    let now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the set and the time live across the call, and the size is the set's own.
    let taken = unsafe {
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            &raw const signals,
            ptr::null_mut::<libc::siginfo_t>(),
            &raw const now,
            size_of::<Mask>(),
        )
    };
    i32::try_from(taken).ok().filter(|number| *number > 0)
}

/// Returns whether a signal of the terminal that stops a process is blocked and waits for this
/// process.
pub fn is_stop_pending() -> bool {
    is_one_pending(&[libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU])
}

/// Returns whether a signal by which people and supervisors end a program is blocked and waits for
/// this process.
pub fn is_end_pending() -> bool {
    is_one_pending(&[libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT])
}

fn is_one_pending(signals: &[i32]) -> bool {
    // SAFETY: all zero is a valid set, which the kernel overwrites.
    unsafe {
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut pending) == 0
            && signals
                .iter()
                .any(|number| libc::sigismember(&raw const pending, *number) == 1)
    }
}

/// Returns whether a process is in the process group of this one.
pub fn is_in_our_group(process: Pid) -> bool {
    // In a PID namespace below that of the group's leader both are 0 (pid_namespaces(7)).
    getpgid(Some(process)).is_ok_and(|group| group == getpgrp())
}

/// Stops this process by a signal as its default disposition does, whether it is blocked or not.
/// Returns when the process goes on.
///
/// Whoever calls this function has seen another process of its group stop.
pub fn stop_by(number: i32) {
    let Ok(signal) = Signal::try_from(number) else {
        return;
    };
    await_signals_to_groups();
    let _ = super::raise(signal);
    // A signal that waits already merges with the one raised (signal(7)), so that the process stops
    // once. The kernel does not stop a process by SIGTSTP whose group nobody could continue, just
    // as it did not stop the program then (POSIX, "orphaned process group").
    let only: SigSet = [signal].into_iter().collect();
    let mut before = SigSet::empty();
    if sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&only), Some(&mut before)).is_ok() {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }
}

/// Waits until every signal that is on its way to a process group has come to all members.
///
/// The kernel gives a signal of the terminal to one member after the other (kernel/signal.c,
/// `kill_pgrp`), and may be interrupted in between. Another member may have stopped and been
/// continued meanwhile, and this process would stop once more by the SIGTSTP that comes late.
pub fn await_signals_to_groups() {
    // The kernel holds `tasklist_lock` for reading while it does so, and takes that lock for
    // writing here (kernel/sys.c, setpgid). No group has this number (linux/threads.h,
    // PID_MAX_LIMIT), so that the call does nothing else.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(i32::MAX));
}

/// Ends this process by a signal, without a core file.
pub fn die_by(number: i32) -> ! {
    // The program has left a core file already, if any.
    let _ = limits::forbid_core_files();
    // SAFETY: SIG_DFL runs no code of ours.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
    let _ = unblock_all();
    // The shells' code for a death by signal, where the kernel lets this process live.
    exit_now(128 + number)
}

impl SignalFd {
    /// Returns the number of the next signal, and whether it is one of the terminal. The kernel
    /// sends those to the whole process group (`drivers/tty/n_tty.c`, `isig`).
    pub fn next_with_origin(&self) -> Option<(i32, bool)> {
        let info = self.read()?;
        let is_of_terminal = info.ssi_code == libc::SI_KERNEL;
        Some((info.ssi_signo.cast_signed(), is_of_terminal))
    }

    /// Returns the number of the next signal, and the id of the process that has sent it: 0 where
    /// the sender is not in the PID namespace of this process.
    pub fn next_with_sender(&self) -> Option<(i32, u32)> {
        let info = self.read()?;
        Some((info.ssi_signo.cast_signed(), info.ssi_pid))
    }
}
