//! Processes: how they start, how they end, and what belongs to each.
//!
//! A trial starts with a fork and no `exec`, so what libc's `fork` and std's runtime do for every
//! process is done here only as far as it is needed: each touched page costs the copy of a page.
//!
//! | file | role |
//! |---|---|
//! | `before_main` | functions that run before `main` |
//! | `calls/` | system calls at which a program stops |
//! | `clock/` | the time of day that programs see |
//! | `clone` | a child in new namespaces, by `clone3` |
//! | `control` | parent-death signal, subreaper, process group, working directory |
//! | `enter` | a child in the namespaces of another process |
//! | `environment` | environment variables |
//! | `exit/` | how a process ends, and how others have ended |
//! | `fork` | a copy of this process, and its end |
//! | `leaks` | what LeakSanitizer has to know of a fork |
//! | `limits` | resource limits |
//! | `memory/` | memory that children share, and memory that forks do not get |
//! | `number_counter` | the counter by which processes are numbered |
//! | `pidfd` | processes by descriptors |
//! | `profile` | profiles of LLVM's coverage |
//! | `reap` | children that have ended |
//! | `seccomp` | filters on system calls |
//! | `signal` | signals as descriptors, dispositions, stack traces |
//! | `surroundings` | what a process has from whoever started it |
//! | `user` | user, groups and capabilities of a process |
//! | `user_database` | users by name and by id |
//! | `valgrind` | whether Valgrind runs this process |

pub mod before_main;
pub mod calls;
pub mod clock;
pub mod clone;
mod control;
mod enter;
mod environment;
mod exit;
mod fork;
pub mod leaks;
pub mod limits;
mod memory;
mod number_counter;
mod pidfd;
pub mod profile;
mod reap;
pub mod seccomp;
pub mod signal;
pub mod surroundings;
pub mod user;
mod user_database;
pub mod valgrind;

pub use control::{
    become_dumpable, become_subreaper, chdir, die_with_parent, end_of_numbers, execve,
    join_process_group, kernel_release, lead_process_group, lead_session, outlive_parent,
    process_group, session,
};
pub use enter::fork_into;
pub use environment::{remove_env, set_env};
pub use exit::{exit_handlers, exit_kind};
pub use fork::{end_with_this_thread, exit_now, fork, never_return};
pub use limits::raise_open_files;
#[doc(hidden)]
pub use memory::linked::LinkedSlice;
pub use memory::{SharedNote, WipedInForks, reader, shared_memory_child, wipe_in_forks};
pub use nix::unistd::{ForkResult, Pid};
pub use number_counter::NumberCounter;
pub use pidfd::{pid_of, pidfd_kill, pidfd_open};
pub use reap::{
    Reaped, await_childless, is_stop_of_child_untold, next_stop, reap, stop_of_child,
    wait_for_child, wait_for_child_of,
};
