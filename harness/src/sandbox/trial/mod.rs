//! The sandbox of one trial: its mounts, its init, and the process of the test body.
//!
//! | file | role |
//! |---|---|
//! | `init` | the first process of the sandbox: makes it, forks the body, watches, reports |
//! | `body_process` | that process, as the init knows it |
//! | `denials` | calls whose refusal has to be explained |
//! | `descendants` | all processes of the sandbox but the init |
//! | `program` | what is different for a body that becomes a program |
//! | `mounts` | the recipe for a sandbox: mounts, the loopback interface, limits |
//! | `body/` | the process of the test body: runs the test and says how that ended |

pub(crate) mod body;
mod body_process;
pub(crate) mod denials;
mod descendants;
pub(crate) mod init;
pub(crate) mod mounts;
pub(crate) mod program;
