//! Scripts by which shells complete the command, made of the tables of the commands.

use std::fmt::Write;
use std::process::ExitCode;

use snowglobe_model::cli::{self, CliError, CommandLine, CommandText, Operands, OptionText};

use crate::commands::{COMMANDS, Words, print, read, refuse};

#[derive(Default)]
struct CompletionsOptions {
    help: bool,
    shell: Option<Script>,
}

type Flag = cli::Flag<CompletionsOptions>;

/// Returns the script of one shell.
type Script = fn() -> String;

const SHELLS: &[(&str, Script)] = &[("bash", bash), ("zsh", zsh), ("fish", fish)];

const COMMAND_LINE: CommandLine<CompletionsOptions> = CommandLine {
    about: "\
Prints the completions for a shell: bash, zsh or fish.

Usage: {command} completions SHELL
",
    operands: Operands::Each(
        |options, shell| match options.shell.replace(shell.one_of(SHELLS)?) {
            Some(_) => Err(CliError::Contradiction("name one shell only")),
            None => Ok(()),
        },
    ),
    flags: &[Flag::help(|options| options.help = true)],
    variables: &[],
    notes: "\
Examples:
  source <({command} completions bash)
  {command} completions zsh > ~/.zfunc/_snowglobe
  {command} completions fish > ~/.config/fish/completions/snowglobe.fish
",
};

/// Runs `snowglobe completions SHELL`.
pub(crate) fn completions(words: Words) -> ExitCode {
    let options = match read("completions", &COMMAND_LINE, words, |it| it.help, 2) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some(shell) = options.shell else {
        return refuse("completions", "name a shell: bash, zsh or fish", 2);
    };
    print(&shell());
    ExitCode::SUCCESS
}

/// Returns the texts of the command line.
pub(crate) fn text() -> CommandText {
    COMMAND_LINE.text()
}

/// Returns the names of all options.
fn names(options: &[OptionText]) -> String {
    let names = options.iter().flat_map(|option| &option.names);
    names.map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn bash() -> String {
    let commands: Vec<&str> = COMMANDS.iter().map(|it| it.name).collect();
    let mut text = format!(
        "\
_snowglobe() {{
    local word=${{COMP_WORDS[COMP_CWORD]}}
    if [ \"$COMP_CWORD\" -eq 1 ]; then
        COMPREPLY=($(compgen -W '{}' -- \"$word\"))
        return
    fi
    local options=
    case ${{COMP_WORDS[1]}} in
",
        commands.join(" ")
    );
    for it in COMMANDS {
        let options = names(&(it.text)().options);
        let _ = writeln!(text, "    {}) options='{options}' ;;", it.name);
    }
    text + "\
    esac
    if [ \"${COMP_WORDS[1]}\" = completions ]; then
        COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$word\"))
    elif [ \"${word:0:1}\" = - ]; then
        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))
    else
        COMPREPLY=($(compgen -f -- \"$word\"))
    fi
}
complete -o filenames -F _snowglobe snowglobe
"
}

fn zsh() -> String {
    let mut text = "#compdef snowglobe\n_snowglobe() {\n    if (( CURRENT == 2 )); then\n        local -a commands=(\n".to_owned();
    for it in COMMANDS {
        let _ = writeln!(text, "            '{}:{}'", it.name, it.sentence);
    }
    text += "        )\n        _describe command commands\n        return\n    fi\n    case $words[2] in\n";
    for it in COMMANDS {
        let mut arguments = String::new();
        for OptionText {
            names,
            value,
            sentence,
        } in (it.text)().options
        {
            // zsh takes these characters for its own in a description.
            let sentence = sentence
                .replace('\'', "'\\''")
                .replace('[', "(")
                .replace(']', ")");
            for name in names {
                let value = value.map(|_| ":value:_files").unwrap_or_default();
                let _ = write!(arguments, " '{name}[{sentence}]{value}'");
            }
        }
        let _ = writeln!(
            text,
            "    {}) _arguments{arguments} '*:file:_files' ;;",
            it.name
        );
    }
    text + "    esac\n}\n_snowglobe \"$@\"\n"
}

fn fish() -> String {
    let mut text = "complete -c snowglobe -n __fish_use_subcommand -f\n".to_owned();
    for it in COMMANDS {
        let (name, sentence) = (it.name, it.sentence);
        let _ = writeln!(
            text,
            "complete -c snowglobe -n __fish_use_subcommand -a {name} -d '{sentence}'"
        );
        for option in (it.text)().options {
            let sentence = option.sentence.replace('\'', "\\'");
            let mut line = format!("complete -c snowglobe -n '__fish_seen_subcommand_from {name}'");
            for name in &option.names {
                let _ = match name.strip_prefix("--") {
                    Some(long) => write!(line, " -l {long}"),
                    None => write!(line, " -s {}", name.trim_start_matches('-')),
                };
            }
            let value = option.value.map(|_| " -r").unwrap_or_default();
            let _ = writeln!(text, "{line}{value} -d '{sentence}'");
        }
    }
    text + "complete -c snowglobe -n '__fish_seen_subcommand_from completions' -f -a 'bash zsh fish'\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_has_every_option() {
        for (shell, script) in SHELLS {
            let script = script();
            for it in COMMANDS {
                assert!(script.contains(it.name), "{shell}: {}", it.name);
                for option in (it.text)().options {
                    let name = option
                        .names
                        .last()
                        .unwrap()
                        .trim_start_matches('-')
                        .to_owned();
                    assert!(script.contains(&name), "{shell}: {name}");
                }
            }
        }
    }
}
