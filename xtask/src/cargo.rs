//! Running cargo.

use std::path::PathBuf;
use std::process::Command;

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds with these arguments (`build …`, `bench --no-run …`) and returns the programs that came of it, by target name.
///
/// # Errors
/// The text to show: cargo has shown its own already.
pub(crate) fn programs(arguments: &[&str]) -> Result<Vec<(String, PathBuf)>, String> {
    let output = cargo()
        .args(arguments)
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo {}` failed", arguments.join(" ")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(program).collect())
}

/// The program that one of cargo's messages tells of.
fn program(line: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let path = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), PathBuf::from(path)))
}
