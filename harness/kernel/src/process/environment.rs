//! The environment of a process, which is shared by its threads.
#![allow(unsafe_code)]

use std::ffi::OsStr;

/// Sets an environment variable of this process and its later children.
pub fn set_env(key: &str, value: impl AsRef<OsStr>) {
    // SAFETY: called in the nursery, or in a body before the test has started a thread.
    unsafe { std::env::set_var(key, value) }
}

/// Removes an environment variable.
pub fn remove_env(key: &str) {
    // SAFETY: as in `set_env`.
    unsafe { std::env::remove_var(key) }
}
