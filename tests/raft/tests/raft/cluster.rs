//! Three members of the register, and what happens to them.

use snowglobe::Cluster;
use snowglobe::fault::{Fault, Nemesis, NodeRef, Schedule, ScheduledFault};
use snowglobe::lab::RunningCluster;
use snowglobe::prelude::*;
use snowglobe::topology::{Neighbours, StartCommand};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Starts the members, which keep their journals on volumes that outlive a crash.
pub(crate) fn start(bug: Option<&str>) -> TestResult<RunningCluster> {
    let names = ["n1", "n2", "n3"];
    let command = |name: &str| {
        let member = StartCommand::new(env!("CARGO_BIN_EXE_raft-register"))
            .args(["--name", name, "--members", &names.join(",")])
            .args(["--data", "/run/data"])
            .args(["--seed", &snowglobe::seed().to_string()]);
        match bug {
            Some(bug) => member.args(["--bug", bug]),
            None => member,
        }
    };
    let cluster = Cluster::of(3, |n| {
        NodeSpec::new(names[n])
            .volume("/run/data", Volume::named(names[n]))
            .command(command(names[n]).ready_port(7000))
    });
    // A message that waits for an answer of ARP would be late.
    Ok(cluster.neighbours(Neighbours::Fixed).start()?)
}

/// Draws the faults: members that are killed and are soon there again, and beside that leaders that
/// are parted from the others for longer than an election takes. The roles are those of
/// [`Elections`](crate::elections::Elections).
pub(crate) fn draw(cluster: &RunningCluster) -> TestResult<Schedule> {
    let kills = Nemesis::new(MS(2400))
        .fault(1, killed("voter"))
        .waits(MS(1000))
        .lasts(MS(50)..=MS(100))
        .quiet(MS(100)..=MS(600));
    let partitions = Nemesis::new(MS(2400))
        .fault(1, Fault::isolate(NodeRef::role("leader")))
        .fault(1, Fault::isolate(NodeRef::role("elected")))
        .waits(MS(500))
        .lasts(MS(600)..=MS(900))
        .quiet(MS(300)..=MS(600));
    let drawn = [cluster.draw(&kills)?, cluster.draw(&partitions)?];
    let faults = drawn.iter().flat_map(Schedule::faults);
    Ok(faults.flat_map(with_an_election).collect())
}

/// The member with that role is killed. That is quicker than a crash of the node: the journal is
/// written to memory that the program does not take along, so that both leave the same behind.
fn killed(role: &str) -> Fault {
    Fault::kill_program(NodeRef::role(role), "raft-register")
}

/// Returns a fault behind what it needs: somebody is elected when the leader is killed, and is away
/// for some time.
fn with_an_election(fault: &ScheduledFault) -> impl Iterator<Item = ScheduledFault> {
    let first = ScheduledFault {
        lasts: Some(MS(300)),
        fault: killed("leader"),
        ..fault.clone()
    };
    let is_needed = fault.fault == Fault::isolate(NodeRef::role("elected"));
    is_needed
        .then_some(first)
        .into_iter()
        .chain([fault.clone()])
}
