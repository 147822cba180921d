//! The attribute under the standard harness.
