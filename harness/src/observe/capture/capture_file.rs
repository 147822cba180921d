//! The file of a capture, as it grows and when it is put in order.
//!
//! While the capture runs, whole blocks are appended, so that the file can be read however the run
//! ends. But packets of several threads are not quite in the order of time then, and TLS keys
//! stand behind packets that they decrypt, where readers do not look for them. A file that is
//! [completed](CaptureFile::complete) has both in order; for that it is written anew, if need be.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::location;
use super::packet_batch::PacketBatch;
use super::pcapng::{self, BlockHead};

/// Most bytes that are written of one trial. Packets that come later are counted as lost.
pub(super) const LARGEST: u64 = 1 << 30;

/// A capture file that is open for writing.
pub(super) struct CaptureFile {
    file: File,
    path: PathBuf,
    /// Bytes up to the end of the last whole block.
    length: u64,
    /// Blocks that come before all packets: the section's header and the interfaces.
    front: Vec<u8>,
    /// Time of the latest packet, in nanoseconds since 1970.
    latest: u64,
    /// Whether a packet stands behind a later one.
    unsorted: bool,
    /// Number of bytes of keys that stand in front of the packets.
    keys: usize,
}

impl CaptureFile {
    /// Begins an empty file with the section's header.
    pub(super) fn begin(file: File, path: PathBuf, header: &[u8]) -> io::Result<Self> {
        let mut begun = Self {
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

    /// Adds packets. Returns false if there is no room for them.
    pub(super) fn write(&mut self, batch: PacketBatch) -> io::Result<bool> {
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

    /// Appends whole blocks, or nothing.
    fn append(&mut self, blocks: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(blocks) {
            // A disk that is full may have taken half a block, behind which nothing can be read.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        self.length += blocks.len() as u64;
        Ok(())
    }

    /// Adds TLS keys, if there are any.
    pub(super) fn write_keys(&mut self, keys: &[u8]) -> io::Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.append(&keys_block(keys))
    }

    /// Puts the file in order: first all TLS keys that there are, then packets by time, then the
    /// statistics. It may be called again when there is more.
    pub(super) fn complete(&mut self, keys: &[u8], statistics: &[u8]) -> io::Result<()> {
        if self.unsorted || keys.len() != self.keys {
            self.rewrite(&keys_block(keys))?;
            self.keys = keys.len();
            self.unsorted = false;
        }
        self.append(statistics)
    }

    /// Writes the file anew, with these keys in front and packets in the order of time.
    fn rewrite(&mut self, keys: &[u8]) -> io::Result<()> {
        // The new file takes the old one's name when it is whole (rename(2) is atomic): whatever
        // happens meanwhile, one of the two is there.
        let new_path = self.path.with_extension("new");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&new_path)?;
        let written = self.copy_to(&file, keys).and_then(|length| {
            // Locked before it has the name, so that no other run takes it for abandoned.
            location::lock(&file)?;
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

    /// Returns the time, the place and the size of every packet block, in the order of time.
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

/// Returns the block that has these keys, and nothing if there are none.
fn keys_block(keys: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    if !keys.is_empty() {
        pcapng::tls_keys(&mut block, keys);
    }
    block
}
