//! Daemons from fixtures are each started in a node and used from another; the fixtures' sources
//! are tested likewise.

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

/// Variable with the arguments of `cargo xtask provision`: this program is an xtask of its own for
/// tests of what provisioning says.
const PROVISION: &str = "SNOWGLOBE_TEST_PROVISION";

fn main() -> ExitCode {
    match std::env::var(PROVISION) {
        Ok(words) => cli::provision(words.split_whitespace().map(Into::into)),
        Err(_) => trials::run(),
    }
}
