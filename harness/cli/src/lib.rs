//! The command `snowglobe`, for any project.
//!
//! | file | role |
//! |---|---|
//! | `commands` | the commands: name, sentence, function |
//! | `exec` | the command line of `snowglobe exec` |
//! | `doctests` | doctests that rustdoc has merged into one program |
//! | `stress` | copies of a program, until one fails |
//! | `edits/` | edits of somebody else's package: a diff, a question, the writing |
//! | `init/` | `snowglobe init`: the files that a project needs |
//! | `fix/` | `snowglobe fix`: trials out of the tests of a project, and back |
//! | `completions` | scripts by which shells complete the command |
//! | `man` | the manual page |
//!
//! What the commands do is in the libraries: `snowglobe_fixtures::cli`, `snowglobe::doctor` and
//! `snowglobe::exec`.

mod commands;
mod completions;
mod doctests;
mod edits;
mod exec;
mod fix;
mod init;
mod man;
mod stress;

pub use commands::main;
