//! Measures what it costs a program to read a clock that is wrong: the program of `CLOCK` runs in
//! such a node.

use std::time::Duration;

use snowglobe::fault::{ClockFault, Fault, TimeShift};
use snowglobe::prelude::*;

/// Prints the figures of the program, one a line, as `name value`.
#[snowglobe::test(timeout = "60s")]
fn reading() -> TestResult {
    let program = std::env::var_os("CLOCK").ok_or("CLOCK names no program")?;
    let mut topology = Topology::new();
    topology.node(NodeSpec::new("wrong").faulty_clock());
    let lab = topology.start()?;
    let hour = TimeShift::behind(Duration::from_secs(3600));
    let _fault = lab.inject(Fault::clock("wrong", ClockFault::Offset(hour)))?;
    let node = lab.node("wrong").ok_or("no node")?;
    let output = node.command(program).output()?;
    print!("{}", output.stdout_str());
    Ok(())
}

snowglobe::main!();
