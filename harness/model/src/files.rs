//! Reading files, which this crate leaves to the program that it is part of.
//!
//! A topology in TOML may name other files: traces, and tables of jitter. Serde comes across such a
//! name in the middle of a text, where no argument can be passed. So the program lends one
//! function, once, before any text is read; `snowglobe` does so before `main`.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

/// Reads a whole file as text, but fails if the file has more than so many bytes.
pub type ReadFile = fn(&Path, u64) -> io::Result<String>;

/// Size of the largest file that is read, in bytes. A minute of 1 Gbit/s in Mahimahi's format has
/// 30 MB.
pub const LARGEST_FILE: u64 = 128 << 20;

static READ_FILE: OnceLock<ReadFile> = OnceLock::new();

/// Lends this crate the function that reads files. The first call counts.
pub fn lend_reader(read: ReadFile) {
    let _ = READ_FILE.set(read);
}

/// Returns the text of a file.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    match READ_FILE.get() {
        Some(read) => read(path, LARGEST_FILE),
        None => Err(io::Error::other(
            "this program lends no function that reads files",
        )),
    }
}
