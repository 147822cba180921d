//! Session guarantees (Terry et al., "Session Guarantees for Weakly Consistent Replicated Data",
//! 1994): what a client may rely on if its requests are answered by different replicas.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use super::registers::{RegisterCall, RegisterOperation, Writer, Writers, read, written};
use crate::history::History;
use crate::models::RegisterRet;
use crate::operation::{ClientId, OperationId};
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
    let as_old = |key: &C::Key, value| match writers.of_value(key, value) {
        // The value with which a register begins is older than all that are written.
        Writer::Nobody => Some(None),
        Writer::One(writer) if writer.completion.is_ok() => writer.completed.map(Some),
        Writer::One(_) | Writer::Several => None,
    };
    let as_new = |key: &C::Key, value| match writers.of_value(key, value) {
        Writer::One(writer) => Some(Some(writer.invoked)),
        Writer::Nobody | Writer::Several => None,
    };
    let ages = Ages {
        as_old: &as_old,
        as_new: &as_new,
    };
    check(history, &writers, &ages)
}

/// Checks the session guarantees where a value tells its version itself: `version` is higher for
/// newer values of the same register.
pub fn sessions_by<C: RegisterCall, N: Ord>(
    history: &History<C, RegisterRet<C::Value>>,
    version: impl Fn(&C::Value) -> N,
) -> CheckReport {
    let writers = Writers::of(history);
    let age = |_: &C::Key, value: &C::Value| Some(version(value));
    let ages = Ages {
        as_old: &age,
        as_new: &age,
    };
    check(history, &writers, &ages)
}

/// Returns the age of a value, if the value has one.
type Age<'f, 'h, C, N> =
    &'f dyn Fn(&<C as RegisterCall>::Key, &'h <C as RegisterCall>::Value) -> Option<N>;

/// The order of the values of each register. A value is older than another one if its age as an old
/// value is below the age of the other as a new value.
struct Ages<'f, 'h, C: RegisterCall, N> {
    as_old: Age<'f, 'h, C, N>,
    as_new: Age<'f, 'h, C, N>,
}

/// The way in which a client came to know a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Wrote,
    Read,
}

impl Source {
    const ALL: [Self; 2] = [Self::Wrote, Self::Read];

    fn value<C: RegisterCall>(self, of: &RegisterOperation<C>) -> Option<&C::Value> {
        match self {
            Self::Wrote => written(of),
            Self::Read => read(of),
        }
    }
}

impl<'h, C: RegisterCall + 'h, N: Ord> Ages<'_, 'h, C, N> {
    fn of(&self, source: Source, operation: &'h RegisterOperation<C>) -> Option<N> {
        let value = source.value(operation)?;
        (self.as_new)(&operation.call.register(), value)
    }

    /// Puts an operation in the place of another one, unless what the other one wrote, or read, is
    /// newer.
    fn keep<T: Copy>(
        &self,
        source: Source,
        newest: &mut Option<T>,
        other: T,
        operation: impl Fn(T) -> &'h RegisterOperation<C>,
    ) {
        let age = self.of(source, operation(other));
        let kept = newest.and_then(|kept| self.of(source, operation(kept)));
        // What has no age is never newer, and no age is below all ages.
        if age.is_some() && kept <= age {
            *newest = Some(other);
        }
    }

    /// Returns whether what an operation wrote, or read, is newer than an old value of that age.
    fn is_newer(&self, source: Source, operation: &'h RegisterOperation<C>, old: &N) -> bool {
        self.of(source, operation).is_some_and(|new| *old < new)
    }
}

/// The operations by which a client knows the newest values of one register: as it wrote them, and
/// as it read them.
type Newest<'h, C> = [Option<&'h RegisterOperation<C>>; 2];

/// Operations of one register by one client, in the order of their completions, each with the
/// newest values by then.
type Session<'h, C> = Vec<(Duration, Newest<'h, C>)>;

/// Operations that were begun, in the order of their completions, until they are over.
type Running = BinaryHeap<Reverse<(Duration, usize)>>;

/// Takes the next operation that was over before a time.
fn next_over(running: &mut Running, before: Duration) -> Option<usize> {
    let Reverse((end, _)) = running.peek()?;
    let is_over = *end < before;
    is_over
        .then(|| running.pop())?
        .map(|Reverse((_, place))| place)
}

fn check<'h, C: RegisterCall, N: Ord>(
    history: &'h History<C, RegisterRet<C::Value>>,
    writers: &Writers<'h, C>,
    ages: &Ages<'_, 'h, C, N>,
) -> CheckReport {
    let mut clients: BTreeMap<ClientId, BTreeMap<C::Key, Vec<_>>> = BTreeMap::new();
    let operations = history.operations().iter();
    for operation in operations.filter(|it| it.completion.is_ok()) {
        let session = clients.entry(operation.client).or_default();
        let register = session.entry(operation.call.register()).or_default();
        register.push(operation);
    }
    let mut anomalies = Vec::new();
    let mut sessions: BTreeMap<ClientId, BTreeMap<C::Key, Session<'h, C>>> = BTreeMap::new();
    for (client, registers) in clients {
        for (key, operations) in registers {
            let session = of_client(&key, &operations, ages, &mut anomalies);
            sessions.entry(client).or_default().insert(key, session);
        }
    }
    anomalies.extend(of_nodes(history, writers, &sessions, ages));
    CheckReport::new("session guarantees", history, anomalies)
}

/// Finds what a client sees of one register although it had seen or written a newer value.
fn of_client<'h, C: RegisterCall, N: Ord>(
    key: &C::Key,
    operations: &[&'h RegisterOperation<C>],
    ages: &Ages<'_, 'h, C, N>,
    found: &mut Vec<Anomaly>,
) -> Session<'h, C> {
    let (mut session, mut newest): (Session<'h, C>, Newest<'h, C>) = (Vec::new(), [None; 2]);
    let mut running = Running::new();
    let mut take = |place: usize, newest: &mut Newest<'h, C>| {
        let operation: &'h RegisterOperation<C> = operations[place];
        for (source, newest) in Source::ALL.into_iter().zip(newest.iter_mut()) {
            ages.keep(source, newest, operation, |it| it);
        }
        session.extend(operation.completed.map(|end| (end, *newest)));
    };
    for (place, later) in operations.iter().enumerate() {
        while let Some(over) = next_over(&mut running, later.invoked) {
            take(over, &mut newest);
        }
        running.extend(later.completed.map(|end| Reverse((end, place))));
        let Some((old, age)) = read(later).and_then(|old| Some((old, (ages.as_old)(key, old)?)))
        else {
            continue;
        };
        let both = Source::ALL.into_iter().zip(newest);
        let newer = both.filter_map(|(source, newer)| Some((source, newer?)));
        let newer = newer.filter(|(source, newer)| ages.is_newer(*source, newer, &age));
        let Some((source, earlier)) = newer.max_by_key(|(_, newer)| newer.invoked) else {
            continue;
        };
        let (kind, verb) = match source {
            Source::Read => (AnomalyKind::NonMonotonicRead, "read"),
            Source::Wrote => (AnomalyKind::ReadYourWrites, "wrote"),
        };
        let sentence = format!(
            "{} read {old:?} in {}, after it {verb} a newer value in {}",
            later.client, later.id, earlier.id
        );
        found.push(Anomaly::new(kind, sentence, [earlier.id, later.id]));
    }
    while let Some(over) = next_over(&mut running, Duration::MAX) {
        take(over, &mut newest);
    }
    session
}

/// A node as its clients have seen it.
struct NodeView<'h, C: RegisterCall> {
    /// Reads that were begun, by their places in the history.
    running: Running,
    /// Writes that reads have shown.
    shown: BTreeSet<OperationId>,
    /// The newest values that the node must show, because it has shown what came later.
    due: BTreeMap<C::Key, [Option<Due<'h, C>>; 2]>,
}

/// A value that a node must show.
struct Due<'h, C: RegisterCall> {
    /// The operation that wrote or read the value.
    cause: &'h RegisterOperation<C>,
    /// The later write of the same client.
    effect: &'h RegisterOperation<C>,
    /// The read by which the node has shown that write.
    shown: &'h RegisterOperation<C>,
}

impl<C: RegisterCall> Clone for Due<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: RegisterCall> Copy for Due<'_, C> {}

/// Finds writes that a node shows without those that came before for the client that wrote.
fn of_nodes<'h, C: RegisterCall, N: Ord>(
    history: &'h History<C, RegisterRet<C::Value>>,
    writers: &Writers<'h, C>,
    sessions: &BTreeMap<ClientId, BTreeMap<C::Key, Session<'h, C>>>,
    ages: &Ages<'_, 'h, C, N>,
) -> Vec<Anomaly> {
    let operations = history.operations();
    let mut found = Vec::new();
    let mut nodes: BTreeMap<Arc<str>, NodeView<'h, C>> = BTreeMap::new();
    for (place, later) in operations.iter().enumerate() {
        let Some(old) = read(later) else {
            continue;
        };
        let node = nodes
            .entry(Arc::clone(&later.node))
            .or_insert_with(|| NodeView {
                running: Running::new(),
                shown: BTreeSet::new(),
                due: BTreeMap::new(),
            });
        while let Some(over) = next_over(&mut node.running, later.invoked) {
            show(node, &operations[over], writers, sessions, ages);
        }
        node.running
            .extend(later.completed.map(|end| Reverse((end, place))));
        let key = later.call.register();
        let (Some(age), Some(due)) = ((ages.as_old)(&key, old), node.due.get(&key)) else {
            continue;
        };
        let mut both = Source::ALL.into_iter().zip(due);
        let missing = both.find_map(|(source, due)| {
            let due = due.filter(|due| ages.is_newer(source, due.cause, &age))?;
            Some((source, due))
        });
        let Some((source, due)) = missing else {
            continue;
        };
        let (kind, verb) = match source {
            Source::Wrote => (AnomalyKind::NonMonotonicWrite, "wrote"),
            Source::Read => (AnomalyKind::WritesFollowReads, "read"),
        };
        let Due {
            cause,
            effect,
            shown,
        } = due;
        let sentence = format!(
            "node `{}` showed {} in {}, and then {old:?} in {}, older than what {} {verb} before in {}",
            later.node, effect.id, shown.id, later.id, effect.client, cause.id
        );
        let ids = [cause.id, effect.id, shown.id, later.id];
        found.push(Anomaly::new(kind, sentence, ids));
    }
    found
}

/// Notes what a node must show from now on, since a read has shown a write.
fn show<'h, C: RegisterCall, N: Ord>(
    node: &mut NodeView<'h, C>,
    shown: &'h RegisterOperation<C>,
    writers: &Writers<'h, C>,
    sessions: &BTreeMap<ClientId, BTreeMap<C::Key, Session<'h, C>>>,
    ages: &Ages<'_, 'h, C, N>,
) {
    let writer = read(shown).map(|value| writers.of_value(&shown.call.register(), value));
    let Some(Writer::One(effect)) = writer else {
        return;
    };
    if !node.shown.insert(effect.id) {
        return;
    }
    for (key, session) in sessions.get(&effect.client).into_iter().flatten() {
        let count = session.partition_point(|(end, _)| *end < effect.invoked);
        let Some((_, before)) = session[..count].last() else {
            continue;
        };
        let all = node.due.entry(key.clone()).or_default();
        for (source, (due, before)) in Source::ALL.into_iter().zip(all.iter_mut().zip(before)) {
            if let Some(cause) = *before {
                let new = Due {
                    cause,
                    effect,
                    shown,
                };
                ages.keep(source, due, new, |due| due.cause);
            }
        }
    }
}
