//! Settings of a process that the kernel keeps: its parent's death, orphans, its group.

use nix::sys::prctl;
use nix::unistd::{Pid, setpgid};

use super::signal::Signal;
use crate::Result;

pub use nix::unistd::{chdir, execve};

/// Makes the kernel kill this process when the thread that made the process ends.
///
/// The setting is lost when the process changes its user (`prctl(2)`, `PR_SET_PDEATHSIG`).
///
/// # Errors
/// The kernel refused the setting.
pub fn die_with_parent() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)
}

/// Makes the kernel let this process live when its parent ends.
///
/// # Errors
/// The kernel refused the setting.
pub fn outlive_parent() -> Result<()> {
    prctl::set_pdeathsig(None)
}

/// Makes this process the leader of a session of its own, out of reach of the terminal and of
/// signals to the group of its parent.
///
/// # Errors
/// The process leads a process group.
pub fn lead_session() -> Result<()> {
    nix::unistd::setsid().map(drop)
}

/// Makes this process the parent of all its descendants whose parents end.
///
/// # Errors
/// The kernel refused the setting.
pub fn become_subreaper() -> Result<()> {
    prctl::set_child_subreaper(true)
}

/// Lets processes of the same user look into `/proc/PID` of this process again.
///
/// # Errors
/// The kernel refused the setting.
pub fn become_dumpable() -> Result<()> {
    prctl::set_dumpable(true)
}

/// Returns the number below which the kernel numbers processes in the PID namespace of this process
/// (`proc_sys_kernel(5)`, `pid_max`), if `/proc` tells.
pub fn end_of_numbers() -> Option<u32> {
    crate::procfs::sysctls::number("kernel/pid_max")?
        .try_into()
        .ok()
}

/// Makes this process the leader of a process group of its own.
///
/// # Errors
/// The process leads a session.
pub fn lead_process_group() -> Result<()> {
    // 0 stands for the calling process in both places (setpgid(2)).
    let this = Pid::from_raw(0);
    setpgid(this, this)
}

/// Makes this process a member of a process group of its session.
///
/// # Errors
/// `EPERM` if there is no such group in the session, or the process leads a session.
pub fn join_process_group(group: i32) -> Result<()> {
    // 0 stands for the calling process. The number is one of its own PID namespace
    // (kernel/sys.c, setpgid).
    setpgid(Pid::from_raw(0), Pid::from_raw(group))
}

/// Returns the process group of this process.
pub fn process_group() -> i32 {
    nix::unistd::getpgrp().as_raw()
}

/// Returns the session of this process.
///
/// # Errors
/// Does not happen for the calling process.
pub fn session() -> Result<i32> {
    nix::unistd::getsid(None).map(Pid::as_raw)
}

/// Returns the release of the running kernel, such as `6.8.0-45-generic`.
pub fn kernel_release() -> Option<String> {
    let name = nix::sys::utsname::uname().ok()?;
    Some(name.release().to_string_lossy().into_owned())
}
