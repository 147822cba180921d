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
            complaints: String::new(),
            reason: reason.into(),
            location: String::new(),
            shown: Shown::Nowhere,
            is_inconclusive: false,
        })
    }

    /// Returns the result of a trial that wants no verdict of a machine that was starved: nothing
    /// can be told from the times that the trial has seen.
    pub(crate) fn inconclusive(self, starved: &str) -> Self {
        match self {
            Self::Ignored(_) => self,
            Self::Passed => Self::failed(format!("{starved}; the trial's pass does not count"))
                .inconclusive(starved),
            Self::Failed(failure) => Self::Failed(Failure {
                is_inconclusive: true,
                ..failure
            }),
        }
    }

    /// Returns whether the trial has failed.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// Reason for which a trial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Sentences about what had gone wrong behind the test's back, such as a dead daemon, or
    /// nothing.
    pub(crate) complaints: String,
    /// One sentence or more.
    pub(crate) reason: String,
    /// Place in the source as `file:line:column`, or empty.
    pub(crate) location: String,
    /// Form in which the test's own process has shown the reason.
    pub(crate) shown: Shown,
    /// The machine was starved, and the trial had asked for no verdict then.
    pub(crate) is_inconclusive: bool,
}

impl Failure {
    /// Returns the complaints and the reason. The complaints come first: they may be the cause.
    pub(crate) fn whole_reason(&self) -> String {
        if self.complaints.is_empty() {
            self.reason.clone()
        } else {
            format!("{}\n{}", self.complaints, self.reason)
        }
    }
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
