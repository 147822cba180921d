//! `clone3` without `exec`, for callers whose memory has no other thread that is awake.
//!
//! glibc's `fork` knows nothing of namespaces, and `unshare` cannot make the caller a member of a
//! new PID namespace, only its children (`pid_namespaces(7)`). So the system call is made directly,
//! which is only sound where no other thread could hold a lock at that moment.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;

use super::valgrind;
use crate::procfs::text_of;

/// The side of the fork on which the caller is.
pub enum Cloned {
    /// The new process.
    Child,
    /// The caller.
    Parent {
        /// Id of the child in the caller's PID namespace.
        pid: i32,
        /// Descriptor of the child, readable when the child has exited.
        pidfd: OwnedFd,
    },
}

/// Forks into the namespaces that `flags` name. The child starts as a copy of the caller, and
/// signals `SIGCHLD` when it ends.
///
/// # Errors
/// `EPERM` without the privilege, `ENOSPC` if the kernel permits no more namespaces (`clone(2)`).
pub fn clone_into(flags: CloneFlags) -> io::Result<Cloned> {
    clone(flags, libc::SIGCHLD)
}

/// Forks into the namespaces that `flags` name, a child of the caller's parent.
///
/// # Errors
/// As [`clone_into`]; `EINVAL` if the caller is the init of a PID namespace.
pub fn clone_sibling(flags: CloneFlags) -> io::Result<Cloned> {
    // With CLONE_PARENT the child signals its end as the caller does. clone3 refuses another signal
    // (clone(2), EINVAL).
    clone(flags | CloneFlags::CLONE_PARENT, 0)
}

fn clone(flags: CloneFlags, exit_signal: i32) -> io::Result<Cloned> {
    debug_assert!(single_threaded(), "clone_into called with threads running");
    let mut pidfd: RawFd = -1;
    let flags = flags.bits() as u32 as u64 | libc::CLONE_PIDFD as u64;
    let mut args = CloneArgs {
        flags,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: exit_signal as u64,
        ..CloneArgs::default()
    };
    // SAFETY: the arguments live across the call; no stack is given, so the child runs on a copy of
    // ours; every other thread of this memory sleeps, so no lock is held by a thread that is lost.
    let mut pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    // Container engines answer ENOSYS to clone3, whose flags a seccomp filter cannot read: they are
    // in memory. libc then falls back to clone, and so does this. Valgrind answers in the same way,
    // and would end the program for its clone.
    let is_unknown = pid < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS);
    if is_unknown && valgrind::runs_this_process() {
        return Err(io::Error::from_raw_os_error(libc::ENOSYS));
    }
    if is_unknown {
        // SAFETY: as above; the order of the arguments is that of x86_64 and aarch64 alike
        // for the three that are given, and the others are unused without their flags.
        pid = unsafe {
            libc::syscall(
                libc::SYS_clone,
                flags | exit_signal as u64,
                0usize,
                &raw mut pidfd,
                0usize,
                0usize,
            )
        };
    }
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Cloned::Child),
        pid => Ok(Cloned::Parent {
            pid: pid as i32,
            // SAFETY: the kernel has just made this descriptor for us (CLONE_PIDFD).
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    }
}

/// `struct clone_args` of `linux/sched.h`, in the first version (64 bytes, Linux 5.3).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// Tells whether this process has one thread only.
pub fn single_threaded() -> bool {
    has_one_thread_by_links()
        || match std::fs::read_dir("/proc/self/task") {
            Ok(tasks) => tasks.count() == 1,
            Err(_) => true,
        }
}

/// Returns whether the directory of threads says by its number of links that there is one thread
/// only: a single call.
pub(super) fn has_one_thread_by_links() -> bool {
    // A directory has a link from itself, one from its parent and one from each directory in it:
    // here, one for each thread (fs/proc/base.c, proc_task_getattr).
    const ONE_THREAD: u64 = 3;
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == ONE_THREAD)
}

/// Returns the names of all threads of this process but the first, as the kernel has them: at most
/// 15 bytes, and the name of the first where a thread was given none (`proc(5)`, `/proc/pid/comm`).
///
/// A thread of std gives itself its name when it runs for the first time. So this
/// function waits for a moment, until every thread without a name sleeps or has ended.
pub fn other_threads() -> Vec<String> {
    /// Time after which a thread without a name is not waited for: it may be busy for ever.
    const PATIENCE: Duration = Duration::from_secs(1);
    let patience = Instant::now() + PATIENCE;
    loop {
        let threads = threads();
        let (first, others): (Vec<_>, Vec<_>) = threads.into_iter().partition(|it| it.is_first);
        let unnamed = |it: &Thread| first.iter().any(|first| first.name == it.name);
        let settled = !others.iter().any(|it| it.runs && unnamed(it));
        if settled || Instant::now() > patience {
            return others.into_iter().map(|it| it.name).collect();
        }
        std::thread::yield_now();
    }
}

/// A thread of this process.
struct Thread {
    name: String,
    is_first: bool,
    /// The thread is on a processor, or waits for one.
    runs: bool,
}

fn threads() -> Vec<Thread> {
    let first = std::process::id().to_string();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    tasks
        .flatten()
        .filter_map(|task| {
            let stat = text_of(task.path().join("stat")).ok()?;
            // The name stands in brackets, and may contain any other bracket itself.
            let (before, after) = stat.rsplit_once(')')?;
            Some(Thread {
                name: before.split_once('(')?.1.to_owned(),
                is_first: *task.file_name() == *first,
                runs: after.trim_start().starts_with('R'),
            })
        })
        .collect()
}
