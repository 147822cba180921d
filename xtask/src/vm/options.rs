//! The command line of `cargo xtask vm`.

use std::ffi::OsString;
use std::time::Duration;

use snowglobe_model::cli::{self, CliError, CommandLine, Operands};

/// Least memory in megabytes: for the kernel, its modules, and a program.
const LEAST_MEMORY: u32 = 512;

/// The options of one run, and the command that runs in the machine.
pub(super) struct VmOptions {
    /// Whether the command runs as an ordinary user.
    pub(super) user: bool,
    /// Memory of the machine in megabytes.
    pub(super) memory: u32,
    /// Time after which the machine is stopped.
    pub(super) timeout: Duration,
    pub(super) command: Vec<OsString>,
    pub(super) help: bool,
}

impl Default for VmOptions {
    fn default() -> Self {
        Self {
            user: false,
            memory: 3072,
            timeout: Duration::from_secs(15 * 60),
            command: Vec::new(),
            help: false,
        }
    }
}

type Flag = cli::Flag<VmOptions>;

pub(super) const COMMAND_LINE: CommandLine<VmOptions> = CommandLine {
    about: "\
Usage: cargo xtask vm [OPTIONS] -- COMMAND...

Boots the kernel of the fixture `linux` under qemu and runs the command there, in this directory:
with this machine's files, of which none is changed, and this environment. The output and the exit
status of the command become those of this program. Of `cargo test ARGUMENTS` only the test programs
run in the machine (no doc tests); cargo builds them here.
",
    operands: Operands::Program(|options, command| options.command = command),
    flags: &[
        Flag::switch(
            "user",
            "Run as an ordinary user: yourself, or uid 65534 if you are root",
            |options| options.user = true,
        ),
        Flag::value(
            "memory",
            "MB",
            "Memory of the machine, for all that is written in it too [default: 3072]",
            |options, memory| {
                options.memory = memory.parse()?;
                Ok(())
            },
        ),
        Flag::value(
            "timeout",
            "TIME",
            "Time until the machine is stopped, such as 90s or 20m [default: 15m]",
            |options, time| {
                options.timeout = time.parse_with(duration)?;
                Ok(())
            },
        ),
        Flag::help(|options| options.help = true),
    ],
    variables: &[],
    notes: "\
The command needs the fixtures busybox, linux and qemu: `cargo xtask provision busybox linux qemu`.
KVM is used where it works. Without KVM the machine is about twenty times slower.
",
};

/// Parses a command line.
pub(super) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<VmOptions, CliError> {
    let options = COMMAND_LINE.parse(arguments)?;
    if options.help {
        return Ok(options);
    }
    if options.memory < LEAST_MEMORY {
        return Err(CliError::Other(format!(
            "--memory {} is too little: a machine needs {LEAST_MEMORY} MB to start",
            options.memory
        )));
    }
    if options.command.is_empty() {
        return Err(CliError::Other("there is no command to run".to_owned()));
    }
    Ok(options)
}

/// Reads a time such as `90s` or `20m`.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "s")) => number.parse().ok(),
        Some((number, "m")) => number.parse::<u64>().ok().map(|minutes| minutes * 60),
        _ => None,
    };
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "give a time such as 90s or 20m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<VmOptions, String> {
        let words = line.split_whitespace().map(OsString::from);
        parse(words).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_is_in_the_help() {
        COMMAND_LINE.assert_sound();
    }

    #[test]
    fn what_follows_the_command_belongs_to_it() {
        let options = options("--timeout 20m -- ls --user").expect("it is sound");
        assert_eq!(options.timeout, Duration::from_secs(1200));
        assert_eq!(options.command, ["ls", "--user"]);
        assert!(!options.user);
    }

    #[test]
    fn a_command_line_that_cannot_work_is_refused() {
        for line in [
            "",
            "--user",
            "--memory 10 ls",
            "--timeout 20 ls",
            "--bogus ls",
        ] {
            assert!(options(line).is_err(), "{line}");
        }
        assert!(options("--help").is_ok_and(|options| options.help));
    }
}
