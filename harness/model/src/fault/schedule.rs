//! Faults with their times, as a value.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};
use snowglobe_text::{Tree, TreeContent};

use super::fault::Fault;
use crate::impair::text::{serde_duration, serde_optional_duration, show_duration};
use crate::order::sort_by_key;
use crate::position::position;

/// Faults, each with the time at which it begins and the time for which it lasts.
///
/// A schedule is printed, kept, edited and read again as TOML:
///
/// ```
/// use snowglobe_model::fault::{Fault, Schedule};
///
/// # #[cfg(feature = "toml")] {
/// let schedule = Schedule::from_toml(
///     r#"
///     [[fault]]
///     at = "500ms"
///     lasts = "2s"                # or none: until the schedule is stopped
///     fault = "partition"
///     left = [{ role = "leader" }] # looked up when the fault begins
///     right = [{ role = "rest" }]
///     "#,
/// )?;
/// assert_eq!(
///     schedule.to_string(),
///     "1 fault in 2500ms\n  at 500ms for 2s: partition of <leader> from <rest>\n"
/// );
/// assert_eq!(Schedule::from_toml(&schedule.to_toml()?)?, schedule);
///
/// let misspelt = "[[fault]]\nat = '1s'\nfault = 'pause'\nnoed = 'a'";
/// let error = Schedule::from_toml(misspelt).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 4, column 1: unknown field `noed`, expected `node`"
/// );
/// # }
/// # Ok::<(), snowglobe_model::fault::ScheduleError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    faults: Vec<ScheduledFault>,
    /// The text that the faults were read from, if they were read from one.
    pub(super) source: Option<Arc<ScheduleSource>>,
}

/// The text of a schedule, which tells where a fault and its fields stand.
#[derive(Debug, Default)]
pub(super) struct ScheduleSource {
    /// The file that the text came from.
    pub(super) file: Option<String>,
    pub(super) text: String,
    /// The table of each fault.
    pub(super) faults: Vec<Tree>,
}

impl ScheduleSource {
    /// Returns line and column of a field of a fault, such as `left.2` or `what.path`. Where the
    /// text does not have the field, this is the place of the deepest table around it.
    pub(super) fn place(&self, fault: usize, field: &str) -> Option<(usize, usize)> {
        let mut tree = self.faults.get(fault)?;
        let mut at = tree.at;
        for part in field.split('.') {
            let inner = match &tree.content {
                TreeContent::Table(_) => tree.get(part),
                TreeContent::List(items) => part.parse().ok().and_then(|it: usize| items.get(it)),
                TreeContent::Nothing
                | TreeContent::Bool(_)
                | TreeContent::Integer(_)
                | TreeContent::Float(_)
                | TreeContent::Text(_) => None,
            };
            let Some(inner) = inner else {
                break;
            };
            tree = inner;
            at = tree.at.or(at);
        }
        Some(position(&self.text, at?))
    }
}

/// A fault with its times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduledFault {
    /// Time from the start of the schedule to the begin of the fault.
    #[serde(with = "serde_duration")]
    pub at: Duration,
    /// Time for which the fault waits for its subject where that is not there at `at`: for somebody
    /// to have its role, for its program to run, or for a file to damage. A fault that waits for
    /// nothing, or in vain, is left out.
    #[serde(
        with = "serde_optional_duration",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub waits: Option<Duration>,
    /// Time for which the fault lasts; none for a fault that lasts until the schedule is stopped.
    #[serde(
        with = "serde_optional_duration",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub lasts: Option<Duration>,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
}

impl ScheduledFault {
    /// Returns the time at which the fault is healed, if it is before the end of the schedule. A
    /// fault that waits for its subject is healed as much later as it waits.
    pub fn ends(&self) -> Option<Duration> {
        self.lasts.map(|lasts| self.at.saturating_add(lasts))
    }
}

impl Schedule {
    /// Makes a schedule without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault that begins at `at` and lasts for `lasts`.
    #[must_use]
    pub fn then(mut self, at: Duration, lasts: Duration, fault: Fault) -> Self {
        self.push(ScheduledFault {
            at,
            waits: None,
            lasts: Some(lasts),
            fault,
        });
        self
    }

    /// Adds a fault that begins at `at` and lasts until the schedule is stopped.
    #[must_use]
    pub fn from_then_on(mut self, at: Duration, fault: Fault) -> Self {
        self.push(ScheduledFault {
            at,
            waits: None,
            lasts: None,
            fault,
        });
        self
    }

    /// Adds a fault.
    pub fn push(&mut self, fault: ScheduledFault) {
        self.faults.push(fault);
        // The text has another schedule than this is now.
        self.source = None;
    }

    /// Puts faults in the places of these, each of which has the meaning of the one before it.
    pub(super) fn replace(&mut self, faults: Vec<ScheduledFault>) {
        self.faults = faults;
    }

    /// Returns the faults, in the order in which they were added.
    pub fn faults(&self) -> &[ScheduledFault] {
        &self.faults
    }

    /// Returns whether there are no faults.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// Returns the time after which nothing more begins or is healed, but for the faults that last
    /// until the schedule is stopped.
    pub fn duration(&self) -> Duration {
        let last = |fault: &ScheduledFault| {
            let ends = fault.ends().unwrap_or(fault.at);
            ends.saturating_add(fault.waits.unwrap_or_default())
        };
        self.faults.iter().map(last).max().unwrap_or_default()
    }
}

/// Schedules are equal if they have the same faults, wherever their text came from.
impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.faults == other.faults
    }
}

impl FromIterator<ScheduledFault> for Schedule {
    fn from_iter<T: IntoIterator<Item = ScheduledFault>>(faults: T) -> Self {
        Self {
            faults: faults.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl fmt::Display for ScheduledFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}", show_duration(self.at))?;
        if let Some(waits) = self.waits {
            write!(f, " or within {}", show_duration(waits))?;
        }
        match self.lasts {
            Some(lasts) => write!(f, " for {}", show_duration(lasts))?,
            None => f.write_str(" until the end")?,
        }
        write!(f, ": {}", self.fault)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.faults.len();
        let faults = if number == 1 { "fault" } else { "faults" };
        writeln!(f, "{number} {faults} in {}", show_duration(self.duration()))?;
        let mut sorted: Vec<&ScheduledFault> = self.faults.iter().collect();
        sort_by_key(&mut sorted, |fault| fault.at);
        sorted.iter().try_for_each(|fault| writeln!(f, "  {fault}"))
    }
}
