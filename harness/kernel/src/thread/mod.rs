//! What belongs to a thread and not to its process, and is missing in a copy of the thread.
//!
//! A test body runs on a copy of a zygote's thread, in a process without the other threads. libc,
//! the kernel and Rust's runtime set things up when they start a thread; for a copy this module
//! does.
//!
//! | file | role |
//! |---|---|
//! | `erased` | work whose type is forgotten on its way to another thread |
//! | `escort` | a thread that may enter namespaces where the others may not |
//! | `processor` | the processor on which a thread runs |
//! | `rseq` | restartable sequences of a copied thread |
//! | `scoped_worker` | a thread that works on borrowed values |
//! | `sigaltstack` | stack overflows of a thread that std did not start |
//! | `stack_overflow` | notice of stack overflows, before std turns them into aborts |
//! | `unwinding` | notice of unwindings, whatever panic hook there is |
//! | `start` | the start of a thread with a name |
//! | `traits` | capabilities, signal mask, umask and name of a thread |

mod erased;
pub mod escort;
pub mod processor;
pub mod rseq;
pub mod scoped_worker;
pub mod sigaltstack;
pub mod stack_overflow;
mod start;
mod traits;
pub mod unwinding;

pub use erased::erased;
pub use start::start;
pub use traits::{
    FirstThread, ThreadTraits, go_home, set_umask, show_as, show_as_before, shown_as, umask,
};
pub(crate) use traits::{capabilities, set_capabilities};
