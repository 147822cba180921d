//! The repository's own commands. Each is one row of [`COMMANDS`].

mod bench;
mod cargo;
mod demo;
mod minimal;
mod test;
mod vm;

use std::env;
use std::iter::Skip;
use std::process::ExitCode;

/// Words after the name of a command.
type Words = Skip<env::ArgsOs>;

/// A command: its name, its sentence in the help, and the function that runs it.
type Command = (&'static str, &'static str, fn(Words) -> ExitCode);

const COMMANDS: [Command; 7] = [
    (
        "demo",
        "a hundred worlds on port 80, made visible",
        |words| demo::demo(words),
    ),
    (
        "test",
        "provision what the tests need, then run all of them",
        |words| test::test(words),
    ),
    (
        "provision",
        "put fixtures into the store, where tests find them",
        |words| snowglobe_fixtures::cli::provision(words),
    ),
    (
        "doctor",
        "what this machine lacks, and the command that mends it",
        |words| snowglobe::doctor::cli(words),
    ),
    ("bench", "measure, side by side with others", |words| {
        bench::bench(words)
    }),
    (
        "minimal",
        "check snowglobe with the lowest versions of its dependencies",
        |words| minimal::minimal(words),
    ),
    (
        "vm",
        "run a command under another kernel, in qemu",
        |words| vm::vm(words),
    ),
];

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let name = words.next().unwrap_or_default();
    if let Some((_, _, run)) = COMMANDS.iter().find(|(known, _, _)| name == *known) {
        return run(words);
    }
    match name.to_str() {
        // The demonstration starts this program once more, for its second half.
        Some("demo-worlds") => demo::worlds(words),
        Some("help" | "-h" | "--help") => {
            print!("{}", help());
            ExitCode::SUCCESS
        }
        _ => {
            let name = name.display();
            eprint!("error: there is no command `{name}`\n\n{}", help());
            ExitCode::from(2)
        }
    }
}

fn help() -> String {
    let mut text = "Usage: cargo xtask COMMAND\n\nCommands:\n".to_owned();
    for (name, sentence, _) in COMMANDS {
        text += &format!("  {name:<10} {sentence}\n");
    }
    text + "\n`cargo xtask COMMAND --help` says more.\n"
}
