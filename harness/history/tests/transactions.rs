//! Transactions with each anomaly that Adya and Elle name, and without any.

use snowglobe_history::txn::{ListOp, ListRet, Transactions, strict_transactions, transactions};
use snowglobe_history::{AnomalyKind, Completion, History};

type Call = ListOp<&'static str, u32>;
type Step = (Call, ListRet<u32>);

fn append(key: &'static str, value: u32) -> Step {
    (ListOp::Append(key, value), None)
}

fn read(key: &'static str, list: &[u32]) -> Step {
    (ListOp::Read(key), Some(list.to_vec()))
}

/// Makes a history of transactions that all overlap, unless `apart`.
fn history(all: &[(&str, &[Step])], apart: bool) -> Transactions<&'static str, u32> {
    let mut history = History::builder();
    for (number, (end, steps)) in all.iter().enumerate() {
        let (calls, returned): (Vec<_>, Vec<_>) = steps.iter().cloned().unzip();
        let completion = match *end {
            "ok" => Completion::Ok(returned),
            "failed" => Completion::Failed("aborted".to_owned()),
            _ => Completion::Unknown("timed out".to_owned()),
        };
        let from = if apart { number as u64 * 10 } else { 0 };
        history
            .operation(number as u32, "db", from..from + 5, calls, completion)
            .unwrap();
    }
    history.build()
}

fn judge(all: &[(&str, &[Step])]) -> Vec<AnomalyKind> {
    let report = transactions(&history(all, false));
    let mut kinds: Vec<_> = report
        .anomalies()
        .iter()
        .map(|anomaly| anomaly.kind)
        .collect();
    kinds.dedup();
    kinds
}

#[test]
fn serializable_transactions_have_no_anomaly() {
    let all: [(&str, &[Step]); 4] = [
        ("ok", &[append("x", 1), read("x", &[1]), append("y", 1)]),
        ("ok", &[read("x", &[1]), append("x", 2), read("x", &[1, 2])]),
        ("unknown", &[append("y", 2)]),
        ("ok", &[read("x", &[1, 2]), read("y", &[1, 2])]),
    ];
    assert_eq!(judge(&all), []);
}

#[test]
fn g0_is_a_dirty_write() {
    let all: [(&str, &[Step]); 3] = [
        ("ok", &[append("x", 1), append("y", 1)]),
        ("ok", &[append("x", 2), append("y", 2)]),
        ("ok", &[read("x", &[1, 2]), read("y", &[2, 1])]),
    ];
    assert_eq!(judge(&all), [AnomalyKind::G0]);
}

#[test]
fn g1a_is_an_aborted_read() {
    assert_eq!(
        judge(&[("failed", &[append("x", 1)]), ("ok", &[read("x", &[1])])]),
        [AnomalyKind::G1a]
    );
    assert_eq!(
        judge(&[("unknown", &[append("x", 1)]), ("ok", &[read("x", &[1])])]),
        []
    );
}

#[test]
fn g1b_is_an_intermediate_read() {
    let writer: &[Step] = &[append("x", 1), append("x", 2)];
    let found = judge(&[
        ("ok", writer),
        ("ok", &[read("x", &[1])]),
        ("ok", &[read("x", &[1, 2])]),
    ]);
    assert!(found.contains(&AnomalyKind::G1b), "{found:?}");
    assert_eq!(judge(&[("ok", writer), ("ok", &[read("x", &[1, 2])])]), []);
}

#[test]
fn g1c_is_a_circle_of_information() {
    let all: [(&str, &[Step]); 2] = [
        ("ok", &[append("x", 1), read("y", &[1])]),
        ("ok", &[append("y", 1), read("x", &[1])]),
    ];
    assert_eq!(judge(&all), [AnomalyKind::G1c]);
}

/// A transaction sees one of two writes of another transaction.
#[test]
fn g_single_is_read_skew() {
    let all: [(&str, &[Step]); 3] = [
        ("ok", &[append("x", 1), append("y", 1)]),
        ("ok", &[read("x", &[1]), read("y", &[])]),
        ("ok", &[read("x", &[1]), read("y", &[1])]),
    ];
    assert_eq!(judge(&all), [AnomalyKind::GSingle]);
    let report = transactions(&history(&all, false));
    let sentence = &report.anomalies()[0].sentence;
    assert!(
        sentence.contains("operation 1 did not see what operation 0 appended"),
        "{sentence}"
    );
    assert!(
        sentence.contains("operation 1 read what operation 0 appended"),
        "{sentence}"
    );
}

#[test]
fn g2_item_is_write_skew() {
    let all: [(&str, &[Step]); 3] = [
        ("ok", &[read("x", &[]), append("y", 1)]),
        ("ok", &[read("y", &[]), append("x", 1)]),
        ("ok", &[read("x", &[1]), read("y", &[1])]),
    ];
    assert_eq!(judge(&all), [AnomalyKind::G2Item]);
}

#[test]
fn a_transaction_may_contradict_itself() {
    assert_eq!(
        judge(&[("ok", &[append("x", 1), read("x", &[])])]),
        [AnomalyKind::Internal]
    );
    let changes: &[Step] = &[read("x", &[]), read("x", &[1])];
    assert_eq!(
        judge(&[("ok", changes), ("ok", &[append("x", 1)])]),
        [AnomalyKind::Internal]
    );
}

#[test]
fn reads_must_be_prefixes_and_values_must_come_from_somewhere() {
    let two: &[Step] = &[append("x", 1)];
    let found = judge(&[
        ("ok", two),
        ("ok", &[append("x", 2)]),
        ("ok", &[read("x", &[1, 2])]),
        ("ok", &[read("x", &[2, 1])]),
    ]);
    assert!(found.contains(&AnomalyKind::IncompatibleOrder), "{found:?}");
    assert_eq!(
        judge(&[("ok", &[read("x", &[9])])]),
        [AnomalyKind::Unexpected]
    );
    let found = judge(&[("ok", two), ("ok", &[read("x", &[1, 1])])]);
    assert!(found.contains(&AnomalyKind::Duplicate), "{found:?}");
}

#[test]
fn only_strict_transactions_keep_the_order_of_time() {
    let stale: [(&str, &[Step]); 3] = [
        ("ok", &[append("x", 1)]),
        ("ok", &[read("x", &[])]),
        ("ok", &[read("x", &[1])]),
    ];
    let history = history(&stale, true);
    transactions(&history).into_result().unwrap();
    let report = strict_transactions(&history);
    assert!(report.has(AnomalyKind::GSingle), "{report}");
    assert!(
        report
            .to_string()
            .contains("operation 0 was over before operation 1 began"),
        "{report}"
    );
}

/// A long chain must not overflow a stack, nor take long.
#[test]
fn ten_thousand_transactions_are_checked() {
    let mut builder = History::builder();
    for number in 0..10_000_u32 {
        let (key, place) = (number % 100, number / 100);
        let before: Vec<u32> = (0..place).collect();
        let calls = vec![ListOp::Read(key), ListOp::Append(key, place)];
        let returned = vec![Some(before), None];
        let from = u64::from(number) * 10;
        builder
            .operation(
                number % 10,
                "db",
                from..from + 5,
                calls,
                Completion::Ok(returned),
            )
            .unwrap();
    }
    strict_transactions(&builder.build()).into_result().unwrap();
}
