//! Files, directories and links of a disk, apart from their names.

use std::collections::BTreeMap;

use super::content::{BLOCK, Content};

/// Number of an inode. Numbers are never used twice.
pub type InodeNumber = u64;

/// The root directory.
pub const ROOT: InodeNumber = 1;

/// Seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileTime {
    /// Whole seconds.
    pub seconds: u64,
    /// The rest, below 1,000,000,000.
    pub nanos: u32,
}

/// The owner that a new file gets, and the time at which it is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct InodeOrigin {
    /// User id of the owner.
    pub uid: u32,
    /// Group id, unless the directory hands down its own.
    pub gid: u32,
    /// The current time.
    pub now: FileTime,
}

/// The type of a file, with what a new one begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link to this path.
    Symlink(Vec<u8>),
    /// A FIFO, socket or device: type bits of `inode(7)`, and the number of the device.
    Special(u32, u32),
}

/// The attributes that `stat(2)` tells of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InodeAttributes {
    /// Number of the inode.
    pub number: InodeNumber,
    /// Type and permissions, as in `inode(7)`.
    pub mode: u32,
    /// Number of names.
    pub links: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Number of a device.
    pub device: u32,
    /// Bytes.
    pub size: u64,
    /// Units of 512 bytes that have their space.
    pub sectors: u64,
    /// Last access, last modification, last change.
    pub times: [FileTime; 3],
}

/// A change of attributes; nothing where an attribute stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct InodeChange {
    /// Permissions.
    pub mode: Option<u32>,
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Last access.
    pub accessed: Option<FileTime>,
    /// Last modification.
    pub modified: Option<FileTime>,
    /// Last change.
    pub changed: Option<FileTime>,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name of the entry.
    pub name: Vec<u8>,
    /// Number of the inode.
    pub number: InodeNumber,
    /// Type bits and permissions of the inode.
    pub mode: u32,
}

/// Type bits of a mode (`inode(7)`).
pub(super) const TYPE: u32 = 0o170_000;
/// Type bits of a directory.
pub(super) const DIRECTORY: u32 = 0o040_000;
/// Type bits of a regular file.
pub(super) const REGULAR: u32 = 0o100_000;
/// Type bits of a symbolic link.
pub(super) const SYMLINK: u32 = 0o120_000;
/// The bit by which a directory hands down its group.
pub(super) const SET_GROUP: u32 = 0o2_000;

#[derive(Clone, Debug)]
pub(super) enum Body {
    File(Content),
    Directory {
        entries: BTreeMap<Vec<u8>, InodeNumber>,
        parent: InodeNumber,
    },
    Symlink(Vec<u8>),
    Special,
}

#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) body: Body,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) device: u32,
    /// Names that lead here.
    pub(super) names: u32,
    /// Open files that lead here.
    pub(super) opens: u32,
    pub(super) times: [FileTime; 3],
    /// Bytes for which a full disk has given space in advance.
    pub(super) reserved: u64,
}

impl Inode {
    pub(super) fn attributes(&self, number: InodeNumber, subdirectories: u32) -> InodeAttributes {
        let (size, blocks) = match &self.body {
            Body::File(content) => (content.seen.size, content.seen.blocks.len() as u64),
            Body::Directory { .. } => (BLOCK as u64, 1),
            Body::Symlink(target) => (target.len() as u64, 0),
            Body::Special => (0, 0),
        };
        let links = match &self.body {
            // The links to a directory are its name, its own `.`, and the `..` of each directory
            // within.
            Body::Directory { .. } if self.names > 0 || number == ROOT => 2 + subdirectories,
            Body::Directory { .. } => 0,
            Body::File(_) | Body::Symlink(_) | Body::Special => self.names,
        };
        InodeAttributes {
            number,
            mode: self.mode,
            links,
            uid: self.uid,
            gid: self.gid,
            device: self.device,
            size,
            sectors: blocks * (BLOCK as u64 / 512),
            times: self.times,
        }
    }

    /// Returns whether the inode is to stay.
    pub(super) fn is_used(&self) -> bool {
        self.names > 0 || self.opens > 0
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory { .. })
    }
}
