//! The register is linearizable under the nemesis, and is not with a bug.

use std::sync::atomic::Ordering;
use std::thread;

use snowglobe::history::models::{Map, Register};
use snowglobe::history::{linearizability, recorder};
use snowglobe::prelude::*;

use crate::clients::{self, Work};
use crate::{cluster, elections};

/// Number of operations that clients wait for after the last heal: what went wrong meanwhile shows
/// itself in these at the latest.
const AFTERWARDS: u64 = 15;

fn under_fire(bug: Option<&str>) -> TestResult {
    let cluster = cluster::start(bug)?;
    elections::follow(&cluster);
    cluster.leader()?;
    let (recorder, work) = (recorder(), Work::default());
    let nemesis = cluster.run_schedule(&cluster::draw(&cluster)?)?;
    let (ended, goes_on) = thread::scope(|scope| {
        for node in cluster.members() {
            // A member that leads no more lets writers wait, and readers perhaps not.
            for reads in [true, false] {
                let (client, work) = (recorder.client(node.name()), &work);
                scope.spawn(move || clients::work(node, &client, reads, work));
            }
        }
        let ended = nemesis.wait();
        let enough = work.acknowledged.load(Ordering::Relaxed) + AFTERWARDS;
        let goes_on = cluster.wait_until(|| match work.acknowledged.load(Ordering::Relaxed) {
            number if number >= enough => Ok(()),
            number => Err(format!("{number} of {enough} operations are acknowledged")),
        });
        work.is_over.store(true, Ordering::Relaxed);
        (ended, goes_on)
    });
    ended?;
    let history = recorder.history();
    linearizability(&Map::new(Register::new(None)), &history)
        .during(cluster.fault_intervals())
        .into_result()?;
    // Only now: a register that has lost writes may also have stopped.
    goes_on?;
    Ok(())
}

#[snowglobe::test(seeds = 10)]
fn is_linearizable() -> TestResult {
    under_fire(None)
}

#[snowglobe::test(ignore = "fails: its members forget their votes")]
fn forgotten_vote() -> TestResult {
    under_fire(Some("forgotten-vote"))
}

#[snowglobe::test(ignore = "fails: its leaders read without a quorum")]
fn stale_read() -> TestResult {
    under_fire(Some("stale-read"))
}
