//! Limits of values that more than one file has to know.

use std::time::Duration;

/// Longest delay, and widest jitter.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);
