//! Processes whose names are no text: the kernel keeps 15 bytes of the name of a program, and cuts
//! a letter in two.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use snowglobe::fault::Fault;
use snowglobe::lab::Stdio;
use snowglobe::prelude::*;

/// Name of which the last letter is cut in two.
const NAME: &str = "schreibt-immerö";

/// Writes a script of that name, and returns its path.
fn script(directory: &Path, text: &str) -> std::io::Result<PathBuf> {
    let path = directory.join(NAME);
    std::fs::write(&path, format!("#!/bin/sh\n{text}"))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

#[snowglobe::test]
fn a_daemon_with_half_a_letter_is_asked_to_end() -> TestResult {
    let mut topology = Topology::new();
    let a = topology.node("a");
    let dir = snowglobe_tests::shared_dir();
    let lab = topology.start()?;
    let (ready, bye) = (dir.path().join("ready"), dir.path().join("bye"));
    let text = format!(
        "trap 'echo bye > {}; exit 0' TERM; echo > {}; sleep 1000 & wait",
        bye.display(),
        ready.display()
    );
    let daemon = script(dir.path(), &text)?;
    let start = format!("({} > /dev/null 2>&1 &); exit 0", daemon.display());
    assert!(
        lab[a]
            .command("sh")
            .args(["-c", &start])
            .status()?
            .success()
    );
    lab.wait_until(|| ready.exists())?;
    drop(lab);
    assert_eq!(std::fs::read_to_string(bye)?, "bye\n");
    Ok(())
}

#[snowglobe::test]
fn a_fault_reaches_a_program_with_half_a_letter() -> TestResult {
    let mut topology = Topology::new();
    let a = topology.node("a");
    let dir = snowglobe_tests::shared_dir();
    let lab = topology.start()?;
    let program = script(dir.path(), "echo ready; read line; echo limit $(ulimit -d)")?;
    let mut program = lab[a].command(program).stdin(Stdio::piped()).spawn()?;
    program.wait_for_log("ready")?;
    let memory = lab.inject(Fault::memory("a", 100_000))?;
    program.stdin.take().ok_or("stdin")?.write_all(b"go\n")?;
    let said = program.wait_for_log("limit ")?.text;
    assert!(program.wait()?.success());
    memory.heal()?;
    assert!(said["limit ".len()..].parse::<u64>().is_ok(), "{said}");
    Ok(())
}
