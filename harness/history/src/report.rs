//! The result of a check: what was found, in which operations, shown on a timeline.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};

use snowglobe_text::counted;

use crate::history::History;
use crate::operation::{Operation, OperationId};
use crate::timeline::{Interval, Timeline};

/// Kinds of findings. The names of those about transactions are Adya's and Elle's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// No order of the operations explains what they returned.
    NotLinearizable,
    /// The search gave up.
    Undecided,
    /// A read returned a value that had been overwritten before the read began.
    StaleRead,
    /// Something was acknowledged, and is not there any more.
    LostWrite,
    /// Something is there more often than it was put there.
    Duplicate,
    /// Something is there that nobody put there.
    Unexpected,
    /// A client read an older value after a newer one.
    NonMonotonicRead,
    /// Two writes of one client were seen in the other order.
    NonMonotonicWrite,
    /// A client read a value older than its own write.
    ReadYourWrites,
    /// A write was seen before the write on which it depends.
    WritesFollowReads,
    /// Two operations were given the same id.
    DuplicateId,
    /// A counter showed a sum that no order of the additions gives.
    OutOfBounds,
    /// A transaction contradicts itself.
    Internal,
    /// Reads of one list are not prefixes of one another.
    IncompatibleOrder,
    /// Dirty write: transactions overwrote each other.
    G0,
    /// Aborted read: a transaction read what a failed one wrote.
    G1a,
    /// Intermediate read: a transaction read a version that was not the last of its writer.
    G1b,
    /// Circular information flow: transactions read and overwrote each other's versions in a
    /// circle.
    G1c,
    /// Read skew: a circle with one transaction that did not see a later version.
    GSingle,
    /// Write skew: a circle with several transactions that did not see later versions.
    G2Item,
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotLinearizable => "not linearizable",
            Self::Undecided => "undecided",
            Self::StaleRead => "stale read",
            Self::LostWrite => "lost write",
            Self::Duplicate => "duplicate",
            Self::Unexpected => "unexpected value",
            Self::NonMonotonicRead => "non-monotonic read",
            Self::NonMonotonicWrite => "non-monotonic write",
            Self::ReadYourWrites => "own write not read",
            Self::WritesFollowReads => "write seen before the one that it follows",
            Self::DuplicateId => "duplicate id",
            Self::OutOfBounds => "counter out of bounds",
            Self::Internal => "internal inconsistency",
            Self::IncompatibleOrder => "incompatible order",
            Self::G0 => "G0 (dirty write)",
            Self::G1a => "G1a (aborted read)",
            Self::G1b => "G1b (intermediate read)",
            Self::G1c => "G1c (circular information flow)",
            Self::GSingle => "G-single (read skew)",
            Self::G2Item => "G2-item (write skew)",
        })
    }
}

/// Something that must not be in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Kind of the anomaly.
    pub kind: AnomalyKind,
    /// Sentence for people.
    pub sentence: String,
    /// The fewest operations that show the anomaly.
    pub operations: Vec<OperationId>,
}

impl Anomaly {
    pub(crate) fn new(
        kind: AnomalyKind,
        sentence: String,
        operations: impl IntoIterator<Item = OperationId>,
    ) -> Self {
        Self {
            kind,
            sentence,
            operations: operations.into_iter().collect(),
        }
    }
}

/// The result of a check. As an error it shows each anomaly with its operations on a timeline.
#[derive(Clone)]
#[must_use = "a report that nobody looks at fails no test"]
pub struct CheckReport {
    check: &'static str,
    checked: usize,
    anomalies: Vec<Anomaly>,
    /// The operations of the anomalies, as they are shown.
    shown: BTreeMap<OperationId, Interval>,
    during: Vec<Interval>,
}

impl CheckReport {
    pub(crate) fn new<O: Debug, R: Debug>(
        check: &'static str,
        history: &History<O, R>,
        anomalies: Vec<Anomaly>,
    ) -> Self {
        let ids = anomalies.iter().flat_map(|it| &it.operations);
        let ids: BTreeSet<OperationId> = ids.copied().collect();
        let to_show = history.operations().iter();
        let to_show = to_show.filter(|it| ids.contains(&it.id));
        Self {
            check,
            checked: history.len(),
            shown: to_show.map(|it| (it.id, shown(it))).collect(),
            anomalies,
            during: Vec::new(),
        }
    }

    /// Returns the number of operations that were checked. A check of nothing finds nothing.
    pub fn checked(&self) -> usize {
        self.checked
    }

    /// Returns what was found.
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.anomalies
    }

    /// Returns whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.anomalies.is_empty()
    }

    /// Returns whether something of this kind was found.
    pub fn has(&self, kind: AnomalyKind) -> bool {
        self.anomalies.iter().any(|anomaly| anomaly.kind == kind)
    }

    /// Returns the report without findings of this kind: they are permitted.
    pub fn permitting(mut self, kind: AnomalyKind) -> Self {
        self.anomalies.retain(|anomaly| anomaly.kind != kind);
        self
    }

    /// Returns the report with intervals that timelines show as well, such as faults. Their times
    /// are by the clock of the history.
    pub fn during(mut self, intervals: impl IntoIterator<Item = Interval>) -> Self {
        self.during.extend(intervals);
        self
    }

    /// Returns the report as an error, for `?`, if something was found.
    ///
    /// # Errors
    /// Something was found.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_clean() { Ok(()) } else { Err(self) }
    }
}

fn shown<O: Debug, R: Debug>(operation: &Operation<O, R>) -> Interval {
    use crate::completion::Completion;
    let Operation {
        id,
        client,
        node,
        invoked,
        completed,
        call,
        completion,
    } = operation;
    let end = match completion {
        Completion::Ok(ret) => format!("{ret:?}"),
        Completion::Failed(why) => format!("failed: {why}"),
        Completion::Unknown(why) => format!("unknown: {why}"),
    };
    // An operation with an unknown outcome may take effect at any later time.
    let to = completed.filter(|_| !completion.is_unknown());
    let label = format!("{id}, {client} at `{node}`: {call:?} → {end}");
    Interval {
        label,
        from: *invoked,
        to,
    }
}

/// Number of anomalies that are shown with their timelines.
const SHOWN: usize = 5;

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, checked) = (self.anomalies.len(), self.checked);
        write!(
            f,
            "{}: {} in {}",
            self.check,
            counted(count, "anomaly"),
            counted(checked, "operation")
        )?;
        for anomaly in self.anomalies.iter().take(SHOWN) {
            write!(f, "\n{}: {}", anomaly.kind, anomaly.sentence)?;
            let rows = anomaly
                .operations
                .iter()
                .filter_map(|id| self.shown.get(id));
            let timeline = Timeline::new(rows.cloned()).during(self.during.iter().cloned());
            if !anomaly.operations.is_empty() {
                write!(f, "\n{timeline}")?;
            }
        }
        if count > SHOWN {
            write!(f, "\n… and {} more", count - SHOWN)?;
        }
        Ok(())
    }
}

/// The same as `Display`: an error that leaves a test by `?` is printed with `Debug`.
impl Debug for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CheckReport {}
