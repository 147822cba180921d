//! A program in a node of a topology that a file describes.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use tempfile::TempDir;

use crate::wrapper::{exec, pid, says, stderr, stdout};

const PAIR: &str = r#"
[[node]]
name = "alice"
[[node]]
name = "bob"
[[link]]
ends = ["alice", "bob"]
"#;

/// Writes a topology to a file below the target directory, for /tmp is empty in a world.
fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("net.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn in_node(options: &[&str], text: &str, program: &[&str]) -> std::process::Command {
    let (directory, path) = file(text);
    let mut words = vec!["--topology", path.to_str().unwrap()];
    words.extend(options);
    words.push("--");
    words.extend(program);
    let command = exec(&words);
    // Test programs are short: what is left is below the target directory.
    let _ = directory.keep();
    command
}

#[test]
fn the_program_is_in_the_node_and_reaches_the_others_by_name() {
    let script = "hostname; getent hosts alice | wc -l; test -e /sys/class/net/eth0; echo $?";
    let output = in_node(&["--node", "bob"], PAIR, &["sh", "-c", script])
        .output()
        .unwrap();
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines, ["bob", "1", "0"], "{}", stderr(&output));
    assert!(output.status.success());
}

#[test]
fn exit_codes_and_signals_come_out_of_a_node() {
    let run = |script| {
        in_node(&["--node", "bob"], PAIR, &["sh", "-c", script])
            .output()
            .unwrap()
    };
    assert_eq!(run("exit 7").status.code(), Some(7));
    assert_eq!(
        run("kill -USR2 $$").status.signal(),
        Some(Signal::SIGUSR2 as i32)
    );
    let none = in_node(&["--node", "bob"], PAIR, &["no-such-program"])
        .output()
        .unwrap();
    assert_eq!(none.status.code(), Some(127));
    says(&stderr(&none), &["`no-such-program`"]);
}

#[test]
fn a_signal_to_the_wrapper_reaches_a_program_in_a_node() {
    // A signal that comes just before bash blocks in `read` is heard when that `read` ends.
    let script = "trap 'exit 33' TERM; echo ready; while :; do read -t 1 x; done";
    let mut command = in_node(&["--node", "bob"], PAIR, &["bash", "-c", script]);
    let piped = std::process::Stdio::piped;
    let mut child = command.stdin(piped()).stdout(piped()).spawn().unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    kill(pid(&child), Signal::SIGTERM).unwrap();
    let stdin = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(33));
    drop(stdin);
}

#[test]
fn a_topology_without_that_node_names_those_that_it_has() {
    for (options, part) in [
        (&["--node", "carol"][..], "no node `carol`"),
        (&[][..], "several nodes"),
    ] {
        let output = in_node(options, PAIR, &["true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        says(&stderr(&output), &[part, "`alice`, `bob`"]);
    }
    let broken = in_node(&[], "[[node]\n", &["true"]).output().unwrap();
    assert_eq!(broken.status.code(), Some(125));
    says(&stderr(&broken), &["net.toml:1"]);
    let none = exec(&["--topology", "no-such.toml", "true"])
        .output()
        .unwrap();
    assert_eq!(none.status.code(), Some(125));
    says(&stderr(&none), &["no-such.toml"]);
}

#[test]
fn a_volume_is_an_empty_directory() {
    let script = "ls -A /srv | wc -l; touch /srv/a && ls /srv";
    let output = exec(&["--volume", "/srv", "--", "sh", "-c", script])
        .output()
        .unwrap();
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines, ["0", "a"], "{}", stderr(&output));
}

#[test]
fn a_volume_may_be_where_the_host_has_no_directory() {
    let at = "/no-such/directory";
    let script = format!("touch {at}/a && ls {at}");
    let output = exec(&["--volume", at, "--", "sh", "-c", &script])
        .output()
        .unwrap();
    assert_eq!(stdout(&output), "a\n", "{}", stderr(&output));
    assert!(!std::path::Path::new("/no-such").exists());
}

#[test]
fn a_capture_is_written_where_it_is_asked_for() {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("packets");
    let mut command = exec(&["--capture", path.to_str().unwrap(), "--", "bash", "-c"]);
    // The kernel refuses the connection by a packet that goes over lo.
    let output = command
        .arg("echo > /dev/tcp/127.0.0.1/9 || true")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    assert_eq!(said.matches(".pcapng").count(), 1, "{said}");
    says(&said, &["note: capture: ", path.to_str().unwrap()]);
    let file = std::fs::read_dir(&path).unwrap().next().unwrap().unwrap();
    // A section header, an interface and two packets at least.
    assert!(file.metadata().unwrap().len() > 300);
}
