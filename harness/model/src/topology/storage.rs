//! Files of a node: its root filesystem, volumes and binds.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use snowglobe_derive::{Deserialize, Serialize};

use crate::disk::Unsynced;

/// A number of bytes.
///
/// ```
/// use snowglobe_model::topology::Size;
///
/// assert_eq!(Size::mib(64), "64 MiB".parse()?);
/// assert_eq!(Size::mib(64).to_string(), "64 MiB");
/// # Ok::<(), snowglobe_model::topology::SizeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(u64);

const UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl Size {
    /// Returns a size of `n` bytes.
    pub const fn bytes(n: u64) -> Self {
        Size(n)
    }

    /// Returns a size of `n` times 1,024 bytes.
    pub const fn kib(n: u64) -> Self {
        Size(n.saturating_mul(1 << 10))
    }

    /// Returns a size of `n` times 1,024² bytes.
    pub const fn mib(n: u64) -> Self {
        Size(n.saturating_mul(1 << 20))
    }

    /// Returns a size of `n` times 1,024³ bytes.
    pub const fn gib(n: u64) -> Self {
        Size(n.saturating_mul(1 << 30))
    }

    /// Returns the number of bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |shift: &u32| self.0 != 0 && self.0.trailing_zeros() >= *shift;
        let (unit, shift) = UNITS
            .iter()
            .find(|(_, shift)| whole(shift))
            .unwrap_or(&UNITS[3]);
        write!(f, "{} {unit}", self.0 >> shift)
    }
}

/// The error that a text is no [`Size`]. It has the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeError(String);

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.escape_debug();
        write!(f, "`{text}` is not a size; write it like `64 MiB`")
    }
}

impl Error for SizeError {}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let bad = || SizeError(text.to_owned());
        let (unit, shift) = UNITS
            .iter()
            .find(|(unit, _)| text.ends_with(unit))
            .ok_or_else(bad)?;
        let number: u64 = text[..text.len() - unit.len()]
            .trim()
            .parse()
            .map_err(|_| bad())?;
        number.checked_mul(1 << shift).map(Size).ok_or_else(bad)
    }
}

impl TryFrom<String> for Size {
    type Error = SizeError;

    fn try_from(text: String) -> Result<Self, SizeError> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> String {
        size.to_string()
    }
}

/// A directory that a node mounts and that is not part of its root filesystem.
///
/// The directory may be anywhere, and is made where it is not there. A node without a root
/// filesystem of its own has the machine's files, which are read-only. There a directory in memory,
/// with the same entries, takes the place of the directory above the mount point. For a volume at
/// `/data` that is the root directory of the node, where programs of the node may then make files.
///
/// ```
/// use snowglobe_model::topology::{NodeSpec, Size, Volume};
///
/// let primary = NodeSpec::new("primary")
///     // Shared by all nodes that mount `site`, and kept across restarts.
///     .volume("/tmp/site", Volume::named("site"))
///     .volume("/tmp/scratch", Volume::tmpfs(Size::mib(64)));
/// # drop(primary);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Volume {
    /// A directory that lives as long as the lab. All nodes that mount the name see the same files.
    Named(String),
    /// Memory of at most this size, for this node alone.
    Tmpfs(Size),
    /// A directory that begins with the files of another one. Writes go to the clone, which lives
    /// as long as the lab, and leave the other directory as it is.
    Clone {
        /// The files of the beginning.
        of: Rootfs,
        /// Name by which nodes share the clone. Without a name, the node has the clone alone.
        name: Option<String>,
    },
    /// The disk of one node, which can break, and which loses in a power cut what was not synced.
    Faulty {
        /// The volume that it is otherwise: one with a name.
        of: Box<Volume>,
        /// The fate of writes that were not synced.
        unsynced: Unsynced,
    },
}

impl Volume {
    /// Returns a volume that lives as long as the lab and is shared by all nodes that mount this
    /// name.
    pub fn named(name: impl Into<String>) -> Self {
        Volume::Named(name.into())
    }

    /// Returns a volume in memory of at most `size`, for the node alone.
    pub fn tmpfs(size: Size) -> Self {
        Volume::Tmpfs(size)
    }

    /// Returns a volume that begins with the files of a fixture or of a directory, for the node
    /// alone.
    ///
    /// Nothing is copied before it is written to (overlayfs), so that the size of the beginning
    /// does not matter. The volume lives as long as the lab, and survives crashes of the node.
    ///
    /// ```
    /// use snowglobe_model::topology::{NodeSpec, Rootfs, Volume};
    ///
    /// let orders = Rootfs::Fixture("orders".into());
    /// let primary = NodeSpec::new("primary")
    ///     .rootfs(Rootfs::Fixture("postgresql".into()))
    ///     .volume("/data", Volume::clone_of(orders));
    /// # drop(primary);
    /// ```
    pub fn clone_of(of: impl Into<Rootfs>) -> Self {
        Volume::Clone {
            of: of.into(),
            name: None,
        }
    }

    /// Returns a volume that begins with the files of a fixture or of a directory, and is shared by
    /// all nodes that mount this name.
    pub fn named_clone(name: impl Into<String>, of: impl Into<Rootfs>) -> Self {
        Volume::Clone {
            of: of.into(),
            name: Some(name.into()),
        }
    }

    /// Returns this volume as the disk of one node, which can break
    /// ([`DiskFault`](crate::disk::DiskFault)), and which loses all that was not synced when the
    /// node crashes. The volume needs a name, by which its faults find it.
    ///
    /// A sync of a file makes its data durable, and all earlier changes to directories: what ext4
    /// promises (`data=ordered`). The data of other files, and what `sync_file_range(2)` alone has
    /// written, is lost. `syncfs(2)` and `sync(2)` make all durable. The files are kept in memory,
    /// at most 1 GiB, and are served through FUSE.
    ///
    /// `fdatasync(2)` takes two answers of the server, one for the data and one for the sync, and
    /// each answer takes two switches between processes: 25 µs together, on a machine where a byte
    /// takes 5 to 12 µs through a pipe and back, and a sync of a disk 2 to 5 ms (two busy cores,
    /// 2026-11-30). A plain volume is a tmpfs, whose sync is empty (0.2 µs; mm/shmem.c,
    /// `noop_fsync`). Any server outside of the kernel is much slower than that, with io_uring as
    /// well, which also takes a setting by root of the host (`fuse.enable_uring`, Linux 6.14).
    ///
    /// A program that has a file open can see one error that no disk has, and so can every program
    /// if the file has several names. If another program is killed in `fallocate(2)`, `rename(2)`,
    /// `link(2)`, `unlink(2)` or `munmap(2)` of the file, the next `fsync(2)` or `fdatasync(2)` may
    /// return `EINTR`, once. The kernel takes back the request by which it tells the disk of the
    /// file's times, and keeps the error as that of a write (fs/fuse/dir.c,
    /// `fuse_flush_time_update`; fs/fuse/file.c, `fuse_vma_close`). The data are written all the
    /// same, and a second call makes them durable: std of Rust and `os.File` of Go call again by
    /// themselves. A program that opens the file when nobody else has it open, by its only name,
    /// does not see the error. A descriptor with `O_PATH` that leads to the file from before cannot
    /// open the file any more then (`ESTALE`).
    pub fn with_faults(self) -> Self {
        self.with_unsynced(Unsynced::Lost)
    }

    /// Returns this volume with faults, as [`with_faults`](Self::with_faults) does, and says what a
    /// crash of the node does to writes that were not synced.
    pub fn with_unsynced(self, unsynced: Unsynced) -> Self {
        let of = match self {
            Volume::Faulty { of, .. } => of,
            other @ (Volume::Named(_) | Volume::Tmpfs(_) | Volume::Clone { .. }) => Box::new(other),
        };
        Volume::Faulty { of, unsynced }
    }

    /// Returns the name of the volume, if it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Volume::Named(name) => Some(name),
            Volume::Clone { name, .. } => name.as_deref(),
            Volume::Tmpfs(_) => None,
            Volume::Faulty { of, .. } => of.name(),
        }
    }
}

/// The origin of the files of a [`Mount`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MountSource {
    /// A volume.
    Volume(Volume),
    /// A directory or file of the workspace.
    Bind(PathBuf),
}

/// A directory or file that is mounted in a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "MountText", into = "MountText")]
pub struct Mount {
    /// The absolute path in the node.
    pub at: String,
    /// The files that the node sees there.
    pub source: MountSource,
    /// Whether the node can only read the files.
    pub read_only: bool,
}

/// Text form of a mount: `{ at = "/tmp/site", volume = "site" }`, or `{ at = "/data", clone = {
/// fixture = "orders" } }`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MountText {
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tmpfs: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bind: Option<PathBuf>,
    #[serde(rename = "clone", skip_serializing_if = "Option::is_none")]
    clone_of: Option<Rootfs>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    /// `faults = "lost"`: a volume with faults, and what becomes of writes that were not synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<Unsynced>,
}

/// The reason why a text form is no [`Mount`]. Each variant has the path in the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountError {
    /// The files of the mount come from nowhere, or from several places.
    Source(String),
    /// A bind is to have faults.
    FaultyBind(String),
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(at) => write!(
                f,
                "mount `{at}` needs exactly one of `volume`, `tmpfs`, `bind` and `clone`; only `volume` can stand beside `clone`"
            ),
            Self::FaultyBind(at) => write!(
                f,
                "mount `{at}` is a bind, which cannot have `faults`; only a volume can"
            ),
        }
    }
}

impl Error for MountError {}

impl TryFrom<MountText> for Mount {
    type Error = MountError;

    fn try_from(text: MountText) -> Result<Self, MountError> {
        let source = match (text.volume, text.tmpfs, text.bind, text.clone_of) {
            (Some(name), None, None, None) => MountSource::Volume(Volume::Named(name)),
            (None, Some(size), None, None) => MountSource::Volume(Volume::Tmpfs(size)),
            (None, None, Some(path), None) => MountSource::Bind(path),
            (name, None, None, Some(of)) => MountSource::Volume(Volume::Clone { of, name }),
            _ => return Err(MountError::Source(text.at)),
        };
        let source = match (text.faults, source) {
            (None, source) => source,
            (Some(unsynced), MountSource::Volume(volume)) => {
                MountSource::Volume(volume.with_unsynced(unsynced))
            }
            (Some(_), MountSource::Bind(_)) => return Err(MountError::FaultyBind(text.at)),
        };
        Ok(Mount {
            at: text.at,
            source,
            read_only: text.read_only,
        })
    }
}

impl From<Mount> for MountText {
    fn from(mount: Mount) -> Self {
        let (mut volume, mut tmpfs, mut bind, mut clone_of) = (None, None, None, None);
        let (source, faults) = match mount.source {
            MountSource::Volume(Volume::Faulty { of, unsynced }) => {
                (MountSource::Volume(*of), Some(unsynced))
            }
            source @ (MountSource::Volume(_) | MountSource::Bind(_)) => (source, None),
        };
        match source {
            // `with_unsynced` wraps a volume once.
            MountSource::Volume(Volume::Faulty { .. }) => {}
            MountSource::Volume(Volume::Named(name)) => volume = Some(name),
            MountSource::Volume(Volume::Tmpfs(size)) => tmpfs = Some(size),
            MountSource::Volume(Volume::Clone { of, name }) => {
                (clone_of, volume) = (Some(of), name)
            }
            MountSource::Bind(path) => bind = Some(path),
        }
        MountText {
            at: mount.at,
            volume,
            tmpfs,
            bind,
            clone_of,
            read_only: mount.read_only,
            faults,
        }
    }
}

/// The root filesystem of a node. An overlay keeps it unchanged: everything that the node writes
/// vanishes with the node.
///
/// [`From`] makes a root filesystem of a path, and of a `&Fixture`, for which the crate of fixtures
/// has that conversion.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rootfs {
    /// A fixture, by name.
    Fixture(String),
    /// A directory of the workspace.
    Path(PathBuf),
}

impl From<&str> for Rootfs {
    fn from(path: &str) -> Self {
        Rootfs::Path(path.into())
    }
}

impl From<&Path> for Rootfs {
    fn from(path: &Path) -> Self {
        Rootfs::Path(path.into())
    }
}

impl From<PathBuf> for Rootfs {
    fn from(path: PathBuf) -> Self {
        Rootfs::Path(path)
    }
}
