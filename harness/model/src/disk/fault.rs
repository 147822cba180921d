//! Faults of a disk, as values.

use std::fmt;
use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};
use snowglobe_text::counted;

use super::content::DISK_BYTES;
use super::error::DiskFaultError;
use super::glob;

use crate::impair::Percent;
use crate::topology::Size;

/// Effect of a power cut on the writes that were not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsynced {
    /// All of them are lost.
    #[default]
    Lost,
    /// A part of them is lost, which the seed of the trial chooses: blocks of data one by one, and
    /// changes to directories from some moment on.
    PartLost,
    /// None of them is lost.
    Kept,
}

/// Defect of a disk, for as long as a guard lives.
///
/// ```
/// use snowglobe_model::disk::DiskFault;
/// use snowglobe_model::fault::Fault;
///
/// # #[cfg(feature = "toml")] {
/// let text = r#"
///     fault = "disk"
///     node = "db"
///     what = { kind = "full", free = "64 KiB" }
/// "#;
/// let fault: Fault = toml::from_str(text)?;
/// assert_eq!(fault.to_string(), "disk of node `db`: 64 KiB are free");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DiskFault {
    /// Files cannot grow by more than so many bytes in all, and none can be made once those are
    /// used up (`ENOSPC`). What has its space already can be written.
    Full {
        /// Bytes that are left.
        #[serde(default = "nothing")]
        free: Size,
    },
    /// No file can be changed (`EROFS`), not even through a descriptor that is open for writing.
    ReadOnly,
    /// Reads, writes and syncs that reach the disk take longer, one after the other.
    Slow {
        /// Time that is added to each operation.
        #[serde(default, with = "crate::impair::text::serde_duration")]
        delay: Duration,
        /// Bytes that the disk reads or writes in a second, if there is such a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rate: Option<Size>,
    },
    /// A share of the operations that reach the disk fails (`EIO`), as the seed of the trial says.
    Io {
        /// Share of reads.
        #[serde(default)]
        reads: Percent,
        /// Share of writes.
        #[serde(default)]
        writes: Percent,
        /// Share of syncs. Nothing becomes durable by a sync that fails.
        #[serde(default)]
        syncs: Percent,
    },
    /// A power cut leaves some of the 512-byte sectors of each block that was not synced, and not
    /// others, as the seed of the trial says: a page may be half new.
    Torn,
    /// Bits of files are flipped, at places that the seed of the trial chooses. The end of the
    /// fault turns those back that nobody has written to meanwhile.
    BitFlip {
        /// Pattern of paths in the volume, in which `*` stands for anything but `/`, `**` for
        /// anything, and `?` for one byte.
        path: String,
        /// Number of bits in each file.
        #[serde(default = "one")]
        bits: u32,
    },
    /// Files have lost their ends. The end of the fault gives those back to whose end nobody has
    /// written meanwhile. Neither makes anything durable that was not synced.
    Truncate {
        /// Pattern of paths, as for [`BitFlip`](Self::BitFlip).
        path: String,
        /// Bytes that are cut off each file.
        by: Size,
    },
}

fn nothing() -> Size {
    Size::bytes(0)
}

fn one() -> u32 {
    1
}

/// The writes that a fault refuses before they reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusedWrites {
    None,
    /// Writes for which there is no space.
    BeyondSpace,
    /// All writes and all other changes.
    All,
}

impl DiskFault {
    pub(super) fn refused_writes(&self) -> RefusedWrites {
        match self {
            Self::Full { .. } => RefusedWrites::BeyondSpace,
            Self::ReadOnly => RefusedWrites::All,
            Self::Slow { .. }
            | Self::Io { .. }
            | Self::Torn
            | Self::BitFlip { .. }
            | Self::Truncate { .. } => RefusedWrites::None,
        }
    }
}

impl DiskFault {
    /// Returns a disk on which nothing is free.
    pub fn full() -> Self {
        Self::Full { free: nothing() }
    }

    /// Returns a disk whose every read, write and sync takes so much longer.
    pub fn slow(delay: Duration) -> Self {
        Self::Slow { delay, rate: None }
    }

    /// Returns a disk on which all reads fail.
    pub fn failing_reads() -> Self {
        Self::io(100.0, 0.0, 0.0)
    }

    /// Returns a disk on which all writes fail. Programs learn it by a sync, as of any disk.
    pub fn failing_writes() -> Self {
        Self::io(0.0, 100.0, 0.0)
    }

    /// Returns a disk on which all syncs fail.
    pub fn failing_syncs() -> Self {
        Self::io(0.0, 0.0, 100.0)
    }

    fn io(reads: f64, writes: f64, syncs: f64) -> Self {
        Self::Io {
            reads: Percent(reads),
            writes: Percent(writes),
            syncs: Percent(syncs),
        }
    }

    /// Returns a disk on which one bit of each file that fits is flipped.
    pub fn bit_flip(path: impl Into<String>) -> Self {
        Self::BitFlip {
            path: path.into(),
            bits: 1,
        }
    }

    /// Returns a disk on which each file that fits has lost so many bytes of its end.
    pub fn truncate(path: impl Into<String>, by: Size) -> Self {
        Self::Truncate {
            path: path.into(),
            by,
        }
    }

    /// Returns the field that an error of [`validate`](Self::validate) is about; empty where it is
    /// about the whole fault.
    pub(crate) fn wrong_field(&self, wrong: &DiskFaultError) -> &'static str {
        match (self, wrong) {
            (_, DiskFaultError::Share(which, _)) => which,
            (_, DiskFaultError::Pattern(_)) => "path",
            (_, DiskFaultError::Stopped) => "rate",
            (Self::Full { .. }, DiskFaultError::Idle(_)) => "free",
            (Self::BitFlip { .. }, DiskFaultError::Idle(_)) => "bits",
            (Self::Truncate { .. }, DiskFaultError::Idle(_)) => "by",
            (_, DiskFaultError::Idle(_)) => "",
        }
    }

    /// Checks the values of the fault.
    ///
    /// # Errors
    /// A share is none, a pattern is empty, or the fault would do nothing.
    pub fn validate(&self) -> Result<(), DiskFaultError> {
        let idle = |remedy| Err(DiskFaultError::Idle(remedy));
        let pattern = |path: &String| match glob::can_fit(path) {
            true => Ok(()),
            false => Err(DiskFaultError::Pattern(path.clone())),
        };
        match self {
            Self::Full { free } if free.as_bytes() >= DISK_BYTES => {
                idle("a disk has 1 GiB in all; give less that is free")
            }
            Self::Full { .. } | Self::ReadOnly | Self::Torn => Ok(()),
            Self::Slow { delay, rate } => match rate {
                Some(rate) if rate.as_bytes() == 0 => Err(DiskFaultError::Stopped),
                None if delay.is_zero() => idle("give a delay or a rate"),
                Some(_) | None => Ok(()),
            },
            Self::Io {
                reads,
                writes,
                syncs,
            } => {
                let shares = [("reads", reads), ("writes", writes), ("syncs", syncs)];
                for (which, share) in shares {
                    if !share.is_share() {
                        return Err(DiskFaultError::Share(which, *share));
                    }
                }
                match shares.iter().all(|(_, share)| **share == Percent::ZERO) {
                    true => idle("give a share of reads, writes or syncs"),
                    false => Ok(()),
                }
            }
            Self::BitFlip { path, bits } => match (pattern(path), bits) {
                (Ok(()), 0) => idle("give a number of bits"),
                (checked, _) => checked,
            },
            Self::Truncate { path, by } => match (pattern(path), by.as_bytes()) {
                (Ok(()), 0) => idle("give a number of bytes"),
                (checked, _) => checked,
            },
        }
    }
}

impl fmt::Display for DiskFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { free } if free.as_bytes() == 0 => f.write_str("full"),
            Self::Full { free } => write!(f, "{free} are free"),
            Self::ReadOnly => f.write_str("read-only"),
            Self::Slow { delay, rate: None } => write!(f, "slower by {delay:?}"),
            Self::Slow {
                delay,
                rate: Some(rate),
            } => write!(f, "slower by {delay:?}, at most {rate} in a second"),
            Self::Io {
                reads,
                writes,
                syncs,
            } => write!(
                f,
                "errors in {reads} of reads, {writes} of writes, {syncs} of syncs"
            ),
            Self::Torn => f.write_str("torn writes in a power cut"),
            Self::BitFlip { path, bits } => {
                write!(f, "{} in `{path}`", counted(*bits, "flipped bit"))
            }
            Self::Truncate { path, by } => write!(f, "`{path}` cut by {by}"),
        }
    }
}
