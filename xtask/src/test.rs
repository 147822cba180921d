//! The tests need fixtures, so `cargo xtask test` provisions them and then runs every test.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cargo::cargo;

const HELP: &str = "\
Usage: cargo xtask test [CARGO TEST ARGUMENTS]

Provisions the fixtures that the tests need, then runs `cargo test --workspace` with the
arguments given. Once provisioned, plain `cargo test` does the same.
";

pub(crate) fn test(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    if arguments.iter().any(|a| a == "-h" || a == "--help") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    println!("provisioning the fixtures that the tests need");
    if snowglobe_fixtures::cli::provision([]) != ExitCode::SUCCESS {
        return ExitCode::FAILURE;
    }
    println!("running cargo test --workspace --no-fail-fast");
    match cargo()
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(arguments)
        .status()
    {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: cannot start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}
