//! `snowglobe init` shows what it is about to write, writes it if somebody agrees, and overwrites
//! nothing; and the other commands speak of commands that this user has.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const MANIFEST: &str = "# mine\n[package]\nname   = 'mine' # odd\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";

fn snowglobe(directory: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_snowglobe"))
        .args(words)
        .current_dir(directory)
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("SNOWGLOBE_FIXTURES")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Makes a repository with this manifest.
fn project(manifest: &str) -> TempDir {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::create_dir_all(directory.path().join("src")).unwrap();
    fs::create_dir(directory.path().join(".git")).unwrap();
    fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(directory.path().join("src/lib.rs"), "").unwrap();
    directory
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_diff_is_shown_and_nothing_written_before_somebody_agrees() {
    let project = project(MANIFEST);
    for words in [&["init", "--dry-run"][..], &["init"][..]] {
        let output = snowglobe(project.path(), words);
        says(
            &text(&output.stdout),
            &[
                "--- a/Cargo.toml\n+++ b/Cargo.toml\n",
                "+snowglobe = \"0.1\"\n",
                "+[[test]]\n+name = \"world\"\n+harness = false\n",
                "--- /dev/null\n+++ b/tests/world.rs\n",
                "+++ b/.github/workflows/snowglobe.yml\n",
            ],
        );
        assert_eq!(entries(project.path()), [".git", "Cargo.toml", "src"]);
        let manifest = fs::read_to_string(project.path().join("Cargo.toml")).unwrap();
        assert_eq!(manifest, MANIFEST);
        assert_eq!(output.status.success(), words.contains(&"--dry-run"));
        // Whoever has installed it from a checkout learns how to depend on that.
        let harness = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        says(
            &text(&output.stderr),
            &[&format!("--path {}", harness.display())],
        );
    }
    let asked = snowglobe(project.path(), &["init"]);
    says(&text(&asked.stderr), &["no terminal to ask", "--yes"]);
}

#[test]
fn what_is_written_is_not_written_again() {
    let project = project(MANIFEST);
    let output = snowglobe(project.path(), &["init", "--yes", "--fixtures"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    says(
        &text(&output.stderr),
        &["cargo test --test world", "snowglobe provision"],
    );
    let manifest = fs::read_to_string(project.path().join("Cargo.toml")).unwrap();
    for line in MANIFEST.lines() {
        assert!(
            manifest.lines().any(|it| it == line),
            "{line} is gone: {manifest}"
        );
    }
    let again = snowglobe(project.path(), &["init", "--yes", "--fixtures"]);
    assert!(again.status.success());
    assert_eq!(text(&again.stdout), "");
    says(
        &text(&again.stderr),
        &["tests/world.rs is there", "nothing to write"],
    );
    assert_eq!(
        fs::read_to_string(project.path().join("Cargo.toml")).unwrap(),
        manifest
    );
}

#[test]
fn files_of_the_user_are_left_alone() {
    let project = project(MANIFEST);
    fs::create_dir(project.path().join("tests")).unwrap();
    fs::write(project.path().join("tests/world.rs"), "fn main() {}\n").unwrap();
    let output = snowglobe(project.path(), &["init", "--yes", "--no-github"]);
    assert!(output.status.success());
    let test = fs::read_to_string(project.path().join("tests/world.rs")).unwrap();
    assert_eq!(test, "fn main() {}\n");
    assert!(!project.path().join(".github").exists());
}

#[test]
fn what_is_no_package_is_explained() {
    let workspace = project("[workspace]\nmembers = [\"a\", \"crates/b\"]\n");
    let broken = project("[package\n");
    for (directory, parts) in [
        (workspace.path(), &["without a package", "a, crates/b"][..]),
        (broken.path(), &["cannot be understood"][..]),
        (
            Path::new("/"),
            &["there is no Cargo.toml", "cargo init"][..],
        ),
    ] {
        let output = snowglobe(directory, &["init", "--yes"]);
        assert!(!output.status.success());
        says(&text(&output.stderr), parts);
    }
}

/// The test that is written compiles and passes, with this checkout as the dependency.
#[test]
#[ignore = "builds snowglobe anew, which takes a minute"]
fn the_first_test_passes() {
    let project = project(MANIFEST);
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = harness.to_str().unwrap();
    let output = snowglobe(project.path(), &["init", "--yes", "--path", path]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let test = Command::new("cargo")
        .args(["test", "--offline", "--test", "world"])
        .current_dir(project.path())
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    assert!(test.status.success(), "{}", text(&test.stderr));
    says(&text(&test.stdout), &["2 passed"]);
}

#[test]
fn messages_name_the_command_of_this_user() {
    let project = project(MANIFEST);
    let none = snowglobe(project.path(), &["provision", "--check"]);
    says(
        &text(&none.stderr),
        &["there is no fixtures.toml", "[package.metadata.snowglobe]"],
    );
    // Cargo.toml may name the manifest.
    let named = format!("{MANIFEST}[package.metadata.snowglobe]\nfixtures = \"tests/it.toml\"\n");
    fs::write(project.path().join("Cargo.toml"), named).unwrap();
    fs::create_dir(project.path().join("tests")).unwrap();
    fs::write(
        project.path().join("tests/it.toml"),
        "[site.path]\nfrom = \"src\"\n",
    )
    .unwrap();
    let missing = snowglobe(&project.path().join("src"), &["provision", "--check"]);
    says(
        &text(&missing.stderr),
        &[
            "fixture `site` is missing",
            "run `snowglobe provision site`",
        ],
    );
    let cargo = Command::new(env!("CARGO_BIN_EXE_cargo-snowglobe"))
        .args(["snowglobe", "provision", "--check"])
        .current_dir(project.path())
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .unwrap();
    says(
        &text(&cargo.stderr),
        &["run `cargo snowglobe provision site`"],
    );
    let undeclared = snowglobe(project.path(), &["provision", "nginx"]);
    assert!(!undeclared.status.success());
    says(&text(&undeclared.stderr), &["nginx"]);
    let help = text(&snowglobe(project.path(), &["provision", "--help"]).stdout);
    says(&help, &["Usage: snowglobe provision [OPTIONS]"]);
    assert!(!help.contains("xtask"), "{help}");
    let help = text(&snowglobe(project.path(), &["--help"]).stdout);
    says(
        &help,
        &["snowglobe exec -- pytest", "doctor", "completions"],
    );
}

#[test]
fn completions_and_the_manual_page_are_understood_by_their_readers() {
    for (shell, reader) in [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")] {
        let script = snowglobe(Path::new("."), &["completions", shell]);
        assert!(script.status.success());
        // Not every machine has every shell.
        let Ok(mut child) = Command::new(reader).arg("-n").stdin(Stdio::piped()).spawn() else {
            continue;
        };
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), &script.stdout).unwrap();
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "{shell}");
    }
    let page = snowglobe(Path::new("."), &["man"]);
    says(
        &text(&page.stdout),
        &[".TH SNOWGLOBE 1", "\\-\\-topology FILE"],
    );
}
