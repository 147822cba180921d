//! Descriptors and files by bare system calls, for processes that must not touch the heap or the
//! owners.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsString};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};
use nix::sys::stat::Mode;
pub use nix::unistd::{read, write};

use crate::Result;

/// Device and inode of an open file. Descriptors with the same identity lead to the same file, pipe
/// or terminal (`stat(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// Returns the identity of the file to which `fd` leads, or `None` if `fd` is closed.
    pub fn of(fd: impl AsFd) -> Option<Self> {
        let stat = nix::sys::stat::fstat(fd).ok()?;
        Some(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }
}

/// Makes `to` (0, 1 or 2) a copy of `from` that is kept across `exec`.
///
/// # Errors
/// `from` is not open.
pub fn replace_standard(from: BorrowedFd<'_>, to: RawFd) -> Result<()> {
    // dup2 closes what was there, so any other number might be a descriptor that somebody owns.
    debug_assert!((0..=2).contains(&to));
    // Unlike its source, the copy of dup2(2) is not close-on-exec.
    // SAFETY: the numbers 0, 1 and 2 are nobody's property in the processes that call this.
    let done = unsafe { libc::dup2(from.as_raw_fd(), to) };
    Errno::result(done).map(drop)
}

/// Makes a descriptor refer to what another one refers to, whoever holds the number of the first.
///
/// # Errors
/// One of the descriptors is being made or closed at this moment (`EBUSY`).
pub fn refer_to(fd: &OwnedFd, what: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the number stays open and stays the property of its owner; only what it refers to
    // changes, in one step (dup3(2)).
    let done = unsafe { libc::dup3(what.as_raw_fd(), fd.as_raw_fd(), libc::O_CLOEXEC) };
    Errno::result(done).map(drop)
}

/// Closes descriptors in a copy of a process that will never use or drop their owners.
#[inline]
pub fn close_in_copy(fds: &[BorrowedFd<'_>]) {
    for fd in fds {
        // SAFETY: the caller promises that nobody uses the descriptors any more.
        unsafe { libc::close(fd.as_raw_fd()) };
    }
}

/// Closes every descriptor but 0, 1, 2 and those in `kept`, for a process that will never drop
/// their owners.
///
/// # Errors
/// The kernel is older than Linux 5.9 and has no `close_range(2)`.
pub fn close_all_but(kept: &[RawFd]) -> Result<()> {
    let mut kept: Vec<u32> = kept.iter().map(|fd| fd.cast_unsigned()).collect();
    kept.sort_unstable();
    // One call for each gap between kept descriptors, however many are open.
    let mut from = 3;
    for kept in kept.into_iter().chain([u32::MAX]) {
        if kept > from {
            // SAFETY: the caller promises that nobody uses the descriptors any more.
            let done = unsafe { libc::syscall(libc::SYS_close_range, from, kept - 1, 0u32) };
            Errno::result(done)?;
        }
        // `kept` may name a descriptor twice, or one below 3.
        from = from.max(kept.saturating_add(1));
    }
    Ok(())
}

/// Closes stdout and stderr of a process that will write nothing any more.
pub fn close_output() {
    for number in [1, 2] {
        // SAFETY: as in `replace_standard`.
        unsafe { libc::close(number) };
    }
}

/// Returns the descriptors other than 0, 1 and 2 that the process `parent` has too, with the same
/// number and the same open file. Returns nothing if the calling process has any other, or if the
/// kernel does not tell.
pub fn shared_with(parent: i32) -> Option<Vec<RawFd>> {
    let place = Path::new("/proc/self/fd");
    // The size of the directory is the number of descriptors, since Linux 6.2 (proc_pid_fd(5)).
    if std::fs::metadata(place).ok()?.len() == 3 {
        return Some(Vec::new());
    }
    let entries = std::fs::read_dir(place).ok()?.flatten();
    let numbers: Vec<RawFd> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    // SAFETY: the call has no pointers. The descriptor of the directory is closed by now.
    let is_open = |number: &RawFd| unsafe { libc::fcntl(*number, libc::F_GETFD) } >= 0;
    let others = numbers.into_iter().filter(|number| *number > 2);
    let others: Vec<RawFd> = others.filter(is_open).collect();
    let is_shared = |number: &RawFd| is_same_file(parent, *number);
    others.iter().all(is_shared).then_some(others)
}

/// Returns whether a descriptor refers to the same open file here and in another process
/// (`kcmp(2)`, KCMP_FILE).
fn is_same_file(pid: i32, number: RawFd) -> bool {
    const KCMP_FILE: i32 = 0;
    let own = std::process::id();
    // SAFETY: the call has no pointers.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, own, pid, KCMP_FILE, number, number) };
    order == 0
}

/// Opens an existing file for writing.
///
/// # Errors
/// There is no such file, or the caller may not write to it.
pub(crate) fn open_to_write(path: &CStr) -> Result<OwnedFd> {
    // SAFETY: the path is a C string that lives across the call.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    // SAFETY: the kernel has just made this descriptor for us.
    Errno::result(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens the file of a descriptor once more, to write to it without waiting. The flag for that is
/// of the new open file alone (`open(2)`, O_NONBLOCK), whoever shares the other one.
///
/// # Errors
/// The user may not open the file, as a terminal after `su`.
pub fn open_to_write_at_once(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    nix::fcntl::open(path.as_str(), flags, Mode::empty())
}

/// Writes `text` to an existing file in one piece, as files of procfs demand.
///
/// # Errors
/// There is no such file, or the file refuses the text.
pub fn write_file(path: &CStr, text: &str) -> Result<()> {
    let file = open_to_write(path)?;
    // SAFETY: the text lives across the call, and its length is its own.
    let done = unsafe { libc::write(file.as_raw_fd(), text.as_ptr().cast(), text.len()) };
    Errno::result(done).map(drop)
}

/// Writes `text` to an existing file of a directory, as [`write_file`] does. The path ends with a
/// zero byte.
///
/// # Errors
/// There is no such file, or the file refuses the text.
pub fn write_file_in(directory: BorrowedFd<'_>, path: &str, text: &str) -> Result<()> {
    let path = CStr::from_bytes_with_nul(path.as_bytes()).map_err(|_| Errno::EINVAL)?;
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    // SAFETY: the path is a C string that lives across the call.
    let fd = unsafe { libc::openat(directory.as_raw_fd(), path.as_ptr(), flags) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just made this descriptor for us.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    // In one piece: the kernel takes no second write to some files of procfs, as to the maps of ids
    // (user_namespaces(7)).
    match write(&file, text.as_bytes())? {
        all if all == text.len() => Ok(()),
        _ => Err(Errno::EIO),
    }
}

/// Makes a file that everybody may read, of these parts.
///
/// # Errors
/// The directory cannot be written to, or is full.
pub fn create_file<const N: usize>(path: &CStr, parts: [&[u8]; N]) -> Result<()> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC;
    // SAFETY: the path is a C string that lives across the call.
    let fd = Errno::result(unsafe { libc::open(path.as_ptr(), flags, 0o644) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    for part in parts {
        let mut rest = part;
        while !rest.is_empty() {
            rest = &rest[write(&file, rest)?..];
        }
    }
    Ok(())
}

/// Writes these parts to an existing file in the place of what it has, and makes it root's again,
/// to be read by everybody.
///
/// # Errors
/// There is no such file, or the filesystem is full.
pub fn write_anew(path: &CStr, parts: [&[u8]; 2]) -> Result<()> {
    // Not O_TRUNC, which gives back the file's page: 7 µs (measured for this project, 2026-11).
    let file = open_to_write(path)?;
    let before = nix::sys::stat::fstat(&file)?;
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let pieces = parts.map(|part| libc::iovec {
        iov_base: part.as_ptr().cast_mut().cast(),
        iov_len: part.len(),
    });
    // SAFETY: the pieces live across the call, and are only read.
    let done = unsafe { libc::writev(file.as_raw_fd(), pieces.as_ptr(), 2) };
    if Errno::result(done)? as usize != length {
        return Err(Errno::ENOSPC);
    }
    // Whoever had the file before was its root, and may have changed all of this.
    if before.st_size != length as libc::off_t {
        nix::unistd::ftruncate(&file, length as libc::off_t)?;
    }
    if before.st_mode & 0o7777 != 0o644 {
        nix::sys::stat::fchmod(&file, Mode::from_bits_truncate(0o644))?;
    }
    if (before.st_uid, before.st_gid) != (0, 0) {
        nix::unistd::fchown(&file, Some(0.into()), Some(0.into()))?;
    }
    Ok(())
}

/// Makes a pipe, and returns its ends: first the one to read from, then the one to write to. Both
/// are closed across `exec`.
///
/// # Errors
/// There are too many descriptors.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC)
}

/// Makes reads and writes return at once where they would wait, or wait again.
///
/// The setting belongs to the open file description, which other processes may share (`fcntl(2)`).
///
/// # Errors
/// The kernel refused the setting.
pub fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> Result<()> {
    let flags = if on {
        OFlag::O_NONBLOCK
    } else {
        OFlag::empty()
    };
    fcntl(fd, FcntlArg::F_SETFL(flags)).map(drop)
}

/// Opens a directory as a place only, which needs no permission to read it (`open(2)`, `O_PATH`).
///
/// # Errors
/// There is no such directory, or it cannot be reached.
pub fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::open(path, flags, Mode::empty())
}

/// Tells whether the descriptor refers to a directory.
pub fn is_directory(fd: BorrowedFd<'_>) -> bool {
    nix::sys::stat::fstat(fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

/// Makes a socket that is a member of a multicast group on the interface with this index (`ip(7)`,
/// `IP_ADD_MEMBERSHIP`; `ipv6(7)`). The socket has no port, so that it receives nothing.
///
/// # Errors
/// There is no such interface in the thread's network namespace.
pub fn member_of(group: IpAddr, index: u32) -> Result<OwnedFd> {
    let family = match group {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    match group {
        IpAddr::V4(group) => {
            let request = libc::ip_mreqn {
                imr_multiaddr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(group.octets()),
                },
                imr_address: libc::in_addr { s_addr: 0 },
                imr_ifindex: index.cast_signed(),
            };
            set_option(&socket, libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, &request)?;
        }
        IpAddr::V6(group) => {
            let request = libc::ipv6_mreq {
                ipv6mr_multiaddr: libc::in6_addr {
                    s6_addr: group.octets(),
                },
                ipv6mr_interface: index,
            };
            let option = libc::IPV6_ADD_MEMBERSHIP;
            set_option(&socket, libc::IPPROTO_IPV6, option, &request)?;
        }
    }
    Ok(socket)
}

/// Makes a socket that has an anycast address of IPv6 on the interface with this index
/// (`IPV6_JOIN_ANYCAST`, linux/in6.h). The socket has no port, so that it receives nothing.
///
/// # Errors
/// There is no such interface in the thread's network namespace, or the thread lacks
/// `CAP_NET_ADMIN` there.
pub fn anycast_member_of(address: IpAddr, index: u32) -> Result<OwnedFd> {
    const IPV6_JOIN_ANYCAST: i32 = 27;
    let IpAddr::V6(address) = address else {
        return Err(Errno::EAFNOSUPPORT);
    };
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet6, SockType::Datagram, flags, None)?;
    let request = libc::ipv6_mreq {
        ipv6mr_multiaddr: libc::in6_addr {
            s6_addr: address.octets(),
        },
        ipv6mr_interface: index,
    };
    set_option(&socket, libc::IPPROTO_IPV6, IPV6_JOIN_ANYCAST, &request)?;
    Ok(socket)
}

/// Sets an option whose value is a structure of the kernel without pointers.
pub(crate) fn set_option<T>(socket: &OwnedFd, level: i32, option: i32, value: &T) -> Result<()> {
    // SAFETY: the pointer and the length describe one live value of the type that the option takes.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

/// Makes a socket send and receive through one interface only (`socket(7)`, `SO_BINDTODEVICE`).
///
/// # Errors
/// There is no such interface in the socket's network namespace.
pub fn bind_to_interface(socket: &impl AsFd, name: &str) -> Result<()> {
    setsockopt(socket, sockopt::BindToDevice, &OsString::from(name))
}
