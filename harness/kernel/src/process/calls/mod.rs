//! System calls at which a program is stopped, by `ptrace(2)`.
//!
//! | file | role |
//! |---|---|
//! | `family` | names that stand for several system calls |
//! | `table` | names and numbers of system calls, and what each of them is about |
//! | `tracee` | single calls of ptrace(2) |
//! | `watch` | the processes and threads of a program that is watched |

mod family;
mod table;
mod tracee;
mod watch;

pub use family::{CallFamily, known_names};
pub use watch::{CallEvent, CallWatch};
