//! Reading the files that a topology or an impairment names, for the model, which has no I/O.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Lends the model the function that reads files.
pub(crate) fn lend() {
    snowglobe_model::files::lend_reader(read);
}

/// Reads a whole file as text, but fails if the file has more than `limit` bytes.
fn read(path: &Path, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    let size = File::open(path)?
        .take(limit + 1)
        .read_to_string(&mut text)?;
    if size as u64 > limit {
        let limit = limit >> 20;
        return Err(io::Error::other(format!("it is larger than {limit} MiB")));
    }
    Ok(text)
}
