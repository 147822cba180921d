//! Things that a lab tries with files, directories and volumes.

use std::fmt;
use std::path::PathBuf;

/// Something that a lab tried with a file, a directory or a volume.
#[derive(Clone, Debug)]
pub(crate) enum FileAttempt {
    /// Make the directory of a lab.
    MakeLabDir(PathBuf),
    /// Make a directory within that of a lab.
    MakeDir(PathBuf),
    /// Read a file.
    Read(PathBuf),
    /// Write a file.
    Write(PathBuf),
    /// Let all users write to a directory.
    OpenToEverybody(PathBuf),
    /// Make a volume that begins as a clone of other files.
    Clone { of: PathBuf },
    /// Copy files to a volume with faults.
    Copy { of: PathBuf, volume: String },
    /// Mount the filesystem of a volume with faults.
    MountVolume { volume: String },
    /// Get an answer from the server of a volume with faults.
    HearFromVolume { volume: String },
}

impl fmt::Display for FileAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeLabDir(path) => write!(f, "make the lab's directory `{}`", path.display()),
            Self::MakeDir(path) => write!(f, "make `{}`", path.display()),
            Self::Read(path) => write!(f, "read `{}`", path.display()),
            Self::Write(path) => write!(f, "write `{}`", path.display()),
            Self::OpenToEverybody(path) => write!(f, "open `{}` to everybody", path.display()),
            Self::Clone { of } => write!(f, "clone `{}` as a volume", of.display()),
            Self::Copy { of, volume } => {
                write!(f, "copy `{}` to volume `{volume}`", of.display())
            }
            Self::MountVolume { volume } => {
                write!(f, "mount a filesystem for volume `{volume}` with faults")
            }
            Self::HearFromVolume { volume } => {
                write!(f, "hear from the server of volume `{volume}`")
            }
        }
    }
}
