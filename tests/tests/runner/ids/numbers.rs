//! Process numbers tell the trials of a run apart, and the nodes of each. Names of files that are
//! made of a process number rely on it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use snowglobe::TestResult;
use snowglobe::lab::Node;
use snowglobe::topology::shape;
use snowglobe_tests::{Run, finished, this_program};

use super::samples::marker;

/// Number of samples below.
const TRIALS: usize = 4;
/// Number of nodes in each.
const NODES: usize = 8;
/// Numbers that each sample finds: its own, those of two programs, and two in each node.
const NUMBERS: usize = 3 + 2 * (NODES + 1);

/// A shell, which says its number and that of a program that it starts.
const SAY: &str = "echo $$; sh -c 'echo $$; true'; true";

#[snowglobe::test(ignore = "a sample")]
fn says_its_numbers_1() -> TestResult {
    say_numbers()
}

#[snowglobe::test(ignore = "a sample")]
fn says_its_numbers_2() -> TestResult {
    say_numbers()
}

#[snowglobe::test(ignore = "a sample")]
fn says_its_numbers_3() -> TestResult {
    say_numbers()
}

#[snowglobe::test(ignore = "a sample")]
fn says_its_numbers_4() -> TestResult {
    say_numbers()
}

/// Makes a file of the name of each number in the directory that the samples share.
fn say_numbers() -> TestResult {
    taken(&std::process::id().to_string())?;
    let lab = shape::star(NODES).start()?;
    for node in lab.nodes() {
        say_numbers_of(node)?;
    }
    // The first process is a new one after a restart, and so are the programs.
    let first = lab.nodes().next().ok_or("a node")?;
    first.restart()?;
    say_numbers_of(first)?;
    taken(&String::from_utf8(
        Command::new("sh").args(["-c", SAY]).output()?.stdout,
    )?)
}

fn say_numbers_of(node: &Node) -> TestResult {
    taken(&node.command("sh").args(["-c", SAY]).output()?.stdout_str())
}

fn taken(numbers: &str) -> TestResult {
    for number in numbers.lines() {
        fs::File::create_new(marker(number)).map_err(|error| format!("{number}: {error}"))?;
    }
    Ok(())
}

/// Runs samples, which share `dir`.
fn samples(dir: &Path, args: &[&str]) -> Run {
    let mut program = this_program();
    program
        .args(["--include-ignored", "--color", "never"])
        .args(args);
    finished(
        program
            .env("SAMPLE_DIR", dir)
            .output()
            .expect("this program starts"),
    )
}

fn count(dir: &Path) -> TestResult<usize> {
    let names: BTreeSet<_> = fs::read_dir(dir)?
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    Ok(names.len())
}

#[snowglobe::test(nested)]
fn bodies_and_nodes_of_a_run_have_numbers_of_their_own() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    samples(dir.path(), &["numbers::says_its_numbers"]).passed_with(&["4 passed"]);
    assert_eq!(count(dir.path())?, TRIALS * NUMBERS);
    Ok(())
}

/// Runs of a single trial, as under nextest.
#[snowglobe::test(nested)]
fn bodies_and_nodes_of_single_runs_have_numbers_of_their_own() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    for number in 1..=TRIALS {
        let name = format!("numbers::says_its_numbers_{number}");
        samples(dir.path(), &["--exact", &name]).passed_with(&["1 passed"]);
    }
    assert_eq!(count(dir.path())?, TRIALS * NUMBERS);
    Ok(())
}
