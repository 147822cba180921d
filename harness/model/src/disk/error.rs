//! What a disk answers where it does not do what it was asked.

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
