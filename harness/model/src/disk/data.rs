//! Reads and writes of files.

use super::call::{FileAccess, SeekTarget};
use super::content::{BLOCK, Content, DISK_BYTES};
use super::error::DiskError;
use super::inode::{Body, FileTime, InodeNumber};
use super::tree::Disk;

/// Blocks of a disk.
pub(super) const CAPACITY: u64 = DISK_BYTES / BLOCK as u64;

/// Largest file, in bytes.
const FILE_MAX: u64 = 1 << 42;

type Result<T> = std::result::Result<T, DiskError>;

impl Disk {
    /// Counts one more open file.
    ///
    /// # Errors
    /// There is no such inode, or it is to be written to and the disk can only be read.
    pub fn open(&mut self, number: InodeNumber, access: FileAccess) -> Result<()> {
        match access {
            FileAccess::Read => {}
            FileAccess::Write => self.conditions.permit_change()?,
        }
        self.inode_mut(number)?.opens += 1;
        Ok(())
    }

    /// Counts one open file less.
    pub fn release(&mut self, number: InodeNumber) {
        if let Ok(inode) = self.inode_mut(number) {
            inode.opens = inode.opens.saturating_sub(1);
        }
        if self.journal.is_empty() {
            self.forget_if_unused(number);
        }
    }

    /// Returns whether a file is open.
    pub fn is_open(&self, number: InodeNumber) -> bool {
        self.inode(number).is_ok_and(|inode| inode.opens > 0)
    }

    /// Appends at most `length` bytes from `offset` on to `to`.
    ///
    /// # Errors
    /// The inode is no regular file.
    pub fn read(
        &self,
        number: InodeNumber,
        offset: u64,
        length: usize,
        to: &mut Vec<u8>,
    ) -> Result<()> {
        match &self.inode(number)?.body {
            Body::File(content) => content.read(offset, length, to),
            Body::Directory { .. } => return Err(DiskError::IsDirectory),
            Body::Symlink(_) | Body::Special => return Err(DiskError::Invalid),
        }
        Ok(())
    }

    /// Writes bytes at `offset`.
    ///
    /// # Errors
    /// The inode is no regular file, or the disk is full or can only be read.
    pub fn write(
        &mut self,
        number: InodeNumber,
        offset: u64,
        bytes: &[u8],
        now: Option<FileTime>,
    ) -> Result<()> {
        self.conditions.permit_change()?;
        let end = offset.saturating_add(bytes.len() as u64);
        self.reserve(number, end)?;
        let more = self.content_mut(number)?.write(offset, bytes);
        self.used += more;
        if let (Some(now), Ok(inode)) = (now, self.inode_mut(number)) {
            inode.times[1] = now;
            inode.times[2] = now;
        }
        Ok(())
    }

    /// Gives a file the space to grow to `end`, as far as the disk has it.
    ///
    /// # Errors
    /// The disk is full or can only be read.
    pub fn reserve(&mut self, number: InodeNumber, end: u64) -> Result<()> {
        self.conditions.permit_change()?;
        let size = self.content_mut(number)?.seen.size;
        let inode = self.inode(number)?;
        let growth = end.saturating_sub(size.max(inode.reserved));
        if growth == 0 {
            return Ok(());
        }
        if end > FILE_MAX || self.used + growth / BLOCK as u64 > CAPACITY {
            return Err(DiskError::Full);
        }
        self.conditions.take_space(growth)?;
        self.inode_mut(number)?.reserved = end;
        Ok(())
    }

    /// Returns the size of a file with the space that it was given in advance.
    pub fn size_with_reserve(&self, number: InodeNumber) -> u64 {
        match self.inode(number) {
            Ok(inode) => inode.attributes(number, 0).size.max(inode.reserved),
            Err(_) => 0,
        }
    }

    pub(super) fn resize(&mut self, number: InodeNumber, size: u64) -> Result<()> {
        if size > FILE_MAX {
            return Err(DiskError::Full);
        }
        let gone = self.content_mut(number)?.resize(size);
        self.used -= gone;
        self.inode_mut(number)?.reserved = 0;
        Ok(())
    }

    /// Does what `fallocate(2)` does with its mode: gives space to a range, or makes a hole of it.
    ///
    /// # Errors
    /// The mode is another one, or the disk has no space.
    pub fn allocate(
        &mut self,
        number: InodeNumber,
        (offset, length): (u64, u64),
        mode: u32,
    ) -> Result<()> {
        // linux/falloc.h.
        const KEEP_SIZE: u32 = 1;
        const PUNCH_HOLE: u32 = 2;
        const ZERO_RANGE: u32 = 16;
        let end = offset.saturating_add(length);
        if mode & !(KEEP_SIZE | PUNCH_HOLE | ZERO_RANGE) != 0 {
            return Err(DiskError::Unsupported);
        }
        self.conditions.permit_change()?;
        if mode & (PUNCH_HOLE | ZERO_RANGE) != 0 {
            let gone = self.content_mut(number)?.punch(offset, length);
            self.used -= gone;
        }
        if mode & PUNCH_HOLE != 0 {
            return Ok(());
        }
        self.reserve(number, end)?;
        let blocks = length / BLOCK as u64;
        if self.used + blocks > CAPACITY {
            return Err(DiskError::Full);
        }
        let content = self.content_mut(number)?;
        let more = content.allocate(offset, length);
        if mode & KEEP_SIZE == 0 {
            content.seen.size = content.seen.size.max(end);
        }
        self.used += more;
        Ok(())
    }

    /// Returns the next offset where there is data, or where there is none.
    ///
    /// # Errors
    /// There is nothing behind the offset.
    pub fn seek(&self, number: InodeNumber, offset: u64, what: SeekTarget) -> Result<u64> {
        match &self.inode(number)?.body {
            Body::File(content) => content.seek(offset, what).ok_or(DiskError::NoData),
            Body::Directory { .. } | Body::Symlink(_) | Body::Special => Err(DiskError::Invalid),
        }
    }

    /// Makes a file durable, and all changes to directories.
    ///
    /// # Errors
    /// There is no such inode.
    pub fn sync(&mut self, number: InodeNumber) -> Result<()> {
        if let Body::File(content) = &mut self.inode_mut(number)?.body {
            content.sync();
            // A program that has synced a file counts on all of the file, also on what a fault has
            // cut off for now.
            for (_, tail) in self.tails_mut().filter(|(file, _)| *file == number) {
                tail.sync();
            }
        }
        self.commit();
        Ok(())
    }

    /// Makes everything durable.
    pub fn sync_all(&mut self) {
        for inode in self.inodes.values_mut() {
            if let Body::File(content) = &mut inode.body {
                content.sync();
            }
        }
        for (_, tail) in self.tails_mut() {
            tail.sync();
        }
        self.commit();
    }

    /// Returns the number of blocks of the disk, and of those that are free.
    pub fn space(&self) -> (u64, u64) {
        let free = CAPACITY.saturating_sub(self.used);
        (
            CAPACITY,
            free.min(self.conditions.free_bytes() / BLOCK as u64),
        )
    }

    pub(super) fn content_mut(&mut self, number: InodeNumber) -> Result<&mut Content> {
        match &mut self.inode_mut(number)?.body {
            Body::File(content) => Ok(content),
            Body::Directory { .. } => Err(DiskError::IsDirectory),
            Body::Symlink(_) | Body::Special => Err(DiskError::Invalid),
        }
    }
}
