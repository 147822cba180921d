//! The suite of a published crate: as it is, under nextest, against the same suite of trials.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bench::measure::output;
use crate::cargo::cargo;

/// A crate with a suite of many short tests, in several programs, that write files.
const CRATE: &str = "tempfile";
const VERSION: &str = "3.27.0";
/// Options of both runs. In these two tests a thread panics on purpose, which fails a trial without
/// the option `allow_panics`.
const ALL_BUT_TWO: [&str; 5] = [
    "--",
    "--skip",
    "dont_double_panic",
    "--skip",
    "test_rm_tempdir_threading",
];

/// The suite, twice.
pub(super) struct Suite {
    /// Holds both.
    _directory: tempfile::TempDir,
    plain: PathBuf,
    converted: PathBuf,
}

impl Suite {
    /// Gets the source of the crate from its registry, and makes trials of all tests in one copy:
    /// by `snowglobe fix`, and with a `main` of ours for each integration test.
    ///
    /// # Errors
    /// The error is the text to show.
    pub(super) fn make(snowglobe: &Path) -> Result<Self, String> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let directory = tempfile::tempdir_in(workspace.join("target"))
            .map_err(|error| format!("cannot make a directory for the suite: {error}"))?;
        let source = source(directory.path())?;
        let copy = |name: &str| -> Result<PathBuf, String> {
            let copy = directory.path().join(name);
            output(Command::new("cp").arg("-rT").arg(&source).arg(&copy))?;
            append(&copy.join("Cargo.toml"), "\n[workspace]\n")?;
            Ok(copy)
        };
        let (plain, converted) = (copy("plain")?, copy("converted")?);
        let mut fix = Command::new(snowglobe);
        fix.args(["fix", "--yes", "--path"])
            .arg(workspace.join("harness"))
            .current_dir(&converted);
        output(fix.stdin(Stdio::null()))?;
        for (name, path) in integration_tests(&converted)? {
            append(&path, "\nsnowglobe::main!();\n")?;
            own_main(&converted.join("Cargo.toml"), &name)?;
        }
        let suite = Self {
            _directory: directory,
            plain,
            converted,
        };
        output(suite.under_nextest().arg("--no-run"))?;
        output(suite.under_cargo().arg("--no-run"))?;
        Ok(suite)
    }

    /// Returns nextest for the suite as it is published.
    pub(super) fn nextest(&self) -> Command {
        let mut command = self.under_nextest();
        command.args(ALL_BUT_TWO);
        command
    }

    fn under_nextest(&self) -> Command {
        let mut command = self.cargo(&self.plain);
        command.args(["nextest", "run", "--release", "--tests"]);
        command
    }

    /// Returns `cargo test` for the suite of trials.
    pub(super) fn ours(&self) -> Command {
        let mut command = self.under_cargo();
        command.args(ALL_BUT_TWO);
        command
    }

    fn under_cargo(&self) -> Command {
        let mut command = self.cargo(&self.converted);
        command.args(["test", "--release", "--tests"]);
        command
    }

    fn cargo(&self, package: &Path) -> Command {
        let mut command = cargo();
        command
            .current_dir(package)
            .env("CARGO_TARGET_DIR", package.join("target"));
        command
    }
}

/// Returns the directory of the crate's source, which cargo fetches if it is not there.
fn source(directory: &Path) -> Result<PathBuf, String> {
    let wants = directory.join("wants");
    let write = |path: &str, text: &str| {
        let path = wants.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&wants))
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    write("src/lib.rs", "")?;
    let manifest = format!(
        "[package]\nname = \"wants\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{CRATE} = \"={VERSION}\"\n"
    );
    write("Cargo.toml", &manifest)?;
    let mut metadata = cargo();
    metadata
        .args(["metadata", "--format-version", "1"])
        .current_dir(&wants);
    let text = output(&mut metadata)?;
    let all: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let packages = all["packages"].as_array().into_iter().flatten();
    let mut found = packages.filter(|package| package["name"] == CRATE);
    let manifest = found.next().and_then(|it| it["manifest_path"].as_str());
    let directory = manifest.and_then(|path| Path::new(path).parent());
    directory
        .map(Path::to_owned)
        .ok_or_else(|| format!("cargo does not say where {CRATE} {VERSION} is"))
}

/// Returns the names and the files of the integration tests.
fn integration_tests(package: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let tests = package.join("tests");
    let entries = fs::read_dir(&tests)
        .map_err(|error| format!("cannot read {}: {error}", tests.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let sources = paths.filter(|path| path.extension().is_some_and(|it| it == "rs"));
    let named = |path: PathBuf| {
        let name = path.file_stem()?.to_str()?.to_owned();
        Some((name, path))
    };
    Ok(sources.filter_map(named).collect())
}

/// Gives a test target a `main` of its own. cargo publishes manifests that name each target.
fn own_main(manifest: &Path, name: &str) -> Result<(), String> {
    let failed = |error| format!("cannot edit {}: {error}", manifest.display());
    let text = fs::read_to_string(manifest).map_err(failed)?;
    let target = format!("[[test]]\nname = \"{name}\"\n");
    let own = format!("{target}harness = false\n");
    let text = match text.contains(&target) {
        true => text.replace(&target, &own),
        false => format!("{text}\n{own}"),
    };
    fs::write(manifest, text).map_err(failed)
}

fn append(path: &Path, more: &str) -> Result<(), String> {
    let failed = |error| format!("cannot write {}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(failed)?;
    fs::write(path, text + more).map_err(failed)
}
