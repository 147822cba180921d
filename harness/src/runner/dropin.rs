//! The drop-in mode.

pub(crate) fn take_over() {}
