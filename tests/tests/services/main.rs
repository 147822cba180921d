//! Daemons as they come from fixtures, each started in a node and used from another; and where fixtures come from.

mod names;
mod packages;
mod registry;
mod stores;
mod tls;
mod trouble;

use std::process::ExitCode;

use snowglobe_fixtures::cli;

mod trials {
    snowglobe::main!();

    pub(crate) fn run() -> std::process::ExitCode {
        main()
    }
}

/// For tests of what provisioning says, this program is an xtask of its own: its arguments are in this variable.
const PROVISION: &str = "SNOWGLOBE_TEST_PROVISION";

fn main() -> ExitCode {
    match std::env::var(PROVISION) {
        Ok(words) => cli::provision(words.split_whitespace().map(Into::into)),
        Err(_) => trials::run(),
    }
}
