//! etcd, five of them: registers are linearizable, whatever a nemesis does.

use std::time::Instant;

use snowglobe::fault::{Fault, Nemesis, NodeRef, Split};
use snowglobe::history::checks::stale_reads;
use snowglobe::history::models::RegisterRet;
use snowglobe::history::{History, linearizability};
use snowglobe::lab::{ALARMING, RunningCluster};
use snowglobe::prelude::*;
use snowglobe_tests::daemons::etcd::{EtcdClient, five_etcd};

use crate::membership::{LEAVE, permit_to_leave};
use crate::registers::{Call, Registers, Ret, Workload, model};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Milliseconds between two heartbeats of a leader.
pub(crate) const HEARTBEAT: u32 = 50;

/// Starts five members, and returns when all of them answer.
pub(crate) fn five() -> TestResult<RunningCluster> {
    let cluster = five_etcd(HEARTBEAT)?.ready(|node| {
        // On a starved machine, a read that all agree on takes long.
        let read = EtcdClient::new(node, 3000 * MS).get("ready", false);
        read.is_ok().then_some(()).ok_or(format!("{read:?}"))
    });
    let cluster = cluster.start()?;
    cluster.set_patience(Duration::from_secs(60));
    cluster.forbid_in_logs(ALARMING);
    Ok(cluster)
}

/// Returns how many operations of a history have each kind of completion, for a note.
pub(crate) fn told(history: &History<Call, Ret>) -> String {
    let operations = history.operations();
    let count = |is_it: &dyn Fn(&Ret) -> bool| {
        let answers = operations.iter().filter_map(|it| it.completion.ok());
        answers.filter(|ret| is_it(ret)).count()
    };
    let unknown = operations.iter().filter(|it| it.completion.is_unknown());
    let failed = operations.iter().filter(|it| it.completion.is_failed());
    format!(
        "{} reads, {} writes, {} swaps, {} refused swaps, {} unknown, {} that could not be asked",
        count(&|ret| matches!(ret, RegisterRet::Value(_))),
        count(&|ret| matches!(ret, RegisterRet::Done)),
        count(&|ret| matches!(ret, RegisterRet::Swapped)),
        count(&|ret| matches!(ret, RegisterRet::NotSwapped)),
        unknown.count(),
        failed.count()
    )
}

#[snowglobe::test(fixtures("etcd"), timeout = "240s", threads = 2)]
fn registers_are_linearizable_under_a_random_nemesis() -> TestResult {
    let cluster = five()?;
    permit_to_leave(&cluster);
    let nemesis = Nemesis::new(Duration::from_secs(30))
        .split(2, Split::Halves)
        .split(1, Split::MajoritiesRing)
        .split(1, Split::Bridge)
        .split(1, Split::OneWay)
        .fault(2, Fault::isolate(NodeRef::role("leader")))
        .fault(1, Fault::pause(NodeRef::role("leader")))
        .fault(1, Fault::kill_processes(NodeRef::any()))
        .fault(2, Fault::crash(NodeRef::any()))
        .fault(2, Fault::action_on(NodeRef::any(), LEAVE))
        .lasts(1000 * MS..=2500 * MS)
        .quiet(200 * MS..=800 * MS);
    let run = cluster.nemesis(&nemesis)?;
    let registers = Registers::new(Workload {
        keys: 4,
        pause: 15 * MS,
        may_be_stale: false,
    });
    registers.work(&cluster, || run.has_ended());
    let (drawn, skipped) = (run.schedule().faults().len(), run.skipped());
    run.wait()?;
    cluster.wait_ready()?;
    registers.read_all(&cluster)?;
    let history = registers.history();
    let begun = Instant::now();
    let report = linearizability(&model(), &history).during(cluster.fault_intervals());
    snowglobe::note(format!(
        "{drawn} faults, {skipped} left out; {}; checked in {:?}",
        told(&history),
        begun.elapsed()
    ));
    report.into_result()?;
    stale_reads(&history).into_result()?;
    assert!(skipped < drawn);
    for ret in [
        RegisterRet::Done,
        RegisterRet::Swapped,
        RegisterRet::NotSwapped,
    ] {
        let mut all = history.operations().iter();
        assert!(all.any(|it| it.completion.ok() == Some(&ret)), "no {ret:?}");
    }
    Ok(())
}
