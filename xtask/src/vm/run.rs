//! One run of a command in a machine, from the command line to the exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use super::command::Guest;
use super::machine::VirtualMachine;
use super::options::{COMMAND_LINE, VmOptions, parse};

/// Runs `cargo xtask vm`; `arguments` are the words after `vm`.
pub(crate) fn vm(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match parse(arguments) {
        Ok(options) if options.help => {
            print!("{}", COMMAND_LINE.help());
            return ExitCode::SUCCESS;
        }
        Ok(options) => options,
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
    // The fixtures are looked for first, for that costs nothing; `Guest::new` builds with cargo.
    let machine = VirtualMachine::find(options.memory, options.timeout)?;
    let guest = Guest::new(&options.command, options.user)?;
    machine.run(&guest)
}
