//! Dependencies between transactions.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::Transactions;
use super::observed::Observed;

/// The transaction appended behind the other one's value.
pub(super) const WRITE_WRITE: u8 = 1;
/// The transaction read the other one's value.
pub(super) const WRITE_READ: u8 = 2;
/// The transaction appended what the other one did not see.
pub(super) const READ_WRITE: u8 = 4;
/// The transaction began when the other one was over.
pub(super) const REAL_TIME: u8 = 8;

/// An edge of the graph: a transaction that must come later than the one that has the edge.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    /// Place of the later transaction in the history.
    pub(super) to: usize,
    /// One of the kinds above.
    pub(super) kind: u8,
    /// The value and the key that show the dependency.
    pub(super) what: String,
}

/// All dependencies, by the place of the earlier transaction.
pub(super) struct Dependencies {
    pub(super) edges: Vec<Vec<Dependency>>,
}

impl Dependencies {
    pub(super) fn of<K: Ord + Debug, V: Ord + Debug>(
        history: &Transactions<K, V>,
        observed: &Observed<'_, K, V>,
        strict: bool,
    ) -> Self {
        let mut all = Self {
            edges: vec![Vec::new(); history.len()],
        };
        let appender = |key, value| {
            let appender = observed.appenders.get(&(key, value))?;
            // What a failed transaction appended is G1a, and orders nothing.
            let failed = history.operations()[appender.place].completion.is_failed();
            (!failed).then_some(appender.place)
        };
        let unread = observed.unread(history);
        let unread = |key: &K| unread.get(key).map_or(&[][..], Vec::as_slice);
        for (key, (_, order)) in &observed.orders {
            for pair in order.windows(2) {
                let ends = [appender(*key, &pair[0]), appender(*key, &pair[1])];
                if let [Some(from), Some(to)] = ends {
                    all.add(from, to, WRITE_WRITE, || {
                        format!("{:?} after {:?} on {key:?}", pair[1], pair[0])
                    });
                }
            }
            // What the longest list does not have was appended behind it, in an order that nobody
            // knows.
            if let Some(last) = order.last()
                && let Some(from) = appender(*key, last)
            {
                for value in unread(key) {
                    if let Some(to) = appender(*key, *value) {
                        all.add(from, to, WRITE_WRITE, || {
                            format!("{value:?} after {last:?} on {key:?}")
                        });
                    }
                }
            }
        }
        for read in &observed.reads {
            let (key, list) = (read.key, read.list);
            if let Some(value) = list.last()
                && let Some(from) = appender(key, value)
            {
                all.add(from, read.place, WRITE_READ, || {
                    format!("{value:?} of {key:?}")
                });
            }
            let order = observed
                .orders
                .get(key)
                .map_or(&[][..], |(_, order)| *order);
            // A read that fits no order has been reported, and tells nothing of what came next.
            let next = match order.strip_prefix(list) {
                None => Vec::new(),
                Some([value, ..]) => vec![value],
                // Elle infers the same (`list_append_test.clj`, "multiple appends without reads").
                Some([]) => unread(key).to_vec(),
            };
            for value in next {
                if let Some(to) = appender(key, value) {
                    all.add(read.place, to, READ_WRITE, || {
                        format!("{value:?} of {key:?}")
                    });
                }
            }
        }
        if strict {
            all.add_real_time(history);
        }
        all
    }

    fn add(&mut self, from: usize, to: usize, kind: u8, what: impl FnOnce() -> String) {
        let edges = &mut self.edges[from];
        if from != to && !edges.iter().any(|edge| edge.to == to && edge.kind == kind) {
            let what = what();
            edges.push(Dependency { to, kind, what });
        }
    }

    /// Adds the order of time, without the edges that follow from others.
    fn add_real_time<K, V>(&mut self, history: &Transactions<K, V>) {
        let operations = history.operations();
        let mut ends: Vec<usize> = (0..operations.len())
            .filter(|place| operations[*place].completion.is_ok())
            .collect();
        ends.sort_by_key(|place| operations[*place].completed);
        let mut ends = ends.into_iter().peekable();
        // Transactions that are over, and were not over before another one of them began.
        let mut latest: BTreeSet<usize> = BTreeSet::new();
        for (place, operation) in operations.iter().enumerate() {
            while let Some(over) = ends.next_if(|over| operations[*over].precedes(operation)) {
                latest.retain(|before| !operations[*before].precedes(&operations[over]));
                latest.insert(over);
            }
            for before in &latest {
                self.add(*before, place, REAL_TIME, String::new);
            }
        }
    }
}
