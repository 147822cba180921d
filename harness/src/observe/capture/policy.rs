//! The environment can ask for captures by `SNOWGLOBE_CAPTURE`.
//!
//! Whoever looks into a failure on a machine of CI wants its captures without changing the tests.

use crate::observe::error::{ObserveFailure, Result};

/// Whether links are captured that nobody asked for, and what becomes of the captures of a trial
/// that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CapturePolicy {
    /// Captures what the test asks for, and keeps the file if the trial fails.
    AsAsked,
    /// Captures all links of all labs, and keeps the file if the trial fails.
    OnFailure,
    /// Captures all links of all labs, and keeps the file.
    Always,
}

const VARIABLE: &str = "SNOWGLOBE_CAPTURE";

impl CapturePolicy {
    /// Reads the environment.
    ///
    /// # Errors
    /// The variable has a value that is none of `off`, `failure` and `always`.
    pub(crate) fn of_environment() -> Result<Self> {
        let value = std::env::var_os(VARIABLE).unwrap_or_default();
        let value = value.to_string_lossy();
        Self::parse(&value).ok_or_else(|| ObserveFailure::UnknownPolicy(value.into_owned()).into())
    }

    fn parse(value: &str) -> Option<Self> {
        match value {
            "" | "off" => Some(Self::AsAsked),
            "failure" => Some(Self::OnFailure),
            "always" => Some(Self::Always),
            _ => None,
        }
    }

    /// Returns whether all links are captured.
    pub(crate) fn wants_all(self) -> bool {
        self != Self::AsAsked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_has_three_values_or_none() {
        assert_eq!(CapturePolicy::parse(""), Some(CapturePolicy::AsAsked));
        assert_eq!(CapturePolicy::parse("off"), Some(CapturePolicy::AsAsked));
        assert_eq!(
            CapturePolicy::parse("failure"),
            Some(CapturePolicy::OnFailure)
        );
        assert_eq!(CapturePolicy::parse("always"), Some(CapturePolicy::Always));
        assert_eq!(CapturePolicy::parse("yes"), None);
    }
}
