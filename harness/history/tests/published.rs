//! Examples that papers and manuals give, with the verdicts that they give.

use snowglobe_history::checks::{
    counters, queues, sessions, sessions_by, sets, stale_reads, unique_ids,
};
use snowglobe_history::models::{
    CounterOp, CounterRet, Map, On, Queue, QueueOp, QueueRet, Register, RegisterOp, RegisterRet,
    SetOp, SetRet,
};
use snowglobe_history::{
    AnomalyKind, CheckReport, Completion, History, HistoryError, HistoryErrorKind, Interval,
    linearizability,
};

type Row<O, R> = (u32, u64, u64, O, R);

/// Makes a history of acknowledged operations: client, invocation, completion, call and answer.
fn history<O, R>(rows: impl IntoIterator<Item = Row<O, R>>) -> History<O, R> {
    let mut history = History::builder();
    for (client, from, to, call, ret) in rows {
        let node = if client == 0 { "a" } else { "b" };
        history
            .operation(client, node, from..to, call, Completion::Ok(ret))
            .unwrap();
    }
    history.build()
}

fn enqueue(client: u32, from: u64, to: u64, element: char) -> Row<QueueOp<char>, QueueRet<char>> {
    (client, from, to, QueueOp::Enqueue(element), QueueRet::Done)
}

fn dequeue(client: u32, from: u64, to: u64, element: char) -> Row<QueueOp<char>, QueueRet<char>> {
    (
        client,
        from,
        to,
        QueueOp::Dequeue,
        QueueRet::Element(element),
    )
}

fn write(client: u32, from: u64, to: u64, value: u64) -> Row<RegisterOp<u64>, RegisterRet<u64>> {
    (
        client,
        from,
        to,
        RegisterOp::Write(value),
        RegisterRet::Done,
    )
}

fn read(client: u32, from: u64, to: u64, value: u64) -> Row<RegisterOp<u64>, RegisterRet<u64>> {
    (
        client,
        from,
        to,
        RegisterOp::Read,
        RegisterRet::Value(value),
    )
}

/// Queues in the manner of the examples of Herlihy and Wing, "Linearizability" (1990), section 1.
#[test]
fn the_queues_of_herlihy_and_wing() {
    let judge = |rows: Vec<_>| linearizability(&Queue::new(), &history(rows)).is_clean();
    // E(x) and E(y) overlap, y comes out first, then x; z after that.
    assert!(judge(vec![
        enqueue(0, 0, 10, 'x'),
        enqueue(1, 5, 15, 'y'),
        dequeue(1, 20, 30, 'y'),
        dequeue(0, 35, 40, 'x'),
        enqueue(0, 45, 50, 'z'),
    ]));
    // E(x) is over before E(y) begins, and y comes out first.
    assert!(!judge(vec![
        enqueue(0, 0, 10, 'x'),
        enqueue(1, 15, 20, 'y'),
        dequeue(0, 25, 30, 'y'),
    ]));
    // x comes out while it is going in.
    assert!(judge(vec![enqueue(0, 0, 20, 'x'), dequeue(1, 5, 15, 'x')]));
    // y comes out twice.
    assert!(!judge(vec![
        enqueue(0, 0, 10, 'x'),
        enqueue(1, 5, 15, 'y'),
        dequeue(0, 20, 30, 'y'),
        dequeue(1, 20, 30, 'y'),
    ]));
}

/// Porcupine's README: a write that overlaps a read of the new and one of the old value.
#[test]
fn the_registers_of_porcupine() {
    let judge = |rows: Vec<_>| linearizability(&Register::new(0), &history(rows));
    let good = vec![
        write(0, 0, 100, 100),
        read(1, 25, 75, 100),
        read(2, 30, 60, 0),
    ];
    judge(good).into_result().unwrap();
    let bad = vec![
        write(0, 0, 100, 200),
        read(1, 10, 30, 200),
        read(2, 40, 90, 0),
    ];
    let report = judge(bad);
    let anomaly = &report.anomalies()[0];
    assert_eq!(anomaly.kind, AnomalyKind::NotLinearizable);
    assert_eq!(
        anomaly.operations.len(),
        2,
        "the write may be left out: {report}"
    );
}

#[test]
fn a_stale_read_is_shown_with_the_fault_and_without_bystanders() {
    let mut rows: Vec<_> = (0..200)
        .map(|n| write(3, n * 10, n * 10 + 5, 1000 + n))
        .collect();
    rows.push(write(0, 3000, 3010, 1));
    rows.push(write(1, 3020, 3030, 2));
    rows.push(read(2, 3040, 3050, 1));
    rows.extend((0..50).map(|n| read(4, 4000 + n * 10, 4005 + n * 10, 2)));
    let rows = rows
        .into_iter()
        .map(|(client, from, to, call, ret)| (client, from, to, On::new("x", call), ret));
    let history = history(rows);
    let report = linearizability(&Map::new(Register::new(0)), &history);
    assert_eq!(report.anomalies()[0].operations.len(), 3, "{report}");
    let at = |nanos| std::time::Duration::from_nanos(nanos);
    let cut = Interval::new("cut of link `a–b`", at(3015), Some(at(3045)));
    let early = Interval::new("pause of node `a`", at(0), Some(at(10)));
    let text = report.during([cut, early]).to_string();
    for part in [
        "key \"x\": no order explains",
        "Write(1)",
        "Write(2)",
        "Value(1)",
        "cut of link",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains("pause") && !text.contains("Write(1000)"),
        "{text}"
    );
    let stale = stale_reads(&history);
    assert_eq!(kinds(&stale), [AnomalyKind::StaleRead], "{stale}");
}

#[test]
fn an_unknown_write_may_happen_much_later_or_never() {
    let mut builder = History::builder();
    let lost = Completion::Unknown("timed out".to_owned());
    builder
        .operation(0, "a", 0..10, RegisterOp::Write(7), lost)
        .unwrap();
    for (at, value) in [(20, 0), (40, 7)] {
        let seen = Completion::Ok(RegisterRet::Value(value));
        builder
            .operation(1, "a", at..at + 5, RegisterOp::Read, seen)
            .unwrap();
    }
    let mut again = builder.clone();
    linearizability(&Register::new(0), &builder.build())
        .into_result()
        .unwrap();
    let gone = Completion::Ok(RegisterRet::Value(0));
    again
        .operation(1, "a", 60..65, RegisterOp::Read, gone)
        .unwrap();
    assert!(!linearizability(&Register::new(0), &again.build()).is_clean());
}

fn kinds(report: &CheckReport) -> Vec<AnomalyKind> {
    report
        .anomalies()
        .iter()
        .map(|anomaly| anomaly.kind)
        .collect()
}

/// The four session guarantees of Terry et al. (1994), each broken once.
#[test]
fn sessions_that_break_one_guarantee_each() {
    let two = [write(8, 0, 10, 1), write(9, 20, 30, 2)];
    let judge = |rows: &[_]| kinds(&sessions(&history(two.iter().chain(rows).copied())));
    assert_eq!(
        judge(&[read(1, 40, 50, 2), read(1, 60, 70, 1)]),
        [AnomalyKind::NonMonotonicRead]
    );
    assert_eq!(judge(&[read(1, 40, 50, 1), read(1, 60, 70, 2)]), []);
    assert_eq!(
        judge(&[read(1, 40, 50, 2), read(2, 60, 70, 1)]),
        [],
        "another session"
    );
    assert_eq!(
        judge(&[write(1, 40, 50, 3), read(1, 60, 70, 2)]),
        [AnomalyKind::ReadYourWrites]
    );
    let on =
        |key, (client, from, to, call, ret): Row<_, _>| (client, from, to, On::new(key, call), ret);
    // One client writes x and then y; a node shows y and no x.
    let monotonic = history([
        on("x", write(5, 0, 10, 1)),
        on("y", write(5, 20, 30, 1)),
        on("y", read(1, 40, 50, 1)),
        on("x", read(2, 60, 70, 0)),
    ]);
    assert_eq!(
        kinds(&sessions(&monotonic)),
        [AnomalyKind::NonMonotonicWrite]
    );
    // One client reads x and then writes y; a node shows y and no x.
    let follows = history([
        on("x", write(5, 0, 10, 1)),
        on("x", read(6, 12, 15, 1)),
        on("y", write(6, 20, 30, 1)),
        on("y", read(1, 40, 50, 1)),
        on("x", read(2, 60, 70, 0)),
    ]);
    assert_eq!(kinds(&sessions(&follows)), [AnomalyKind::WritesFollowReads]);
    // The node shows a write of another client in between, and has shown that one all the same.
    let covered = history([
        on("x", write(5, 0, 10, 1)),
        on("y", write(5, 20, 30, 1)),
        on("y", read(1, 40, 50, 1)),
        on("y", write(6, 52, 55, 2)),
        on("y", read(1, 56, 58, 2)),
        on("x", read(2, 60, 70, 0)),
    ]);
    assert_eq!(kinds(&sessions(&covered)), [AnomalyKind::NonMonotonicWrite]);
    // Writes that overlap have no order of time; the values tell it.
    let overlapping = history([
        write(8, 0, 10, 1),
        write(9, 0, 10, 2),
        read(1, 40, 50, 2),
        read(1, 60, 70, 1),
    ]);
    assert_eq!(kinds(&sessions(&overlapping)), []);
    let by_value = sessions_by(&overlapping, |value| *value);
    assert_eq!(kinds(&by_value), [AnomalyKind::NonMonotonicRead]);
}

#[test]
fn elements_of_a_set_that_are_lost_stale_twice_or_from_nowhere() {
    let add = |from, element| (0, from, from + 5, SetOp::Add(element), SetRet::Done);
    let all = |from, elements: &[u8]| {
        (
            1,
            from,
            from + 5,
            SetOp::Read,
            SetRet::Elements(elements.to_vec()),
        )
    };
    let judge = |rows: Vec<_>| kinds(&sets(&history(rows)));
    assert_eq!(judge(vec![add(0, 1), add(10, 2), all(20, &[2, 1])]), []);
    assert_eq!(
        judge(vec![add(0, 1), all(3, &[])]),
        [],
        "the add was not over"
    );
    assert_eq!(
        judge(vec![add(0, 1), all(20, &[]), all(30, &[])]),
        [AnomalyKind::LostWrite]
    );
    assert_eq!(
        judge(vec![add(0, 1), all(20, &[]), all(30, &[1])]),
        [AnomalyKind::StaleRead]
    );
    assert_eq!(
        judge(vec![add(0, 1), all(20, &[1, 1])]),
        [AnomalyKind::Duplicate]
    );
    assert_eq!(
        judge(vec![all(20, &[9]), all(30, &[9])]),
        [AnomalyKind::Unexpected]
    );
    let removed = (2, 10, 15, SetOp::Remove(1), SetRet::Done);
    assert_eq!(judge(vec![add(0, 1), removed, all(20, &[])]), []);
}

#[test]
fn elements_of_a_queue_that_are_lost_twice_or_from_nowhere() {
    let empty = (1, 90, 95, QueueOp::Dequeue, QueueRet::Empty);
    let judge = |rows: Vec<_>| kinds(&queues(&history(rows)));
    assert_eq!(
        judge(vec![enqueue(0, 0, 5, 'x'), dequeue(1, 10, 15, 'x'), empty]),
        []
    );
    assert_eq!(judge(vec![enqueue(0, 0, 5, 'x')]), [], "nobody looked");
    assert_eq!(
        judge(vec![enqueue(0, 0, 5, 'x'), empty]),
        [AnomalyKind::LostWrite]
    );
    let twice = vec![
        enqueue(0, 0, 5, 'x'),
        dequeue(1, 10, 15, 'x'),
        dequeue(2, 20, 25, 'x'),
    ];
    assert_eq!(judge(twice), [AnomalyKind::Duplicate]);
    assert_eq!(
        judge(vec![dequeue(1, 10, 15, 'x')]),
        [AnomalyKind::Unexpected]
    );
    let mut builder = History::builder();
    let in_it = Completion::Ok(QueueRet::Done);
    builder
        .operation(0, "a", 0..5, QueueOp::Enqueue('x'), in_it)
        .unwrap();
    builder.invoke(1, "a", 10, QueueOp::Dequeue);
    builder
        .operation(
            2,
            "a",
            20..25,
            QueueOp::Dequeue,
            Completion::Ok(QueueRet::Empty),
        )
        .unwrap();
    assert_eq!(
        kinds(&queues(&builder.build())),
        [],
        "the lost answer may have had the element"
    );
}

#[test]
fn ids_that_are_given_twice_and_sums_that_cannot_be() {
    assert!(unique_ids(&history([(0, 0, 5, "next", 1), (1, 0, 5, "next", 2)])).is_clean());
    let twice = unique_ids(&history([(0, 0, 5, "next", 1), (1, 10, 15, "next", 1)]));
    assert_eq!(kinds(&twice), [AnomalyKind::DuplicateId]);
    let add = |from, to, number| (0, from, to, CounterOp::Add(number), CounterRet::Done);
    let sum = |sum| (1, 20, 30, CounterOp::Read, CounterRet::Sum(sum));
    let judge = |read| {
        counters(&history([
            add(0, 10, 5),
            add(25, 40, 2),
            add(50, 60, 1),
            read,
        ]))
    };
    for possible in [5, 7] {
        assert!(judge(sum(possible)).is_clean());
    }
    for impossible in [4, 8] {
        assert_eq!(kinds(&judge(sum(impossible))), [AnomalyKind::OutOfBounds]);
    }
}

type Kept = History<RegisterOp<u64>, RegisterRet<u64>>;

fn kept(text: &str) -> Result<Kept, HistoryError> {
    History::from_json_lines("kept.jsonl", text)
}

#[test]
fn a_history_survives_being_written_down() {
    let mut builder = History::builder();
    builder
        .operation(
            0,
            "a",
            0..10,
            RegisterOp::Write(7),
            Completion::Ok(RegisterRet::Done),
        )
        .unwrap();
    builder
        .operation(
            1,
            "b",
            5..9,
            RegisterOp::Read,
            Completion::Failed("refused".to_owned()),
        )
        .unwrap();
    let cas = RegisterOp::Cas { from: 7, to: 8 };
    builder
        .operation(
            1,
            "b",
            10..90,
            cas,
            Completion::Unknown("timed out".to_owned()),
        )
        .unwrap();
    builder.invoke(0, "a", 20, RegisterOp::Read);
    let history = builder.build();
    let text = history.to_json_lines().unwrap();
    assert_eq!(kept(&text).unwrap(), history, "{text}");
    assert_eq!(text.lines().count(), 7, "{text}");
}

#[test]
fn mistakes_in_a_kept_history_have_a_line() {
    let invoke = r#"{"invoke":{"op":1,"client":0,"node":"a","at":10,"call":"read"}}"#;
    let ok = r#"{"ok":{"op":1,"at":20,"ret":{"value":3}}}"#;
    let early = r#"{"ok":{"op":1,"at":5,"ret":{"value":3}}}"#;
    let cases = [
        (
            format!("\n{ok}\n"),
            2,
            "operation 1 is completed, and was not invoked before",
        ),
        (
            format!("{invoke}\n{ok}\n{ok}"),
            3,
            "completed for the second time",
        ),
        (
            format!("{invoke}\n{invoke}"),
            2,
            "invoked for the second time",
        ),
        (format!("{invoke}\n{early}"), 2, "before its invocation"),
        (
            format!("{invoke}\n{{\"okay\":{{}}}}"),
            2,
            "unknown variant `okay`",
        ),
        ("{".to_owned(), 1, "column 1"),
        ("\n \n".to_owned(), 1, "there is no event"),
    ];
    for (text, line, part) in cases {
        let error = kept(&text).unwrap_err();
        assert_eq!(error.line(), Some(line), "{error}");
        let place = format!("kept.jsonl:{line}: ");
        assert!(
            error.to_string().starts_with(&place) && error.to_string().contains(part),
            "{error}"
        );
    }
    let error = kept(ok).unwrap_err();
    assert!(
        matches!(error.kind(), HistoryErrorKind::NotInvoked { .. }),
        "{error}"
    );
}
