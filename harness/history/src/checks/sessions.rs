//! Session guarantees (Terry et al., "Session Guarantees for Weakly Consistent Replicated Data",
//! 1994): what a client may rely on if its requests are answered by different replicas.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::registers::{RegisterCall, RegisterOperation, Writer, Writers, read, written};
use crate::history::History;
use crate::models::RegisterRet;
use crate::operation::ClientId;
use crate::report::{Anomaly, AnomalyKind, CheckReport};

/// Checks the four session guarantees. A value is older than another one if its write was over
/// before the other's began.
///
/// - Monotonic reads: a client reads no older value after a newer one.
/// - Read your writes: a client reads no value older than its own write.
/// - Monotonic writes: a node that shows a write shows the earlier writes of the same client too.
/// - Writes follow reads: a node that shows a write shows what its client had read before as well.
///
/// The values that are written to one register must be different: a value that is written twice is
/// passed over.
pub fn sessions<C: RegisterCall>(history: &History<C, RegisterRet<C::Value>>) -> CheckReport {
    let writers = Writers::of(history);
    check(history, &writers, &|key, old, new| {
        writers.is_older(key, old, new)
    })
}

/// Checks the session guarantees where a value tells its version itself: `version` is higher for
/// newer values of the same register.
pub fn sessions_by<C: RegisterCall, N: Ord>(
    history: &History<C, RegisterRet<C::Value>>,
    version: impl Fn(&C::Value) -> N,
) -> CheckReport {
    let writers = Writers::of(history);
    check(history, &writers, &|_, old, new| {
        version(old) < version(new)
    })
}

type Older<'f, 'h, C> = &'f dyn Fn(
    &<C as RegisterCall>::Key,
    &'h <C as RegisterCall>::Value,
    &'h <C as RegisterCall>::Value,
) -> bool;

/// Operations of one register by one client, or at one node.
type Seen<'h, C> = BTreeMap<<C as RegisterCall>::Key, Vec<&'h RegisterOperation<C>>>;

fn check<'h, C: RegisterCall>(
    history: &'h History<C, RegisterRet<C::Value>>,
    writers: &Writers<'h, C>,
    older: Older<'_, 'h, C>,
) -> CheckReport {
    let mut clients: BTreeMap<ClientId, Seen<'h, C>> = BTreeMap::new();
    for operation in history
        .operations()
        .iter()
        .filter(|it| it.completion.is_ok())
    {
        let key = operation.call.register();
        let seen = clients.entry(operation.client).or_default();
        seen.entry(key).or_default().push(operation);
    }
    let mut anomalies = Vec::new();
    for (key, operations) in clients.values().flatten() {
        anomalies.extend(of_client(key, operations, older));
    }
    anomalies.extend(of_nodes(history, writers, &clients, older));
    CheckReport::new("session guarantees", history, anomalies)
}

/// Finds what a client sees of one register although it had seen or written a newer value.
fn of_client<'h, C: RegisterCall>(
    key: &C::Key,
    operations: &[&'h RegisterOperation<C>],
    older: Older<'_, 'h, C>,
) -> Vec<Anomaly> {
    let mut found = Vec::new();
    for (place, later) in operations.iter().enumerate() {
        let Some(old) = read(later) else {
            continue;
        };
        let earlier = operations[..place].iter().rev();
        let mut earlier = earlier.filter(|it| it.precedes(later));
        let newer = earlier.find_map(|earlier| {
            if read(earlier).is_some_and(|new| older(key, old, new)) {
                Some((AnomalyKind::NonMonotonicRead, "read", *earlier))
            } else if written(earlier).is_some_and(|new| older(key, old, new)) {
                Some((AnomalyKind::ReadYourWrites, "wrote", *earlier))
            } else {
                None
            }
        });
        if let Some((kind, verb, earlier)) = newer {
            let sentence = format!(
                "{} read {old:?} in {}, after it {verb} a newer value in {}",
                later.client, later.id, earlier.id
            );
            found.push(Anomaly::new(kind, sentence, [earlier.id, later.id]));
        }
    }
    found
}

/// Finds writes that a node shows without those that came before for the client that wrote.
fn of_nodes<'h, C: RegisterCall>(
    history: &'h History<C, RegisterRet<C::Value>>,
    writers: &Writers<'h, C>,
    clients: &BTreeMap<ClientId, Seen<'h, C>>,
    older: Older<'_, 'h, C>,
) -> Vec<Anomaly> {
    let mut found = Vec::new();
    let mut nodes: BTreeMap<Arc<str>, Seen<'h, C>> = BTreeMap::new();
    for later in history.operations() {
        let Some(old) = read(later) else {
            continue;
        };
        let key = later.call.register();
        let seen = nodes.entry(Arc::clone(&later.node)).or_default();
        for (shown_key, reads) in seen.iter() {
            let Some(shown) = reads.iter().rev().find(|it| it.precedes(later)) else {
                continue;
            };
            let writer = read(shown).map(|value| writers.of_value(shown_key, value));
            let Some(Writer::One(effect)) = writer else {
                continue;
            };
            let cause = cause_of(effect, &key, clients, |new| older(&key, old, new));
            if let Some((kind, verb, cause)) = cause {
                let sentence = format!(
                    "node `{}` showed {} in {}, and then {old:?} in {}, older than what {} {verb} \
                     before in {}",
                    later.node, effect.id, shown.id, later.id, effect.client, cause.id
                );
                let ids = [cause.id, effect.id, shown.id, later.id];
                found.push(Anomaly::new(kind, sentence, ids));
            }
        }
        seen.entry(key).or_default().push(later);
    }
    found
}

/// Returns what the client of a write had written or read of a register before, if `is_newer` holds
/// for the last such value.
fn cause_of<'h, C: RegisterCall>(
    effect: &'h RegisterOperation<C>,
    key: &C::Key,
    clients: &BTreeMap<ClientId, Seen<'h, C>>,
    is_newer: impl Fn(&'h C::Value) -> bool,
) -> Option<(AnomalyKind, &'static str, &'h RegisterOperation<C>)> {
    let operations = clients.get(&effect.client)?.get(key)?;
    let count = operations.partition_point(|it| it.invoked < effect.invoked);
    let before = || {
        let before = operations[..count].iter().rev();
        before.copied().filter(|it| it.precedes(effect))
    };
    let wrote = before().find_map(|it| Some((written(it)?, it)));
    let read = before().find_map(|it| Some((read(it)?, it)));
    let wrote = wrote.map(|it| (AnomalyKind::NonMonotonicWrite, "wrote", it));
    let read = read.map(|it| (AnomalyKind::WritesFollowReads, "read", it));
    let mut both = wrote.into_iter().chain(read);
    let (kind, verb, (_, cause)) = both.find(|(_, _, (new, _))| is_newer(new))?;
    Some((kind, verb, cause))
}
