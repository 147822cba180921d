//! The unit in which work on packets is counted, for rates that are constant and for those that
//! change.

/// Work of one byte, in bits times nanoseconds per second.
///
/// A rate in bits per second times a number of nanoseconds is counted in the same unit, so nothing
/// is lost by rounding.
pub(crate) const PER_BYTE: u64 = 8 * 1_000_000_000;
