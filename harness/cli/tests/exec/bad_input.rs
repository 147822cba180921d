//! What cannot be done is told with its remedy, and with an exit code of its own.

use crate::wrapper::{exec, says, stderr, stdout};

fn fails(words: &[&str], code: i32, parts: &[&str]) {
    let output = exec(words).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{words:?}: {}",
        stderr(&output)
    );
    says(&stderr(&output), parts);
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    fails(
        &["--", "no-such-program"],
        127,
        &["`no-such-program`", "no directory in PATH"],
    );
    fails(&["--", "./no/such"], 127, &["`./no/such`", "No such file"]);
    fails(
        &["--", "/etc/passwd"],
        126,
        &["`/etc/passwd`", "Permission denied"],
    );
    fails(&["--", "/"], 126, &["`/`"]);
}

#[test]
fn the_command_line_is_explained() {
    fails(&[], 125, &["no program is named", "snowglobe exec --help"]);
    fails(&["--bogus", "true"], 125, &["no option `--bogus`"]);
    fails(
        &["--timeout", "soon", "true"],
        125,
        &["--timeout is `soon`", "90s"],
    );
    fails(&["--timeout", "0s", "true"], 125, &["--timeout is `0s`"]);
    fails(
        &["--user", "no-such-user", "true"],
        125,
        &["no user `no-such-user`", "getent"],
    );
}

#[test]
fn a_topology_without_nodes_is_told_how_a_file_has_one() {
    let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = file.path().to_str().unwrap();
    fails(
        &["--topology", path, "--node", "a", "true"],
        125,
        &["the topology has no nodes", "in a file with `[[node]]`"],
    );
}

#[test]
fn options_that_lead_nowhere_are_told() {
    fails(&["--node", "a", "true"], 125, &["--topology FILE"]);
    fails(
        &["--volume", "data:/data", "true"],
        125,
        &["volume `data`", "--topology FILE as well", "--volume /data"],
    );
    fails(
        &["--volume", "/a/../b", "true"],
        125,
        &["snowglobe exec: mount `/a/../b`", "without `..`"],
    );
    fails(
        &["--writable", "/no/such", "true"],
        125,
        &["no such directory", "make it first"],
    );
    fails(
        &["--writable", "/etc/passwd", "true"],
        125,
        &["`/etc/passwd`", "no directory"],
    );
}

#[test]
fn a_working_directory_that_was_deleted_is_told_and_no_other_takes_its_place() {
    let wrapper = env!("CARGO_BIN_EXE_snowglobe");
    for options in ["", "--volume /data", "--user nobody"] {
        let gone = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let script = format!("rmdir \"$PWD\" && exec {wrapper} exec {options} -- pwd");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script]).current_dir(gone.path());
        let output = shell.output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{}", stdout(&output));
        says(
            &stderr(&output),
            &["working directory", "was deleted", "`cd /`"],
        );
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_world_within_a_world_needs_the_outer_ones_leave() {
    let inner = [
        env!("CARGO_BIN_EXE_snowglobe"),
        "exec",
        "--",
        "cat",
        "/proc/1/comm",
    ];
    let refused = [&["--"], &inner[..]].concat();
    fails(&refused, 125, &["in the world of a trial", "`--nested`"]);
    let output = exec(&[&["--nested", "--"], &inner[..]].concat())
        .output()
        .unwrap();
    assert_eq!(stdout(&output), "snowglobe-trial\n", "{}", stderr(&output));
    assert!(output.status.success());
}
