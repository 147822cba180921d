//! Distributed systems under fire: faults of many nodes, schedules, nemeses, clusters.

mod calls;
mod etcd;
mod hearing;
mod instants;
mod names;
mod overlaps;
mod partitions;
mod points;
mod processes;
mod redis;
mod schedules;
mod start;
mod upgrades;
mod wrongs;

use snowglobe::Lab;
use snowglobe::lab::{Node, Process, Stdio};
use snowglobe::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// Starts nodes `n1`, `n2` and so on, on one switch.
fn nodes(number: usize) -> TestResult<Lab> {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    for n in 1..=number {
        let node = topology.node(format!("n{n}"));
        topology.plug(node, lan);
    }
    Ok(topology.start()?)
}

/// Starts `sh` or `perl` with a script that reads lines from its standard input.
fn program_of_script(node: &Node, interpreter: &str, script: &str) -> TestResult<Process> {
    let option = if interpreter == "perl" { "-e" } else { "-c" };
    let mut command = node.command(interpreter);
    command.args([option, script]).stdin(Stdio::piped());
    Ok(command.spawn()?)
}

/// Starts a script, and returns when it has written `ready`.
fn ready_program(node: &Node, interpreter: &str, script: &str) -> TestResult<Process> {
    let process = program_of_script(node, interpreter, script)?;
    process.wait_for_log("ready")?;
    Ok(process)
}

/// Writes a line to a program that reads its standard input.
fn tell(process: &mut Process, line: &str) -> TestResult {
    let stdin = process.stdin.as_mut().ok_or("no stdin")?;
    stdin.write_all(format!("{line}\n").as_bytes())?;
    Ok(())
}

/// Returns the line of `/proc` about a process, as the node has it (proc_pid_stat(5)).
fn stat(node: &Node, process: &Process) -> TestResult<String> {
    let path = format!("/proc/{}/stat", process.id());
    Ok(node.command("cat").arg(path).output()?.stdout_str())
}

snowglobe::main!();
