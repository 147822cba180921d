//! The figures that the project promises, measured.

pub(crate) mod fixtures;
