//! Processes and threads: how they start, how they end, and what belongs to each.
//!
//! | file | role |
//! |---|---|
//! | `before_main` | functions that run before `main` |
//! | `clone` | a child in new namespaces, by `clone3` |
//! | `environment` | environment variables |
//! | `exit_kind` | how a process ended, in words |
//! | `fork` | a copy of this process, and its end |
//! | `limits` | resource limits |
//! | `pidfd` | processes by descriptors |
//! | `profile` | profiles of LLVM's coverage |
//! | `reap` | children that have ended |
//! | `rseq` | restartable sequences of a copied thread |
//! | `scoped_worker` | a thread that works on borrowed values |
//! | `shared_memory_child` | a child in the memory of its parent, as after `vfork` |
//! | `sigaltstack` | stack overflows of a thread that std did not start |
//! | `signal` | signals as descriptors, dispositions, stack traces |
//! | `thread` | what a thread hands down to the threads that it starts |

pub mod before_main;
pub mod clone;
mod environment;
pub mod exit_kind;
mod fork;
mod limits;
mod pidfd;
pub mod profile;
mod reap;
pub mod rseq;
pub mod scoped_worker;
pub mod shared_memory_child;
pub mod sigaltstack;
pub mod signal;
pub mod thread;

pub use environment::{remove_env, set_env};
pub use fork::{end_with_this_thread, exit_now, flush_c_streams, fork, never_return};
pub use limits::raise_open_files;
pub use pidfd::{pidfd_kill, pidfd_open};
pub use reap::{Reaped, reap};
