//! The diff is shown at a terminal, and what it shows is written if somebody agrees.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command};

use nix::pty::openpty;

use crate::{MANIFEST, project, text};

/// Starts `snowglobe init` at a terminal of its own.
fn at_a_terminal(directory: &Path) -> (File, Child) {
    let pty = openpty(None, None).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_snowglobe"))
        .args(["init", "--git", "https://x/y"])
        .current_dir(directory)
        .stdin(pty.slave.try_clone().unwrap())
        .stdout(pty.slave.try_clone().unwrap())
        .stderr(pty.slave)
        .spawn()
        .unwrap();
    (File::from(pty.master), child)
}

/// Reads until the command asks.
fn read_until_asked(terminal: &mut File) {
    let mut heard = Vec::new();
    let mut bytes = [0; 4096];
    while !text(&heard).contains("[y/N]") {
        let count = terminal.read(&mut bytes).unwrap();
        heard.extend(&bytes[..count]);
    }
}

/// Answers the question, and returns what the command says then and whether it was successful.
fn answer(mut terminal: File, mut child: Child, word: &str) -> (String, bool) {
    writeln!(terminal, "{word}").unwrap();
    let mut heard = Vec::new();
    // The terminal ends with EIO when the command has ended (pty(7)).
    let _ = terminal.read_to_end(&mut heard);
    (text(&heard), child.wait().unwrap().success())
}

#[test]
fn nothing_is_written_unless_somebody_agrees() {
    let project = project(MANIFEST);
    let manifest = || fs::read_to_string(project.path().join("Cargo.toml")).unwrap();
    for (word, agrees) in [("", false), ("n", false), ("what?", false), ("y", true)] {
        let (mut terminal, child) = at_a_terminal(project.path());
        read_until_asked(&mut terminal);
        assert_eq!(manifest(), MANIFEST, "before the answer `{word}`");
        let (said, success) = answer(terminal, child, word);
        assert_eq!(success, agrees, "{word}: {said}");
        assert_eq!(said.contains("nothing was written"), !agrees, "{said}");
        assert_eq!(manifest() != MANIFEST, agrees, "after the answer `{word}`");
        assert_eq!(project.path().join("tests/world.rs").exists(), agrees);
    }
}

#[test]
fn what_somebody_has_written_meanwhile_stays() {
    let project = project(MANIFEST);
    let path = project.path().join("Cargo.toml");
    let changed = format!("{MANIFEST}# Written while the diff was read.\n");
    let (mut terminal, child) = at_a_terminal(project.path());
    read_until_asked(&mut terminal);
    fs::write(&path, &changed).unwrap();
    let (said, success) = answer(terminal, child, "y");
    assert!(!success && said.contains("has changed since"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), changed);

    fs::write(&path, MANIFEST).unwrap();
    let (mut terminal, child) = at_a_terminal(project.path());
    read_until_asked(&mut terminal);
    fs::create_dir(project.path().join("tests")).unwrap();
    let test = project.path().join("tests/world.rs");
    fs::write(&test, "// Mine.\n").unwrap();
    let (said, success) = answer(terminal, child, "y");
    assert!(!success && said.contains("tests/world.rs"), "{said}");
    assert_eq!(fs::read_to_string(&test).unwrap(), "// Mine.\n");
}
