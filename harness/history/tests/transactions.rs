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

/// Cases of the tests of Elle itself (jepsen-io/elle, `list_append_test.clj`), with its verdicts.
#[test]
fn the_cases_of_elle() {
    // Figure 3 of Adya, Liskov and O'Neil (2000), as Elle writes it: serializable.
    let figure_3: [(&str, &[Step]); 4] = [
        ("ok", &[append("z", 1), append("x", 1), append("y", 1)]),
        ("ok", &[read("x", &[1]), append("y", 2)]),
        ("ok", &[read("y", &[1, 2]), append("z", 3)]),
        ("ok", &[read("z", &[1, 3])]),
    ];
    assert_eq!(judge(&figure_3), []);
    // What a transaction without an answer has read of `y` is not known.
    let unknown_read: [(&str, &[Step]); 3] = [
        ("unknown", &[append("x", 2), read("y", &[])]),
        ("ok", &[append("x", 1), append("y", 1)]),
        ("ok", &[read("x", &[1, 2]), read("y", &[1])]),
    ];
    assert_eq!(judge(&unknown_read), []);
    // A read of nothing precedes each append to the key, also one that nobody reads.
    for appends in [&[append("x", 1)][..], &[append("x", 1), append("x", 2)]] {
        let writer = [appends, &[append("y", 1)]].concat();
        let reader: &[Step] = &[read("x", &[]), read("y", &[1])];
        let unread: [(&str, &[Step]); 2] = [("ok", &writer), ("ok", reader)];
        assert_eq!(judge(&unread), [AnomalyKind::GSingle]);
    }
    let good: &[Step] = &[
        read("y", &[5, 6]),
        append("x", 3),
        read("x", &[1, 2, 3]),
        append("x", 4),
        read("x", &[1, 2, 3, 4]),
    ];
    let others: [&[Step]; 2] = [
        &[append("y", 5), append("y", 6)],
        &[append("x", 1), append("x", 2)],
    ];
    let [y, x] = others.map(|steps| ("ok", steps));
    assert_eq!(judge(&[("ok", good), y, x]), []);
    let contradictions: [&[Step]; 6] = [
        &[read("x", &[1, 2]), append("x", 3), read("x", &[1, 2])],
        &[read("x", &[1, 2]), append("x", 3), read("x", &[0, 2, 3])],
        &[read("x", &[1, 2]), append("x", 3), read("x", &[1, 2, 3, 4])],
        &[read("x", &[1, 2]), append("x", 3), read("x", &[1])],
        &[append("x", 3), read("x", &[1, 2, 3, 4])],
        // Elle calls this one the example of FaunaDB.
        &[append("x", 6), read("x", &[])],
    ];
    for steps in contradictions {
        let found = judge(&[("ok", steps), x]);
        assert!(
            found.contains(&AnomalyKind::Internal),
            "{steps:?}: {found:?}"
        );
    }
    // Elle calls these reads of the future.
    let one = ("ok", &[append("x", 1)][..]);
    let early: &[Step] = &[read("x", &[1, 2]), append("x", 2)];
    assert_eq!(judge(&[one, ("ok", early)]), [AnomalyKind::Internal]);
    let between: &[Step] = &[append("x", 2), read("x", &[1, 2]), append("x", 1)];
    assert_eq!(judge(&[("ok", between)]), [AnomalyKind::Internal]);
}

/// A store that shows nobody anything makes many dependencies, of which some are enough.
#[test]
fn appends_that_nobody_reads_are_checked_in_time() {
    let mut builder = History::builder();
    for number in 0..2000_u32 {
        let calls = vec![ListOp::Read("x"), ListOp::Append("x", number)];
        let returned = vec![Some(Vec::new()), None];
        let completion = Completion::Ok(returned);
        builder
            .operation(number, "db", 0..5, calls, completion)
            .unwrap();
    }
    let report = transactions(&builder.build());
    assert_eq!(report.anomalies()[0].kind, AnomalyKind::G2Item, "{report}");
}

/// Aborted appends leave the places of unread values to those of other transactions.
#[test]
fn aborted_appends_hide_no_skew() {
    let aborted: Vec<[Step; 2]> = (0..200)
        .map(|value| [append("x", value), append("y", value)])
        .collect();
    let mut all: Vec<(&str, &[Step])> = aborted.iter().map(|it| ("failed", &it[..])).collect();
    let [one, other] =
        [("x", "y"), ("y", "x")].map(|(from, to)| [read(from, &[]), append(to, 500)]);
    all.extend([("ok", &one[..]), ("ok", &other[..])]);
    assert_eq!(judge(&all), [AnomalyKind::G2Item]);
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
