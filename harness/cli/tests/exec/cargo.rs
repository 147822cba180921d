//! `snowglobe exec` as the runner of cargo and as the wrapper of nextest: a suite without a changed
//! line, each of whose test programs, or tests, has a world of its own.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::wrapper::{says, stderr, stdout};

/// Tests that bind port 80 and hold it until another test has tried to. No two of them can run at
/// a time on one host.
const SUITE: &str = r#"
use std::net::{TcpListener, TcpStream};
fn hold() {
    let listener = TcpListener::bind("0.0.0.0:80").expect("port 80 is mine");
    TcpStream::connect("127.0.0.1:80").expect("lo is up");
    listener.accept().unwrap();
    let first = std::fs::read_to_string("/proc/1/comm").unwrap();
    assert_eq!(first.trim(), "snowglobe-trial");
    assert_eq!(std::fs::read_dir("/tmp").unwrap().count(), 0);
    std::fs::write("/tmp/mine", "").unwrap();
}
"#;

fn project(edition: &str) -> TempDir {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"ports\"\nversion = \"0.1.0\"\nedition = \"{edition}\"\n[workspace]\n"
        ),
    );
    let doctest = "
        //! ```
        //! let first = std::fs::read_to_string(\"/proc/1/comm\").unwrap();
        //! assert_eq!(first.trim(), \"snowglobe-trial\");
        //! assert!(!std::path::Path::new(\"/tmp/mine\").exists());
        //! std::fs::write(\"/tmp/mine\", \"\").unwrap();
        //! ```
        //!
    ";
    write("src/lib.rs", &doctest.repeat(2));
    write(
        "tests/one.rs",
        &format!("{SUITE}\n#[test]\nfn a() {{ hold() }}\n"),
    );
    write(
        "tests/two.rs",
        &format!("{SUITE}\n#[test]\nfn b() {{ hold() }}\n"),
    );
    write(
        "nextest/three.rs",
        &format!("{SUITE}\n#[test]\nfn c() {{ hold() }}\n#[test]\nfn d() {{ hold() }}\n"),
    );
    directory
}

fn cargo(project: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // cargo tells this test about its own package, and what it inherits would be wrong there.
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("CARGO_")) {
        if name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    command
        .args(words)
        .current_dir(project)
        .env("CARGO_TARGET_DIR", project.join("target"))
        .env("CARGO_BUILD_TARGET", host())
        .env(
            format!(
                "CARGO_TARGET_{}_RUNNER",
                host().to_uppercase().replace('-', "_")
            ),
            format!("{} exec --", env!("CARGO_BIN_EXE_snowglobe")),
        );
    command.output().unwrap()
}

/// Returns the platform for which tests are built, which cargo knows by its runner's variable.
fn host() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

#[test]
fn cargo_runs_each_test_program_and_doctest_in_a_world() {
    // From edition 2024 on, rustdoc makes one program of all doctests.
    for edition in ["2021", "2024"] {
        let project = project(edition);
        let output = cargo(project.path(), &["test", "--offline"]);
        let text = stdout(&output);
        assert!(output.status.success(), "{text}{}", stderr(&output));
        says(&text, &["test a ... ok", "test b ... ok"]);
        assert_eq!(
            text.matches("test src/lib.rs - (line ").count(),
            2,
            "{text}"
        );
    }
}

#[test]
fn each_doctest_of_edition_2024_has_the_options_of_the_runner() {
    let project = project("2024");
    let doctest = "//! ```\n//! std::fs::write(\"/it's $HOME/mine\", \"\").unwrap();\n//! ```\n";
    std::fs::write(project.path().join("src/lib.rs"), doctest).unwrap();
    let runner = format!(
        "target.{}.runner=[{:?}, 'exec', '--volume', \"/it's $HOME\"]",
        host(),
        env!("CARGO_BIN_EXE_snowglobe")
    );
    let output = cargo(
        project.path(),
        &["test", "--offline", "--doc", "--config", &runner],
    );
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    says(&text, &["1 passed"]);
}

#[test]
fn nextest_runs_each_test_in_a_world() {
    let there = Command::new("cargo")
        .args(["nextest", "--version"])
        .output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!("not tried: cargo-nextest is not installed");
        return;
    }
    let project = project("2021");
    std::fs::rename(
        project.path().join("nextest/three.rs"),
        project.path().join("tests/three.rs"),
    )
    .unwrap();
    let output = cargo(project.path(), &["nextest", "run", "--offline", "-j4"]);
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    says(&text, &["4 tests run: 4 passed"]);
    assert!(!text.contains("leaky"), "{text}");
}
