//! Transactions over lists: what isolation they really had.
//!
//! Adya ("Weak Consistency", 1999) names what a level of isolation rules out by circles of
//! dependencies. A read of a list shows the order of all appends to it, so that dependencies can be
//! inferred from what clients saw (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from
//! Experimental Observations", 2020). This module infers them in that way.
//!
//! | file | role |
//! |---|---|
//! | `ops.rs` | transactions of appends and reads |
//! | `observed.rs` | what single transactions and lists already tell |
//! | `graph.rs` | dependencies between transactions |
//! | `circles.rs` | strongly connected components, and short circles in them |

mod circles;
mod graph;
mod observed;
mod ops;

use std::fmt::Debug;

use crate::history::History;
use crate::report::{Anomaly, AnomalyKind, CheckReport};
use circles::Circle;
use graph::{Dependencies, Dependency};
use observed::Observed;
pub use ops::{ListOp, ListRet};

/// A history of transactions. Each has its operations, and what each of them returned.
pub type Transactions<K, V> = History<Vec<ListOp<K, V>>, Vec<ListRet<V>>>;

/// Finds anomalies of transactions that append to lists and read them.
///
/// Each value is appended to a list once in the whole history. A transaction whose outcome is
/// unknown counts as committed where somebody has read what it appended.
///
/// ```
/// use snowglobe_history::txn::{ListOp, Transactions, transactions};
/// use snowglobe_history::{AnomalyKind, Completion, History};
///
/// // Each reads what the other one writes, and sees nothing: write skew.
/// let mut history: Transactions<&str, u32> = History::builder().build();
/// let mut builder = History::builder();
/// for (client, read, append) in [(0, "x", "y"), (1, "y", "x")] {
///     let calls = vec![ListOp::Read(read), ListOp::Append(append, 1)];
///     let returned = vec![Some(vec![]), None];
///     builder.operation(client, "db", 0..10, calls, Completion::Ok(returned))?;
/// }
/// let both = vec![ListOp::Read("x"), ListOp::Read("y")];
/// let seen = vec![Some(vec![1]), Some(vec![1])];
/// builder.operation(2, "db", 20..30, both, Completion::Ok(seen))?;
/// history = builder.build();
///
/// let report = transactions(&history);
/// assert!(report.has(AnomalyKind::G2Item));
/// # Ok::<(), snowglobe_history::HistoryError>(())
/// ```
pub fn transactions<K, V>(history: &Transactions<K, V>) -> CheckReport
where
    K: Clone + Ord + Debug,
    V: Clone + Ord + Debug,
{
    check(history, false)
}

/// Finds anomalies of transactions that must also keep the order of time: of two transactions, the
/// one that was over before the other began comes first (strict serializability).
pub fn strict_transactions<K, V>(history: &Transactions<K, V>) -> CheckReport
where
    K: Clone + Ord + Debug,
    V: Clone + Ord + Debug,
{
    check(history, true)
}

fn check<K, V>(history: &Transactions<K, V>, strict: bool) -> CheckReport
where
    K: Clone + Ord + Debug,
    V: Clone + Ord + Debug,
{
    let (observed, mut anomalies) = Observed::of(history);
    let dependencies = Dependencies::of(history, &observed, strict);
    let circles = circles::circles(&dependencies);
    anomalies.extend(circles.iter().map(|circle| anomaly(history, circle)));
    CheckReport::new("transactions", history, anomalies)
}

fn anomaly<K: Debug, V: Debug>(history: &Transactions<K, V>, circle: &Circle) -> Anomaly {
    let id = |place: usize| history.operations()[place].id;
    let tell = |(from, edge): &(usize, Dependency)| {
        let (from, to, what) = (id(*from), id(edge.to), &edge.what);
        match edge.kind {
            graph::WRITE_WRITE => format!("{to} appended after {from} ({what})"),
            graph::WRITE_READ => format!("{to} read what {from} appended ({what})"),
            graph::READ_WRITE => format!("{from} did not see what {to} appended ({what})"),
            _ => format!("{from} was over before {to} began"),
        }
    };
    let steps: Vec<String> = circle.edges.iter().map(tell).collect();
    let ids = circle.edges.iter().map(|(from, _)| id(*from));
    Anomaly::new(circle.kind, steps.join("; "), ids)
}

/// Kinds of circles, from the worst to the least.
const KINDS: [(AnomalyKind, u8, u8); 4] = [
    // Kind, edges that one edge of the circle must be of, edges that the others may be of.
    (AnomalyKind::G0, graph::WRITE_WRITE, graph::WRITE_WRITE),
    (
        AnomalyKind::G1c,
        graph::WRITE_READ,
        graph::WRITE_WRITE | graph::WRITE_READ,
    ),
    (
        AnomalyKind::GSingle,
        graph::READ_WRITE,
        graph::WRITE_WRITE | graph::WRITE_READ,
    ),
    (
        AnomalyKind::G2Item,
        graph::READ_WRITE,
        graph::WRITE_WRITE | graph::WRITE_READ | graph::READ_WRITE,
    ),
];
