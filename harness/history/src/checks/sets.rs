//! Elements of a set that only grows: what was acknowledged must be seen by every later read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::history::History;
use crate::models::{SetOp, SetRet};
use crate::operation::Operation;
use crate::report::{Anomaly, AnomalyKind, CheckReport};

type SetOperation<T> = Operation<SetOp<T>, SetRet<T>>;

/// A read of all elements.
struct WholeRead<'h, T> {
    operation: &'h SetOperation<T>,
    elements: BTreeSet<&'h T>,
}

/// Finds elements that were acknowledged and are missing in the last read (lost) or in one before
/// (stale), elements that a read has twice, and elements that nobody added.
///
/// Each element is added once. Elements that are removed anywhere in the history are passed over.
/// An element is lost only if a read began after its acknowledgement, so end the history with a
/// read, when all faults are healed.
pub fn sets<T: Clone + Ord + Debug>(history: &History<SetOp<T>, SetRet<T>>) -> CheckReport {
    let mut added: BTreeMap<&T, &SetOperation<T>> = BTreeMap::new();
    let mut removed = BTreeSet::new();
    let mut reads = Vec::new();
    for operation in history.operations() {
        match (&operation.call, operation.completion.ok()) {
            (SetOp::Add(element), _) => {
                added.insert(element, operation);
            }
            (SetOp::Remove(element), _) => {
                removed.insert(element);
            }
            (SetOp::Read, Some(SetRet::Elements(elements))) => reads.push(WholeRead {
                operation,
                elements: elements.iter().collect(),
            }),
            (SetOp::Read | SetOp::Contains(_), _) => {}
        }
    }
    let mut anomalies = Vec::new();
    for (&element, add) in &added {
        if add.completion.is_ok() && !removed.contains(&element) {
            anomalies.extend(missing(element, add, &reads));
        }
    }
    let mut told = BTreeSet::new();
    for read in &reads {
        anomalies.extend(surplus(read, &added, &mut told));
    }
    CheckReport::new("elements of a set", history, anomalies)
}

/// Finds the read that lacks an acknowledged element.
fn missing<T: Ord + Debug>(
    element: &T,
    add: &SetOperation<T>,
    reads: &[WholeRead<'_, T>],
) -> Option<Anomaly> {
    let mut later = reads.iter().filter(|read| add.precedes(read.operation));
    let without = later.find(|read| !read.elements.contains(element))?;
    let last = reads.last()?;
    let (kind, what) = if last.elements.contains(element) {
        (AnomalyKind::StaleRead, "a later read has it")
    } else {
        (
            AnomalyKind::LostWrite,
            "the last read does not have it either",
        )
    };
    let sentence = format!(
        "{element:?} was acknowledged to {} and is missing in {}; {what}",
        add.id, without.operation.id
    );
    let mut ids = vec![add.id, without.operation.id];
    ids.extend((last.operation.id != without.operation.id).then_some(last.operation.id));
    Some(Anomaly::new(kind, sentence, ids))
}

/// Finds elements of a read that are there twice, or that nobody added, each once for all reads.
fn surplus<'h, T: Ord + Debug>(
    read: &WholeRead<'h, T>,
    added: &BTreeMap<&T, &SetOperation<T>>,
    told: &mut BTreeSet<(&'h T, AnomalyKind)>,
) -> Vec<Anomaly> {
    let id = read.operation.id;
    let Some(SetRet::Elements(elements)) = read.operation.completion.ok() else {
        return Vec::new();
    };
    let (mut found, mut before) = (Vec::new(), BTreeSet::new());
    for element in elements {
        let add = added.get(element);
        let happened = add.is_some_and(|add| !add.completion.is_failed());
        let kind = match (before.insert(element), happened) {
            (false, _) => AnomalyKind::Duplicate,
            (true, false) => AnomalyKind::Unexpected,
            (true, true) => continue,
        };
        if told.insert((element, kind)) {
            let why = match (kind, add) {
                (AnomalyKind::Duplicate, _) => "twice".to_owned(),
                (_, Some(add)) => format!("although {}, which added it, failed", add.id),
                (_, None) => "which nobody added".to_owned(),
            };
            let ids = add.map(|add| add.id).into_iter().chain([id]);
            let sentence = format!("{id} read {element:?}, {why}");
            found.push(Anomaly::new(kind, sentence, ids));
        }
    }
    found
}
