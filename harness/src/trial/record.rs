//! The record of a trial that runs twice: what two runs with one seed have in common.
//!
//! A body writes each line at once to a file in memory that it shares with the supervisor, so that
//! a trial that crashes or hangs leaves its record as well.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::kernel::message_channel::memory_file;
use crate::model::twice::RecordLine;

/// Number of lines of one trial that are kept.
const MOST: usize = 50_000;

static RECORD: OnceLock<File> = OnceLock::new();
/// Index of the trial that this process runs.
static TRIAL: AtomicU32 = AtomicU32::new(0);

/// Makes the file, in the supervisor, for the processes that are its copies.
///
/// # Errors
/// The kernel refuses the file.
pub(crate) fn prepare() -> io::Result<()> {
    let file: OwnedFd = memory_file()?;
    RECORD.get_or_init(|| file.into());
    Ok(())
}

/// Makes lines of this process belong to the trial of this index.
pub(crate) fn begin(trial: u32) {
    TRIAL.store(trial, Ordering::Relaxed);
}

/// Returns whether there is a record to write to.
pub(crate) fn is_kept() -> bool {
    RECORD.get().is_some()
}

/// Adds a line to the record, if there is one.
pub(crate) fn add(line: &RecordLine) {
    static ADDED: AtomicUsize = AtomicUsize::new(0);
    let Some(mut record) = RECORD.get() else {
        return;
    };
    if ADDED.fetch_add(1, Ordering::Relaxed) < MOST {
        let trial = TRIAL.load(Ordering::Relaxed);
        // All processes share one position in the file, which the kernel locks for each write
        // (write(2), BUGS). A line that does not fit is missing in the record.
        let _ = record.write_all(format!("{trial}\t{}\n", line.to_text()).as_bytes());
    }
}

/// The supervisor's place in the record.
#[derive(Debug, Default)]
pub(crate) struct RecordReader {
    read: u64,
    /// Beginning of a line whose end is not there yet.
    rest: Vec<u8>,
}

impl RecordReader {
    /// Returns the lines that were added since the last call, each with the index of its trial.
    pub(crate) fn new_lines(&mut self) -> Vec<(usize, RecordLine)> {
        let Some(record) = RECORD.get() else {
            return Vec::new();
        };
        let mut piece = vec![0; 1 << 16];
        // The record is read at an offset, for a read at the common position would move it.
        while let Ok(length @ 1..) = record.read_at(&mut piece, self.read) {
            self.read += length as u64;
            self.rest.extend_from_slice(&piece[..length]);
        }
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        let read = |line: &str| {
            let (trial, line) = line.split_once('\t')?;
            Some((trial.parse().ok()?, RecordLine::from_text(line)?))
        };
        let lines = String::from_utf8_lossy(&lines);
        lines.lines().filter_map(read).collect()
    }
}
