//! Nodes whose time of day is wrong, as programs of all kinds see it.

mod cluster;
mod faults;
mod programs;
mod reader;

use std::process::ExitCode;

mod trials {
    snowglobe::main!();

    pub(crate) fn run() -> std::process::ExitCode {
        main()
    }
}

fn main() -> ExitCode {
    match std::env::var(reader::VARIABLE) {
        Ok(_) => reader::read_on_request(),
        Err(_) => trials::run(),
    }
}
