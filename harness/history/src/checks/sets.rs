//! Elements of a set that only grows: what was acknowledged or read must be seen by every later
//! read.

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

/// Finds elements that were acknowledged, or read, and are missing in the last read (lost) or in
/// one before (stale), elements that a read has twice, and elements that nobody had added.
///
/// Each element is added once. Elements that are removed anywhere in the history are passed over.
/// An element is lost only if a read began after its acknowledgement, or after a read that had the
/// element, so end the history with a read, when all faults are healed.
pub fn sets<T: Clone + Ord + Debug>(history: &History<SetOp<T>, SetRet<T>>) -> CheckReport {
    let mut added: BTreeMap<&T, &SetOperation<T>> = BTreeMap::new();
    let (mut removed, mut added_again) = (BTreeSet::new(), BTreeSet::new());
    let mut reads = Vec::new();
    for operation in history.operations() {
        match (&operation.call, operation.completion.ok()) {
            (SetOp::Add(element), _) => {
                if added.insert(element, operation).is_some() {
                    added_again.insert(element);
                }
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
    let mut by_end: Vec<_> = reads.iter().collect();
    by_end.sort_by_key(|read| read.operation.completed);
    for (&element, add) in &added {
        // What a failed operation added is told below, where a read has it.
        if !add.completion.is_failed() && !removed.contains(&element) {
            let reader = by_end.iter().find(|read| read.elements.contains(element));
            let reader = reader.map(|read| read.operation);
            anomalies.extend(missing(element, add, reader, &reads));
        }
    }
    let mut told = BTreeSet::new();
    for read in &reads {
        anomalies.extend(surplus(read, &added, &added_again, &mut told));
    }
    CheckReport::new("elements of a set", history, anomalies)
}

/// Finds the read that lacks an element which was there before: `reader` is the operation that
/// read the element first.
fn missing<T: Ord + Debug>(
    element: &T,
    add: &SetOperation<T>,
    reader: Option<&SetOperation<T>>,
    reads: &[WholeRead<'_, T>],
) -> Option<Anomaly> {
    // An element is there from the moment when somebody is told so.
    let acknowledged = Some(add).filter(|add| add.completion.is_ok());
    let witness = acknowledged.into_iter().chain(reader);
    let witness = witness.min_by_key(|it| it.completed)?;
    let mut later = reads.iter().filter(|read| witness.precedes(read.operation));
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
    let told = match witness.id == add.id {
        true => format!("acknowledged to {}", add.id),
        false => format!("read by {}", witness.id),
    };
    let sentence = format!(
        "{element:?} was {told} and is missing in {}; {what}",
        without.operation.id
    );
    let mut ids = vec![add.id, without.operation.id];
    ids.extend((witness.id != add.id).then_some(witness.id));
    ids.extend((last.operation.id != without.operation.id).then_some(last.operation.id));
    Some(Anomaly::new(kind, sentence, ids))
}

/// Finds elements of a read that are there twice, or that nobody added, each once for all reads.
fn surplus<'h, T: Ord + Debug>(
    read: &WholeRead<'h, T>,
    added: &BTreeMap<&T, &SetOperation<T>>,
    added_again: &BTreeSet<&T>,
    told: &mut BTreeSet<(&'h T, AnomalyKind)>,
) -> Vec<Anomaly> {
    let id = read.operation.id;
    let Some(SetRet::Elements(elements)) = read.operation.completion.ok() else {
        return Vec::new();
    };
    let (mut found, mut before) = (Vec::new(), BTreeSet::new());
    for element in elements {
        let add = added.get(element);
        let (kind, why) = match add {
            _ if !before.insert(element) => (AnomalyKind::Duplicate, "twice".to_owned()),
            None => (AnomalyKind::Unexpected, "which nobody added".to_owned()),
            // Another addition explains the element.
            Some(_) if added_again.contains(element) => continue,
            Some(add) if add.completion.is_failed() => {
                let why = format!("although {}, which added it, failed", add.id);
                (AnomalyKind::Unexpected, why)
            }
            Some(add) if read.operation.precedes(add) => {
                let why = format!("before {}, which added it, began", add.id);
                (AnomalyKind::Unexpected, why)
            }
            Some(_) => continue,
        };
        if told.insert((element, kind)) {
            let ids = add.map(|add| add.id).into_iter().chain([id]);
            let sentence = format!("{id} read {element:?}, {why}");
            found.push(Anomaly::new(kind, sentence, ids));
        }
    }
    found
}
