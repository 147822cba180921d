//! Channels between processes that do not descend from each other.
//!
//! Such processes meet under a name in the abstract namespace of Unix sockets (`unix(7)`), which
//! belongs to a network namespace and in which nothing remains of a process that has ended.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect, getsockopt,
    listen, socket, sockopt,
};

use crate::message_channel::MessageChannel;

/// A name at which processes can ask for a channel.
#[derive(Debug)]
pub struct NamedListener(OwnedFd);

impl NamedListener {
    /// Takes a name.
    ///
    /// # Errors
    /// `EADDRINUSE` if another process has the name.
    pub fn bind(name: &str) -> crate::Result<Self> {
        let socket = unix_socket()?;
        bind(
            socket.as_raw_fd(),
            &UnixAddr::new_abstract(name.as_bytes())?,
        )?;
        listen(&socket, Backlog::MAXCONN)?;
        Ok(Self(socket))
    }

    /// Returns the channel to the next process that has asked for one, and waits for it.
    ///
    /// # Errors
    /// There are too many descriptors.
    #[allow(unsafe_code)]
    pub fn accept(&self) -> crate::Result<MessageChannel> {
        let fd = accept4(self.0.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(MessageChannel::from(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

impl AsFd for NamedListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for NamedListener {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// Asks the process that has the name for a channel. The channel can be used at once; the other
/// process accepts it later.
///
/// # Errors
/// `ECONNREFUSED` if no process has the name, `EPERM` if the process belongs to another user.
pub fn ask_for_channel(name: &str) -> crate::Result<MessageChannel> {
    let socket = unix_socket()?;
    connect(
        socket.as_raw_fd(),
        &UnixAddr::new_abstract(name.as_bytes())?,
    )?;
    // The names are everybody's, and the kernel knows who has taken this one (unix(7),
    // SO_PEERCRED).
    let peer = getsockopt(&socket, sockopt::PeerCredentials)?;
    if peer.uid() != nix::unistd::geteuid().as_raw() {
        return Err(Errno::EPERM);
    }
    Ok(MessageChannel::from(socket))
}

fn unix_socket() -> crate::Result<OwnedFd> {
    socket(
        AddressFamily::Unix,
        SockType::SeqPacket,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_meet_under_a_name_that_one_of_them_has() {
        let name = format!("snowglobe-test-{}", std::process::id());
        assert_eq!(ask_for_channel(&name).unwrap_err(), Errno::ECONNREFUSED);
        let listener = NamedListener::bind(&name).unwrap();
        assert_eq!(NamedListener::bind(&name).unwrap_err(), Errno::EADDRINUSE);
        let ours = ask_for_channel(&name).unwrap();
        let theirs = listener.accept().unwrap();
        theirs.send(b"hello").unwrap();
        assert_eq!(ours.receive(&mut [0; 16]).unwrap(), b"hello");
        drop(listener);
        assert_eq!(ask_for_channel(&name).unwrap_err(), Errno::ECONNREFUSED);
    }
}
