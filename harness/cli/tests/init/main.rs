//! `snowglobe init` shows what it is about to write, writes it if somebody agrees, and overwrites
//! nothing; `snowglobe fix` converts a suite and back; and the other commands speak of commands
//! that this user has.

mod consent;
mod converting;
mod left;
mod messages;
mod newcomer;
mod small_programs;
mod writing;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub(crate) const MANIFEST: &str = "# mine\n[package]\nname   = 'mine' # odd\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";

pub(crate) fn snowglobe(directory: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_snowglobe"))
        .args(words)
        .current_dir(directory)
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("SNOWGLOBE_FIXTURES")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Returns the directory of the crate in this checkout, from which the command was built.
pub(crate) fn harness() -> String {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    harness.display().to_string()
}

/// Returns the line by which a manifest names that directory.
pub(crate) fn of_checkout() -> String {
    format!("snowglobe = {{ path = \"{}\" }}\n", harness())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Makes a repository with this manifest.
pub(crate) fn project(manifest: &str) -> TempDir {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::create_dir_all(directory.path().join("src")).unwrap();
    fs::create_dir(directory.path().join(".git")).unwrap();
    fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(directory.path().join("src/lib.rs"), "").unwrap();
    directory
}

pub(crate) fn read(project: &TempDir, path: &str) -> String {
    fs::read_to_string(project.path().join(path)).unwrap()
}

/// Writes a file, in a new folder if need be.
pub(crate) fn write(project: &TempDir, path: &str, text: &str) {
    let path = project.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[track_caller]
pub(crate) fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// Tests of which no two can run at a time on one host: each holds port 80 until all have tried.
pub(crate) const SUITE: &str = r#"
use std::net::TcpListener;

fn hold() {
    let _listener = TcpListener::bind("0.0.0.0:80").expect("port 80 is mine");
    std::thread::sleep(std::time::Duration::from_millis(300));
}

#[test]
fn one() {
    hold();
}

/// Says something.
#[test]
#[should_panic = "as it must"]
fn two() {
    hold();
    panic!("as it must");
}
"#;

/// A library with tests in all the places where there are any.
pub(crate) const LIBRARY: &str = "\
//! ```
//! assert_eq!(mine::two(), 2);
//! ```

pub fn two() -> u8 {
    2
}

#[test]
fn outside() {}

#[cfg(test)]
mod tests {
    #[test]
    fn inside() {
        assert_eq!(super::two(), 2);
    }
}
";

/// Makes a repository with a suite in it.
pub(crate) fn suite() -> TempDir {
    let project = project(MANIFEST);
    fs::create_dir(project.path().join("tests")).unwrap();
    fs::write(project.path().join("tests/net.rs"), SUITE).unwrap();
    fs::write(project.path().join("src/lib.rs"), LIBRARY).unwrap();
    project
}
