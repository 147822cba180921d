//! Faults begin and end; some of them change files at rest.

use std::collections::BTreeSet;
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
pub(super) struct Damage {
    /// Number of the fault.
    fault: u64,
    file: InodeNumber,
    change: DamageChange,
}

#[derive(Clone, Debug)]
enum DamageChange {
    /// The byte at an offset has a wrong value, in which this bit differs from the right one.
    Flipped { offset: u64, wrong: u8, bit: u8 },
    /// The fault has cut `by` bytes off the end, and the file has had `size` bytes since then.
    /// A sync of the file concerns the tail too, and so does a power cut.
    Cut { by: u64, size: u64, tail: Content },
}

impl Disk {
    /// Puts a fault in force.
    ///
    /// # Errors
    /// The fault is about files, and none fits its pattern.
    pub fn begin_fault(
        &mut self,
        id: u64,
        fault: DiskFault,
        mut seed: u64,
    ) -> Result<(), NoFileError> {
        match &fault {
            DiskFault::BitFlip { path, bits } => {
                for number in self.fitting(path)? {
                    for _ in 0..*bits {
                        let flipped = self.flip(number, &mut seed);
                        self.note_damage(id, number, flipped);
                    }
                }
            }
            DiskFault::Truncate { path, by } => {
                for number in self.fitting(path)? {
                    let cut = self.cut(number, by.as_bytes());
                    self.note_damage(id, number, cut);
                }
            }
            DiskFault::Full { .. }
            | DiskFault::ReadOnly
            | DiskFault::Slow { .. }
            | DiskFault::Io { .. }
            | DiskFault::Torn => {}
        }
        self.conditions.begin(id, fault, seed);
        Ok(())
    }

    /// Ends a fault, and takes back what it has changed in files.
    pub fn end_fault(&mut self, id: u64) {
        self.conditions.end(id);
        for inode in self.inodes.values_mut() {
            inode.reserved = 0;
        }
        let damage = &mut self.conditions.damage;
        let Some(first) = damage.iter().position(|it| it.fault == id) else {
            return;
        };
        let later = damage.split_off(first);
        let own = later.iter().filter(|it| it.fault == id);
        let files: BTreeSet<InodeNumber> = own.map(|it| it.file).collect();
        let (mut of_files, others): (Vec<_>, Vec<_>) =
            later.into_iter().partition(|it| files.contains(&it.file));
        damage.extend(others);
        // Faults may end in any order, and a later fault may have cut off a byte that an earlier
        // fault has flipped. So all later changes of the file are taken back, the newest first, and
        // are made again without the changes of this fault.
        of_files.reverse();
        of_files.retain(|it| self.mend(it));
        for Damage {
            fault,
            file,
            change,
        } in of_files.into_iter().rev()
        {
            if fault != id {
                let again = match change {
                    DamageChange::Flipped { offset, bit, .. } => self.flip_bit(file, offset, bit),
                    DamageChange::Cut { by, .. } => self.cut(file, by),
                };
                self.note_damage(fault, file, again);
            }
        }
    }

    fn note_damage(&mut self, fault: u64, file: InodeNumber, change: Option<DamageChange>) {
        let damage = change.map(|change| Damage {
            fault,
            file,
            change,
        });
        self.conditions.damage.extend(damage);
    }

    /// Takes a change back, unless a program has written to that place meanwhile. Returns whether
    /// the change was taken back.
    fn mend(&mut self, damage: &Damage) -> bool {
        match &damage.change {
            DamageChange::Flipped { offset, wrong, bit } => {
                self.replace(damage.file, *offset, *wrong, wrong ^ bit)
            }
            DamageChange::Cut { size, tail, .. } => {
                let Ok(content) = self.content_mut(damage.file) else {
                    return false;
                };
                let Some(more) = content.restore(*size, tail) else {
                    return false;
                };
                self.used += more;
                true
            }
        }
    }

    /// Returns what cuts in force have taken off files, with the numbers of the files.
    pub(super) fn tails_mut(&mut self) -> impl Iterator<Item = (InodeNumber, &mut Content)> {
        let damage = self.conditions.damage.iter_mut();
        damage.filter_map(|it| match &mut it.change {
            DamageChange::Cut { tail, .. } => Some((it.file, tail)),
            DamageChange::Flipped { .. } => None,
        })
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

    fn flip(&mut self, number: InodeNumber, seed: &mut u64) -> Option<DamageChange> {
        let size = self.content_mut(number).ok()?.seen.size;
        if size == 0 {
            return None;
        }
        let drawn = splitmix(seed);
        self.flip_bit(number, (drawn >> 3) % size, 1 << (drawn & 7))
    }

    fn flip_bit(&mut self, number: InodeNumber, offset: u64, bit: u8) -> Option<DamageChange> {
        let mut right = Vec::new();
        let content = self.content_mut(number).ok()?;
        content.read(offset, 1, &mut right);
        let right = *right.first()?;
        let wrong = right ^ bit;
        self.replace(number, offset, right, wrong);
        Some(DamageChange::Flipped { offset, wrong, bit })
    }

    fn cut(&mut self, number: InodeNumber, by: u64) -> Option<DamageChange> {
        let content: &mut Content = self.content_mut(number).ok()?;
        let size = content.seen.size.saturating_sub(by);
        let before = content.seen.blocks.len();
        let tail = content.cut(size);
        let gone = before - content.seen.blocks.len();
        self.used -= gone as u64;
        Some(DamageChange::Cut { by, size, tail })
    }

    /// Replaces a byte of a file in the visible version and in the durable version, in each if the
    /// byte has the value `from` there. Returns whether the visible version had that value.
    fn replace(&mut self, number: InodeNumber, offset: u64, from: u8, to: u8) -> bool {
        let Some(Body::File(content)) = self.inodes.get_mut(&number).map(|it| &mut it.body) else {
            return false;
        };
        put(&mut content.durable, offset, from, to);
        put(&mut content.seen, offset, from, to)
    }
}

/// Replaces a byte of a file, if it has the value that is expected. Returns whether it has.
fn put(version: &mut Version, offset: u64, from: u8, to: u8) -> bool {
    let (number, within) = split(offset);
    if offset >= version.size {
        return false;
    }
    let block = version.blocks.get_mut(&number).map(Arc::make_mut);
    let byte = block.and_then(|block| block.get_mut(within));
    let Some(byte) = byte.filter(|it| **it == from) else {
        return false;
    };
    *byte = to;
    true
}
