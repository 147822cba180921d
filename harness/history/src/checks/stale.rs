//! Reads of what had been overwritten before they began.

use std::collections::BTreeMap;
use std::time::Duration;

use super::registers::{RegisterCall, RegisterOperation, Writer, Writers, read, written};
use crate::history::History;
use crate::models::RegisterRet;
use crate::report::{Anomaly, AnomalyKind, CheckReport};

/// A write that has happened for certain.
struct KnownWrite<'h, C: RegisterCall> {
    /// The time from which on the write is known to have happened.
    since: Duration,
    write: &'h RegisterOperation<C>,
}

impl<C: RegisterCall> Clone for KnownWrite<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: RegisterCall> Copy for KnownWrite<'_, C> {}

/// The known writes of one register, by the times at which they became known. Beside each time is
/// the write that began last of those known by then.
type KnownWrites<'h, C> = Vec<(Duration, KnownWrite<'h, C>)>;

/// Finds reads of values that had been overwritten before they began, by a write that was
/// acknowledged or whose value somebody had read; and reads of values whose write has failed, or
/// had not begun.
///
/// The values that are written to one register must be different: a value that is written twice is
/// passed over. None may be the value with which the register begins, which no history tells.
pub fn stale_reads<C: RegisterCall>(history: &History<C, RegisterRet<C::Value>>) -> CheckReport {
    let writers = Writers::of(history);
    let known = known_writes(history, &writers);
    let mut anomalies = Vec::new();
    for operation in history.operations() {
        let key = operation.call.register();
        let Some(value) = read(operation) else {
            continue;
        };
        let before = known.get(&key).map_or(&[][..], Vec::as_slice);
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
            (Writer::One(writer), _) if operation.precedes(writer) => Anomaly::new(
                AnomalyKind::Unexpected,
                format!(
                    "{} read {value:?} before {}, which wrote it, began",
                    operation.id, writer.id
                ),
                [writer.id, operation.id],
            ),
            (Writer::One(writer), Some(newer)) if writer.precedes(newer.write) => {
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
    newer: KnownWrite<'_, C>,
) -> Anomaly {
    let by = read.invoked - newer.since;
    let newer = newer.write;
    let sentence = format!(
        "{} read {value:?}, which {} had overwritten {by:?} before",
        read.id, newer.id
    );
    let ids = writer.iter().map(|it| it.id).chain([newer.id, read.id]);
    Anomaly::new(AnomalyKind::StaleRead, sentence, ids)
}

fn known_writes<'h, C: RegisterCall>(
    history: &'h History<C, RegisterRet<C::Value>>,
    writers: &Writers<'h, C>,
) -> BTreeMap<C::Key, KnownWrites<'h, C>> {
    let mut keys: BTreeMap<C::Key, KnownWrites<'_, C>> = BTreeMap::new();
    for operation in history.operations() {
        let Some(since) = operation.completed else {
            continue;
        };
        let key = operation.call.register();
        let own = written(operation).map(|_| operation);
        // What has been read has been written, whatever the writer heard.
        let of_another = read(operation).and_then(|value| match writers.of_value(&key, value) {
            Writer::One(writer)
                if !writer.completion.is_failed() && !operation.precedes(writer) =>
            {
                Some(writer)
            }
            Writer::One(_) | Writer::Nobody | Writer::Several => None,
        });
        let writes = own.into_iter().chain(of_another);
        let writes = writes.map(|write| (since, KnownWrite { since, write }));
        keys.entry(key).or_default().extend(writes);
    }
    for writes in keys.values_mut() {
        writes.sort_by_key(|(since, _)| *since);
        for place in 1..writes.len() {
            let (_, before) = writes[place - 1];
            if before.write.invoked >= writes[place].1.write.invoked {
                writes[place].1 = before;
            }
        }
    }
    keys
}
