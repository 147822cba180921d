//! Findings about what this machine lacks for tests, each with the command that mends it.
//!
//! A refusal deep in a test says little of its cause: a sysctl, a container, a kernel module. So
//! each thing that tests may need is tried here, for real, in a sandbox that is thrown away; what
//! cannot be tried without leaving a trace is read. Nothing of the host changes.
//!
//! ```no_run
//! use snowglobe::doctor::{self, State};
//!
//! let report = doctor::examine();
//! for finding in report.findings.iter().filter(|finding| finding.state != State::Ok) {
//!     println!("{}: {}", finding.name, finding.evidence);
//! }
//! std::process::exit(report.exit_code().into());
//! ```
//!
//! [`cli`] is the command line that `cargo xtask doctor` is, for an xtask of your own.
//!
//! # The code
//!
//! | file | role |
//! |---|---|
//! | `examine` | which findings, and in which order |
//! | `finding`, `report` | one thing that was looked at; all of them |
//! | `host`, `limits`, `shared`, `sandbox`, `ids`, `cgroup`, `fixtures` | the findings |
//! | `fix` | the command that mends a feature |
//! | `cli`, `table`, `github` | the command line and what it prints |
//! | `files` | reads what may not be there |

mod cgroup;
mod cli;
mod examine;
mod files;
mod finding;
mod fix;
mod fixtures;
mod github;
mod host;
mod ids;
mod limits;
mod report;
mod sandbox;
mod shared;
mod table;

pub use cli::{cli, cli_text};
pub use examine::examine;
pub use finding::{Evidence, Finding, State};
pub use report::Report;
