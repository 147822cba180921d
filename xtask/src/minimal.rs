//! Checks snowglobe with the lowest versions of its dependencies that its manifests allow.
//!
//! A project that adds snowglobe may be bound to old versions by its `Cargo.lock`, so each lower
//! bound has to be true.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use crate::Words;
use crate::cargo::{metadata, run};

/// Manifest of a project that depends on snowglobe as the README says. The project is a workspace
/// of its own, so that it gets a `Cargo.lock` of its own.
const MANIFEST: &str = r#"[package]
name = "minimal"
version = "0.1.0"
edition = "2024"

[dev-dependencies]
snowglobe = { path = "HARNESS" }
LOWEST

[workspace]
"#;

/// A test that uses the library, so that the macros of the lowest versions are expanded too.
const TEST: &str = "#[snowglobe::test]
fn a_trial_is_alone() {
    std::net::TcpListener::bind(\"127.0.0.1:80\").unwrap();
}
";

/// A dependency that a library's manifest names, and the lowest version that it allows.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lowest {
    name: String,
    version: String,
}

/// Runs `cargo xtask minimal`.
pub(crate) fn minimal(words: Words) -> ExitCode {
    if words.count() > 0 {
        println!("Usage: cargo xtask minimal\n\nChecks snowglobe with its lowest dependencies.");
        return ExitCode::from(2);
    }
    match check() {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let metadata = metadata(&root)?;
    let target = metadata["target_directory"].as_str().unwrap_or("target");
    let project = PathBuf::from(target).join("minimal");
    let explain = |error| format!("cannot write {}: {error}", project.display());
    write_project(&root, &project, &[]).map_err(explain)?;
    run(&project, &["generate-lockfile", "--quiet"])?;
    let locked = fs::read_to_string(project.join("Cargo.lock")).map_err(explain)?;
    // Tests, examples and the command are not in the project, nor what only an optional feature
    // needs.
    let is_there = |name: &str| locked.contains(&format!("name = \"{name}\"\n"));
    let lowest = lowest_versions(&metadata, is_there);
    // The resolver then lowers what these versions depend on as well, or names the conflict.
    write_project(&root, &project, &lowest).map_err(explain)?;
    run(&project, &["generate-lockfile", "--quiet"])?;
    let locked = fs::read_to_string(project.join("Cargo.lock")).map_err(explain)?;
    for Lowest { name, version } in &lowest {
        // A requirement such as `>=0.11, <0.14` admits versions that may stand beside each other,
        // so that cargo locks the lowest for the project and the newest for the library.
        for other in versions(&locked, name).filter(|it| it != version) {
            let package = format!("{name}@{other}");
            let lower = ["update", "--quiet", "--package", &package];
            run(&project, &[&lower[..], &["--precise", version]].concat())?;
        }
    }
    run(&project, &["test", "--target-dir", target])
}

/// Returns the versions of a package that a `Cargo.lock` has.
fn versions<'a>(locked: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let entries = locked.split("[[package]]\n").skip(1);
    entries.filter_map(move |it| it.strip_prefix(entry.as_str())?.split('"').next())
}

/// Makes the project anew, with exact requirements for these dependencies.
fn write_project(root: &Path, project: &Path, lowest: &[Lowest]) -> std::io::Result<()> {
    fs::create_dir_all(project.join("src"))?;
    let harness = root.join("harness").canonicalize()?;
    let exact = |it: &Lowest| {
        let Lowest { name, version } = it;
        format!("{name} = {{ version = \"={version}\", default-features = false }}\n")
    };
    let manifest = MANIFEST
        .replace("HARNESS", &harness.display().to_string())
        .replace("LOWEST\n", &lowest.iter().map(exact).collect::<String>());
    fs::write(project.join("Cargo.toml"), manifest)?;
    // A lock file of an earlier run would keep the versions of that run.
    let _ = fs::remove_file(project.join("Cargo.lock"));
    fs::write(
        project.join("src/lib.rs"),
        format!("#![cfg(test)]\n\n{TEST}"),
    )
}

/// Returns the lowest versions of what the libraries in the project depend on there: tests may ask
/// for new versions.
fn lowest_versions(metadata: &Value, is_there: impl Fn(&str) -> bool) -> Vec<Lowest> {
    let each = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages = each(&metadata["packages"]);
    let is_named = |value: &Value| value["name"].as_str().is_some_and(&is_there);
    let mut lowest: Vec<Lowest> = packages
        .iter()
        .filter(|package| is_named(package))
        .flat_map(|package| each(&package["dependencies"]))
        // A dependency with a kind belongs to tests or to a build script; one with a path is ours.
        .filter(|dependency| dependency["kind"].is_null() && dependency["path"].is_null())
        .filter(is_named)
        .filter_map(|dependency| {
            Some(Lowest {
                name: dependency["name"].as_str()?.to_owned(),
                version: lower_bound(dependency["req"].as_str()?)?,
            })
        })
        .collect();
    lowest.sort();
    lowest.dedup();
    lowest
}

/// Returns the lower bound of a requirement such as `^1.2` or `>=0.30, <0.32`, in three parts.
fn lower_bound(requirement: &str) -> Option<String> {
    let first = requirement.split(',').next()?;
    let version = first.trim_start_matches(|it: char| !it.is_ascii_digit());
    let parts = version.split('.').chain(["0", "0"]);
    (!version.is_empty()).then(|| parts.take(3).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::{lower_bound, versions};

    #[test]
    fn all_versions_of_a_package_are_found() {
        let locked = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.11.0\"\n\n\
            [[package]]\nname = \"a\"\nversion = \"0.13.1\"\nsource = \"b\"\n\n\
            [[package]]\nname = \"ab\"\nversion = \"1.0.0\"\n";
        let found: Vec<&str> = versions(locked, "a").collect();
        assert_eq!(found, ["0.11.0", "0.13.1"]);
    }

    #[test]
    fn the_first_version_of_a_requirement_is_its_lower_bound() {
        assert_eq!(lower_bound("^1").as_deref(), Some("1.0.0"));
        assert_eq!(lower_bound("^0.2.172").as_deref(), Some("0.2.172"));
        assert_eq!(lower_bound(">=0.30, <0.32").as_deref(), Some("0.30.0"));
        assert_eq!(lower_bound("*"), None);
    }
}
