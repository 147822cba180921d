//! The device by which a program is a filesystem, and the mount.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount as mount_at};

use crate::errno::errno;

/// The device, which a trial has where its host permits.
pub const DEVICE: &str = "/dev/fuse";

/// Most bytes of one write. The kernel sends no more than 256 pages (`FUSE_MAX_MAX_PAGES`,
/// fs/fuse/fuse_i.h, before Linux 6.13 fixed and since then the default of a sysctl).
pub const MAX_WRITE: usize = 1 << 20;

/// Length of a buffer for any request: a write with its two headers, and room.
const BUFFER: usize = MAX_WRITE + 4096;

/// Opens the device.
///
/// # Errors
/// The trial has no such device, or may not open it.
pub fn open() -> std::io::Result<OwnedFd> {
    File::options()
        .read(true)
        .write(true)
        .open(DEVICE)
        .map(OwnedFd::from)
}

/// Mounts the filesystem of whoever serves `device` at `target`.
///
/// # Errors
/// The thread lacks `CAP_SYS_ADMIN`, or is in another user namespace than the one that opened the
/// device (fs/fuse/inode.c, `fuse_fill_super`).
pub fn mount(device: &OwnedFd, target: &Path) -> crate::Result<()> {
    // The kernel checks permissions itself, by the modes and owners that it is told, for all users
    // of the namespaces (Documentation/filesystems/fuse.rst, default_permissions and allow_other).
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions",
        device.as_raw_fd()
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_at(
        Some("snowglobe"),
        target,
        Some("fuse"),
        flags,
        Some(options.as_str()),
    )
}

/// A mounted filesystem as its server sees it. Threads share it.
#[derive(Debug)]
pub struct Connection(File);

impl Connection {
    /// Returns the connection of an open device.
    pub fn new(device: OwnedFd) -> Self {
        Self(File::from(device))
    }

    /// Returns a buffer for [`next`](Self::next).
    pub fn buffer() -> Vec<u8> {
        vec![0; BUFFER]
    }

    /// Waits for the next request, and returns its bytes
    /// ([`Request::parse`](super::Request::parse)). Returns nothing once the filesystem is mounted
    /// nowhere any more.
    pub fn next<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        loop {
            match (&self.0).read(buffer).map_err(|error| errno(&error)) {
                Ok(length) => return Some(&buffer[..length]),
                // ENOENT: the request was taken back before it was read (fs/fuse/dev.c).
                Err(Errno::EINTR | Errno::EAGAIN | Errno::ENOENT) => {}
                Err(_) => return None,
            }
        }
    }

    /// Answers a request with bytes.
    pub fn answer(&self, unique: u64, bytes: &[u8]) {
        self.send(unique, 0, bytes);
    }

    /// Answers a request with an error number.
    pub fn refuse(&self, unique: u64, errno: Errno) {
        self.send(unique, -(errno as i32), &[]);
    }

    /// Makes the kernel drop the attributes and the pages of an inode from its caches. The kernel
    /// writes dirty pages first, so another thread has to serve requests meanwhile.
    pub fn forget_inode(&self, number: u64) {
        // The notice is FUSE_NOTIFY_INVAL_INODE (linux/fuse.h). With an offset below zero the
        // kernel would keep the pages.
        let offset: i64 = 0;
        let mut notice = Vec::with_capacity(24);
        notice.extend(number.to_ne_bytes());
        notice.extend(offset.to_ne_bytes());
        notice.extend(0i64.to_ne_bytes());
        // The kernel may not know the inode (ENOENT), which is as well.
        self.send(0, 2, &notice);
    }

    /// Tells the kernel that what it knows of a name is old.
    pub fn forget_name(&self, directory: u64, name: &[u8]) {
        // The notice is FUSE_NOTIFY_INVAL_ENTRY (linux/fuse.h).
        let mut notice = Vec::with_capacity(17 + name.len());
        notice.extend(directory.to_ne_bytes());
        notice.extend((name.len() as u32).to_ne_bytes());
        notice.extend(0u32.to_ne_bytes());
        notice.extend(name);
        notice.push(0);
        self.send(0, 3, &notice);
    }

    fn send(&self, unique: u64, code: i32, bytes: &[u8]) {
        let mut header = [0; 16];
        header[..4].copy_from_slice(&(16 + bytes.len() as u32).to_ne_bytes());
        header[4..8].copy_from_slice(&code.to_ne_bytes());
        header[8..].copy_from_slice(&unique.to_ne_bytes());
        // A request whose caller has been killed meanwhile takes no answer (ENOENT).
        let _ = (&self.0).write_vectored(&[IoSlice::new(&header), IoSlice::new(bytes)]);
    }
}
