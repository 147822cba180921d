//! Checks of one mistake: what they find, no order of the operations explains.

#[path = "common/random.rs"]
mod random;

use random::Random;
use snowglobe_history::checks::{queues, sets, stale_reads};
use snowglobe_history::models::{
    Queue, QueueOp, QueueRet, Register, RegisterOp, RegisterRet, SetOp, SetRet, WholeSet,
};
use snowglobe_history::{AnomalyKind, CheckReport, Completion, History, Model, linearizability};

fn kinds(report: &CheckReport) -> Vec<AnomalyKind> {
    report.anomalies().iter().map(|it| it.kind).collect()
}

/// Begin and end of an operation, the call, and what became of it.
type Row<O, R> = (u64, u64, O, Completion<R>);

/// Makes a history in which each operation has a client of its own.
fn history<O, R>(rows: impl IntoIterator<Item = Row<O, R>>) -> History<O, R> {
    let mut history = History::builder();
    for (client, (from, to, call, completion)) in rows.into_iter().enumerate() {
        let done = history.operation(client as u32, "db", from..to, call, completion);
        done.unwrap();
    }
    history.build()
}

fn unknown<R>() -> Completion<R> {
    Completion::Unknown("reset".to_owned())
}

/// Returns how an operation ended that changes something: mostly well.
fn ended<R>(random: &mut Random, done: R) -> Completion<R> {
    match random.below(6) {
        0 => unknown(),
        1 => Completion::Failed("refused".to_owned()),
        _ => Completion::Ok(done),
    }
}

/// Makes operations at random times: some that change something, and some that look.
fn rows<O, R>(
    random: &mut Random,
    change: impl Fn(&mut Random, u64) -> (O, Completion<R>),
    look: impl Fn(&mut Random) -> (O, Completion<R>),
) -> History<O, R> {
    let (changes, looks) = (1 + random.below(4), 1 + random.below(4));
    let mut all = Vec::new();
    for number in 0..changes {
        let (from, lasts) = (random.below(30), random.below(12));
        let (call, completion) = change(random, number);
        all.push((from, from + lasts, call, completion));
    }
    for _ in 0..looks {
        let (from, lasts) = (random.below(40), random.below(6));
        let (call, completion) = look(random);
        all.push((from, from + lasts, call, completion));
    }
    history(all)
}

/// Compares a check of one mistake with the search for an order, on answers that are mere chance.
fn assert_no_false_alarm<M: Model>(
    model: &M,
    check: impl Fn(&History<M::Call, M::Ret>) -> CheckReport,
    make: impl Fn(&mut Random) -> History<M::Call, M::Ret>,
) {
    let mut random = Random(15);
    let mut found = 0;
    for _ in 0..5_000 {
        let history = make(&mut random);
        let report = check(&history);
        if !report.is_clean() {
            found += 1;
            let is_explained = linearizability(model, &history).is_clean();
            assert!(!is_explained, "{report}\n{history:#?}");
        }
    }
    assert!((500..4_900).contains(&found), "{found}");
}

#[test]
fn stale_reads_have_no_order() {
    let write = |random: &mut Random, number| {
        let done = ended(random, RegisterRet::Done);
        (RegisterOp::Write(number + 1), done)
    };
    let read = |random: &mut Random| {
        let value = RegisterRet::Value(random.below(5));
        (RegisterOp::Read, Completion::Ok(value))
    };
    let make = |random: &mut Random| rows(random, write, read);
    assert_no_false_alarm(&Register::new(0), stale_reads, make);
}

#[test]
fn lost_elements_of_a_set_have_no_order() {
    // Elements are added twice now and then, as by a client that tries again.
    let add = |random: &mut Random, number| (SetOp::Add(number / 2), ended(random, SetRet::Done));
    let read = |random: &mut Random| {
        let elements = (0..4).filter(|_| random.one_in(2)).collect();
        (SetOp::Read, Completion::Ok(SetRet::Elements(elements)))
    };
    assert_no_false_alarm(&WholeSet::new(), sets, |random| rows(random, add, read));
}

/// Elements are put in twice now and then, as by a client that tries again.
#[test]
fn lost_elements_of_a_queue_have_no_order() {
    let put = |random: &mut Random, number| {
        let done = ended(random, QueueRet::Done);
        (QueueOp::Enqueue(number / 2), done)
    };
    let take = |random: &mut Random| {
        let taken = match random.below(4) {
            0 => Completion::Ok(QueueRet::Empty),
            1 => unknown(),
            _ => Completion::Ok(QueueRet::Element(random.below(2))),
        };
        (QueueOp::Dequeue, taken)
    };
    assert_no_false_alarm(&Queue::new(), queues, |random| rows(random, put, take));
}

/// A read is as good as an acknowledgement: what was read once is there, whoever heard of its
/// addition.
#[test]
fn elements_of_a_set_that_were_read_are_missed_later() {
    let judge = |added: Completion<SetRet<u8>>, end: u64, reads: &[&[u8]]| {
        let mut history = History::builder();
        history
            .operation(0, "a", 0..end, SetOp::Add(1), added)
            .unwrap();
        for (place, elements) in reads.iter().enumerate() {
            let from = 10 * (place as u64 + 1);
            let read = Completion::Ok(SetRet::Elements(elements.to_vec()));
            history
                .operation(1, "b", from..from + 5, SetOp::Read, read)
                .unwrap();
        }
        let report = sets(&history.build());
        (kinds(&report), report.to_string())
    };
    let unknown = || Completion::Unknown("reset".to_owned());
    let (lost, text) = judge(unknown(), 5, &[&[], &[1], &[]]);
    assert_eq!(lost, [AnomalyKind::LostWrite], "{text}");
    assert!(
        text.contains("1 was read by operation 2 and is missing in operation 3"),
        "{text}"
    );
    let stale = judge(unknown(), 5, &[&[1], &[], &[1]]).0;
    assert_eq!(stale, [AnomalyKind::StaleRead]);
    // The addition may end at any time, as long as nobody has seen the element.
    assert_eq!(judge(unknown(), 5, &[&[], &[], &[1]]).0, []);
    // The acknowledgement came after both reads, of which the second contradicts the first.
    let both = judge(Completion::Ok(SetRet::Done), 100, &[&[1], &[]]).0;
    assert_eq!(both, [AnomalyKind::LostWrite]);
    let failed = judge(Completion::Failed("refused".to_owned()), 5, &[&[1], &[]]).0;
    assert_eq!(failed, [AnomalyKind::Unexpected]);
}

/// What was read before anybody wrote it has come from nowhere.
#[test]
fn answers_from_the_future_are_found() {
    let read = Completion::Ok(SetRet::Elements(vec![1]));
    let add = (10, 15, SetOp::Add(1), Completion::Ok(SetRet::Done));
    let report = sets(&history([(0, 5, SetOp::Read, read), add]));
    assert_eq!(kinds(&report), [AnomalyKind::Unexpected], "{report}");

    let take = |from, to| {
        let taken = Completion::Ok(QueueRet::Element('x'));
        (from, to, QueueOp::Dequeue, taken)
    };
    let put = |from, to| {
        let done = Completion::Ok(QueueRet::Done);
        (from, to, QueueOp::Enqueue('x'), done)
    };
    let judge = |rows: [Row<_, _>; 4]| kinds(&queues(&history(rows)));
    let second_is_early = [put(0, 1), take(2, 3), take(4, 5), put(6, 7)];
    assert_eq!(judge(second_is_early), [AnomalyKind::Unexpected]);
    assert_eq!(judge([put(0, 1), take(2, 3), take(4, 9), put(6, 7)]), []);

    let write = (10, 15, RegisterOp::Write(1), unknown());
    let value = Completion::Ok(RegisterRet::Value(1));
    let report = stale_reads(&history([(0, 5, RegisterOp::Read, value), write]));
    assert_eq!(kinds(&report), [AnomalyKind::Unexpected], "{report}");
}

/// Of two that went in and one that came out, the other may have gone in after the empty answer.
#[test]
fn an_element_that_goes_in_twice_is_not_lost_at_once() {
    let done = || Completion::Ok(QueueRet::Done);
    let report = queues(&history([
        (25, 35, QueueOp::Enqueue('x'), done()),
        (29, 32, QueueOp::Enqueue('x'), done()),
        (
            30,
            32,
            QueueOp::Dequeue,
            Completion::Ok(QueueRet::Element('x')),
        ),
        (33, 36, QueueOp::Dequeue, Completion::Ok(QueueRet::Empty)),
    ]));
    assert_eq!(kinds(&report), [], "{report}");
}

/// A write whose outcome is unknown has happened when somebody has read what it wrote.
#[test]
fn a_value_that_was_read_makes_older_ones_stale() {
    let write = |from, to, value, completion| (from, to, RegisterOp::Write(value), completion);
    let read = |from, value| {
        let value = Completion::Ok(RegisterRet::Value(value));
        (from, from + 5, RegisterOp::Read, value)
    };
    let done = || Completion::Ok(RegisterRet::Done);
    let judge = |second, reads: [Row<_, _>; 2]| {
        let [one, other] = reads;
        stale_reads(&history([write(0, 5, 1, done()), second, one, other]))
    };
    let report = judge(write(6, 9, 2, unknown()), [read(10, 2), read(20, 1)]);
    assert_eq!(kinds(&report), [AnomalyKind::StaleRead]);
    let text = report.to_string();
    assert!(
        text.contains("which operation 1 had overwritten 5ns before"),
        "{text}"
    );
    let late = judge(write(6, 90, 2, done()), [read(10, 2), read(20, 1)]);
    assert_eq!(kinds(&late), [AnomalyKind::StaleRead]);
    // The two writes overlap, or nobody has read the second one before.
    assert!(judge(write(4, 9, 2, unknown()), [read(10, 2), read(20, 1)]).is_clean());
    assert!(judge(write(6, 9, 2, unknown()), [read(20, 1), read(30, 2)]).is_clean());
}
