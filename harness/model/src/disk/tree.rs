//! The changes to directories and attributes, and the journal of those that are not durable.

use std::collections::BTreeMap;

use super::call::{RemovedFile, RenameTarget};
use super::condition::FaultsInForce;
use super::content::Content;
use super::error::DiskError;
use super::inode::{
    Body, DIRECTORY, Entry, FileTime, FileType, Inode, InodeAttributes, InodeChange, InodeNumber,
    InodeOrigin, REGULAR, ROOT, SET_GROUP, SYMLINK, TYPE,
};

/// Longest name of a directory entry, in bytes (`NAME_MAX` of `linux/limits.h`).
const NAME_MAX: usize = 255;

/// Number of changes after which the journal becomes durable by itself, as one that is full does.
const JOURNAL: usize = 65_536;

/// A change that a power cut takes back.
#[derive(Clone, Debug)]
pub(super) enum Undo {
    /// An entry of a directory led to this inode, or to none.
    Entry {
        directory: InodeNumber,
        name: Vec<u8>,
        before: Option<InodeNumber>,
    },
    /// An inode had this mode and this owner.
    Owner {
        number: InodeNumber,
        mode: u32,
        uid: u32,
        gid: u32,
    },
}

/// The state of a disk.
#[derive(Clone, Debug)]
pub struct Disk {
    pub(super) inodes: BTreeMap<InodeNumber, Inode>,
    next: InodeNumber,
    pub(super) journal: Vec<Undo>,
    /// Blocks of all files.
    pub(super) used: u64,
    /// Faults in force.
    pub conditions: FaultsInForce,
}

impl Default for Disk {
    fn default() -> Self {
        let root = Inode {
            body: Body::Directory {
                entries: BTreeMap::new(),
                parent: ROOT,
            },
            mode: DIRECTORY | 0o755,
            uid: 0,
            gid: 0,
            device: 0,
            names: 1,
            opens: 0,
            times: [FileTime::default(); 3],
            reserved: 0,
        };
        Self {
            inodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            journal: Vec::new(),
            used: 0,
            conditions: FaultsInForce::default(),
        }
    }
}

type Result<T> = std::result::Result<T, DiskError>;

impl Disk {
    /// Returns the attributes of an inode.
    ///
    /// # Errors
    /// There is no such inode.
    pub fn attributes(&self, number: InodeNumber) -> Result<InodeAttributes> {
        let inode = self.inode(number)?;
        let subdirectories = match &inode.body {
            Body::Directory { entries, .. } => {
                let is_directory = |it: &&InodeNumber| {
                    let inode = self.inodes.get(it);
                    inode.is_some_and(Inode::is_directory)
                };
                entries.values().filter(is_directory).count() as u32
            }
            Body::File(_) | Body::Symlink(_) | Body::Special => 0,
        };
        Ok(inode.attributes(number, subdirectories))
    }

    /// Finds an entry of a directory.
    ///
    /// # Errors
    /// There is none, or no directory.
    pub fn lookup(&self, directory: InodeNumber, name: &[u8]) -> Result<InodeAttributes> {
        self.attributes(self.find(directory, name)?)
    }

    /// Returns the inode to which an entry of a directory leads.
    pub(super) fn find(&self, directory: InodeNumber, name: &[u8]) -> Result<InodeNumber> {
        if name.len() > NAME_MAX {
            return Err(DiskError::NameTooLong);
        }
        let entries = self.entries(directory)?;
        match name {
            b"." => Ok(directory),
            b".." => self.parent(directory),
            name => entries.get(name).copied().ok_or(DiskError::NotFound),
        }
    }

    /// Returns the inode to which an entry of a directory leads, or none if there is no such entry.
    fn find_any(&self, directory: InodeNumber, name: &[u8]) -> Result<Option<InodeNumber>> {
        match self.find(directory, name) {
            Ok(number) => Ok(Some(number)),
            Err(DiskError::NotFound) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Returns all entries of a directory.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn list(&self, directory: InodeNumber) -> Result<Vec<Entry>> {
        let parent = self.parent(directory)?;
        let dots = [(&b"."[..], directory), (b"..", parent)];
        let entries = self.entries(directory)?.iter();
        let entries = entries.map(|(name, number)| (name.as_slice(), *number));
        let entry = |(name, number): (&[u8], InodeNumber)| Entry {
            name: name.to_vec(),
            number,
            mode: self.inodes.get(&number).map_or(0, |inode| inode.mode),
        };
        Ok(dots.into_iter().chain(entries).map(entry).collect())
    }

    /// Returns the path to which a symbolic link leads.
    ///
    /// # Errors
    /// The inode is no symbolic link.
    pub fn target(&self, number: InodeNumber) -> Result<&[u8]> {
        match &self.inode(number)?.body {
            Body::Symlink(target) => Ok(target),
            Body::File(_) | Body::Directory { .. } | Body::Special => Err(DiskError::Invalid),
        }
    }

    /// Makes a file of any type.
    ///
    /// # Errors
    /// The name is taken or too long, or the disk takes no new files.
    pub fn make(
        &mut self,
        directory: InodeNumber,
        name: &[u8],
        (kind, permissions): (FileType, u32),
        InodeOrigin { uid, gid, now }: InodeOrigin,
    ) -> Result<InodeAttributes> {
        self.permit_name(directory, name)?;
        let parent = self.inode(directory)?;
        let hands_down = parent.mode & SET_GROUP;
        let gid = if hands_down > 0 { parent.gid } else { gid };
        let (body, bits, device) = match kind {
            FileType::Regular => (Body::File(Content::default()), REGULAR, 0),
            FileType::Directory => {
                let entries = BTreeMap::new();
                let parent = directory;
                (
                    Body::Directory { entries, parent },
                    DIRECTORY | hands_down,
                    0,
                )
            }
            FileType::Symlink(target) => (Body::Symlink(target), SYMLINK, 0),
            FileType::Special(bits, device) => (Body::Special, bits & TYPE, device),
        };
        let number = self.next;
        self.next += 1;
        let inode = Inode {
            body,
            mode: bits | (permissions & !TYPE),
            uid,
            gid,
            device,
            names: 0,
            opens: 0,
            times: [now; 3],
            reserved: 0,
        };
        self.inodes.insert(number, inode);
        self.point(directory, name, Some(number), now);
        self.attributes(number)
    }

    /// Checks that a directory can have one more entry, with this name.
    fn permit_name(&self, directory: InodeNumber, name: &[u8]) -> Result<()> {
        self.conditions.permit_new()?;
        match self.find_any(directory, name)? {
            Some(_) => Err(DiskError::Exists),
            None => Ok(()),
        }
    }

    /// Gives a file one more name.
    ///
    /// # Errors
    /// The name is taken, or the disk takes no new names.
    pub fn link(
        &mut self,
        number: InodeNumber,
        directory: InodeNumber,
        name: &[u8],
        now: FileTime,
    ) -> Result<InodeAttributes> {
        self.permit_name(directory, name)?;
        self.inode(number)?;
        self.point(directory, name, Some(number), now);
        self.attributes(number)
    }

    /// Takes away the name of a file other than a directory (`unlink(2)`).
    ///
    /// # Errors
    /// There is no such name, or a directory has the name.
    pub fn remove_file(
        &mut self,
        directory: InodeNumber,
        name: &[u8],
        now: FileTime,
    ) -> Result<()> {
        self.remove(directory, name, RemovedFile::Other, now)
    }

    /// Takes away the name of a directory (`rmdir(2)`).
    ///
    /// # Errors
    /// There is no such name, the directory is not empty, or a file other than a directory has the
    /// name.
    pub fn remove_directory(
        &mut self,
        directory: InodeNumber,
        name: &[u8],
        now: FileTime,
    ) -> Result<()> {
        self.remove(directory, name, RemovedFile::Directory, now)
    }

    fn remove(
        &mut self,
        directory: InodeNumber,
        name: &[u8],
        what: RemovedFile,
        now: FileTime,
    ) -> Result<()> {
        self.conditions.permit_change()?;
        let number = self.find(directory, name)?;
        self.check_removal(number, what)?;
        self.point(directory, name, None, now);
        Ok(())
    }

    fn check_removal(&self, number: InodeNumber, what: RemovedFile) -> Result<()> {
        match (&self.inode(number)?.body, what) {
            (Body::Directory { entries, .. }, RemovedFile::Directory) if !entries.is_empty() => {
                Err(DiskError::NotEmpty)
            }
            (Body::Directory { .. }, RemovedFile::Directory) => Ok(()),
            (Body::Directory { .. }, RemovedFile::Other) => Err(DiskError::IsDirectory),
            (Body::File(_) | Body::Symlink(_) | Body::Special, RemovedFile::Directory) => {
                Err(DiskError::NotDirectory)
            }
            (Body::File(_) | Body::Symlink(_) | Body::Special, RemovedFile::Other) => Ok(()),
        }
    }

    /// Renames an entry.
    ///
    /// # Errors
    /// There is no such entry, or the new name cannot be had.
    pub fn rename(
        &mut self,
        from: (InodeNumber, &[u8]),
        to: (InodeNumber, &[u8]),
        other: RenameTarget,
        now: FileTime,
    ) -> Result<()> {
        self.conditions.permit_change()?;
        let moved = self.find(from.0, from.1)?;
        let there = self.find_any(to.0, to.1)?;
        let exchanges = other == RenameTarget::Exchanged;
        match there {
            None if exchanges => return Err(DiskError::NotFound),
            Some(_) if other == RenameTarget::Kept => return Err(DiskError::Exists),
            // Two names of one file: nothing happens (rename(2)).
            Some(there) if there == moved => return Ok(()),
            Some(there) if !exchanges => {
                // A directory takes the place of a directory only (rename(2)).
                let what = if self.inode(moved)?.is_directory() {
                    RemovedFile::Directory
                } else {
                    RemovedFile::Other
                };
                self.check_removal(there, what)?;
            }
            Some(_) | None => {}
        }
        // The new name is entered first: the inode must not be without a name in between.
        self.point(to.0, to.1, Some(moved), now);
        self.point(from.0, from.1, there.filter(|_| exchanges), now);
        Ok(())
    }

    /// Changes attributes.
    ///
    /// # Errors
    /// There is no such inode, or the disk takes no changes.
    pub fn change(&mut self, number: InodeNumber, change: &InodeChange) -> Result<InodeAttributes> {
        let sets_owner = change.mode.is_some() || change.uid.is_some() || change.gid.is_some();
        // The kernel tells times of its own accord, which must not fail a program.
        if sets_owner || change.size.is_some() {
            self.conditions.permit_change()?;
        }
        if let Some(size) = change.size {
            self.resize(number, size)?;
        }
        let inode = self.inode_mut(number)?;
        let before = Undo::Owner {
            number,
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
        };
        if let Some(mode) = change.mode {
            inode.mode = (inode.mode & TYPE) | (mode & !TYPE);
        }
        inode.uid = change.uid.unwrap_or(inode.uid);
        inode.gid = change.gid.unwrap_or(inode.gid);
        let times = [change.accessed, change.modified, change.changed];
        for (time, new) in inode.times.iter_mut().zip(times) {
            *time = new.unwrap_or(*time);
        }
        if sets_owner {
            self.record(before);
        }
        self.attributes(number)
    }

    /// Makes all changes to directories, owners and modes durable.
    pub(super) fn commit(&mut self) {
        for undo in std::mem::take(&mut self.journal) {
            if let Undo::Entry {
                before: Some(number),
                ..
            } = undo
            {
                self.forget_if_unused(number);
            }
        }
    }

    pub(super) fn forget_if_unused(&mut self, number: InodeNumber) {
        let unused = self.inodes.get(&number).is_some_and(|it| !it.is_used());
        if !unused || number == ROOT {
            return;
        }
        if let Some(Inode {
            body: Body::File(content),
            ..
        }) = self.inodes.remove(&number)
        {
            self.used -= content.seen.blocks.len() as u64;
        }
    }

    /// Lets a name lead to another inode, or to none, and notes where it led before.
    fn point(
        &mut self,
        directory: InodeNumber,
        name: &[u8],
        to: Option<InodeNumber>,
        now: FileTime,
    ) {
        let before = self.point_unnoted(directory, name, to);
        if let Ok(inode) = self.inode_mut(directory) {
            inode.times[1] = now;
            inode.times[2] = now;
        }
        // A change of its names changes a file, and so does a rename (inode(7)).
        for number in to.into_iter().chain(before) {
            if let Ok(inode) = self.inode_mut(number) {
                inode.times[2] = now;
            }
        }
        self.record(Undo::Entry {
            directory,
            name: name.to_vec(),
            before,
        });
    }

    pub(super) fn point_unnoted(
        &mut self,
        directory: InodeNumber,
        name: &[u8],
        to: Option<InodeNumber>,
    ) -> Option<InodeNumber> {
        let Some(Body::Directory { entries, .. }) =
            self.inodes.get_mut(&directory).map(|inode| &mut inode.body)
        else {
            return None;
        };
        let before = match to {
            Some(to) => entries.insert(name.to_vec(), to),
            None => entries.remove(name),
        };
        if let Some(inode) = to.and_then(|to| self.inodes.get_mut(&to)) {
            inode.names += 1;
            if let Body::Directory { parent, .. } = &mut inode.body {
                *parent = directory;
            }
        }
        if let Some(inode) = before.and_then(|it| self.inodes.get_mut(&it)) {
            inode.names -= 1;
        }
        before
    }

    fn record(&mut self, undo: Undo) {
        self.journal.push(undo);
        if self.journal.len() > JOURNAL {
            self.commit();
        }
    }

    fn entries(&self, directory: InodeNumber) -> Result<&BTreeMap<Vec<u8>, InodeNumber>> {
        match &self.inode(directory)?.body {
            Body::Directory { entries, .. } => Ok(entries),
            Body::File(_) | Body::Symlink(_) | Body::Special => Err(DiskError::NotDirectory),
        }
    }

    fn parent(&self, directory: InodeNumber) -> Result<InodeNumber> {
        match &self.inode(directory)?.body {
            Body::Directory { parent, .. } => Ok(*parent),
            Body::File(_) | Body::Symlink(_) | Body::Special => Err(DiskError::NotDirectory),
        }
    }

    pub(super) fn inode(&self, number: InodeNumber) -> Result<&Inode> {
        self.inodes.get(&number).ok_or(DiskError::NotFound)
    }

    pub(super) fn inode_mut(&mut self, number: InodeNumber) -> Result<&mut Inode> {
        self.inodes.get_mut(&number).ok_or(DiskError::NotFound)
    }
}
