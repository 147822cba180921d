//! The command line of `snowglobe exec`.

use std::process::ExitCode;

use snowglobe::Stress;
use snowglobe::exec::WrappedProgram;
use snowglobe_model::cli::{self, CommandLine, CommandText, Operands};
use snowglobe_model::duration;

use crate::commands::{Words, read, refuse};
use crate::{doctests, stress};

/// Exit code where the wrapper itself fails, as of env(1) and timeout(1).
pub(crate) const FAILED: u8 = 125;

#[derive(Default)]
struct ExecOptions {
    help: bool,
    /// Copies of the program run, until one fails or this is reached.
    stress: Option<Stress>,
    /// Id of the process that runs the copies, if this process is one of the copies.
    copy_of: Option<u32>,
    program: WrappedProgram,
}

type Flag = cli::Flag<ExecOptions>;

const COMMAND_LINE: CommandLine<ExecOptions> = CommandLine {
    about: "\
Runs a program in a world of its own: user, network, mount, UTS, IPC and PID namespaces. `lo` is
up, /tmp is empty, the host is read-only but for the repository around the working directory.

Usage: {command} exec [OPTIONS] [--] PROGRAM [ARGUMENT...]
",
    operands: Operands::Program(|options, words| options.program.words = words),
    flags: &[
        Flag::value(
            "topology",
            "FILE",
            "Make the network of this file, and run the program in one of its nodes",
            |options, file| {
                options.program.topology = Some(file.path());
                Ok(())
            },
        ),
        Flag::value(
            "node",
            "NAME",
            "The node in which the program runs, if there are several",
            |options, name| {
                options.program.node = Some(name.text()?);
                Ok(())
            },
        ),
        Flag::value(
            "volume",
            "[NAME:]PATH",
            "Mount an empty directory, or a volume of the topology (repeatable)",
            |options, volume| {
                options.program.volumes.push(volume.text()?);
                Ok(())
            },
        ),
        Flag::value(
            "user",
            "NAME|UID",
            "Run the program as this user, without capabilities",
            |options, user| {
                options.program.user = Some(user.text()?);
                Ok(())
            },
        ),
        Flag::value(
            "writable",
            "DIRECTORY",
            "Let the program write there (repeatable; also SNOWGLOBE_WRITABLE)",
            |options, directory| {
                options.program.writable.push(directory.path());
                Ok(())
            },
        ),
        Flag::value(
            "capture",
            "DIRECTORY",
            "Write the packets of all links, or else of `lo`, to a pcapng file there",
            |options, directory| {
                options.program.capture = Some(directory.path());
                Ok(())
            },
        ),
        Flag::value(
            "timeout",
            "TIME",
            "Kill the program after this time, as in 90s, and exit with 124",
            |options, time| {
                options.program.timeout = Some(time.parse_with(|text| {
                    let time = duration::parse(text).filter(|time| !time.is_zero());
                    time.ok_or_else(|| "give a time, as in 90s or 2m".to_owned())
                })?);
                Ok(())
            },
        ),
        Flag::switch(
            "keep",
            "Keep the world of a failed or late program, and say how to enter it",
            |options| options.program.keep = true,
        ),
        Flag::value(
            "stress",
            "N|TIME",
            "Run copies side by side, until one fails or N or TIME is reached",
            |options, length| {
                if options.copy_of.is_some() {
                    return Ok(());
                }
                options.copy_of = stress::original(&length.clone().text()?);
                if options.copy_of.is_none() {
                    options.stress = Some(length.parse()?);
                }
                Ok(())
            },
        ),
        Flag::switch(
            "nested",
            "Let the program make user namespaces, as another `exec` within needs",
            |options| options.program.nested = true,
        ),
        Flag::help(|options| options.help = true),
    ],
    variables: &[],
    notes: "\
The program has the stdin, stdout, stderr, terminal and process group of its caller. This process
exits with its code, or dies of its signal. Processes that outlive the program are named on stderr
and killed. The exit code is 127 if the program is not found, 126 if it cannot be executed, 124
after a time-out, 125 if no world could be made.

With --stress, the output is that of the first copy that failed, and so is the exit code; a last
line on stderr says how often the program fails.

Examples:
  {command} exec -- pytest
  {command} exec --stress 1000 -- ./flaky-test
  {command} exec --user nobody -- ./server --port 80
  {command} exec --topology net.toml --node client -- ping -c 1 server
  go test -exec '{command} exec --' ./...
  CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='{command} exec --' cargo test
",
};

/// Runs `snowglobe exec …`; `words` are those after `exec`.
pub(crate) fn exec(words: Words) -> ExitCode {
    let all = words.clone();
    let ExecOptions {
        program,
        stress,
        copy_of,
        help: _,
    } = match read("exec", &COMMAND_LINE, words, |it| it.help, FAILED) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if program.words.is_empty() {
        return refuse("exec", "no program is named", FAILED);
    }
    if let Some(original) = copy_of
        && let Err(error) = snowglobe::exec::end_with_parent(original)
    {
        eprintln!("snowglobe exec: {error}");
        return ExitCode::from(FAILED);
    }
    if stress.is_none()
        && copy_of.is_none()
        && let Err(error) = doctests::run_merged_doctests(&all, &program.words)
    {
        eprintln!("snowglobe exec: cannot start the doctests: {error}");
        return ExitCode::from(FAILED);
    }
    let ended = match stress {
        Some(_) if program.keep => {
            return refuse("exec", "--stress and --keep exclude each other", FAILED);
        }
        // The copies would write one file.
        Some(_) if program.capture.is_some() => {
            return refuse("exec", "--stress and --capture exclude each other", FAILED);
        }
        Some(length) => stress::run(length, &all),
        None => {
            let Err(error) = snowglobe::exec::exec(program);
            Err(error.to_string())
        }
    };
    ExitCode::from(ended.unwrap_or_else(|error| {
        eprintln!("snowglobe exec: {error}");
        FAILED
    }))
}

/// Returns the texts of the command line.
pub(crate) fn text() -> CommandText {
    COMMAND_LINE.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_help() {
        COMMAND_LINE.assert_sound();
    }

    #[test]
    fn the_options_of_the_program_are_its_own() {
        let line = ["--timeout", "2s", "--volume", "/data", "ls", "--help"];
        let ExecOptions { help, program, .. } = COMMAND_LINE.parse(line).unwrap();
        assert!(!help);
        assert_eq!(program.words, ["ls", "--help"]);
        assert_eq!(program.timeout.map(|it| it.as_secs()), Some(2));
        assert_eq!(program.volumes, ["/data"]);
        assert_eq!(
            COMMAND_LINE.parse(["--", "-x"]).unwrap().program.words,
            ["-x"]
        );
    }
}
