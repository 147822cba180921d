//! Answers to requests, written as the kernel reads them.

use super::device::MAX_WRITE;

/// The attributes of a file that the kernel is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileAttributes {
    /// Number of the inode.
    pub number: u64,
    /// Bytes.
    pub size: u64,
    /// Units of 512 bytes.
    pub sectors: u64,
    /// Seconds and nanoseconds of the last access, modification and change.
    pub times: [(u64, u32); 3],
    /// Type and permissions.
    pub mode: u32,
    /// Number of names.
    pub links: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Number of a device.
    pub device: u32,
}

/// Seconds for which the kernel may keep what it is told: the server says when it changes.
const KEEP: u64 = 3600;

fn put(bytes: &mut Vec<u8>, file: &FileAttributes) {
    let seconds = file.times.map(|(seconds, _)| seconds);
    for word in [file.number, file.size, file.sectors]
        .iter()
        .chain(&seconds)
    {
        bytes.extend(word.to_ne_bytes());
    }
    let nanos = file.times.map(|(_, nanos)| nanos);
    let rest = [
        file.mode,
        file.links,
        file.uid,
        file.gid,
        file.device,
        4096,
        0,
    ];
    for word in nanos.iter().chain(&rest) {
        bytes.extend(word.to_ne_bytes());
    }
}

/// Returns the answer to a look-up: `struct fuse_entry_out`. The kernel asks for the file by
/// `node_id` from now on. `kept` says whether the kernel may keep the attributes.
pub fn entry(node_id: u64, file: &FileAttributes, kept: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(144);
    let attributes_kept = if kept { KEEP } else { 0 };
    for word in [node_id, 0, KEEP, attributes_kept, 0] {
        bytes.extend(u64::to_ne_bytes(word));
    }
    put(&mut bytes, file);
    bytes
}

/// Returns attributes: `struct fuse_attr_out`.
pub fn attributes(file: &FileAttributes, kept: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(104);
    bytes.extend((if kept { KEEP } else { 0 }).to_ne_bytes());
    bytes.extend(0u64.to_ne_bytes());
    put(&mut bytes, file);
    bytes
}

/// Returns the answer to an open: `struct fuse_open_out`. The kernel keeps the pages that it has.
pub fn opened(handle: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&handle.to_ne_bytes());
    // This is FOPEN_KEEP_CACHE of linux/fuse.h.
    bytes[8] = 2;
    bytes
}

/// Returns the answer to a write: `struct fuse_write_out`.
pub fn written(length: usize) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&(length as u32).to_ne_bytes());
    bytes
}

/// Returns the answer to a seek: `struct fuse_lseek_out`.
pub fn offset(offset: u64) -> [u8; 8] {
    offset.to_ne_bytes()
}

/// Returns the space of a filesystem: `struct fuse_statfs_out`.
pub fn space(block: u32, blocks: u64, free: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(80);
    for word in [blocks, free, free, 1 << 20, 1 << 19] {
        bytes.extend(word.to_ne_bytes());
    }
    for word in [block, 255, block, 0] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.resize(80, 0);
    bytes
}

/// Returns the answer to the first request: `struct fuse_init_out`.
pub fn init(asked: u32) -> Vec<u8> {
    // FUSE_ASYNC_READ, FUSE_BIG_WRITES, FUSE_ASYNC_DIO, FUSE_WRITEBACK_CACHE, FUSE_PARALLEL_DIROPS,
    // FUSE_MAX_PAGES. Locks are left to the kernel.
    let wanted = 1 | 1 << 5 | 1 << 15 | 1 << 16 | 1 << 18 | 1 << 22;
    let mut bytes = Vec::with_capacity(64);
    for word in [7, 31, MAX_WRITE as u32, asked & wanted] {
        bytes.extend(word.to_ne_bytes());
    }
    // Requests in the background, and those at which the kernel takes the disk to be busy.
    for half in [64u16, 48] {
        bytes.extend(half.to_ne_bytes());
    }
    bytes.extend((MAX_WRITE as u32).to_ne_bytes());
    bytes.extend(1u32.to_ne_bytes());
    bytes.extend(((MAX_WRITE / 4096) as u16).to_ne_bytes());
    bytes.resize(64, 0);
    bytes
}

/// Appends an entry of a directory, `struct fuse_dirent`, unless `most` bytes would be exceeded.
/// `next` is the offset behind it.
pub fn list_entry(
    bytes: &mut Vec<u8>,
    most: usize,
    (number, mode, next): (u64, u32, u64),
    name: &[u8],
) -> bool {
    let length = (24 + name.len()).next_multiple_of(8);
    if bytes.len() + length > most {
        return false;
    }
    let end = bytes.len() + length;
    bytes.extend(number.to_ne_bytes());
    bytes.extend(next.to_ne_bytes());
    bytes.extend((name.len() as u32).to_ne_bytes());
    // DT_* are the type bits of a mode, shifted (readdir(3)).
    bytes.extend((mode >> 12).to_ne_bytes());
    bytes.extend(name);
    bytes.resize(end, 0);
    true
}
