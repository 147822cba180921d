//! Distributed systems under fire: faults of many nodes, schedules, nemeses, clusters.

mod calls;
mod etcd;
mod hearing;
mod instants;
mod partitions;
mod points;
mod processes;
mod redis;
mod schedules;
mod start;
mod wrongs;

use snowglobe::Lab;
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

snowglobe::main!();
