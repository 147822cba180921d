//! The bench of what a project pays for snowglobe as its dev-dependency: a first build.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use crate::bench::row::BenchRow;
use crate::cargo::cargo;

/// A project in a workspace of its own, to which `snowglobe init` adds what a first test needs.
const MANIFEST: &str = r#"[package]
name = "first-build"
version = "0.1.0"
edition = "2024"

[workspace]
"#;

/// Name of the test program that `snowglobe init` adds.
const TEST: &str = "world";

/// Measures the rows: once each, since a clean build takes a while. `command` is the program
/// `snowglobe`.
///
/// # Errors
/// The error is the text to show.
pub(super) fn first_build(command: &Path) -> Result<Vec<BenchRow>, String> {
    let project = Project::make(command)?;
    let build = || {
        let mut command = project.cargo(&["test", "--no-run", "--quiet"]);
        // A dependency from a registry is compiled without incremental files.
        command.env("CARGO_INCREMENTAL", "0");
        let start = Instant::now();
        run(&mut command)?;
        Ok::<_, String>(start.elapsed().as_secs_f64())
    };
    let clean = build()?;
    let test = File::options().append(true).open(project.test());
    test.and_then(|file| file.set_modified(SystemTime::now()))
        .map_err(|error| format!("cannot touch the test: {error}"))?;
    let touched = build()?;
    let tree = ["tree", "-e", "normal,build,dev", "--prefix", "none"];
    let tree = project.cargo(&tree).stderr(Stdio::inherit()).output();
    let tree = tree.map_err(|error| format!("cargo tree does not run: {error}"))?;
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    let mut crates: Vec<&str> = tree.lines().filter_map(|it| it.split(' ').next()).collect();
    crates.sort_unstable();
    crates.dedup();
    // The project itself is one of them.
    let crates = crates.len().saturating_sub(1) as f64;
    let row =
        |name: &str, unit, figure, most| BenchRow::within("adoption", name, unit, figure, most);
    Ok(vec![
        row(
            "a clean debug build with the first test; 18 s",
            "s",
            clean,
            18.0,
        ),
        row(
            "that build after a touch of the test; 0.3 s",
            "s",
            touched,
            0.3,
        ),
        row(
            "a debug test program; 35 MB",
            "MB",
            project.size()? * 1e-6,
            35.0,
        ),
        row("crates of the default features; 40", "", crates, 40.0),
    ])
}

struct Project(tempfile::TempDir);

impl Project {
    fn make(command: &Path) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let explain = |error| format!("cannot write a project: {error}");
        let harness = root.join("harness").canonicalize().map_err(explain)?;
        let directory = tempfile::tempdir_in(root.join("target")).map_err(explain)?;
        let project = Self(directory);
        let inside = |file: &str| project.0.path().join(file);
        fs::create_dir(inside("src")).map_err(explain)?;
        fs::write(inside("src/lib.rs"), "").map_err(explain)?;
        fs::write(inside("Cargo.toml"), MANIFEST).map_err(explain)?;
        let mut init = Command::new(command);
        init.args(["init", "--yes", "--no-github", "--path"])
            .arg(harness)
            .current_dir(project.0.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        run(&mut init)?;
        // With the versions of this repository, which are there already.
        fs::copy(root.join("Cargo.lock"), inside("Cargo.lock")).map_err(explain)?;
        Ok(project)
    }

    fn test(&self) -> PathBuf {
        self.0.path().join("tests").join(TEST).with_extension("rs")
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = cargo();
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("CARGO_TARGET_DIR", self.0.path().join("target"))
            .stdin(Stdio::null());
        command
    }

    /// Returns the size of the test program, in bytes.
    fn size(&self) -> Result<f64, String> {
        let explain = |error| format!("cannot find the test program: {error}");
        let programs = fs::read_dir(self.0.path().join("target/debug/deps")).map_err(explain)?;
        let sizes = programs.flatten().filter(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            let rest = name.strip_prefix(TEST);
            rest.is_some_and(|it| it.starts_with('-')) && !name.ends_with(".d")
        });
        let size = |file: fs::DirEntry| file.metadata().map_or(0, |found| found.len());
        Ok(sizes.map(size).max().unwrap_or_default() as f64)
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} failed ({status})")),
        Err(error) => Err(format!("{command:?} does not run: {error}")),
    }
}
