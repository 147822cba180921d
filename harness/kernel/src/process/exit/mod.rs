//! The end of processes: how one ends, and how others have ended.
//!
//! | file | role |
//! |---|---|
//! | `exit_handlers` | the end of a process, with as little as has to run |
//! | `exit_kind` | how a process ended, in words |

pub mod exit_handlers;
pub mod exit_kind;
