//! The macros of `snowglobe`.
