//! The power cut: what was not synced is lost, or a part of it.

use std::fmt;
use std::sync::Arc;

use snowglobe_text::counted;

use super::content::{BLOCK, Block, Content, empty};
use super::fault::Unsynced;
use super::inode::Body;
use super::tree::{Disk, Undo};
use crate::random::splitmix;

/// Bytes that a device writes as a whole, or not at all.
const SECTOR: usize = 512;

/// The writes that a power cut has taken from a disk, and those that it has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Blocks of files that were not synced, and are as they were before.
    pub blocks_lost: u64,
    /// Blocks of files that were not synced, and that the disk has all the same, at least in part.
    pub blocks_kept: u64,
    /// Changes to directories, owners and modes that are lost.
    pub changes_lost: u64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            blocks_lost,
            blocks_kept,
            changes_lost,
        } = self;
        let kept = match blocks_kept {
            1 => "1 block that was not synced is there".to_owned(),
            _ => format!("{blocks_kept} blocks that were not synced are there"),
        };
        write!(
            f,
            "{} and {} to directories; {kept}",
            counted(*blocks_lost, "block"),
            counted(*changes_lost, "change"),
        )
    }
}

impl Disk {
    /// Cuts the power. The disk has then what it would have after the next start of the machine.
    pub fn cut_power(&mut self, unsynced: Unsynced, mut seed: u64) -> Loss {
        let mut loss = Loss::default();
        let changes = self.journal.len() as u64;
        let kept = match unsynced {
            Unsynced::Lost => 0,
            Unsynced::PartLost => splitmix(&mut seed) % (changes + 1),
            Unsynced::Kept => changes,
        };
        loss.changes_lost = changes - kept;
        let tears = self.conditions.tears();
        let lost = self.journal.split_off(kept as usize);
        for undo in lost.into_iter().rev() {
            self.take_back(undo);
        }
        self.journal.clear();
        for inode in self.inodes.values_mut() {
            inode.opens = 0;
            inode.reserved = 0;
            if let Body::File(content) = &mut inode.body {
                if content.is_dirty() {
                    forget(content, (unsynced, tears), &mut seed, &mut loss);
                }
                content.sync();
            }
        }
        for (_, tail) in self.tails_mut() {
            // What a fault has cut off does not count: the disk does not have it in any case.
            forget(tail, (unsynced, tears), &mut seed, &mut Loss::default());
            tail.sync();
        }
        self.used = 0;
        for number in self.numbers() {
            if let Some(Body::File(content)) = self.inodes.get(&number).map(|it| &it.body) {
                self.used += content.seen.blocks.len() as u64;
            }
            self.forget_if_unused(number);
        }
        loss
    }

    fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::Entry {
                directory,
                name,
                before,
            } => {
                self.point_unnoted(directory, &name, before);
            }
            Undo::Owner {
                number,
                mode,
                uid,
                gid,
            } => {
                if let Ok(inode) = self.inode_mut(number) {
                    (inode.mode, inode.uid, inode.gid) = (mode, uid, gid);
                }
            }
        }
    }
}

/// Takes a file back to what a power cut leaves of it.
fn forget(
    content: &mut Content,
    (unsynced, tears): (Unsynced, bool),
    seed: &mut u64,
    loss: &mut Loss,
) {
    let mut coin = || splitmix(seed) & 1 == 1;
    let keeps_size = keeps(unsynced, &mut coin);
    let dirty: Vec<u64> = content.dirty.iter().copied().collect();
    for number in dirty {
        let old = content.durable.blocks.get(&number).cloned();
        let new = content.seen.blocks.get(&number).cloned();
        let kept = keeps(unsynced, &mut coin);
        let left = match (tears, kept) {
            (true, _) if unsynced != Unsynced::Kept => torn(old.as_ref(), new.as_ref(), &mut coin),
            (_, true) => new.clone(),
            (_, false) => old,
        };
        match left == new {
            true => loss.blocks_kept += 1,
            false => loss.blocks_lost += 1,
        }
        match left {
            Some(block) => content.seen.blocks.insert(number, block),
            None => content.seen.blocks.remove(&number),
        };
    }
    if !keeps_size {
        let size = content.durable.size;
        // Blocks that came back with an older, larger size are there; those behind it go.
        content.seen.size = content.seen.size.max(size);
        content.resize(size);
    }
}

/// Returns whether a power cut leaves a write that was not synced.
fn keeps(unsynced: Unsynced, coin: &mut impl FnMut() -> bool) -> bool {
    match unsynced {
        Unsynced::Lost => false,
        Unsynced::PartLost => coin(),
        Unsynced::Kept => true,
    }
}

/// Returns a block of which each sector is the old or the new one.
fn torn(
    old: Option<&Block>,
    new: Option<&Block>,
    coin: &mut impl FnMut() -> bool,
) -> Option<Block> {
    let zeros = empty();
    let mut block = Arc::clone(old.unwrap_or(&zeros));
    let new = new.unwrap_or(&zeros);
    let bytes = Arc::make_mut(&mut block);
    for start in (0..BLOCK).step_by(SECTOR) {
        if coin() {
            bytes[start..start + SECTOR].copy_from_slice(&new[start..start + SECTOR]);
        }
    }
    Some(block)
}
