//! Reads of etcd that a member answers by itself are stale in a partition: the check finds that,
//! and the runner finds the fault that it takes.

use std::time::Instant;

use snowglobe::fault::{Fault, Nemesis, NodeRef, Schedule};
use snowglobe::history::Linearizability;
use snowglobe::prelude::*;
use snowglobe_tests::{Run, finished, this_program};

use crate::etcd::{MS, five};
use crate::registers::{Registers, Workload, model};

/// Time for which a read may be stale without a fault. A member hears of a write at the latest with
/// the next heartbeat, after 50 ms; a machine that is busy takes longer.
const PERMITTED: Duration = Duration::from_millis(500);

/// Fails where members answer reads by themselves, and a fault keeps one from the news.
#[snowglobe::test(ignore = "a sample", fixtures("etcd"), timeout = "120s")]
fn registers_with_stale_reads() -> TestResult {
    let cluster = five()?;
    let nemesis = Nemesis::new(3600 * MS)
        .fault(2, Fault::partition([NodeRef::any()], [NodeRef::rest()]))
        .fault(1, Fault::kill_processes(NodeRef::any()))
        .first_after(200 * MS)
        .lasts(1200 * MS..=1600 * MS)
        .quiet(50 * MS..=200 * MS);
    let run = cluster.nemesis(&nemesis)?;
    let registers = Registers::new(Workload {
        keys: 2,
        pause: 30 * MS,
        may_be_stale: true,
    });
    // Without a fault, the clients are to work for some time still.
    let enough = Instant::now() + 1500 * MS;
    registers.work(&cluster, || run.has_ended() && Instant::now() > enough);
    run.wait()?;
    let history = registers.history();
    Linearizability::new(&model())
        .stale_by(PERMITTED)
        .check(&history)
        .during(cluster.fault_intervals())
        .into_result()?;
    Ok(())
}

const SAMPLE: &str = "etcd_stale::registers_with_stale_reads";

/// Runs the sample with the schedule and the seed that a report names.
fn replay(report: &Run) -> TestResult<Run> {
    let line = "run it again with this schedule: ";
    let line = report.stdout.split(line).nth(1).ok_or("no such line")?;
    let schedule = line.split('\'').nth(1).ok_or("no schedule")?;
    let seed = line.split("SNOWGLOBE_SEED=").nth(1).ok_or("no seed")?;
    let seed = seed.split(' ').next().ok_or("no seed")?;
    let mut command = this_program();
    command
        .env("SNOWGLOBE_SCHEDULE", schedule)
        .env("SNOWGLOBE_SEED", seed)
        .args(["--exact", SAMPLE, "--ignored"]);
    Ok(finished(command.output()?))
}

/// What a failure of the sample says: the operations that contradict each other, with the fault.
const FOUND: [&str; 4] = [
    "key 0: no order explains operation|key 1: no order explains operation",
    "partition of `",
    ": Read of ",
    "░",
];

fn shows_the_violation(run: &Run) {
    assert_eq!(run.code, Some(101), "{run:#?}");
    for part in FOUND {
        let mut forms = part.split('|');
        assert!(
            forms.any(|form| run.stdout.contains(form)),
            "no {part:?} in {}",
            run.stdout
        );
    }
}

#[snowglobe::test(nested, fixtures("etcd"), timeout = "900s", threads = 2)]
fn stale_reads_are_found_and_shrunk_to_the_fault_that_matters() -> TestResult {
    let mut command = this_program();
    command.args(["--exact", SAMPLE, "--ignored", "--shrink", "--runs", "6"]);
    // Trials mostly wait, so that more run at a time than there are processors.
    command.args(["--seed", "7", "--test-threads", "4"]);
    let run = finished(command.output()?);
    shows_the_violation(&run);
    run.failed_with(&["shrunk in ", " left; the trial failed in "]);
    let toml = run
        .stdout
        .split("in a regression test:\n")
        .nth(1)
        .ok_or("no TOML")?;
    let toml = toml.split("run it again with").next().ok_or("no TOML")?;
    let left = Schedule::from_toml(toml)?;
    snowglobe::note(format!("{}", left));
    assert!((1..=2).contains(&left.faults().len()), "{left}");
    assert!(left.to_string().contains("partition of `"), "{left}");
    // What fails in 9 of 10 runs fails in one of three.
    let mut again = (0..3)
        .map(|_| replay(&run))
        .collect::<TestResult<Vec<_>>>()?;
    again.retain(|run| run.code != Some(0));
    shows_the_violation(again.first().ok_or("the schedule does not fail again")?);
    Ok(())
}
