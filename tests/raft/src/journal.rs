//! What a member must not forget: its term, its vote, and the entries of its log.
//!
//! The journal is one file, to which records are added: four bytes with the length of the record,
//! four with its CRC-32, one with its kind, and then the value as Raft encodes it. A crash may
//! tear the last record, which is taken off at the next start: nobody was told of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use protobuf::Message as _;
use raft::eraftpb::{Entry, HardState};

const HARD_STATE: u8 = 1;
const ENTRY: u8 = 2;

/// Bytes in front of a record: its length and its checksum.
const HEADER: usize = 8;

/// The file to which a member writes before it says anything that depends on it.
pub(crate) struct Journal {
    file: File,
}

/// The state that a journal holds at the start of a member.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) hard_state: HardState,
    pub(crate) entries: Vec<Entry>,
}

impl Journal {
    /// Opens the journal in a directory, and returns what it holds.
    ///
    /// # Errors
    /// The file cannot be read or written, or a whole record makes no sense.
    pub(crate) fn open(directory: &Path) -> io::Result<(Self, Recovered)> {
        fs::create_dir_all(directory)?;
        let path = directory.join("journal");
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        // A new file is there after a crash only if its directory was synced (fsync(2)).
        File::open(directory)?.sync_all()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (recovered, whole) = recover(&bytes)?;
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
            file.sync_all()?;
        }
        Ok((Self { file }, recovered))
    }

    /// Adds records, and returns when the disk has them if `sync` asks for that.
    ///
    /// # Errors
    /// The disk takes no more. Nobody knows then what it has.
    pub(crate) fn append(
        &mut self,
        hard_state: &HardState,
        entries: &[Entry],
        sync: bool,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        for entry in entries {
            add(&mut bytes, ENTRY, &entry.write_to_bytes()?);
        }
        // The state comes after the entries: a commit index never stands before the entries that it
        // is about.
        add(&mut bytes, HARD_STATE, &hard_state.write_to_bytes()?);
        self.file.write_all(&bytes)?;
        if sync {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

fn add(bytes: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let record = [&[kind], value].concat();
    bytes.extend((record.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(&record).to_le_bytes());
    bytes.extend(record);
}

/// Returns the state that the records make, and the length of the whole records.
fn recover(bytes: &[u8]) -> io::Result<(Recovered, usize)> {
    let mut recovered = Recovered::default();
    let mut at = 0;
    while let Some(record) = record_at(&bytes[at..]) {
        match record {
            [HARD_STATE, value @ ..] => recovered.hard_state = HardState::parse_from_bytes(value)?,
            [ENTRY, value @ ..] => {
                let entry = Entry::parse_from_bytes(value)?;
                // An entry takes the place of an older one, and of all that stood behind that.
                recovered.entries.truncate(entry.index as usize - 1);
                recovered.entries.push(entry);
            }
            _ => {
                return Err(io::Error::other(
                    "a record of the journal has no known kind",
                ));
            }
        }
        at += HEADER + record.len();
    }
    Ok((recovered, at))
}

/// Returns the record at the beginning of the bytes, if it is whole.
fn record_at(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let record = rest.get(..u32::from_le_bytes(*length) as usize)?;
    // A crash may leave zeros where a record was to be, and the CRC-32 of nothing is zero.
    let is_whole = !record.is_empty() && crc32fast::hash(record) == u32::from_le_bytes(*sum);
    is_whole.then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_record_is_taken_off_and_entries_are_replaced() {
        let entry = |index, term| Entry {
            index,
            term,
            ..Entry::default()
        };
        let mut bytes = Vec::new();
        for it in [entry(1, 1), entry(2, 1), entry(3, 1), entry(2, 2)] {
            add(&mut bytes, ENTRY, &it.write_to_bytes().unwrap());
        }
        let whole = bytes.len();
        add(&mut bytes, ENTRY, &entry(3, 2).write_to_bytes().unwrap());
        bytes.pop();
        let zeros = [&bytes[..whole], &[0; 100]].concat();
        for torn in [bytes, zeros] {
            let (recovered, length) = recover(&torn).unwrap();
            assert_eq!(length, whole);
            let terms: Vec<u64> = recovered.entries.iter().map(|it| it.term).collect();
            assert_eq!(terms, [1, 2]);
        }
    }
}
