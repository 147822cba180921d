//! Reads of what had been overwritten before they began.

use std::collections::BTreeMap;
use std::time::Duration;

use super::registers::{RegisterCall, RegisterOperation, Writer, Writers, read, written};
use crate::history::History;
use crate::models::RegisterRet;
use crate::report::{Anomaly, AnomalyKind, CheckReport};

/// The acknowledged writes of one register, by completion. Beside each is the one of them so far
/// that began last.
type Acknowledged<'h, C> = Vec<(Duration, &'h RegisterOperation<C>)>;

/// Finds reads of values that had been overwritten, by an acknowledged write, before they began;
/// and reads of values whose write has failed.
///
/// The values that are written to one register must be different: a value that is written twice is
/// passed over.
pub fn stale_reads<C: RegisterCall>(history: &History<C, RegisterRet<C::Value>>) -> CheckReport {
    let writers = Writers::of(history);
    let acknowledged = acknowledged(history);
    let mut anomalies = Vec::new();
    for operation in history.operations() {
        let key = operation.call.register();
        let Some(value) = read(operation) else {
            continue;
        };
        let before = acknowledged.get(&key).map_or(&[][..], Vec::as_slice);
        let count = before.partition_point(|(end, _)| *end < operation.invoked);
        let newer = before[..count].last().map(|(_, newest)| *newest);
        anomalies.push(match (writers.of_value(&key, value), newer) {
            (Writer::One(writer), _) if writer.completion.is_failed() => Anomaly::new(
                AnomalyKind::Unexpected,
                format!(
                    "{} read {value:?}, and {}, which failed, wrote it",
                    operation.id, writer.id
                ),
                [writer.id, operation.id],
            ),
            (Writer::One(writer), Some(newer)) if writer.precedes(newer) => {
                stale(operation, value, &[writer], newer)
            }
            (Writer::Nobody, Some(newer)) => stale(operation, value, &[], newer),
            (Writer::Nobody | Writer::One(_) | Writer::Several, _) => continue,
        });
    }
    CheckReport::new("stale reads", history, anomalies)
}

fn stale<C: RegisterCall>(
    read: &RegisterOperation<C>,
    value: &C::Value,
    writer: &[&RegisterOperation<C>],
    newer: &RegisterOperation<C>,
) -> Anomaly {
    let by = read.invoked - newer.completed.unwrap_or(read.invoked);
    let sentence = format!(
        "{} read {value:?}, which {} had overwritten {by:?} before",
        read.id, newer.id
    );
    let ids = writer.iter().map(|it| it.id).chain([newer.id, read.id]);
    Anomaly::new(AnomalyKind::StaleRead, sentence, ids)
}

fn acknowledged<C: RegisterCall>(
    history: &History<C, RegisterRet<C::Value>>,
) -> BTreeMap<C::Key, Acknowledged<'_, C>> {
    let mut keys: BTreeMap<C::Key, Acknowledged<'_, C>> = BTreeMap::new();
    for operation in history.operations() {
        if let (Some(_), Some(end)) = (written(operation), operation.completed) {
            let key = operation.call.register();
            keys.entry(key).or_default().push((end, operation));
        }
    }
    for writes in keys.values_mut() {
        writes.sort_by_key(|(end, _)| *end);
        for place in 1..writes.len() {
            if writes[place - 1].1.invoked > writes[place].1.invoked {
                writes[place].1 = writes[place - 1].1;
            }
        }
    }
    keys
}
