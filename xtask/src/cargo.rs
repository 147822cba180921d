//! Cargo tells the programs that it runs about their package, which must not reach the cargo that
//! they run in turn.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Beginnings of the variables by which cargo tells a program about its package.
pub(crate) const OURS: &[&str] = &[
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
];

/// Returns a command for the cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Some build scripts look at these variables. They would be run anew whenever this program runs
    // cargo after somebody else.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if OURS.iter().any(|ours| name.starts_with(ours)) {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs cargo in a directory, and lets it write what it likes.
///
/// # Errors
/// The error is the text to show: cargo has shown its own already.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Result<(), String> {
    finished(directory, arguments, Stdio::inherit()).map(drop)
}

/// Returns what cargo knows about the packages of the workspace in a directory, and nothing about
/// what they depend on.
///
/// # Errors
/// The error is the text to show.
pub(crate) fn metadata(directory: &Path) -> Result<Value, String> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1"];
    let said = finished(directory, &arguments, Stdio::piped())?;
    serde_json::from_slice(&said)
        .map_err(|error| format!("cargo's metadata cannot be read: {error}"))
}

/// Runs cargo in a directory, and returns what it has written to a pipe for its stdout.
fn finished(directory: &Path, arguments: &[&str], stdout: Stdio) -> Result<Vec<u8>, String> {
    let output = cargo()
        .current_dir(directory)
        .args(arguments)
        .stdout(stdout)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo {}` failed", arguments.join(" ")));
    }
    Ok(output.stdout)
}

/// Returns the directory of the libraries with which the compiler's programs may be linked.
///
/// # Errors
/// The error is the text to show.
pub(crate) fn libraries() -> Result<PathBuf, String> {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler)
        .args(["--print", "target-libdir"])
        .output()
        .map_err(|error| format!("cannot start rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().into())
}

/// A program that cargo built.
pub(crate) struct Artifact {
    /// Name of the target.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    /// Directory of the package's manifest.
    pub(crate) package: PathBuf,
    /// Whether the program runs tests or benchmarks. Other programs are built because tests
    /// start them.
    pub(crate) is_test: bool,
}

/// Builds with these arguments (`build …`, `bench --no-run …`) and returns the programs by their
/// target names.
///
/// # Errors
/// The error is the text to show: cargo has shown its own already.
pub(crate) fn programs(arguments: &[&str]) -> Result<Vec<(String, PathBuf)>, String> {
    let artifacts = artifacts(arguments)?.into_iter();
    Ok(artifacts
        .map(|artifact| (artifact.name, artifact.program))
        .collect())
}

/// Builds likewise, and returns all that cargo says about the programs.
///
/// # Errors
/// The error is the text to show.
pub(crate) fn artifacts(arguments: &[&str]) -> Result<Vec<Artifact>, String> {
    let messages = ["--message-format", "json-render-diagnostics"];
    let arguments = [arguments, &messages].concat();
    let said = finished(Path::new("."), &arguments, Stdio::piped())?;
    let text = String::from_utf8_lossy(&said);
    Ok(text.lines().filter_map(artifact).collect())
}

/// Returns the program about which one of cargo's messages tells.
fn artifact(line: &str) -> Option<Artifact> {
    let message: Value = serde_json::from_str(line).ok()?;
    let manifest = PathBuf::from(message.get("manifest_path")?.as_str()?);
    Some(Artifact {
        program: PathBuf::from(message.get("executable")?.as_str()?),
        name: message.get("target")?.get("name")?.as_str()?.to_owned(),
        package: manifest.parent()?.to_owned(),
        is_test: message.get("profile")?.get("test")?.as_bool()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as cargo 1.95 writes them, without the fields that nobody reads.
    #[test]
    fn a_program_that_tests_start_is_no_test() {
        let line = |name: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/tests/Cargo.toml","target":{{"name":"{name}"}},"profile":{{"test":{test}}},"executable":"/w/target/debug/{name}"}}"#
            )
        };
        let suite = artifact(&line("clocks", true)).unwrap();
        assert!(suite.is_test);
        assert_eq!(
            (suite.name.as_str(), suite.package),
            ("clocks", "/w/tests".into())
        );
        assert!(!artifact(&line("crowd", false)).unwrap().is_test);
        assert!(artifact(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
