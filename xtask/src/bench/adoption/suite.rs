//! Suites of published crates: as they are, under nextest, against the same suites of trials.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bench::measure::output;
use crate::cargo::cargo;

/// A published crate with a suite.
pub(super) struct PublishedSuite {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// What kind of suite it is: the ratio depends on it.
    pub(super) what: &'static str,
    /// Integration tests that both runs include; an empty list stands for all.
    programs: &'static [&'static str],
    /// Tests that both runs leave out.
    skip: &'static [&'static str],
}

/// The suites that are measured: further ones are further rows.
pub(super) const PUBLISHED: [PublishedSuite; 2] = [
    PublishedSuite {
        name: "tempfile",
        version: "3.27.0",
        // `test_make_uds_conflict` and `test_pathological_cleaner` take 0.65 of 0.68 s under the
        // standard harness (2026-11-30). nextest runs them side by side. They are in two programs,
        // which `cargo test` starts one after the other.
        what: "60 short tests and 2 long ones in 5 programs",
        programs: &[],
        // In these tests a thread panics on purpose, which fails a trial without the option
        // `allow_panics`.
        skip: &["dont_double_panic", "test_rm_tempdir_threading"],
    },
    PublishedSuite {
        name: "bytes",
        version: "1.12.2",
        what: "a thousand short tests in 7 programs",
        // The other programs set a global allocator, or have a condition at their top.
        programs: &[
            "test_buf",
            "test_buf_mut",
            "test_bytes",
            "test_chain",
            "test_limit",
            "test_reader",
            "test_take",
        ],
        // Each takes a second or more, where all others together take one.
        skip: &["advance_bytes_mut_remaining_capacity", "stress"],
    },
];

/// A suite, twice.
pub(super) struct Suite {
    plain: PathBuf,
    converted: PathBuf,
    /// Integration tests that are included; an empty list stands for all.
    programs: &'static [&'static str],
    /// Options of both runs.
    options: Vec<&'static str>,
}

impl Suite {
    /// Gets the source of the crate from its registry, and makes trials of all tests in one copy,
    /// by `snowglobe fix`, with a `main` of ours for each integration test.
    ///
    /// # Errors
    /// The error is the text to show.
    pub(super) fn make(published: &PublishedSuite, snowglobe: &Path) -> Result<Self, String> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let workspace = workspace
            .canonicalize()
            .map_err(|error| format!("the workspace is not there: {error}"))?;
        let directory = workspace.join("target/adoption").join(published.name);
        // The suite of an earlier run has been converted.
        let _ = fs::remove_dir_all(&directory);
        let source = source(published, &directory)?;
        let copy = |name: &str| -> Result<PathBuf, String> {
            let copy = directory.join(name);
            output(Command::new("cp").arg("-rT").arg(&source).arg(&copy))?;
            append(&copy.join("Cargo.toml"), "\n[workspace]\n")?;
            Ok(copy)
        };
        let (plain, converted) = (copy("plain")?, copy("converted")?);
        let mut fix = Command::new(snowglobe);
        fix.args(["fix", "--yes", "--main", "--path"])
            .arg(workspace.join("harness"))
            .current_dir(&converted);
        output(fix.stdin(Stdio::null()))?;
        let skips = published.skip.iter().flat_map(|name| ["--skip", name]);
        let suite = Self {
            plain,
            converted,
            programs: published.programs,
            options: ["--"].into_iter().chain(skips).collect(),
        };
        output(suite.under_nextest().arg("--no-run"))?;
        output(suite.under_cargo().arg("--no-run"))?;
        Ok(suite)
    }

    /// Returns nextest for the suite as it is published.
    pub(super) fn nextest(&self) -> Command {
        let mut command = self.under_nextest();
        command.args(&self.options);
        command
    }

    fn under_nextest(&self) -> Command {
        let mut command = self.cargo(&self.plain);
        command.args(["nextest", "run", "--release"]);
        self.choose(&mut command);
        command
    }

    /// Returns `cargo test` for the suite of trials.
    pub(super) fn ours(&self) -> Command {
        let mut command = self.under_cargo();
        command.args(&self.options);
        command
    }

    fn under_cargo(&self) -> Command {
        let mut command = self.cargo(&self.converted);
        command.args(["test", "--release"]);
        self.choose(&mut command);
        command
    }

    /// Tells cargo which programs of the suite to run.
    fn choose(&self, command: &mut Command) {
        if self.programs.is_empty() {
            command.arg("--tests");
        }
        for program in self.programs {
            command.args(["--test", program]);
        }
    }

    /// Returns cargo for one of the two. All suites have one directory of what is built, which
    /// stays, so that snowglobe is compiled once for all of them: that takes longer than all else.
    fn cargo(&self, package: &Path) -> Command {
        let mut command = cargo();
        let built = package.ancestors().nth(2).unwrap_or(package).join("built");
        command
            .current_dir(package)
            // A test that panics on purpose would spend ten times its own time on a backtrace.
            .env("RUST_BACKTRACE", "0")
            .env("CARGO_TARGET_DIR", built);
        command
    }
}

/// Returns the directory of the crate's source, which cargo fetches if it is not there.
fn source(published: &PublishedSuite, directory: &Path) -> Result<PathBuf, String> {
    let PublishedSuite { name, version, .. } = published;
    let wants = directory.join("wants");
    let write = |path: &str, text: &str| {
        let path = wants.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&wants))
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    write("src/lib.rs", "")?;
    let manifest = format!(
        "[package]\nname = \"wants\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{name} = \"={version}\"\n"
    );
    write("Cargo.toml", &manifest)?;
    let mut metadata = cargo();
    metadata
        .args(["metadata", "--format-version", "1"])
        .current_dir(&wants);
    let text = output(&mut metadata)?;
    let all: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let packages = all["packages"].as_array().into_iter().flatten();
    let mut found = packages.filter(|package| package["name"] == *name);
    let manifest = found.next().and_then(|it| it["manifest_path"].as_str());
    let directory = manifest.and_then(|path| Path::new(path).parent());
    directory
        .map(Path::to_owned)
        .ok_or_else(|| format!("cargo does not say where {name} {version} is"))
}

fn append(path: &Path, more: &str) -> Result<(), String> {
    let failed = |error| format!("cannot write {}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(failed)?;
    fs::write(path, text + more).map_err(failed)
}
