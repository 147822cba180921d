//! Histories with known verdicts, by the hundred: made by a model, spoilt, and checked by a second
//! checker that tries each order.

mod common;

use std::time::Duration;

use common::{Distinct, Random, Workload, brute_force, generate, mutate};
use snowglobe_history::models::{Counter, Queue, QueueOp, QueueRet, Register, WholeSet};
use snowglobe_history::{
    AnomalyKind, Completion, History, Linearizability, Model, OperationId, linearizability,
};

/// Compares the check with the one that tries each order, on small histories as they are and
/// spoilt. Returns how many were right and how many wrong.
fn compare<W: Workload>(workload: &W, seed: u64, rounds: usize) -> (usize, usize) {
    let mut random = Random(seed);
    let (mut right, mut wrong) = (0, 0);
    for round in 0..rounds {
        let clients = 2 + random.below(5) as u32;
        let count = 3 + random.below(5);
        let good = generate(workload, &mut random, clients, count, 3);
        let report = linearizability(workload, &good);
        assert!(
            report.is_clean(),
            "round {round} of {seed}: {report}\n{good:#?}"
        );
        let mut bad = mutate(workload, &mut random, &good);
        for _ in 0..random.below(3) {
            bad = mutate(workload, &mut random, &bad);
        }
        let report = linearizability(workload, &bad);
        assert!(!report.has(AnomalyKind::Undecided));
        let expected = brute_force(workload, &bad);
        assert_eq!(
            report.is_clean(),
            expected,
            "round {round} of {seed}: {report}\n{bad:#?}"
        );
        if expected {
            right += 1;
        } else {
            wrong += 1;
            assert_window_suffices(workload, &bad, &report);
        }
    }
    (right, wrong)
}

/// The operations that are shown contradict each other, and no fewer of them do.
fn assert_window_suffices<W: Workload>(
    workload: &W,
    history: &History<W::Call, W::Ret>,
    report: &snowglobe_history::CheckReport,
) {
    let shown = &report.anomalies()[0].operations;
    let only = |kept: &dyn Fn(usize) -> bool| {
        let mut operations = history.operations().to_vec();
        for operation in &mut operations {
            let place = shown.iter().position(|id| *id == operation.id);
            if operation.completion.is_ok() && !place.is_some_and(kept) {
                operation.completion = Completion::Unknown("left out".to_owned());
            }
        }
        History::new(operations)
    };
    assert!(!shown.is_empty());
    assert!(
        !brute_force(workload, &only(&|_| true)),
        "{report}\n{history:#?}"
    );
    for place in 0..shown.len() {
        assert!(
            brute_force(workload, &only(&|it| it != place)),
            "{report}\n{history:#?}"
        );
    }
}

fn both_verdicts_occur((right, wrong): (usize, usize)) {
    assert!(right >= 20 && wrong >= 20, "{right} right, {wrong} wrong");
}

#[test]
fn registers_are_judged_as_by_trying_each_order() {
    both_verdicts_occur(compare(&Register::new(0), 1, 2000));
}

#[test]
fn registers_with_distinct_values_are_judged_as_by_trying_each_order() {
    both_verdicts_occur(compare(&Distinct(Register::new(0)), 9, 2000));
}

#[test]
fn sets_are_judged_as_by_trying_each_order() {
    both_verdicts_occur(compare(&WholeSet::new(), 2, 1000));
}

#[test]
fn queues_are_judged_as_by_trying_each_order() {
    both_verdicts_occur(compare(&Queue::new(), 3, 1000));
}

#[test]
fn counters_are_judged_as_by_trying_each_order() {
    both_verdicts_occur(compare(&Counter, 4, 1000));
}

/// A check that permits stale reads judges as the strict one does of reads that began earlier.
#[test]
fn reads_that_may_be_stale_are_judged_as_those_that_began_earlier() {
    let (model, mut random) = (Register::new(0), Random(8));
    let (mut stale, mut wrong) = (0, 0);
    for round in 0..1000 {
        let clients = 2 + random.below(4) as u32;
        let count = 3 + random.below(5);
        let history = generate(&model, &mut random, clients, count, 3);
        let history = mutate(&model, &mut random, &history);
        let limit = Duration::from_nanos(random.below(60));
        let mut earlier = history.operations().to_vec();
        for it in &mut earlier {
            let ret = it.completion.ok();
            if model.observes(&it.call, ret) {
                it.invoked = it.invoked.saturating_sub(limit);
            }
        }
        let report = Linearizability::new(&model).stale_by(limit).check(&history);
        let expected = brute_force(&model, &History::new(earlier));
        assert_eq!(report.is_clean(), expected, "round {round}: {report}");
        let is_strictly_clean = brute_force(&model, &history);
        assert!(expected || !is_strictly_clean);
        stale += usize::from(expected && !is_strictly_clean);
        wrong += usize::from(!expected);
    }
    assert!(stale >= 20 && wrong >= 20, "{stale} stale, {wrong} wrong");
}

/// Longer histories than each order could be tried of: their verdict is known from how they were
/// made.
#[test]
fn long_histories_of_a_model_are_linearizable() {
    let mut random = Random(5);
    for _ in 0..20 {
        let history = generate(&Register::new(0), &mut random, 8, 400, 20);
        linearizability(&Register::new(0), &history)
            .into_result()
            .unwrap();
        let history = generate(&Counter, &mut random, 4, 100, 20);
        linearizability(&Counter, &history).into_result().unwrap();
        let history = generate(&Queue::new(), &mut random, 4, 100, 40);
        linearizability(&Queue::new(), &history)
            .into_result()
            .unwrap();
    }
}

/// As a nemesis leaves them: many clients of one register, and hundreds of outcomes unknown.
#[test]
fn many_clients_with_many_unknown_outcomes_are_decided() {
    let (model, mut random) = (Distinct(Register::new(0)), Random(10));
    // Two of nine outcomes are unknown.
    let history = generate(&model, &mut random, 40, 2000, 3);
    let report = Linearizability::new(&model).limit(300_000).check(&history);
    report.into_result().unwrap();
}

#[test]
fn an_answer_from_nowhere_is_found_in_a_long_history() {
    use snowglobe_history::models::RegisterRet;
    let mut random = Random(6);
    for _ in 0..5 {
        let history = generate(&Register::new(0), &mut random, 6, 200, 40);
        let mut operations = history.operations().to_vec();
        let reads = operations
            .iter_mut()
            .filter(|it| matches!(it.completion, Completion::Ok(RegisterRet::Value(_))));
        let read = reads.last().unwrap();
        read.completion = Completion::Ok(RegisterRet::Value(99));
        let id = read.id;
        let report = linearizability(&Register::new(0), &History::new(operations));
        assert_eq!(report.anomalies()[0].operations, [id], "{report}");
    }
}

/// Elements of a queue: three clients put them in at the same time, and three take them out later.
/// Each operation runs for 25 around its moment.
fn drained(count: u64, lost: Option<u64>) -> History<QueueOp<u64>, QueueRet<u64>> {
    let mut history = History::builder();
    let around = |moment: u64| moment..moment + 25;
    for element in 0..count {
        let (call, done) = (QueueOp::Enqueue(element), Completion::Ok(QueueRet::Done));
        let client = (element % 3) as u32;
        history
            .operation(client, "mq", around(10 * element), call, done)
            .unwrap();
    }
    let end = 10 * count + 100;
    for element in (0..count).filter(|it| Some(*it) != lost) {
        let done = Completion::Ok(QueueRet::Element(element));
        let client = (element % 3 + 3) as u32;
        let span = around(end + 10 * element);
        history
            .operation(client, "mq", span, QueueOp::Dequeue, done)
            .unwrap();
    }
    let done = Completion::Ok(QueueRet::Empty);
    history
        .operation(9, "mq", around(end * 3), QueueOp::Dequeue, done)
        .unwrap();
    history.build()
}

/// The order in which elements went in is told much later, by the order in which they come out.
#[test]
fn a_long_queue_that_is_drained_later_is_decided() {
    let judge = |history: History<_, _>| linearizability(&Queue::new(), &history);
    judge(drained(1000, None)).into_result().unwrap();
    let report = judge(drained(1000, Some(500)));
    let anomaly = &report.anomalies()[0];
    assert_eq!(anomaly.kind, AnomalyKind::NotLinearizable);
    assert!(
        anomaly.sentence.starts_with("500 went in before "),
        "{report}"
    );
    // Two elements that went in one after the other come out the other way round.
    let swapped = drained(1000, None).project(|it| {
        let swap = |element: u64| match element {
            500 => 504,
            504 => 500,
            other => other,
        };
        let ret = it.completion.clone().map(|ret| match ret {
            QueueRet::Element(element) => QueueRet::Element(swap(element)),
            other => other,
        });
        Some((it.call, ret))
    });
    let report = judge(swapped);
    let anomaly = &report.anomalies()[0];
    assert_eq!(anomaly.kind, AnomalyKind::NotLinearizable);
    assert_eq!(anomaly.operations.len(), 4, "{report}");
    // A client that never heard of its dequeue may have got the element that is missing.
    let mut operations = drained(1000, Some(500)).operations().to_vec();
    let mut unknown = operations[1500].clone();
    unknown.id = OperationId(9999);
    unknown.completion = Completion::Unknown("reset".to_owned());
    operations.push(unknown);
    judge(History::new(operations)).into_result().unwrap();
}

#[test]
fn a_search_that_gives_up_is_not_clean() {
    let history = generate(&Queue::new(), &mut Random(7), 6, 60, 100);
    let report = Linearizability::new(&Queue::new()).limit(3).check(&history);
    assert!(report.has(AnomalyKind::Undecided), "{report}");
}
