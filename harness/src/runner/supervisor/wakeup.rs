//! The reasons for which the supervisor wakes up.

/// Reason for which `poll` has returned: a descriptor that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SupervisorEvent {
    /// A signal has come.
    Signal,
    /// A nursery has died.
    NurseryDied,
    /// Stdout takes more.
    Writable,
    /// The trial in this slot has written something.
    Output(usize),
    /// The trial in this slot has reported something.
    Report(usize),
}
