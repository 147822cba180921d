//! Channels between processes that do not descend from each other.
//!
//! Such processes meet under a name in the abstract namespace of Unix sockets (`unix(7)`), which
//! belongs to a network namespace and in which nothing remains of a process that has ended.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, UnixAddr, accept4, bind, connect,
    getsockopt, listen, shutdown, socket, sockopt,
};

use crate::message_channel::MessageChannel;

/// A name that is taken, and at which nobody can ask for a channel yet.
#[derive(Debug)]
pub struct ClaimedName(OwnedFd);

impl ClaimedName {
    /// Takes a name.
    ///
    /// # Errors
    /// `EADDRINUSE` if another process has the name.
    pub fn take(name: &str) -> crate::Result<Self> {
        let socket = unix_socket()?;
        let address = UnixAddr::new_abstract(name.as_bytes())?;
        bind(socket.as_raw_fd(), &address)?;
        Ok(Self(socket))
    }

    /// Lets processes ask for channels from now on. They learn the user and the number of the
    /// calling process, which need not be the one that has taken the name.
    ///
    /// # Errors
    /// The kernel refuses to listen.
    pub fn listen(self) -> crate::Result<NamedListener> {
        listen(&self.0, Backlog::MAXCONN)?;
        Ok(NamedListener(self.0))
    }
}

impl AsRawFd for ClaimedName {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// A name at which processes can ask for a channel.
#[derive(Debug)]
pub struct NamedListener(OwnedFd);

impl NamedListener {
    /// Takes a name.
    ///
    /// # Errors
    /// `EADDRINUSE` if another process has the name.
    pub fn bind(name: &str) -> crate::Result<Self> {
        ClaimedName::take(name)?.listen()
    }

    /// Lets nobody ask any more: `ECONNREFUSED`. [`accept`](Self::accept) returns the channels of
    /// those who have asked already, and then fails.
    pub fn refuse_others(&self) {
        // Nothing can be done about a refusal, and nobody is worse off than before.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
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

/// A channel to a process that has a name.
#[derive(Debug)]
pub struct NamedPeer {
    /// The channel, which can be used at once; the other process accepts it later.
    pub channel: MessageChannel,
    /// Number of the process that listens at the name, as this PID namespace has it.
    pub pid: i32,
    /// User of that process, as this user namespace has it.
    pub uid: u32,
}

/// Asks the process that has the name for a channel.
///
/// # Errors
/// `ECONNREFUSED` if no process has the name, `EPERM` if the process belongs to another user.
pub fn ask_for_channel(name: &str) -> crate::Result<MessageChannel> {
    let NamedPeer {
        channel,
        pid: _,
        uid,
    } = ask_whoever_listens(name)?;
    // The names are everybody's.
    if uid != nix::unistd::geteuid().as_raw() {
        return Err(Errno::EPERM);
    }
    Ok(channel)
}

/// Asks the process that has the name for a channel, and returns who the process is.
///
/// # Errors
/// `ECONNREFUSED` if no process listens at the name.
pub fn ask_whoever_listens(name: &str) -> crate::Result<NamedPeer> {
    let socket = unix_socket()?;
    connect(
        socket.as_raw_fd(),
        &UnixAddr::new_abstract(name.as_bytes())?,
    )?;
    // The kernel has noted who called listen(2) last (unix(7), SO_PEERCRED; net/unix/af_unix.c,
    // unix_listen).
    let peer = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok(NamedPeer {
        channel: MessageChannel::from(socket),
        pid: peer.pid(),
        uid: peer.uid(),
    })
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
    #[test]
    fn a_listener_that_leaves_serves_those_who_have_asked() {
        let name = format!("snowglobe-test-leaves-{}", std::process::id());
        let claimed = ClaimedName::take(&name).unwrap();
        assert_eq!(ask_whoever_listens(&name).unwrap_err(), Errno::ECONNREFUSED);
        let listener = claimed.listen().unwrap();
        let early = ask_whoever_listens(&name).unwrap();
        assert_eq!(early.pid.cast_unsigned(), std::process::id());
        assert_eq!(early.uid, nix::unistd::geteuid().as_raw());
        listener.refuse_others();
        assert_eq!(ask_whoever_listens(&name).unwrap_err(), Errno::ECONNREFUSED);
        let theirs = listener.accept().unwrap();
        early.channel.send(b"hello").unwrap();
        assert_eq!(theirs.receive(&mut [0; 16]).unwrap(), b"hello");
        assert_eq!(listener.accept().unwrap_err(), Errno::EINVAL);
    }
}
