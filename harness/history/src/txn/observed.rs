//! What transactions saw, and what is wrong with it whatever the others did.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::Transactions;
use super::ops::{ListOp, ListRet};
use crate::operation::Operation;
use crate::report::{Anomaly, AnomalyKind};

type Transaction<K, V> = Operation<Vec<ListOp<K, V>>, Vec<ListRet<V>>>;

/// Largest number of unread values of one list that order transactions. Each value adds an edge for
/// each read of the whole list: ten thousand values and as many reads make a hundred million edges.
const UNREAD: usize = 100;

/// The transaction that appended a value.
#[derive(Clone, Copy)]
pub(super) struct Appender {
    /// Place of the transaction in the history.
    pub(super) place: usize,
    /// Whether the transaction appended nothing to the same list afterwards.
    is_last: bool,
}

/// A list as a transaction found it.
pub(super) struct ExternalRead<'h, K, V> {
    /// Place of the transaction in the history.
    pub(super) place: usize,
    pub(super) key: &'h K,
    /// The list without what the transaction itself appended.
    pub(super) list: &'h [V],
}

/// Appends and reads of all transactions, as the history shows them.
pub(super) struct Observed<'h, K, V> {
    pub(super) appenders: BTreeMap<(&'h K, &'h V), Appender>,
    pub(super) reads: Vec<ExternalRead<'h, K, V>>,
    /// The longest list of each key that somebody has read: the order of the appends.
    pub(super) orders: BTreeMap<&'h K, (usize, &'h [V])>,
}

impl<'h, K: Ord + Debug, V: Ord + Debug> Observed<'h, K, V> {
    /// Collects what transactions saw, and finds what is wrong with single reads.
    pub(super) fn of(history: &'h Transactions<K, V>) -> (Self, Vec<Anomaly>) {
        let mut observed = Self {
            appenders: BTreeMap::new(),
            reads: Vec::new(),
            orders: BTreeMap::new(),
        };
        let mut anomalies = Vec::new();
        for (place, transaction) in history.operations().iter().enumerate() {
            anomalies.extend(observed.take_appends(history, place, transaction));
        }
        for (place, transaction) in history.operations().iter().enumerate() {
            anomalies.extend(observed.take_reads(place, transaction));
        }
        anomalies.extend(observed.take_orders(history));
        for read in &observed.reads {
            anomalies.extend(observed.strange(history, read));
        }
        (observed, anomalies)
    }

    fn take_appends(
        &mut self,
        history: &Transactions<K, V>,
        place: usize,
        transaction: &'h Transaction<K, V>,
    ) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        let mut last: BTreeMap<&K, &V> = BTreeMap::new();
        for call in &transaction.call {
            let ListOp::Append(key, value) = call else {
                continue;
            };
            if let Some(before) = last.insert(key, value)
                && let Some(before) = self.appenders.get_mut(&(key, before))
            {
                before.is_last = false;
            }
            let appender = Appender {
                place,
                is_last: true,
            };
            if let Some(other) = self.appenders.insert((key, value), appender) {
                let other = history.operations()[other.place].id;
                let sentence = format!(
                    "{value:?} is appended to {key:?} by {other} and by {}; append each value \
                     once, or nothing can be inferred from it",
                    transaction.id
                );
                let ids = [other, transaction.id];
                anomalies.push(Anomaly::new(AnomalyKind::Duplicate, sentence, ids));
            }
        }
        anomalies
    }

    /// Takes the reads of a committed transaction; finds those that contradict its own operations.
    fn take_reads(&mut self, place: usize, transaction: &'h Transaction<K, V>) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        let Some(returned) = transaction.completion.ok() else {
            return anomalies;
        };
        // The list that each key must have by now: as it was found, and what was appended since.
        let mut found: BTreeMap<&K, &'h [V]> = BTreeMap::new();
        let mut own: BTreeMap<&K, Vec<&V>> = BTreeMap::new();
        for (call, ret) in transaction.call.iter().zip(returned) {
            let key = call.key();
            let (ListOp::Read(_), Some(list)) = (call, ret) else {
                if let ListOp::Append(_, value) = call {
                    own.entry(key).or_default().push(value);
                }
                continue;
            };
            let own = own.get(key).map_or(&[][..], Vec::as_slice);
            let outside = list.len().saturating_sub(own.len());
            let ends_with_own =
                list.len() >= own.len() && list[outside..].iter().eq(own.iter().copied());
            let as_before = found
                .get(key)
                .is_none_or(|before| *before == &list[..outside]);
            // What the transaction appends later is not there yet.
            let is_own = |value| {
                let appender = self.appenders.get(&(key, value));
                appender.is_some_and(|it| it.place == place)
            };
            let has_later = ends_with_own && list[..outside].iter().any(is_own);
            if !ends_with_own || !as_before || has_later {
                let why = match has_later {
                    true => "before it appended a part of that".to_owned(),
                    false => format!("after it {}", expected(found.get(key).copied(), own)),
                };
                let sentence = format!("{} read {list:?} of {key:?}, {why}", transaction.id);
                anomalies.push(Anomaly::new(
                    AnomalyKind::Internal,
                    sentence,
                    [transaction.id],
                ));
                continue;
            }
            if found.insert(key, &list[..outside]).is_none() {
                self.reads.push(ExternalRead {
                    place,
                    key,
                    list: &list[..outside],
                });
            }
            self.note_order(place, key, list);
        }
        anomalies
    }

    fn note_order(&mut self, place: usize, key: &'h K, list: &'h [V]) {
        let longest = self.orders.entry(key).or_insert((place, list));
        if longest.1.len() < list.len() {
            *longest = (place, list);
        }
    }

    /// Returns values that the longest list of their key does not have, at most [`UNREAD`] of each.
    /// Values of failed transactions, which order nothing, are not among them.
    pub(super) fn unread(&self, history: &Transactions<K, V>) -> BTreeMap<&'h K, Vec<&'h V>> {
        let longest = self.orders.iter();
        let seen: BTreeSet<(&K, &V)> = longest
            .flat_map(|(key, (_, list))| list.iter().map(|value| (*key, value)))
            .collect();
        let mut unread: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ((key, value), appender) in &self.appenders {
            if history.operations()[appender.place].completion.is_failed() {
                continue;
            }
            let unread = unread.entry(*key).or_default();
            if unread.len() < UNREAD && !seen.contains(&(*key, *value)) {
                unread.push(*value);
            }
        }
        unread
    }

    /// Finds reads that are no prefixes of the longest one.
    fn take_orders(&mut self, history: &Transactions<K, V>) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        for ExternalRead { place, key, list } in &self.reads {
            let (longest_place, longest) = self.orders[key];
            if !longest.starts_with(list) {
                let id = |place: usize| history.operations()[place].id;
                let sentence = format!(
                    "{} read {list:?} of {key:?}, and {} read {longest:?}: no order of the \
                     appends gives both",
                    id(*place),
                    id(longest_place)
                );
                let ids = [id(*place), id(longest_place)];
                anomalies.push(Anomaly::new(AnomalyKind::IncompatibleOrder, sentence, ids));
            }
        }
        anomalies
    }

    /// Finds values in a read that must not be there: of failed transactions, of unfinished ones,
    /// twice, or from nowhere.
    fn strange(&self, history: &Transactions<K, V>, read: &ExternalRead<'h, K, V>) -> Vec<Anomaly> {
        let ExternalRead { place, key, list } = read;
        let reader = history.operations()[*place].id;
        let (mut anomalies, mut before) = (Vec::new(), BTreeSet::new());
        let mut add = |kind, why: String, ids: Vec<_>| {
            let sentence = format!("{reader} read {list:?} of {key:?}, and {why}");
            anomalies.push(Anomaly::new(kind, sentence, ids));
        };
        for (number, value) in list.iter().enumerate() {
            if !before.insert(value) {
                add(
                    AnomalyKind::Duplicate,
                    format!("{value:?} is there twice"),
                    vec![reader],
                );
                continue;
            }
            let Some(appender) = self.appenders.get(&(*key, value)) else {
                add(
                    AnomalyKind::Unexpected,
                    format!("nobody appended {value:?}"),
                    vec![reader],
                );
                continue;
            };
            let writer = &history.operations()[appender.place];
            let ids = vec![writer.id, reader];
            if writer.completion.is_failed() {
                let why = format!("{}, which appended {value:?}, failed", writer.id);
                add(AnomalyKind::G1a, why, ids);
            } else if number + 1 == list.len() && !appender.is_last && appender.place != *place {
                let why = format!("{} appended more after {value:?}", writer.id);
                add(AnomalyKind::G1b, why, ids);
            }
        }
        anomalies
    }
}

fn expected<V: Debug>(found: Option<&[V]>, own: &[&V]) -> String {
    match (found, own.is_empty()) {
        (Some(found), true) => format!("had read {found:?}"),
        (Some(found), false) => format!("had read {found:?} and appended {own:?}"),
        (None, _) => format!("had appended {own:?}"),
    }
}
