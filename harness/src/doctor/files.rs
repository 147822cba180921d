//! Files of the kernel and of the machine, where nothing is as good as an unreadable one.

use std::fs;

/// Returns a file's text without blanks at its ends, or nothing where there is no such file.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}
