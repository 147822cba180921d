//! The commands. Each is one row of [`COMMANDS`], from which the help, the completions and the
//! manual page are made.

use std::ffi::OsString;
use std::process::ExitCode;

use snowglobe_fixtures::command;
use snowglobe_model::cli::{CommandLine, CommandText};

use crate::{completions, exec, fix, init, man};

/// Words after the name of a command.
pub(crate) type Words = Vec<OsString>;

/// One command.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// Sentence in the help.
    pub(crate) sentence: &'static str,
    run: fn(Words) -> ExitCode,
    /// Returns the texts of its command line.
    pub(crate) text: fn() -> CommandText,
}

/// All commands, in the order of the help.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "init",
        sentence: "Write what a project needs for its first test",
        run: init::init,
        text: init::text,
    },
    Command {
        name: "fix",
        sentence: "Give every test of a project a world of its own, or take that back",
        run: fix::fix,
        text: fix::text,
    },
    Command {
        name: "exec",
        sentence: "Run a program in a world of its own",
        run: exec::exec,
        text: exec::text,
    },
    Command {
        name: "provision",
        sentence: "Put fixtures into the store, where tests find them",
        run: |words| snowglobe_fixtures::cli::provision(words),
        text: snowglobe_fixtures::cli::text,
    },
    Command {
        name: "doctor",
        sentence: "Say what this machine lacks, and the command that mends it",
        run: |words| snowglobe::doctor::cli(words),
        text: snowglobe::doctor::cli_text,
    },
    Command {
        name: "completions",
        sentence: "Print the completions for bash, zsh or fish",
        run: completions::completions,
        text: completions::text,
    },
    Command {
        name: "man",
        sentence: "Print the manual page",
        run: man::man,
        text: man::text,
    },
];

const EXAMPLES: &str = "\
Examples:
  {command} init                           show what a project needs, and write it if you agree
  {command} fix --dry-run                  show how every test gets a world of its own
  {command} provision nginx                fetch the fixture nginx of fixtures.toml
  {command} exec -- pytest                 run a suite in a world of its own
  {command} exec -- sh                     look around in one
  go test -exec '{command} exec --' ./...  run each Go test program in a world of its own
  source <({command} completions bash)     let bash complete the command

`{command} COMMAND --help` says more.
";

/// Runs the command line `words`; the user has typed `name` before it.
pub fn main(name: &str, words: impl IntoIterator<Item = OsString>) -> ExitCode {
    command::announce(name);
    let mut words = words.into_iter();
    let word = words.next().unwrap_or_default();
    if let Some(found) = COMMANDS.iter().find(|known| word == known.name) {
        return (found.run)(words.collect());
    }
    match word.to_str() {
        Some("help" | "-h" | "--help") => {
            print(&help());
            ExitCode::SUCCESS
        }
        Some("-V" | "--version") => {
            print(concat!("snowglobe ", env!("CARGO_PKG_VERSION"), "\n"));
            ExitCode::SUCCESS
        }
        _ => {
            if word.is_empty() {
                eprint!("{}", help());
            } else {
                let (word, help) = (word.display(), command::with("--help"));
                eprintln!("error: there is no command `{word}`; see `{help}`");
            }
            ExitCode::from(2)
        }
    }
}

fn help() -> String {
    let mut text =
        "A sealed little world for every test.\n\nUsage: {command} COMMAND\n\nCommands:\n"
            .to_owned();
    for Command { name, sentence, .. } in COMMANDS {
        text += &format!("  {name:<12} {sentence}\n");
    }
    command::in_help(&format!("{text}\n{EXAMPLES}"))
}

/// Writes to stdout. A pipe that its reader has closed is no failure.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Reads the words after the name of a command. If they ask for the help or are wrong, prints
/// the help or the error, and returns the exit code; `wrong` is the exit code for wrong words.
pub(crate) fn read<T: Default>(
    name: &str,
    line: &CommandLine<T>,
    words: Words,
    asks_for_help: impl Fn(&T) -> bool,
    wrong: u8,
) -> Result<T, ExitCode> {
    match line.parse(words) {
        Ok(options) if asks_for_help(&options) => {
            print(&command::in_help(&line.help()));
            Err(ExitCode::SUCCESS)
        }
        Ok(options) => Ok(options),
        Err(error) => Err(refuse(name, error, wrong)),
    }
}

/// Refuses a command line for this reason.
pub(crate) fn refuse(name: &str, error: impl std::fmt::Display, code: u8) -> ExitCode {
    let help = command::with(&format!("{name} --help"));
    eprintln!("error: {error}; see `{help}`");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_has_a_sentence() {
        for Command {
            name,
            sentence,
            text,
            ..
        } in COMMANDS
        {
            assert!(help().contains(sentence), "{name}");
            let text = text();
            assert!(text.help.contains("Usage: {command} "), "{name}");
            assert!(
                text.options
                    .iter()
                    .any(|it| it.names.contains(&"--help".to_owned())),
                "{name}"
            );
            assert!(
                text.options.iter().all(|it| !it.sentence.is_empty()),
                "{name}"
            );
        }
    }

    #[test]
    fn every_example_is_a_command_that_there_is() {
        for line in EXAMPLES
            .lines()
            .filter_map(|line| line.split("{command} ").nth(1))
        {
            let word = line.split([' ', '`']).next().unwrap_or_default();
            assert!(
                word == "COMMAND" || COMMANDS.iter().any(|it| it.name == word),
                "{line}"
            );
        }
    }
}
