//! Ids that must each be given once.

use std::collections::BTreeMap;
use std::fmt::Debug;

use snowglobe_text::counted;

use crate::history::History;
use crate::operation::OperationId;
use crate::report::{Anomaly, AnomalyKind, CheckReport};

/// Finds values that more than one operation returned.
pub fn unique_ids<O: Clone + Debug, R: Clone + Ord + Debug>(
    history: &History<O, R>,
) -> CheckReport {
    let mut given: BTreeMap<&R, Vec<OperationId>> = BTreeMap::new();
    for operation in history.operations() {
        if let Some(id) = operation.completion.ok() {
            given.entry(id).or_default().push(operation.id);
        }
    }
    let repeated = given.into_iter().filter(|(_, all)| all.len() > 1);
    let anomalies = repeated.map(|(id, operations)| {
        let sentence = format!("{id:?} was given {}", counted(operations.len(), "time"));
        Anomaly::new(AnomalyKind::DuplicateId, sentence, operations)
    });
    CheckReport::new("unique ids", history, anomalies.collect())
}
