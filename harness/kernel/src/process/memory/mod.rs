//! Memory that a process shares with its children, and memory that it does not give them.
//!
//! | file | role |
//! |---|---|
//! | `linked` | values that the linker collects |
//! | `reader` | a symbol that is undefined in a program without code that reads its tests |
//! | `shared_memory_child` | a child in the memory of its parent, as after `vfork` |
//! | `shared_note` | a message to the parent without a descriptor |
//! | `wiped` | memory that forks do not get |

pub(super) mod linked;
pub mod reader;
pub mod shared_memory_child;
mod shared_note;
mod wiped;

pub use shared_note::SharedNote;
pub use wiped::{WipedInForks, wipe_in_forks};
