//! The register is linearizable under the nemesis, and is not with a bug.

use snowglobe::history::linearizability;
use snowglobe::history::models::{Map, Register};
use snowglobe::lab::ScheduleSteps;
use snowglobe::prelude::*;

use crate::clients::Clients;
use crate::cluster;
use crate::elections::Elections;
use crate::rounds::{ROUND, Rounds};

/// Number of operations that are acknowledged after the last heal: what went wrong meanwhile shows
/// itself in these at the latest.
const AFTERWARDS: u64 = 15;

/// Rounds within which a whole cluster elects somebody, and acknowledges operations.
const ENOUGH: usize = 200;

/// The register, with those who ask it.
struct Service<'c> {
    names: Vec<String>,
    rounds: Rounds<'c>,
    elections: Elections,
    clients: Clients,
}

impl Service<'_> {
    fn ask_and_round(&mut self) -> TestResult {
        self.clients.ask(&mut self.rounds)?;
        self.round()
    }

    fn round(&mut self) -> TestResult {
        self.elections.begin_round();
        for (member, line) in self.rounds.next()? {
            match line.split_once(' ') {
                Some(("says", what)) => drop(self.elections.hear(&self.names[member], what)),
                Some(("answer", answer)) => self.clients.hear(answer)?,
                _ => return Err(format!("no such line: {line}").into()),
            }
        }
        Ok(())
    }

    /// Lets rounds with faults and operations go by, and then some without faults.
    fn fire(&mut self, steps: &mut ScheduleSteps) -> TestResult {
        while !steps.has_ended() {
            if steps.advance(ROUND)? > 0 {
                self.rounds.look_around()?;
            }
            self.ask_and_round()?;
        }
        let enough = self.clients.acknowledged() + AFTERWARDS;
        for _ in 0..ENOUGH {
            if self.clients.acknowledged() >= enough {
                return Ok(());
            }
            self.ask_and_round()?;
        }
        Err("no operation is acknowledged after the last heal".into())
    }
}

fn under_fire(bug: Option<&str>) -> TestResult {
    let cluster = cluster::start(bug)?;
    let mut service = Service {
        names: cluster.names(),
        rounds: Rounds::new(&cluster)?,
        elections: Elections::of(&cluster),
        clients: Clients::new(&cluster),
    };
    for _ in 0..ENOUGH {
        if !service.elections.has_leader() {
            service.round()?;
        }
    }
    let mut steps = cluster.schedule_in_steps(&cluster::draw(&cluster)?)?;
    let fired = service.fire(&mut steps);
    linearizability(&Map::new(Register::new(None)), &service.clients.history())
        .during(cluster.fault_intervals())
        .into_result()?;
    // This is checked only now: a register that has lost writes may also have stopped.
    fired?;
    steps.stop()?;
    Ok(())
}

// At a load of 25 on 2 cores, one of 2,800 runs took more than 60 s: a member waited for the lock
// of the kernel's networks, which look-ups of names take (seen 2026-11-30).
#[snowglobe::test(seeds = 10, timeout = "300s")]
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
