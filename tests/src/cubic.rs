//! TCP sockets that use cubic, for benchmarks.

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{self, Backlog, SockFlag, SockType, SockaddrStorage, sockopt};

/// Connects to this address by a socket that has used cubic from the start.
///
/// A host may have BBR as its default. A socket that was BBR's at any time paces what it sends by a
/// timer for the rest of its life, whatever is chosen later (net/ipv4/tcp_bbr.c, bbr_init, sets
/// `sk_pacing_status`, and nothing sets it back).
pub fn connect(to: impl Into<SocketAddr>) -> io::Result<TcpStream> {
    let to = SockaddrStorage::from(to.into());
    let socket = tcp_socket(&to)?;
    socket::connect(socket.as_raw_fd(), &to)?;
    Ok(socket.into())
}

/// Listens at this address by a socket that has used cubic from the start, and whose connections
/// use cubic.
pub fn listen(at: impl Into<SocketAddr>) -> io::Result<TcpListener> {
    let at = SockaddrStorage::from(at.into());
    let socket = tcp_socket(&at)?;
    socket::bind(socket.as_raw_fd(), &at)?;
    socket::listen(&socket, Backlog::MAXCONN)?;
    Ok(socket.into())
}

fn tcp_socket(address: &SockaddrStorage) -> io::Result<OwnedFd> {
    use nix::sys::socket::SockaddrLike;
    let family = address.family().ok_or(io::ErrorKind::InvalidInput)?;
    let socket = socket::socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    socket::setsockopt(&socket, sockopt::TcpCongestion, &OsString::from("cubic"))?;
    Ok(socket)
}
