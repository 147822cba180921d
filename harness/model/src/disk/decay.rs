//! Faults begin and end; some of them change files at rest.

use std::sync::Arc;

use super::content::{Content, Version, split};
use super::error::NoFileError;
use super::fault::DiskFault;
use super::glob;
use super::inode::{Body, InodeNumber};
use super::tree::Disk;
use crate::random::splitmix;

/// A change that a fault has made to a file, and that its end takes back.
#[derive(Clone, Debug)]
pub enum Damage {
    /// A byte at an offset that has this wrong value, and the right one.
    Flipped(InodeNumber, u64, u8, u8),
    /// A file that was cut to a size, and the bytes behind it.
    Cut(InodeNumber, u64, Vec<u8>),
}

impl Disk {
    /// Puts a fault in force. Returns what it has changed in files, for
    /// [`end_fault`](Self::end_fault).
    ///
    /// # Errors
    /// The fault is about files, and none fits its pattern.
    pub fn begin_fault(
        &mut self,
        id: u64,
        fault: DiskFault,
        mut seed: u64,
    ) -> Result<Vec<Damage>, NoFileError> {
        let mut damage = Vec::new();
        match &fault {
            DiskFault::BitFlip { path, bits } => {
                for number in self.fitting(path)? {
                    for _ in 0..*bits {
                        damage.extend(self.flip(number, &mut seed));
                    }
                }
            }
            DiskFault::Truncate { path, by } => {
                for number in self.fitting(path)? {
                    damage.extend(self.cut(number, by.as_bytes()));
                }
            }
            DiskFault::Full { .. }
            | DiskFault::ReadOnly
            | DiskFault::Slow { .. }
            | DiskFault::Io { .. }
            | DiskFault::Torn => {}
        }
        self.conditions.begin(id, fault, seed);
        Ok(damage)
    }

    /// Ends a fault.
    pub fn end_fault(&mut self, id: u64, damage: Vec<Damage>) {
        self.conditions.end(id);
        for inode in self.inodes.values_mut() {
            inode.reserved = 0;
        }
        for damage in damage.into_iter().rev() {
            match damage {
                Damage::Flipped(number, offset, wrong, right) => {
                    self.in_both(number, |version| put(version, offset, wrong, right));
                }
                Damage::Cut(number, size, tail) => {
                    let Ok(content) = self.content_mut(number) else {
                        continue;
                    };
                    if content.seen.size == size {
                        let more = content.write(size, &tail);
                        content.sync();
                        self.used += more;
                    }
                }
            }
        }
    }

    fn fitting(&self, pattern: &str) -> Result<Vec<InodeNumber>, NoFileError> {
        let files = self.files();
        let fitting: Vec<_> = files
            .iter()
            .filter(|(path, _)| glob::fits(pattern, path))
            .map(|(_, number)| *number)
            .collect();
        if fitting.is_empty() {
            // Ten paths are enough to see what was misspelt.
            let some = files.iter().take(10);
            return Err(NoFileError::NoneFits {
                pattern: pattern.to_owned(),
                some: some
                    .map(|(path, _)| String::from_utf8_lossy(path).into_owned())
                    .collect(),
            });
        }
        // A file that was just made has nothing to damage, and the fault would never show.
        let has_content = |number: &InodeNumber| {
            let file = self.attributes(*number);
            file.is_ok_and(|file| file.size > 0)
        };
        let full: Vec<_> = fitting.into_iter().filter(has_content).collect();
        match full.is_empty() {
            true => Err(NoFileError::AllEmpty(pattern.to_owned())),
            false => Ok(full),
        }
    }

    fn flip(&mut self, number: InodeNumber, seed: &mut u64) -> Option<Damage> {
        let content = self.content_mut(number).ok()?;
        if content.seen.size == 0 {
            return None;
        }
        let drawn = splitmix(seed);
        let offset = (drawn >> 3) % content.seen.size;
        let mut right = Vec::new();
        content.read(offset, 1, &mut right);
        let right = *right.first()?;
        let wrong = right ^ (1 << (drawn & 7));
        self.in_both(number, |version| put(version, offset, right, wrong));
        Some(Damage::Flipped(number, offset, wrong, right))
    }

    fn cut(&mut self, number: InodeNumber, by: u64) -> Option<Damage> {
        let content: &mut Content = self.content_mut(number).ok()?;
        let size = content.seen.size.saturating_sub(by);
        let mut tail = Vec::new();
        content.read(size, usize::MAX, &mut tail);
        let gone = content.resize(size);
        content.sync();
        self.used -= gone;
        Some(Damage::Cut(number, size, tail))
    }

    fn in_both(&mut self, number: InodeNumber, change: impl Fn(&mut Version)) {
        if let Some(Body::File(content)) = self.inodes.get_mut(&number).map(|it| &mut it.body) {
            change(&mut content.seen);
            change(&mut content.durable);
        }
    }
}

/// Replaces a byte of a file, if it has the value that is expected.
fn put(version: &mut Version, offset: u64, from: u8, to: u8) {
    let (number, within) = split(offset);
    if offset >= version.size {
        return;
    }
    let block = version.blocks.get_mut(&number).map(Arc::make_mut);
    if let Some(byte) = block
        .and_then(|block| block.get_mut(within))
        .filter(|it| **it == from)
    {
        *byte = to;
    }
}
