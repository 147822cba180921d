//! Processes: how they start, how they end, and what belongs to each.
//!
//! A trial starts with a fork and no `exec`, so what libc's `fork` and std's runtime do for every
//! process is done here only as far as it is needed: each touched page costs the copy of a page.
//!
//! | file | role |
//! |---|---|
//! | `before_main` | functions that run before `main` |
//! | `clone` | a child in new namespaces, by `clone3` |
//! | `control` | parent-death signal, subreaper, process group, numbers, working directory |
//! | `environment` | environment variables |
//! | `exit_kind` | how a process ended, in words |
//! | `fork` | a copy of this process, and its end |
//! | `leaks` | what LeakSanitizer has to know of a fork |
//! | `limits` | resource limits |
//! | `pidfd` | processes by descriptors |
//! | `profile` | profiles of LLVM's coverage |
//! | `reap` | children that have ended |
//! | `seccomp` | filters on system calls |
//! | `shared_memory_child` | a child in the memory of its parent, as after `vfork` |
//! | `shared_note` | a message to the parent without a descriptor |
//! | `signal` | signals as descriptors, dispositions, stack traces |
//! | `user` | user, groups and capabilities of a process |
//! | `valgrind` | whether Valgrind runs this process |

pub mod before_main;
pub mod clone;
mod control;
mod environment;
pub mod exit_kind;
mod fork;
pub mod leaks;
pub mod limits;
mod pidfd;
pub mod profile;
mod reap;
pub mod seccomp;
pub mod shared_memory_child;
mod shared_note;
pub mod signal;
pub mod user;
pub mod valgrind;

pub use control::{
    become_dumpable, become_subreaper, chdir, die_with_parent, end_of_numbers, execve,
    kernel_release, lead_process_group, number_next_process,
};
pub use environment::{remove_env, set_env};
pub use fork::{end_with_this_thread, exit_now, fork, never_return};
pub use limits::raise_open_files;
pub use nix::unistd::{ForkResult, Pid};
pub use pidfd::{pid_of, pidfd_kill, pidfd_open};
pub use reap::{Reaped, reap, wait_for_child};
pub use shared_note::SharedNote;
