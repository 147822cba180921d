//! Settings of a process that the kernel keeps: its parent's death, orphans, its group, the numbers
//! of its children.

use nix::sys::prctl;
use nix::unistd::{Pid, setpgid};

use super::signal::Signal;
use crate::fixed_str::FixedStr;
use crate::{Result, fd};

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
    let text = std::fs::read_to_string("/proc/sys/kernel/pid_max").ok()?;
    text.trim().parse().ok()
}

/// Makes the next process in the PID namespace of this process get `number`, if the number is free,
/// and those after it the next numbers.
///
/// # Errors
/// `EPERM` without `CAP_CHECKPOINT_RESTORE` in the owner of the PID namespace; `EINVAL` for a
/// number beyond the largest; `ENOENT` on a kernel without CONFIG_CHECKPOINT_RESTORE
/// (`kernel/pid_namespace.c`, `pid_ns_ctl_handler`).
pub fn number_next_process(number: u32) -> Result<()> {
    // The file has the last number that was given.
    let last = FixedStr::<10>::of(format_args!("{}", number.saturating_sub(1)));
    fd::write_file(c"/proc/sys/kernel/ns_last_pid", &last)
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

/// Returns the release of the running kernel, such as `6.8.0-45-generic`.
pub fn kernel_release() -> Option<String> {
    let name = nix::sys::utsname::uname().ok()?;
    Some(name.release().to_string_lossy().into_owned())
}
