//! The file of a capture.
//!
//! While the capture runs, whole blocks are appended, so that the file can be read however the run ends. Only when it
//! is [completed](CaptureFile::complete) does it have all packets in the order of time and the keys in front of what
//! they decrypt: for that it is written anew, where need be.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::batch::Batch;
use super::pcapng::{self, BlockHead};
use super::place;

/// So much is written of one trial, in bytes; what comes later is counted as lost.
pub(super) const LARGEST: u64 = 1 << 30;

pub(super) struct CaptureFile {
    file: File,
    path: PathBuf,
    /// In bytes: where the last whole block ends.
    length: u64,
    /// The blocks that come before all packets: the section's header and the interfaces.
    front: Vec<u8>,
    /// The time of the latest packet.
    latest: u64,
    /// Whether a packet stands behind a later one.
    unsorted: bool,
    /// How many bytes of keys are in front of the packets.
    keys: usize,
}

impl CaptureFile {
    /// Begins with `header`, in an empty file that is there.
    pub(super) fn begin(file: File, path: PathBuf, header: &[u8]) -> io::Result<CaptureFile> {
        let mut begun = CaptureFile {
            file,
            path,
            length: 0,
            front: Vec::new(),
            latest: 0,
            unsorted: false,
            keys: 0,
        };
        begun.describe(header)?;
        Ok(begun)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the description of an interface.
    pub(super) fn describe(&mut self, block: &[u8]) -> io::Result<()> {
        self.append(block)?;
        self.front.extend(block);
        Ok(())
    }

    /// Adds packets; false if there is no room for them.
    pub(super) fn write(&mut self, batch: Batch) -> io::Result<bool> {
        let Some((first, last)) = batch.span() else {
            return Ok(true);
        };
        if self.length + batch.len() as u64 > LARGEST {
            return Ok(false);
        }
        self.append(&batch.sorted())?;
        self.unsorted |= first < self.latest;
        self.latest = self.latest.max(last);
        Ok(true)
    }

    /// Whole blocks, or nothing.
    fn append(&mut self, blocks: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(blocks) {
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        self.length += blocks.len() as u64;
        Ok(())
    }

    /// Adds TLS keys, if there are any.
    pub(super) fn write_keys(&mut self, keys: &[u8]) -> io::Result<()> {
        match keys {
            [] => Ok(()),
            _ => self.append(&block_of(keys)),
        }
    }

    /// Puts what is there in order: first all TLS keys that there are, then packets by time, then the statistics. It may be called
    /// again when there is more.
    pub(super) fn complete(&mut self, keys: &[u8], statistics: &[u8]) -> io::Result<()> {
        if self.unsorted || keys.len() != self.keys {
            self.rewrite(&block_of(keys))?;
            self.keys = keys.len();
            self.unsorted = false;
        }
        self.append(statistics)
    }

    fn rewrite(&mut self, keys: &[u8]) -> io::Result<()> {
        let new_path = self.path.with_extension("new");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&new_path)?;
        let written = self.copy_to(&file, keys).and_then(|length| {
            place::lock(&file)?;
            std::fs::rename(&new_path, &self.path)?;
            Ok(length)
        });
        match written {
            Ok(length) => {
                self.file = file;
                self.length = length;
                Ok(())
            }
            Err(error) => {
                let _ = std::fs::remove_file(&new_path);
                Err(error)
            }
        }
    }

    fn copy_to(&self, file: &File, keys: &[u8]) -> io::Result<u64> {
        let packets = self.packets()?;
        let mut from = BufReader::with_capacity(1 << 20, &self.file);
        let mut to = BufWriter::with_capacity(1 << 20, file);
        to.write_all(&self.front)?;
        to.write_all(keys)?;
        let mut length = (self.front.len() + keys.len()) as u64;
        let mut at = from.seek(SeekFrom::Start(0))?;
        let mut block = Vec::new();
        for (_, start, size) in packets {
            from.seek_relative(start.cast_signed() - at.cast_signed())?;
            block.resize(size as usize, 0);
            from.read_exact(&mut block)?;
            to.write_all(&block)?;
            at = start + size;
            length += size;
        }
        to.flush()?;
        Ok(length)
    }

    /// Time, place and size of every packet block, in the order of time.
    fn packets(&self) -> io::Result<Vec<(u64, u64, u64)>> {
        let mut packets = Vec::new();
        let mut from = BufReader::with_capacity(1 << 20, &self.file);
        let mut at = from.seek(SeekFrom::Start(0))?;
        while at < self.length {
            let mut head = [0; BlockHead::LENGTH];
            from.read_exact(&mut head)?;
            let head = BlockHead::read(&head);
            packets.extend(head.time.map(|time| (time, at, head.length)));
            at += head.length;
            from.seek_relative(head.length.cast_signed() - BlockHead::LENGTH as i64)?;
        }
        packets.sort_by_key(|(time, ..)| *time);
        Ok(packets)
    }
}

/// Nothing of nothing.
fn block_of(keys: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    if !keys.is_empty() {
        pcapng::tls_keys(&mut block, keys);
    }
    block
}
