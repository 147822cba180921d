//! The command line of `cargo xtask bench`.

use std::path::PathBuf;

use snowglobe_model::cli::{self, CommandLine, Operands};

/// Rounds in which ours and others take turns, unless the command line says otherwise.
const ROUNDS: usize = 7;

/// The options of one run.
#[derive(Default)]
pub(super) struct BenchOptions {
    /// Groups to measure; all if none is named.
    pub(super) groups: Vec<String>,
    /// File to which the rows are written as JSON.
    pub(super) json: Option<PathBuf>,
    /// Whether a missed target makes the run fail.
    pub(super) check: bool,
    rounds: Option<usize>,
    pub(super) help: bool,
}

impl BenchOptions {
    /// Returns the number of rounds, at least one.
    pub(super) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(ROUNDS).max(1)
    }

    /// Returns whether a group is to be measured.
    pub(super) fn wants(&self, group: &str) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|wanted| wanted == group)
    }
}

type Flag = cli::Flag<BenchOptions>;

pub(super) const COMMAND_LINE: CommandLine<BenchOptions> = CommandLine {
    about: "\
Usage: cargo xtask bench [OPTIONS] [GROUP...]

Measures ours and others in turns and prints the medians, their ratio and its target.

Groups: runner listing memory fixtures lab wire adoption chaos internet (all by default)
",
    operands: Operands::Each(|options, group| {
        options.groups.push(group.text()?);
        Ok(())
    }),
    flags: &[
        Flag::value(
            "json",
            "FILE",
            "Write the rows to FILE as well",
            |options, file| {
                options.json = Some(file.path());
                Ok(())
            },
        ),
        Flag::switch(
            "check",
            "Exit with 1 if a ratio misses its target",
            |options| {
                options.check = true;
            },
        ),
        Flag::value(
            "rounds",
            "N",
            "Take N turns [default: 7]",
            |options, rounds| {
                options.rounds = Some(rounds.parse()?);
                Ok(())
            },
        ),
        Flag::help(|options| options.help = true),
    ],
    variables: &[],
    notes: "",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_help() {
        COMMAND_LINE.assert_sound();
        let default = format!("[default: {ROUNDS}]");
        assert!(COMMAND_LINE.help().contains(&default), "{default}");
    }

    #[test]
    fn there_is_at_least_one_round() {
        let options = COMMAND_LINE
            .parse(["--rounds", "0", "lab"])
            .expect("it is sound");
        assert_eq!(options.rounds(), 1);
        assert!(options.wants("lab") && !options.wants("wire"));
    }
}
