//! Clients of real servers in labs are recorded, and their histories are checked; programs that
//! write what they must not fail their trial.

mod logs;
mod register;
mod server;

use std::process::ExitCode;

mod trials {
    snowglobe::main!();

    pub(crate) fn run() -> ExitCode {
        main()
    }

    use std::process::ExitCode;
}

fn main() -> ExitCode {
    match std::env::var(server::ROLE) {
        Ok(role) => server::run(&role),
        Err(_) => trials::run(),
    }
}
