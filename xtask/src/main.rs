//! The repository's own commands.

use std::env;
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  provision  put fixtures into the store, where tests find them

`cargo xtask COMMAND --help` says more.
";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    match command.to_str() {
        Some("provision") => snowglobe_fixtures::cli::provision(arguments),
        Some("help" | "-h" | "--help") => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!(
                "error: there is no command `{}`\n\n{HELP}",
                command.display()
            );
            ExitCode::from(2)
        }
    }
}
