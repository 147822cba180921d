//! The repository's own commands.

mod bench;
mod cargo;
mod demo;
mod test;
mod vm;

use std::env;
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  demo       a hundred worlds on port 80, made visible
  test       provision what the tests need, then run all of them
  provision  put fixtures into the store, where tests find them
  doctor     what this machine lacks, and the command that mends it
  bench      measure, side by side with others
  vm         run a command under another kernel, in qemu

`cargo xtask COMMAND --help` says more.
";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    match command.to_str() {
        Some("demo") => demo::demo(arguments),
        // The second half of `demo`, for its own use.
        Some("demo-worlds") => demo::worlds(arguments),
        Some("test") => test::test(arguments),
        Some("provision") => snowglobe_fixtures::cli::provision(arguments),
        Some("doctor") => snowglobe::doctor::cli(arguments),
        Some("bench") => bench::bench(arguments),
        Some("vm") => vm::vm(arguments),
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
