//! Faults that last as long as a guard lives.

pub(crate) mod partition;
