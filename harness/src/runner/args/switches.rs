//! Environment variables that turn something on, and for which there is no option.

use std::ffi::OsString;

use crate::model::cli::{CliError, GivenValue};

/// Variable by which a trial fails whose requirements are missing.
pub(crate) const REQUIRE: &str = "SNOWGLOBE_REQUIRE";

/// Variable by which programs of trials may leave core files.
pub(crate) const CORE: &str = "SNOWGLOBE_CORE";

/// Returns whether a variable is 1. It may also be 0, empty or not set.
///
/// # Errors
/// The variable has another value.
pub(crate) fn is_on(
    variable: &str,
    get: impl Fn(&str) -> Option<OsString>,
) -> Result<bool, CliError> {
    match get(variable) {
        Some(value) => GivenValue::new(variable, value).switch(),
        None => Ok(false),
    }
}
