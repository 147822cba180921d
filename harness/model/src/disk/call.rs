//! What a system call asks of a disk, where it can ask for one of several things.

/// The access for which a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAccess {
    /// The file is only read.
    Read,
    /// The file may be written to.
    Write,
}

/// What becomes of a file that has the new name of a rename already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameTarget {
    /// The file loses the name.
    Replaced,
    /// The file stays, and the rename fails (`RENAME_NOREPLACE`).
    Kept,
    /// The file gets the old name, and there has to be one (`RENAME_EXCHANGE`).
    Exchanged,
}

/// The part of a file for which `lseek(2)` looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekTarget {
    /// Bytes that the file has (`SEEK_DATA`).
    Data,
    /// A part of the file without blocks, or its end (`SEEK_HOLE`).
    Hole,
}

/// The kind of file whose name is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RemovedFile {
    Directory,
    /// Any file but a directory.
    Other,
}
