//! Programs that run in nodes: from the description to the end.
//!
//! | file | role |
//! |---|---|
//! | `program` | what is to run, and how a program ended |
//! | `launch` | sends a program to the first process of a node |
//! | `running` | a program as the lab knows it |
//! | `programs` | all programs of a node |
//! | `holds` | who keeps programs from running |
//! | `lowered` | limits of processes that faults have lowered |
//! | `process` | `Process`: a program in the hands of a test |
//! | `point` | points at which a program is stopped |
//! | `point_at_call` | the point at a system call |
//! | `readiness` | what a program says about its readiness |
//! | `futures` | waits for a program that let other futures run meanwhile |
//! | `log` | the lines that a program has written |
//! | `output_reader` | the thread that hears of all programs of a lab: output and ends |

#[cfg(feature = "tokio")]
mod futures;
pub(crate) mod holds;
pub(crate) mod launch;
pub(crate) mod log;
pub(crate) mod lowered;
pub(crate) mod output_reader;
pub(crate) mod point;
mod point_at_call;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod programs;
pub(crate) mod readiness;
pub(crate) mod running;
