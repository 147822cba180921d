//! What each request of the kernel means to the disk.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::kernel::errno::Errno;
use crate::kernel::fuse::{
    FileAttributes, FuseOperation, Request, SetAttributes, attributes, entry, list_entry, offset,
    opened, space, written,
};
use crate::model::disk::{
    BLOCK, Disk, DiskError, Entry, FileAccess, FileTime, FileType, InodeAttributes, InodeChange,
    InodeOrigin, RenameTarget, SeekTarget,
};

use super::node_ids::{NodeIds, inode_of};
use crate::kernel::sync::Lock;

/// The answer to a request.
pub(super) enum DiskAnswer {
    Bytes(Vec<u8>),
    Refused(Errno),
    /// The kernel waits for none.
    Nothing,
}

const OK: DiskAnswer = DiskAnswer::Bytes(Vec::new());

impl From<DiskError> for DiskAnswer {
    fn from(error: DiskError) -> Self {
        Self::Refused(match error {
            DiskError::NotFound => Errno::ENOENT,
            DiskError::Exists => Errno::EEXIST,
            DiskError::NotDirectory => Errno::ENOTDIR,
            DiskError::IsDirectory => Errno::EISDIR,
            DiskError::NotEmpty => Errno::ENOTEMPTY,
            DiskError::Full => Errno::ENOSPC,
            DiskError::ReadOnly => Errno::EROFS,
            DiskError::Io => Errno::EIO,
            DiskError::NameTooLong => Errno::ENAMETOOLONG,
            DiskError::Invalid => Errno::EINVAL,
            DiskError::NoData => Errno::ENXIO,
            DiskError::Unsupported => Errno::EOPNOTSUPP,
        })
    }
}

fn now() -> FileTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default();
    FileTime {
        seconds: since.as_secs(),
        nanos: since.subsec_nanos(),
    }
}

/// Returns attributes as the kernel is told them.
fn told(file: &InodeAttributes) -> FileAttributes {
    FileAttributes {
        number: file.number,
        size: file.size,
        sectors: file.sectors,
        times: file.times.map(|time| (time.seconds, time.nanos)),
        mode: file.mode,
        links: file.links,
        uid: file.uid,
        gid: file.gid,
        device: file.device,
    }
}

/// Reads the access out of the flags of open(2): O_RDONLY is 0, O_WRONLY and O_RDWR are not.
fn access(flags: u32) -> FileAccess {
    match flags & 3 {
        0 => FileAccess::Read,
        // An open for writing is refused before a write, as on a read-only mount (open(2), EROFS).
        _ => FileAccess::Write,
    }
}

/// Reads the `whence` of lseek(2).
fn seek_target(whence: u32) -> SeekTarget {
    match whence {
        3 => SeekTarget::Data,
        // The kernel answers all but SEEK_DATA and SEEK_HOLE by itself (fs/fuse/file.c,
        // fuse_file_llseek).
        _ => SeekTarget::Hole,
    }
}

/// Does what a request asks for.
pub(super) fn perform(
    disk: &mut Disk,
    node_ids: &Lock<NodeIds>,
    request: &Request<'_>,
) -> DiskAnswer {
    match attempt(disk, node_ids, request) {
        Ok(answer) => answer,
        Err(error) => DiskAnswer::from(error),
    }
}

type Attempted = Result<DiskAnswer, DiskError>;

fn attempt(disk: &mut Disk, node_ids: &Lock<NodeIds>, request: &Request<'_>) -> Attempted {
    let inode = inode_of(request.inode);
    Ok(match &request.operation {
        FuseOperation::Lookup { name } => {
            DiskAnswer::Bytes(found(disk, node_ids, &disk.lookup(inode, name)?))
        }
        FuseOperation::GetAttributes { .. } => known(disk, &disk.attributes(inode)?),
        FuseOperation::SetAttributes(set) => {
            let file = disk.change(inode, &change(set))?;
            known(disk, &file)
        }
        FuseOperation::ReadLink => DiskAnswer::Bytes(disk.target(inode)?.to_vec()),
        FuseOperation::Open { flags } => {
            disk.open(inode, access(*flags))?;
            DiskAnswer::Bytes(opened(0).to_vec())
        }
        FuseOperation::Release => {
            disk.release(inode);
            OK
        }
        FuseOperation::Read { offset: at, length } => {
            let mut bytes = Vec::with_capacity(*length as usize);
            disk.read(inode, *at, *length as usize, &mut bytes)?;
            DiskAnswer::Bytes(bytes)
        }
        FuseOperation::Write {
            offset: at,
            bytes,
            cached,
            flags,
        } => {
            // The kernel keeps the times of what it has in its cache.
            let modified = if *cached { None } else { Some(now()) };
            disk.write(inode, *at, bytes, modified)?;
            // O_DSYNC, whose bit O_SYNC has too.
            if !cached && flags & 0o10_000 != 0 {
                disk.sync(inode)?;
            }
            DiskAnswer::Bytes(written(bytes.len()).to_vec())
        }
        FuseOperation::Sync { .. } => {
            disk.sync(inode)?;
            OK
        }
        FuseOperation::StatFilesystem => {
            let (blocks, free) = disk.space();
            DiskAnswer::Bytes(space(BLOCK as u32, blocks, free))
        }
        FuseOperation::Allocate {
            offset: at,
            length,
            mode,
        } => {
            disk.allocate(inode, (*at, *length), *mode)?;
            OK
        }
        FuseOperation::Seek { offset: at, whence } => {
            let found = disk.seek(inode, *at, seek_target(*whence))?;
            DiskAnswer::Bytes(offset(found).to_vec())
        }
        FuseOperation::Destroy => OK,
        FuseOperation::SymbolicLink { .. }
        | FuseOperation::MakeNode { .. }
        | FuseOperation::MakeDirectory { .. }
        | FuseOperation::Unlink { .. }
        | FuseOperation::RemoveDirectory { .. }
        | FuseOperation::Rename { .. }
        | FuseOperation::Link { .. }
        | FuseOperation::Create { .. } => return change_names(disk, node_ids, request),
        // The session has answered these, and after ENOSYS the kernel asks for no `Other` again.
        FuseOperation::Init { .. }
        | FuseOperation::Forget
        | FuseOperation::OpenDirectory
        | FuseOperation::ReadDirectory { .. }
        | FuseOperation::ReleaseDirectory { .. }
        | FuseOperation::Other => DiskAnswer::Refused(Errno::ENOSYS),
    })
}

/// Does what changes directories.
fn change_names(disk: &mut Disk, node_ids: &Lock<NodeIds>, request: &Request<'_>) -> Attempted {
    let inode = inode_of(request.inode);
    let now = now();
    let (uid, gid) = (request.uid, request.gid);
    let origin = InodeOrigin { uid, gid, now };
    let mut make = |name: &[u8], kind, mode| disk.make(inode, name, (kind, mode), origin);
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "`attempt` names every operation"
    )]
    let made = match &request.operation {
        FuseOperation::SymbolicLink { name, target } => {
            make(name, FileType::Symlink(target.to_vec()), 0o777)?
        }
        FuseOperation::MakeNode { name, mode, device } => {
            let kind = match mode & 0o170_000 {
                0 | 0o100_000 => FileType::Regular,
                special => FileType::Special(special, *device),
            };
            make(name, kind, *mode)?
        }
        FuseOperation::MakeDirectory { name, mode } => make(name, FileType::Directory, *mode)?,
        FuseOperation::Create { name, mode } => {
            let file = make(name, FileType::Regular, *mode)?;
            disk.open(file.number, FileAccess::Write)?;
            node_ids.lock().note_new(file.number);
            let bytes = [found(disk, node_ids, &file), opened(0).to_vec()].concat();
            return Ok(DiskAnswer::Bytes(bytes));
        }
        FuseOperation::Link { from, name } => disk.link(inode_of(*from), inode, name, now)?,
        FuseOperation::Unlink { name } => {
            disk.remove_file(inode, name, now)?;
            return Ok(OK);
        }
        FuseOperation::RemoveDirectory { name } => {
            disk.remove_directory(inode, name, now)?;
            return Ok(OK);
        }
        FuseOperation::Rename {
            name,
            to,
            new,
            flags,
        } => {
            // RENAME_NOREPLACE and RENAME_EXCHANGE (rename(2)).
            let target = match flags {
                0 => RenameTarget::Replaced,
                1 => RenameTarget::Kept,
                2 => RenameTarget::Exchanged,
                _ => return Err(DiskError::Invalid),
            };
            disk.rename((inode, name), (inode_of(*to), new), target, now)?;
            return Ok(OK);
        }
        _ => return Ok(DiskAnswer::Refused(Errno::ENOSYS)),
    };
    // A link is one more name of a file of old.
    if !matches!(request.operation, FuseOperation::Link { .. }) {
        node_ids.lock().note_new(made.number);
    }
    Ok(DiskAnswer::Bytes(found(disk, node_ids, &made)))
}

fn change(set: &SetAttributes) -> InodeChange {
    let now = now();
    let time = |(seconds, nanos): (u64, u32)| FileTime { seconds, nanos };
    let told_or_now = |told: Option<(u64, u32)>| told.map_or(now, time);
    InodeChange {
        mode: set.mode,
        uid: set.uid,
        gid: set.gid,
        size: set.size,
        accessed: set.accessed.map(told_or_now),
        modified: set.modified.map(told_or_now),
        // The kernel tells this time of regular files alone, whose times it keeps itself.
        changed: Some(set.changed.map_or(now, time)),
    }
}

/// Returns the answer that tells of a file by its name.
fn found(disk: &Disk, node_ids: &Lock<NodeIds>, file: &InodeAttributes) -> Vec<u8> {
    let node_id = node_ids.lock().node_id(file.number);
    entry(node_id, &told(file), may_keep(disk))
}

/// Answers with the attributes of a file.
fn known(disk: &Disk, file: &InodeAttributes) -> DiskAnswer {
    DiskAnswer::Bytes(attributes(&told(file), may_keep(disk)))
}

/// Returns whether the kernel may keep attributes, or is to ask for them before each write.
fn may_keep(disk: &Disk) -> bool {
    !disk.conditions.asks_before_writes()
}

/// Returns the entries from `offset` on, as many as fit `most` bytes.
pub(super) fn list(entries: &[Entry], offset: u64, most: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(most.min(1 << 16));
    let numbered = (offset + 1..).zip(entries.iter().skip(offset as usize));
    for (next, entry) in numbered {
        if !list_entry(
            &mut bytes,
            most,
            (entry.number, entry.mode, next),
            &entry.name,
        ) {
            break;
        }
    }
    bytes
}
