//! A benchmark measures release builds, and floors that are written in C: both are built here.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::programs;

/// Builds the benchmarks' programs in release.
pub(super) fn build(which: &[&str]) -> Result<Vec<(String, PathBuf)>, String> {
    let every = ["bench", "--no-run", "--quiet", "-p", "snowglobe-tests"];
    programs(&[&every, which].concat())
}

/// Finds one of the programs that were built.
pub(super) fn find(built: &[(String, PathBuf)], name: &str) -> Result<PathBuf, String> {
    let found = built.iter().find(|(target, _)| target == name);
    found
        .map(|(_, path)| path.clone())
        .ok_or_else(|| format!("cargo built no `{name}`"))
}

/// Returns a command for one trial of a benchmark.
pub(super) fn trial_of(program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", name, "--nocapture"]);
    command
}

/// Compiles a floor in C with the compiler that also links Rust programs, into the directory of
/// `beside`.
pub(super) fn compile(name: &str, beside: &Path) -> Result<PathBuf, String> {
    let program = beside.with_file_name(name);
    let source = format!("../tests/benches/{name}.c");
    let status = Command::new("cc")
        .arg("-O2")
        .arg("-o")
        .arg(&program)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(&source))
        .status();
    match status {
        Ok(status) if status.success() => Ok(program),
        _ => Err(format!("cannot compile tests/benches/{name}.c with `cc`")),
    }
}
