//! All files, names and inodes of a disk.

use super::inode::{Body, InodeNumber, ROOT};
use super::tree::Disk;

impl Disk {
    /// Returns the paths of all regular files that have one, without a slash in front.
    pub(super) fn files(&self) -> Vec<(Vec<u8>, InodeNumber)> {
        let mut found = Vec::new();
        let mut below = vec![(Vec::new(), ROOT)];
        while let Some((path, number)) = below.pop() {
            match self.inodes.get(&number).map(|inode| &inode.body) {
                Some(Body::Directory { entries, .. }) => {
                    for (name, number) in entries {
                        let slash = if path.is_empty() { &b""[..] } else { b"/" };
                        below.push(([&path, slash, name].concat(), *number));
                    }
                }
                Some(Body::File(_)) => found.push((path, number)),
                Some(Body::Symlink(_) | Body::Special) | None => {}
            }
        }
        found.sort();
        found
    }

    /// Returns the entries of all directories.
    pub fn names(&self) -> Vec<(InodeNumber, Vec<u8>)> {
        let mut names = Vec::new();
        for (number, inode) in &self.inodes {
            if let Body::Directory { entries, .. } = &inode.body {
                names.extend(entries.keys().map(|name| (*number, name.clone())));
            }
        }
        names
    }

    /// Returns the numbers of all inodes.
    pub fn numbers(&self) -> Vec<InodeNumber> {
        self.inodes.keys().copied().collect()
    }
}
