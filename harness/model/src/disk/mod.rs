//! A disk that can be full, slow, broken, and that forgets in a power cut what was not synced.
//!
//! A program that forgets an `fsync(2)` works for years, until a machine loses its power. To see
//! that in a test, the disk has to know at each moment what a real one would still have. So the
//! disk is a value in memory: files as blocks, each in the version that programs see and in the
//! version that is durable, and a journal of the changes to directories since the last sync.
//!
//! What a sync makes durable is what ext4 promises in its usual mode `data=ordered`
//! (Documentation/filesystems/ext4): the data of the file that is synced, and all changes to
//! directories, owners and modes that were made before, since they share one journal. The data of
//! other files may be lost: a file that was renamed over another one without a sync may be empty.
//!
//! | file | role |
//! |---|---|
//! | `fault` | faults of a disk, as values |
//! | `error` | the errors of operations, and the reasons why a fault is invalid |
//! | `content` | the bytes of one file, as they are seen and as they are durable |
//! | `inode` | files, directories and links |
//! | `call` | what a system call asks for, where it can ask for one of several things |
//! | `tree` | the changes to directories, and their journal |
//! | `overview` | all files, names and inodes of a disk |
//! | `data` | open files, reads and writes |
//! | `condition` | the faults in force: what they refuse, and for how long they delay |
//! | `decay` | bits that flip, files that are cut |
//! | `loss` | the power cut |
//! | `glob` | patterns of paths |

mod call;
mod condition;
mod content;
mod data;
mod decay;
mod error;
mod fault;
mod glob;
mod inode;
mod loss;
mod overview;
#[cfg(test)]
mod tests;
mod tree;

pub use call::{FileAccess, RenameTarget, SeekTarget};
pub use condition::{Access, FaultsInForce};
pub use content::BLOCK;
pub use error::{DiskError, DiskFaultError, NoFileError};
pub use fault::{DiskFault, Unsynced};
pub use inode::{
    Entry, FileTime, FileType, InodeAttributes, InodeChange, InodeNumber, InodeOrigin, ROOT,
};
pub use loss::Loss;
pub use tree::Disk;
