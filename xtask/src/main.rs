//! The repository's own commands.

mod bench;

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
        Some("bench-fixtures") => bench_fixtures(),
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

/// Prints the figures of the fixtures: `cargo xtask bench` will take them in.
fn bench_fixtures() -> ExitCode {
    match bench::fixtures::rows() {
        Ok(rows) => {
            for row in rows {
                let (ours, other) = (row.ours.as_secs_f64() * 1e3, row.other.as_secs_f64() * 1e3);
                println!(
                    "{:<40} ours {ours:>9.3} ms  other {other:>9.3} ms  ratio {:>5.2}  target {:.2}",
                    row.name, row.ratio, row.target
                );
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
