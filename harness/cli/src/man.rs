//! The manual page, made of the tables of the commands.

use std::fmt::Write;
use std::process::ExitCode;

use snowglobe_model::cli::{self, CommandLine, CommandText, Operands};

use crate::commands::{COMMANDS, Words, print, read};

#[derive(Default)]
struct ManOptions {
    help: bool,
}

type Flag = cli::Flag<ManOptions>;

const COMMAND_LINE: CommandLine<ManOptions> = CommandLine {
    about: "\
Prints the manual page.

Usage: {command} man
",
    operands: Operands::None,
    flags: &[Flag::help(|options| options.help = true)],
    variables: &[],
    notes: "\
Examples:
  {command} man | man -l -
  {command} man > ~/.local/share/man/man1/snowglobe.1
",
};

/// Runs `snowglobe man`.
pub(crate) fn man(words: Words) -> ExitCode {
    match read("man", &COMMAND_LINE, words, |it| it.help, 2) {
        Ok(_) => print(&page()),
        Err(code) => return code,
    }
    ExitCode::SUCCESS
}

/// Returns the texts of the command line.
pub(crate) fn text() -> CommandText {
    COMMAND_LINE.text()
}

fn page() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "\
.TH SNOWGLOBE 1 \"\" \"snowglobe {version}\"
.SH NAME
snowglobe \\- a sealed little world for every test
.SH SYNOPSIS
.B snowglobe
.I COMMAND
.RI [ OPTIONS ]
.SH COMMANDS
"
    );
    for it in COMMANDS {
        let _ = writeln!(text, ".TP\n.B {}\n{}.", it.name, roff(it.sentence));
    }
    for it in COMMANDS {
        let _ = writeln!(text, ".SH {}\n.nf", it.name.to_uppercase());
        let help = (it.text)().help.replace("{command}", "snowglobe");
        for line in help.lines() {
            let _ = writeln!(text, "{}", roff(line));
        }
        text += ".fi\n";
    }
    text
}

/// Returns a line in which troff finds none of its own characters (`groff(7)`).
fn roff(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_command_and_option() {
        let page = page();
        for it in COMMANDS {
            assert!(page.contains(&format!(".SH {}", it.name.to_uppercase())));
            for option in (it.text)().options {
                assert!(
                    page.contains(&roff(&option.names[0])),
                    "{}",
                    option.names[0]
                );
            }
        }
        assert!(!page.contains("{command}"));
    }

    #[test]
    fn troff_finds_nothing_of_its_own() {
        assert_eq!(roff(".x -y \\"), "\\&.x \\-y \\e");
    }
}
