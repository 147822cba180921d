//! What the environment asks for: `SNOWGLOBE_CAPTURE`.

use crate::observe::{ObserveError, Result};

/// Whether links are captured that nobody asked for, and what becomes of the captures of a trial that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Nothing is captured but what the test asks for, and that is kept if the trial fails.
    AsAsked,
    /// All links of all labs are captured, and that is kept if the trial fails.
    Failure,
    /// All links of all labs are captured and kept.
    Always,
}

const VARIABLE: &str = "SNOWGLOBE_CAPTURE";

impl Policy {
    /// What the environment says.
    pub(crate) fn of_environment() -> Result<Policy> {
        let value = std::env::var_os(VARIABLE).unwrap_or_default();
        let value = value.to_string_lossy();
        Policy::parse(&value).ok_or_else(|| {
            ObserveError::invalid(format!(
                "{VARIABLE} is `{value}`; it can be `always`, `failure` or `off`"
            ))
        })
    }

    fn parse(value: &str) -> Option<Policy> {
        match value {
            "" | "off" => Some(Policy::AsAsked),
            "failure" => Some(Policy::Failure),
            "always" => Some(Policy::Always),
            _ => None,
        }
    }

    /// Whether all links are captured.
    pub(crate) fn wants_all(self) -> bool {
        self != Policy::AsAsked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_has_three_values() {
        assert_eq!(Policy::parse(""), Some(Policy::AsAsked));
        assert_eq!(Policy::parse("off"), Some(Policy::AsAsked));
        assert_eq!(Policy::parse("failure"), Some(Policy::Failure));
        assert_eq!(Policy::parse("always"), Some(Policy::Always));
        assert_eq!(Policy::parse("yes"), None);
    }
}
