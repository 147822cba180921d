//! Elements of a queue: each comes out once, if it went in.

use std::collections::BTreeMap;
use std::fmt::Debug;

use snowglobe_text::counted;

use crate::history::History;
use crate::models::{QueueOp, QueueRet};
use crate::operation::Operation;
use crate::report::{Anomaly, AnomalyKind, CheckReport};

type QueueOperation<T> = Operation<QueueOp<T>, QueueRet<T>>;

/// The operations that put one element in and took it out.
struct Passage<'h, T> {
    entered: Vec<&'h QueueOperation<T>>,
    left: Vec<&'h QueueOperation<T>>,
}

impl<T> Default for Passage<'_, T> {
    fn default() -> Self {
        Self {
            entered: Vec::new(),
            left: Vec::new(),
        }
    }
}

/// Finds elements that came out more often than they went in, elements that nobody had put in, and
/// acknowledged elements that are lost: they never came out, and the queue was empty afterwards.
///
/// A dequeue with an unknown outcome may have taken one element, so that many missing elements are
/// no finding. End the history with dequeues until the queue is empty. The order is a matter of
/// [`linearizability`](crate::linearizability()).
pub fn queues<T: Clone + Ord + Debug>(history: &History<QueueOp<T>, QueueRet<T>>) -> CheckReport {
    let mut passages: BTreeMap<&T, Passage<'_, T>> = BTreeMap::new();
    let (mut empty, mut unknown) = (None, 0);
    for operation in history.operations() {
        match (&operation.call, operation.completion.ok()) {
            (QueueOp::Enqueue(element), _) => {
                passages.entry(element).or_default().entered.push(operation)
            }
            (QueueOp::Dequeue, Some(QueueRet::Element(element))) => {
                passages.entry(element).or_default().left.push(operation);
            }
            (QueueOp::Dequeue, Some(QueueRet::Empty)) => empty = Some(operation),
            (QueueOp::Dequeue, Some(QueueRet::Done)) => {}
            (QueueOp::Dequeue, None) => unknown += usize::from(operation.completion.is_unknown()),
        }
    }
    let (mut anomalies, mut missing) = (Vec::new(), Vec::new());
    for (&element, passage) in &passages {
        let may = passage
            .entered
            .iter()
            .filter(|it| !it.completion.is_failed());
        if passage.left.len() > may.count() {
            anomalies.push(surplus(element, passage));
        } else {
            anomalies.extend(too_early(element, passage));
        }
        // An element that goes in at the time of the empty answer may have gone in after it.
        if let Some(empty) = empty
            && let mut acknowledged = passage.entered.iter().filter(|it| it.precedes(empty))
            && let Some(enqueue) = acknowledged.nth(passage.left.len())
        {
            missing.push((element, enqueue.id, empty.id));
        }
    }
    if missing.len() > unknown {
        let unknown = match unknown {
            1 => "1 dequeue has an unknown outcome".to_owned(),
            _ => format!("{unknown} dequeues have unknown outcomes"),
        };
        for (element, enqueue, empty) in missing {
            let sentence = format!(
                "{element:?} was acknowledged to {enqueue} and never came out, and {empty} found \
                 the queue empty; {unknown}"
            );
            let ids = [enqueue, empty];
            anomalies.push(Anomaly::new(AnomalyKind::LostWrite, sentence, ids));
        }
    }
    CheckReport::new("elements of a queue", history, anomalies)
}

/// Finds an element that came out before it went in.
fn too_early<T: Debug>(element: &T, passage: &Passage<'_, T>) -> Option<Anomaly> {
    let mut left = passage.left.clone();
    left.sort_by_key(|it| it.completed);
    let begun_by = |leaves: &QueueOperation<T>| {
        let may = passage.entered.iter();
        let may = may.filter(|it| !it.completion.is_failed());
        may.filter(|enters| !leaves.precedes(enters)).count()
    };
    let mut left = left.iter().enumerate();
    let (_, leaves) = left.find(|(place, leaves)| begun_by(leaves) <= *place)?;
    let ids = passage.entered.iter().map(|it| it.id).chain([leaves.id]);
    let sentence = format!("{element:?} came out to {} before it went in", leaves.id);
    Some(Anomaly::new(AnomalyKind::Unexpected, sentence, ids))
}

fn surplus<T: Debug>(element: &T, passage: &Passage<'_, T>) -> Anomaly {
    let Passage { entered, left } = passage;
    let (kind, why) = if entered.iter().all(|it| it.completion.is_failed()) {
        (AnomalyKind::Unexpected, "and never went in")
    } else {
        (AnomalyKind::Duplicate, "and went in less often")
    };
    let sentence = format!(
        "{element:?} came out {}, {why}",
        counted(left.len(), "time")
    );
    let ids = entered.iter().chain(left).map(|it| it.id);
    Anomaly::new(kind, sentence, ids)
}
