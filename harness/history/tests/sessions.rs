//! Session guarantees: what the check finds, by its definition, and in long histories.

#[path = "common/random.rs"]
mod random;

use std::collections::BTreeSet;

use random::Random;
use snowglobe_history::checks::{sessions, sessions_by};
use snowglobe_history::models::{On, RegisterOp, RegisterRet};
use snowglobe_history::{Completion, History, Operation, OperationId};

type Call = On<u64, RegisterOp<u64>>;
type Ret = RegisterRet<u64>;

/// Makes a history on two registers at two nodes, whose answers are mere chance.
fn chance(random: &mut Random) -> History<Call, Ret> {
    let mut history = History::builder();
    for number in 1..=6 + random.below(6) {
        let (client, key) = (random.below(3) as u32, random.below(2));
        let node = ["a", "b"][random.below(2) as usize];
        let from = random.below(40);
        let to = from + random.below(8);
        let (call, ret) = match random.below(8) {
            0..3 => (RegisterOp::Write(number), RegisterRet::Done),
            3 => {
                let from = random.below(number);
                let swap = RegisterOp::Cas { from, to: number };
                (swap, RegisterRet::Swapped)
            }
            _ => (RegisterOp::Read, RegisterRet::Value(random.below(8))),
        };
        let completion = match (random.one_in(8), random.one_in(8)) {
            (true, _) => Completion::Unknown("reset".to_owned()),
            (false, true) => Completion::Failed("refused".to_owned()),
            (false, false) => Completion::Ok(ret),
        };
        let done = history.operation(client, node, from..to, On::new(key, call), completion);
        done.unwrap();
    }
    history.build()
}

fn read(it: &Operation<Call, Ret>) -> Option<u64> {
    match (it.call.call, it.completion.ok()?) {
        (RegisterOp::Read, RegisterRet::Value(value)) => Some(*value),
        (RegisterOp::Cas { from, .. }, RegisterRet::Swapped) => Some(from),
        _ => None,
    }
}

fn writes(it: &Operation<Call, Ret>) -> Option<u64> {
    match it.call.call {
        RegisterOp::Write(value) | RegisterOp::Cas { to: value, .. } => Some(value),
        RegisterOp::Read => None,
    }
}

/// Returns the reads that break a guarantee for their client, and those that do so for their node.
fn by_definition(
    history: &History<Call, Ret>,
    is_older: impl Fn(u64, u64, u64) -> bool,
) -> [BTreeSet<OperationId>; 2] {
    let all = history.operations();
    let writer = |key, value| {
        let mut writers = all.iter();
        writers.find(|it| it.call.key == key && writes(it) == Some(value))
    };
    // What an operation has read or written is newer than an old value.
    let is_newer = |it: &Operation<Call, Ret>, key, old| {
        let known = it.completion.is_ok() && it.call.key == key;
        let values = [read(it), writes(it)];
        known
            && values
                .into_iter()
                .flatten()
                .any(|new| is_older(key, old, new))
    };
    let (mut of_clients, mut of_nodes) = (BTreeSet::new(), BTreeSet::new());
    for later in all {
        let (key, Some(old)) = (later.call.key, read(later)) else {
            continue;
        };
        let before = all.iter().filter(|it| it.precedes(later));
        if before
            .clone()
            .any(|it| it.client == later.client && is_newer(it, key, old))
        {
            of_clients.insert(later.id);
        }
        let shown = before.filter(|it| it.node == later.node);
        let effects = shown.filter_map(|it| writer(it.call.key, read(it)?));
        let mut causes = effects.flat_map(|effect| {
            let own = all.iter().filter(move |it| it.client == effect.client);
            own.filter(move |it| it.precedes(effect))
        });
        if causes.any(|cause| is_newer(cause, key, old)) {
            of_nodes.insert(later.id);
        }
    }
    [of_clients, of_nodes]
}

#[test]
fn the_check_finds_what_the_definition_says() {
    let mut random = Random(7);
    let mut found = [0; 2];
    for round in 0..5_000 {
        let history = chance(&mut random);
        let writer = |key, value| {
            let mut writers = history.operations().iter();
            writers.find(|it| it.call.key == key && writes(it) == Some(value))
        };
        let by_time = by_definition(&history, |key, old, new| {
            match (writer(key, old), writer(key, new)) {
                (Some(old), Some(new)) => old.precedes(new),
                (None, new) => new.is_some(),
                (Some(_), None) => false,
            }
        });
        let by_value = by_definition(&history, |_, old, new| old < new);
        let reports = [sessions(&history), sessions_by(&history, |value| *value)];
        for (report, expected) in reports.iter().zip([by_time, by_value]) {
            let of = |for_client: bool| -> BTreeSet<OperationId> {
                let all = report.anomalies().iter();
                let all = all.filter(|it| (it.operations.len() == 2) == for_client);
                all.filter_map(|it| it.operations.last().copied()).collect()
            };
            assert_eq!([of(true), of(false)], expected, "{round}: {report}");
            for (found, expected) in found.iter_mut().zip(&expected) {
                *found += expected.len();
            }
        }
    }
    assert!(found.iter().all(|it| *it > 100), "{found:?}");
}

/// With a look at all earlier operations for each, this takes some minutes.
#[test]
fn a_hundred_thousand_operations_on_one_register_are_checked() {
    let mut history = History::builder();
    for number in 0..100_000 {
        let (call, ret) = match number % 2 {
            0 => (RegisterOp::Write(number), RegisterRet::Done),
            _ => (RegisterOp::Read, RegisterRet::Value(number - 1)),
        };
        let client = (number / 2 % 5) as u32;
        let from = 10 * number;
        let done = Completion::Ok(ret);
        let done = history.operation(client, "a", from..from + 5, call, done);
        done.unwrap();
    }
    let history = history.build();
    sessions(&history).into_result().unwrap();
    sessions_by(&history, |value| *value).into_result().unwrap();
}
