//! A program in a world of its own, for the command `snowglobe exec`. No part of the public
//! interface.
//!
//! A suite that nobody wants to change can still have a world for each test: whatever starts the
//! tests starts them through a wrapper. The wrapper should not be noticed. So the program has the
//! caller's stdin, stdout, stderr, terminal, process group, signal mask and limits, and the wrapper
//! ends and stops as the program ends and stops.
//!
//! The program is a trial whose body calls `execve`: it has the world of any other trial, made by
//! the same code.
//!
//! | file | role |
//! |---|---|
//! | `wrapped` | [`WrappedProgram`], [`exec`], and how many copies run in a stress test |
//! | `body` | what the body does: becomes the program, or runs it in a node of a lab |
//! | `in_node` | a program in a node, for which the body waits |
//! | `watch` | the process that stays outside: passes signals on, keeps time, tells of the end |
//! | `error` | [`ExecError`] |

mod body;
mod error;
mod in_node;
mod watch;
mod wrapped;

pub use error::ExecError;
pub use wrapped::{WrappedProgram, end_with_parent, exec, usual_copies};
