//! Linearizability: is there an order of the operations, each at one moment between its invocation
//! and its completion, in which a sequential object gives the same answers?
//!
//! The question is NP-complete (Gibbons and Korach, "Testing Shared Memories", 1997), so that the
//! search must leave out what it can. Herlihy and Wing (1990) let each key be searched by itself.
//! Lowe ("Testing for linearizability", 2017) orders an operation only when it must be there, and
//! remembers configurations; so does this search, and it also:
//!
//! - puts a read in its place as soon as the state answers it, since a read stands in nobody's way,
//! - tries a write early only where somebody may see it there,
//! - leaves a write open that may have been overwritten unseen: it is not decided when,
//! - takes no step of which the model [knows](Model::search_hint) that it leads nowhere,
//! - drops a configuration which needs more unknown operations than another one of the same state,
//!   so that hundreds of unknown outcomes do not multiply.
//!
//! | file | role |
//! |---|---|
//! | `bits.rs` | sets of small numbers |
//! | `prepared.rs` | the operations of one key, and the moments at which an order is due |
//! | `search.rs` | the search |
//! | `window.rs` | the fewest operations that no order explains |

mod bits;
mod prepared;
mod search;
mod window;

use std::collections::BTreeMap;
use std::time::Duration;

use snowglobe_text::counted;

use crate::history::History;
use crate::model::Model;
use crate::operation::Operation;
use crate::report::{Anomaly, AnomalyKind, CheckReport};
use prepared::{Prepared, Rules};
use search::{SearchOutcome, search};
use window::{fewer, smallest_window};

/// An operation on the object of a model.
type OperationOf<M> = Operation<<M as Model>::Call, <M as Model>::Ret>;

/// Number of configurations after which a search of one key gives up: some seconds, and less than
/// a gigabyte for a register.
const CONFIGURATIONS: usize = 2_000_000;

/// Number of keys whose violations are shown.
const SHOWN: usize = 10;

/// Checks that a history is linearizable, as far as [`Linearizability`] can by default.
pub fn linearizability<M: Model>(model: &M, history: &History<M::Call, M::Ret>) -> CheckReport {
    Linearizability::new(model).check(history)
}

/// A check of linearizability, with its limits.
#[derive(Debug)]
pub struct Linearizability<'m, M> {
    model: &'m M,
    limit: usize,
    stale_by: Duration,
}

impl<'m, M: Model> Linearizability<'m, M> {
    /// Makes a check against a model.
    pub fn new(model: &'m M) -> Self {
        Self {
            model,
            limit: CONFIGURATIONS,
            stale_by: Duration::ZERO,
        }
    }

    /// Permits what only [observes](Model::observes) to be stale: a read may return what was there
    /// up to this time before the read began. Many a server promises that much of the replicas that
    /// it reads from. This is the Δ-atomicity of Golab, Li and Shah ("Analyzing consistency
    /// properties for fun and profit", 2011).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use snowglobe_history::models::{Register, RegisterOp, RegisterRet};
    /// use snowglobe_history::{Completion, History, Linearizability};
    ///
    /// let mut history = History::builder();
    /// let done = Completion::Ok(RegisterRet::Done);
    /// history.operation(0, "primary", 10..20, RegisterOp::Write(7), done)?;
    /// let old = Completion::Ok(RegisterRet::Value(0));
    /// history.operation(1, "replica", 30..40, RegisterOp::Read, old)?;
    /// let (history, model) = (history.build(), Register::new(0));
    /// let stale_by = |nanoseconds| {
    ///     let limit = Duration::from_nanos(nanoseconds);
    ///     Linearizability::new(&model).stale_by(limit).check(&history)
    /// };
    /// assert!(!stale_by(5).is_clean() && stale_by(15).is_clean());
    /// # Ok::<(), snowglobe_history::HistoryError>(())
    /// ```
    pub fn stale_by(self, limit: Duration) -> Self {
        Self {
            stale_by: limit,
            ..self
        }
    }

    /// Sets the number of configurations after which the search of one key gives up. The report is
    /// then not clean: it says [`AnomalyKind::Undecided`].
    pub fn limit(self, configurations: usize) -> Self {
        Self {
            limit: configurations,
            ..self
        }
    }

    /// Checks a history.
    pub fn check(&self, history: &History<M::Call, M::Ret>) -> CheckReport {
        let mut keys: BTreeMap<M::Key, Vec<&OperationOf<M>>> = BTreeMap::new();
        for operation in history.operations() {
            let key = self.model.key(&operation.call);
            keys.entry(key).or_default().push(operation);
        }
        let violated = keys.iter();
        let violated = violated.filter_map(|(key, operations)| self.check_key(key, operations));
        // A search may take seconds, so that none follows the last one that is shown.
        let anomalies = violated.take(SHOWN).collect();
        CheckReport::new("linearizability", history, anomalies)
    }

    fn check_key(&self, key: &M::Key, operations: &[&OperationOf<M>]) -> Option<Anomaly> {
        let rules = Rules {
            model: self.model,
            stale_by: self.stale_by,
        };
        let prepared = Prepared::of(&rules, operations, |_| true);
        let stuck = match search(self.model, &prepared, self.limit) {
            SearchOutcome::Linearizable => return None,
            SearchOutcome::Exhausted => {
                let sentence = format!(
                    "{}after {} it is not known whether an order explains the {}; check fewer operations, or raise the limit",
                    of_key(key),
                    counted(self.limit, "configuration"),
                    counted(operations.len(), "operation")
                );
                return Some(Anomaly::new(AnomalyKind::Undecided, sentence, []));
            }
            SearchOutcome::Contradiction { places, why } => {
                let sources = places.into_iter();
                let sources: Vec<usize> = sources.map(|it| prepared.source_of_moment(it)).collect();
                match fewer(&rules, operations, &sources) {
                    // The sentence is about operations that are not in the window any more.
                    Some(window) => return Some(not_linearizable(key, operations, &window)),
                    None => {
                        let ids = sources.into_iter().map(|place| operations[place].id);
                        let sentence = format!("{}{why}", of_key(key));
                        return Some(Anomaly::new(AnomalyKind::NotLinearizable, sentence, ids));
                    }
                }
            }
            SearchOutcome::Stuck(moment) => prepared.source_of_moment(moment),
        };
        let window = smallest_window(&rules, operations, stuck);
        Some(not_linearizable(key, operations, &window))
    }
}

/// Returns the anomaly of a window of operations, by their places.
fn not_linearizable<O, R>(
    key: &impl std::fmt::Debug,
    operations: &[&Operation<O, R>],
    window: &[usize],
) -> Anomaly {
    // The last of a window that cannot be smaller has no place in any order of the others.
    let last = window.iter().max_by_key(|it| operations[**it].completed);
    let last = last.map_or_else(String::new, |it| operations[*it].id.to_string());
    let sentence = format!(
        "{}no order explains {last}, whatever the other {} did",
        of_key(key),
        counted(operations.len() - window.len(), "operation")
    );
    let ids = window.iter().map(|place| operations[*place].id);
    Anomaly::new(AnomalyKind::NotLinearizable, sentence, ids)
}

fn of_key(key: &impl std::fmt::Debug) -> String {
    match format!("{key:?}").as_str() {
        "()" => String::new(),
        key => format!(
            "key {}: ",
            key.strip_suffix(", ())").map_or(key, |it| &it[1..])
        ),
    }
}
