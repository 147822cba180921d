//! Messages name commands that this user has.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{MANIFEST, project, says, snowglobe, text};

#[test]
fn messages_name_the_command_of_this_user() {
    let project = project(MANIFEST);
    let none = snowglobe(project.path(), &["provision", "--check"]);
    says(
        &text(&none.stderr),
        &[
            "there is no fixtures.toml",
            "(in a package of cargo by `snowglobe init --fixtures`)",
            "[package.metadata.snowglobe]",
        ],
    );
    // As cargo starts it: the directory is that of the package too, and is named once.
    let of_cargo = Command::new(env!("CARGO_BIN_EXE_snowglobe"))
        .args(["provision", "--check"])
        .current_dir(project.path())
        .env("CARGO_MANIFEST_DIR", project.path())
        .output()
        .unwrap();
    let place = format!("`{}`", project.path().display());
    assert_eq!(text(&of_cargo.stderr).matches(&place).count(), 1);
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
