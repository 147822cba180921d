//! Provisioning stands before every run of the tests, and mostly finds that all fixtures are there.
//!
//! So `cargo xtask` starts this program, which starts xtask only if there is something to do.
//! Before a start cargo looks at each crate of a program: xtask has more than a hundred, and this
//! one has ten.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use snowglobe_fixtures::Workspace;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments == ["provision"]
        && let Ok(workspace) = Workspace::locate()
        && let Ok(Some(all_there)) = workspace.nothing_to_do()
    {
        eprintln!("{all_there}");
        return ExitCode::SUCCESS;
    }
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let error = cargo
        .args(["run", "--quiet", "--package", "xtask", "--"])
        .args(arguments)
        .exec();
    eprintln!("error: cannot start cargo: {error}");
    ExitCode::FAILURE
}
