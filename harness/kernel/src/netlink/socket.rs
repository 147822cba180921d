//! A netlink socket of any protocol: bytes in, bytes out, no meaning.
//!
//! The socket belongs for ever to the network namespace of the thread that opened it
//! (`netlink(7)`). So one thread can hold conversations about many namespaces.

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, getsockopt, recv, sendmsg,
    setsockopt, socket, sockopt,
};

use crate::fd::set_option;

/// A subsystem of the kernel that a netlink socket speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetlinkProtocol {
    /// Links, addresses, routes, neighbours, queueing disciplines.
    Route,
    /// Lists of sockets.
    SocketDiagnosis,
    /// nftables and connection tracking.
    Netfilter,
}

impl NetlinkProtocol {
    fn number(self) -> SockProtocol {
        match self {
            Self::Route => SockProtocol::NetlinkRoute,
            Self::SocketDiagnosis => SockProtocol::NetlinkSockDiag,
            Self::Netfilter => SockProtocol::NetlinkNetFilter,
        }
    }
}

/// A netlink socket.
#[derive(Debug)]
pub(crate) struct NetlinkSocket {
    fd: OwnedFd,
}

/// Bytes of the receive buffer. The kernel makes pieces of a dump as large as earlier receive
/// calls, but not larger than 32 KB (`af_netlink.c`, `netlink_dump`).
const RECEIVE_BYTES: usize = 64 << 10;

impl NetlinkSocket {
    /// Opens a socket in the current thread's network namespace.
    ///
    /// # Errors
    /// The kernel refused the socket: it has no such protocol.
    pub(crate) fn open(protocol: NetlinkProtocol) -> crate::Result<Self> {
        // The socket is not bound: the kernel gives the socket a port of its own with the first
        // message (netlink(7)).
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            protocol.number(),
        )?;
        Ok(Self::from_fd(fd))
    }

    /// Wraps an open netlink socket, perhaps of another network namespace.
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        let socket = Self { fd };
        // Both options are refinements, so a refusal does not matter. CAP_ACK keeps the kernel from
        // sending whole requests back with its errors, so that more errors fit the queue; EXT_ACK
        // adds a sentence (netlink(7)).
        let _ = socket.set_option(libc::NETLINK_CAP_ACK, 1);
        let _ = socket.set_option(libc::NETLINK_EXT_ACK, 1);
        socket
    }

    /// Starts to receive the notifications of a group (`RTNLGRP_*`).
    ///
    /// # Errors
    /// There is no such group.
    pub(crate) fn join(&self, group: u32) -> crate::Result<()> {
        self.set_option(libc::NETLINK_ADD_MEMBERSHIP, group)
    }

    /// Stops to receive the notifications of a group. Queued notifications stay in the queue.
    ///
    /// # Errors
    /// There is no such group.
    pub(crate) fn leave(&self, group: u32) -> crate::Result<()> {
        self.set_option(libc::NETLINK_DROP_MEMBERSHIP, group)
    }

    fn set_option(&self, name: libc::c_int, value: u32) -> crate::Result<()> {
        set_option(&self.fd, libc::SOL_NETLINK, name, &value)
    }

    /// Makes room for a message of so many bytes, as far as the host allows (`net.core.wmem_max`).
    pub(crate) fn make_room(&self, bytes: usize) {
        // The kernel takes no message that is longer than the send buffer less 32 bytes
        // (af_netlink.c, netlink_sendmsg). What there is no room for is refused when it is sent.
        let wanted = bytes + 32;
        if getsockopt(&self.fd, sockopt::SndBuf).is_ok_and(|room| room < wanted) {
            // Without CAP_NET_ADMIN on the host, the second option is refused (socket(7)).
            let _ = setsockopt(&self.fd, sockopt::SndBuf, &wanted);
            let _ = setsockopt(&self.fd, sockopt::SndBufForce, &wanted);
        }
    }

    /// Sends whole messages. For most protocols the kernel has done the work when this returns.
    ///
    /// # Errors
    /// The kernel could not take the messages; an answer of the subsystem comes as a message.
    pub(crate) fn send(&self, bytes: &[u8]) -> crate::Result<()> {
        loop {
            match sendmsg::<()>(
                self.fd.as_raw_fd(),
                &[IoSlice::new(bytes)],
                &[],
                MsgFlags::empty(),
                None,
            ) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Waits for the next datagram, and returns its bytes.
    ///
    /// # Errors
    /// `ENOBUFS` if the queue overflowed and messages were lost.
    pub(crate) fn receive<'buffer>(
        &self,
        buffer: &'buffer mut Vec<u8>,
    ) -> crate::Result<&'buffer [u8]> {
        self.receive_with(buffer, MsgFlags::empty())
    }

    /// Returns the next datagram, or `None` if the queue is empty.
    ///
    /// # Errors
    /// `ENOBUFS` if the queue overflowed and messages were lost.
    pub(crate) fn try_receive<'buffer>(
        &self,
        buffer: &'buffer mut Vec<u8>,
    ) -> crate::Result<Option<&'buffer [u8]>> {
        match self.receive_with(buffer, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EAGAIN) => Ok(None),
            other => other.map(Some),
        }
    }

    fn receive_with<'buffer>(
        &self,
        buffer: &'buffer mut Vec<u8>,
        flags: MsgFlags,
    ) -> crate::Result<&'buffer [u8]> {
        buffer.resize(RECEIVE_BYTES, 0);
        loop {
            match recv(self.fd.as_raw_fd(), buffer, flags | MsgFlags::MSG_TRUNC) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
                // MSG_TRUNC makes the kernel tell the length of the whole datagram (recv(2)).
                Ok(length) if length > RECEIVE_BYTES => return Err(Errno::EMSGSIZE),
                Ok(length) => return Ok(&buffer[..length]),
            }
        }
    }

    /// Waits for a datagram, and tells whether one came before the deadline.
    ///
    /// # Errors
    /// The kernel refused to wait.
    pub(crate) fn readable_before(&self, deadline: Instant) -> crate::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up: a wait of zero would spin through the last millisecond.
            let milliseconds = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
            let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
                Ok(0) if Instant::now() < deadline => {}
                Ok(ready) => return Ok(ready > 0),
            }
        }
    }

    /// Throws away everything in the queue.
    pub(crate) fn drain(&self, buffer: &mut Vec<u8>) {
        // An overflow is reported once, and the queue goes on after it.
        while matches!(self.try_receive(buffer), Ok(Some(_)) | Err(Errno::ENOBUFS)) {}
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
