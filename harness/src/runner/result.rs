//! The result of a trial.

/// Result of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrialResult {
    /// The test finished and said so.
    Passed,
    /// The test did not finish, or finished with a failure.
    Failed(Failure),
    /// The trial was not run, for this reason if it is not empty.
    Ignored(String),
}

impl TrialResult {
    /// Makes the result of a trial that failed for a reason which only the runner knows.
    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(Failure {
            reason: reason.into(),
            location: String::new(),
            shown: Shown::Nowhere,
        })
    }
}

/// Reason for which a trial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One sentence or more.
    pub(crate) reason: String,
    /// Place in the source as `file:line:column`, or empty.
    pub(crate) location: String,
    /// Form in which the test's own process has shown the reason.
    pub(crate) shown: Shown,
}

/// Form in which the test's own process has written the reason of its failure to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Rust's runtime has written the panic with its place.
    AsPanic,
    /// The test body has written the reason after `Error: `, without a place.
    AsError,
    /// Nobody has written the reason: the process could not, or its stderr leads elsewhere.
    Nowhere,
}
