//! Unix sockets that have a name, each with the file that the name stands for.
//!
//! A path alone does not say which file it is: the processes of a network namespace may be in
//! several mount namespaces, a path may be relative, and a file may be left from a server that is
//! dead. So the kernel is asked which file each socket is bound to (`sock_diag(7)`).

use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::libc;
use nix::sys::stat::{Mode, fstat, major, minor};

use super::connection::Netlink;
use super::encoding::{self, Message};
use super::error::NetlinkError;
use super::socket::{NetlinkProtocol, NetlinkSocket};
use crate::netns::Netns;

/// The file of a socket, as the kernel numbers files for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketFile {
    device: u32,
    inode: u32,
}

impl SocketFile {
    /// Finds the socket at `path` below the root directory of a process. Returns nothing if there
    /// is no file, or a file of another kind.
    pub fn find(process: u32, path: &Path) -> Option<Self> {
        let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = format!("/proc/{process}/root");
        let root = open(root.as_str(), directory, Mode::empty()).ok()?;
        // Symbolic links of the node lead to files of the node (openat2(2), RESOLVE_IN_ROOT).
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT);
        let found = fstat(openat2(&root, path, how).ok()?).ok()?;
        // Inside the kernel a device number has 12 bits for the major number and 20 for the minor
        // (include/linux/kdev_t.h, MKDEV).
        let device = major(found.st_dev) << 20 | minor(found.st_dev);
        (found.st_mode & libc::S_IFMT == libc::S_IFSOCK).then_some(Self {
            device: device as u32,
            // The kernel tells 32 bits of an inode number (net/unix/diag.c, sk_diag_dump_vfs).
            inode: found.st_ino as u32,
        })
    }
}

/// A Unix socket at which a server is ready for clients: it listens, or takes datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyUnixSocket {
    /// Path, or the abstract name with `@` in front.
    pub name: String,
    /// The file, unless the name is an abstract one.
    pub file: Option<SocketFile>,
}

/// Lists the Unix sockets of a network namespace that have a name and are ready for clients.
///
/// # Errors
/// The kernel refused the socket or the list.
pub fn ready_unix_sockets(netns: BorrowedFd<'_>) -> Result<Vec<ReadyUnixSocket>, NetlinkError> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    let refused =
        |errno: Errno| NetlinkError::refused("open", "a socket diagnosis socket", errno, None);
    let socket = Netns::visit(netns, || {
        NetlinkSocket::open(NetlinkProtocol::SocketDiagnosis)
    })
    .and_then(|opened| opened)
    .map_err(refused)?;
    Netlink::from_socket(socket).dump(
        "list the Unix sockets of",
        SOCK_DIAG_BY_FAMILY,
        &request(),
        entry,
    )
}

/// Returns a `struct unix_diag_req` for every state, with name and file.
fn request() -> Vec<u8> {
    const UDIAG_SHOW_NAME: u32 = 1;
    const UDIAG_SHOW_VFS: u32 = 2;
    let mut request = vec![libc::AF_UNIX as u8, 0, 0, 0];
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(0u32.to_ne_bytes());
    request.extend((UDIAG_SHOW_NAME | UDIAG_SHOW_VFS).to_ne_bytes());
    request.extend([0; 8]);
    request
}

/// Reads a `struct unix_diag_msg` and its attributes.
fn entry(message: &Message<'_>) -> Option<ReadyUnixSocket> {
    const UNIX_DIAG_NAME: u16 = 0;
    const UNIX_DIAG_VFS: u16 = 1;
    /// `TCP_LISTEN` of `net/tcp_states.h`, which Unix sockets use too.
    const LISTEN: u8 = 10;
    let head = message.payload.get(..16)?;
    let attributes = &message.payload[16..];
    let datagrams = i32::from(head[1]) == libc::SOCK_DGRAM;
    let name = encoding::find(attributes, UNIX_DIAG_NAME).filter(|name| !name.is_empty())?;
    let file = encoding::find(attributes, UNIX_DIAG_VFS).and_then(|file| {
        Some(SocketFile {
            inode: encoding::u32_at(file, 0)?,
            device: encoding::u32_at(file, 4)?,
        })
    });
    (datagrams || head[2] == LISTEN).then(|| ReadyUnixSocket {
        name: super::diag::unix_name(name),
        file,
    })
}
