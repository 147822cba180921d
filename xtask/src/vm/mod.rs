//! `cargo xtask vm`: another kernel for a command, without a disk image, an installation or privilege.
//!
//! What the machine at hand runs on may lack what a test is about (netem, for one). Debian's own kernel has it, so it is
//! booted under qemu with this machine's files as its root: read-only over 9p, with a layer of memory over them that
//! takes what is written. Nothing that runs in there changes a file out here.
//!
//! Without KVM everything in the machine is some twenty times slower, so cargo does its work out here: of
//! `cargo test …` the machine runs only the test programs, as cargo would.

mod command;
mod cpio;
mod initramfs;
mod machine;
mod modules;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use command::Guest;
use machine::VirtualMachine;

const HELP: &str = "\
Usage: cargo xtask vm [OPTIONS] -- COMMAND...

Boots the kernel of the fixture `linux` under qemu and runs the command there, in this directory: with
this machine's files, of which none is changed, and this environment. Its output and exit status become
those of this program. Of `cargo test ARGUMENTS` only the test programs run in there (no doc tests);
cargo builds them here.

Options:
      --user         as an ordinary user: yourself, or uid 65534 if you are root
      --memory MB    of the machine, with all that is written in it [default: 3072]
      --timeout TIME until the machine is stopped, such as 90s or 20m [default: 15m]
  -h, --help         print this

It needs the fixtures busybox, linux and qemu: `cargo xtask provision busybox linux qemu`. KVM is used
where it works. Without it the machine is about twenty times slower.
";

/// Megabytes for the kernel, its modules, and a program.
const LEAST_MEMORY: u32 = 512;

/// What was asked for.
struct VmOptions {
    user: bool,
    memory: u32,
    timeout: Duration,
    command: Vec<OsString>,
}

pub(crate) fn vm(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match parse(arguments) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}; see `cargo xtask vm --help`");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &VmOptions) -> Result<u8, String> {
    // First what costs nothing: whether there is a machine at all.
    let machine = VirtualMachine::find(options.memory, options.timeout)?;
    let guest = Guest::new(&options.command, options.user)?;
    machine.run(&guest)
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<VmOptions>, String> {
    use lexopt::prelude::*;
    let mut options = VmOptions {
        user: false,
        memory: 3072,
        timeout: Duration::from_secs(900),
        command: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    let text = |error: lexopt::Error| error.to_string();
    while let Some(argument) = parser.next().map_err(text)? {
        match argument {
            Long("user") => options.user = true,
            Long("memory") => {
                options.memory = parser
                    .value()
                    .and_then(|value| value.parse())
                    .map_err(text)?;
            }
            Long("timeout") => {
                let value = parser
                    .value()
                    .and_then(|value| value.string())
                    .map_err(text)?;
                options.timeout = duration(&value)?;
            }
            Short('h') | Long("help") => return Ok(None),
            Value(first) => {
                options.command.push(first);
                options.command.extend(parser.raw_args().map_err(text)?);
            }
            _ => return Err(argument.unexpected().to_string()),
        }
    }
    if options.memory < LEAST_MEMORY {
        return Err(format!(
            "--memory {} is too little: a machine needs {LEAST_MEMORY} MB to start",
            options.memory
        ));
    }
    if options.command.is_empty() {
        return Err("there is no command to run".to_owned());
    }
    Ok(Some(options))
}

/// `90s` or `20m`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "s")) => number.parse().ok(),
        Some((number, "m")) => number.parse::<u64>().ok().map(|minutes| minutes * 60),
        _ => None,
    };
    parsed
        .map(Duration::from_secs)
        .ok_or_else(|| format!("`{text}` is not a time such as 90s or 20m"))
}
