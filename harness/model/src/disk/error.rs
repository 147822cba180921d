//! Errors of a disk: the reasons why a disk refuses an operation, and why it cannot have a fault.

use std::error::Error;
use std::fmt;

use crate::impair::Percent;

/// The reason why a disk refuses something. Each stands for one error number of `errno(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// `ENOENT`: there is no such file.
    NotFound,
    /// `EEXIST`: there is such a file.
    Exists,
    /// `ENOTDIR`: a directory is needed.
    NotDirectory,
    /// `EISDIR`: a directory cannot be used here.
    IsDirectory,
    /// `ENOTEMPTY`: the directory has entries.
    NotEmpty,
    /// `ENOSPC`: no space is left.
    Full,
    /// `EROFS`: the disk can only be read.
    ReadOnly,
    /// `EIO`: the device failed.
    Io,
    /// `ENAMETOOLONG`: a name has more than 255 bytes.
    NameTooLong,
    /// `EINVAL`: the arguments make no sense.
    Invalid,
    /// `ENXIO`: there is no data behind the offset (`lseek(2)`).
    NoData,
    /// `EOPNOTSUPP`: the disk does not do that.
    Unsupported,
}

/// The reason why no disk can have a [`DiskFault`](super::DiskFault).
#[derive(Clone, Debug, PartialEq)]
pub enum DiskFaultError {
    /// The fault does nothing. The text says what to give.
    Idle(&'static str),
    /// The disk would read and write nothing at all.
    Stopped,
    /// A share of operations, such as `reads`, is not between 0 and 100 percent.
    Share(&'static str, Percent),
    /// A pattern fits no path.
    Pattern(String),
}

impl fmt::Display for DiskFaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(remedy) => write!(f, "the fault does nothing: {remedy}"),
            Self::Stopped => {
                f.write_str("a rate of 0 bytes in a second would stop the disk; choose a rate")
            }
            Self::Share(operations, Percent(share)) => write!(
                f,
                "the share {share} of {operations} is not between 0 and 100 percent"
            ),
            Self::Pattern(pattern) => write!(
                f,
                "the pattern of paths `{}` fits no path; write it like `base/**` or `*.log`",
                pattern.escape_debug()
            ),
        }
    }
}

impl Error for DiskFaultError {}

/// The reason why a fault has no file of a disk to damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoFileError {
    /// No file fits the pattern.
    NoneFits {
        /// The pattern.
        pattern: String,
        /// The first paths of the disk, as text.
        some: Vec<String>,
    },
    /// All files that fit the pattern are empty.
    AllEmpty(String),
}

/// Tells the error as the rest of a sentence that begins with the disk.
impl fmt::Display for NoFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneFits { pattern, some } => {
                write!(f, "has no file that fits `{pattern}`; it has ")?;
                match some.is_empty() {
                    true => f.write_str("no file"),
                    false => write!(f, "`{}`", some.join("`, `")),
                }
            }
            Self::AllEmpty(pattern) => {
                write!(f, "has nothing in the files that fit `{pattern}`")
            }
        }
    }
}

impl Error for NoFileError {}
