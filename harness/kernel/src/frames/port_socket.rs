//! Packet sockets that receive one UDP port: for a host that has no address yet.
//!
//! A client of DHCP hears an answer to an address that it does not have, and a server sends one
//! there, where no host could answer to ARP (RFC 2131, section 4.1). So both look at frames. A
//! filter in the kernel keeps all others from them.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, recv, send};
use nix::sys::stat::fstat;

use super::filter::{IS, LOAD_BYTE, LOAD_HALF, TAKE, attach, op};
use super::packet_socket::{bind, open_unbound};
use crate::Result;
use crate::sync::Lock;

/// A packet socket on one interface that receives the datagrams to one UDP port over IPv4.
#[derive(Debug)]
pub struct PortSocket {
    inner: Arc<BoundSocket>,
}

/// A packet socket, with the interface and the protocol to which the socket is bound.
#[derive(Debug)]
struct BoundSocket {
    fd: OwnedFd,
    /// The inode number of the socket, as `/proc/net/packet` shows it.
    inode: u64,
    index: u32,
    protocol: i32,
}

/// The sockets of this process that are open.
static OPEN: Lock<Vec<Weak<BoundSocket>>> = Lock::new(Vec::new());

fn open_sockets() -> Vec<Arc<BoundSocket>> {
    let mut open = OPEN.lock();
    open.retain(|socket| socket.strong_count() > 0);
    open.iter().filter_map(Weak::upgrade).collect()
}

impl PortSocket {
    /// Opens a socket at the interface `index` of the thread's network namespace. The socket never
    /// waits. Where there is no such interface any more, the socket hears nothing.
    ///
    /// # Errors
    /// The thread lacks `CAP_NET_RAW`.
    pub fn open(index: u32, port: u16) -> Result<Self> {
        Self::open_with(index, libc::ETH_P_IP, &datagrams_to(port))
    }

    /// Opens a socket that receives the solicitations of hosts that look for a router (RFC 4861,
    /// section 4.1), as [`open`](Self::open) does.
    ///
    /// # Errors
    /// The thread lacks `CAP_NET_RAW`.
    pub fn open_for_solicitations(index: u32) -> Result<Self> {
        Self::open_with(index, libc::ETH_P_IPV6, &router_messages(SOLICITATION))
    }

    /// Opens a socket that receives the advertisements of routers (RFC 4861, section 4.2), as
    /// [`open`](Self::open) does.
    ///
    /// # Errors
    /// The thread lacks `CAP_NET_RAW`.
    pub fn open_for_advertisements(index: u32) -> Result<Self> {
        Self::open_with(index, libc::ETH_P_IPV6, &router_messages(ADVERTISEMENT))
    }

    fn open_with(index: u32, protocol: i32, program: &[libc::sock_filter]) -> Result<Self> {
        let fd = open_unbound()?;
        // The filter is set before the socket is bound: a frame that came in between would be
        // received.
        attach(&fd, program)?;
        match bind(&fd, index, protocol) {
            // A socket that is not bound receives nothing (`open_unbound`).
            Ok(()) | Err(Errno::ENODEV) => {}
            Err(errno) => return Err(errno),
        }
        let inner = Arc::new(BoundSocket {
            inode: fstat(&fd)?.st_ino,
            fd,
            index,
            protocol,
        });
        OPEN.lock().push(Arc::downgrade(&inner));
        Ok(Self { inner })
    }

    /// Returns whether an open `PortSocket` of this process has this inode number, as
    /// `/proc/net/packet` shows it. Such a socket outlives its interface: see
    /// [`bind_again`](Self::bind_again).
    pub fn has_inode(inode: u64) -> bool {
        open_sockets().iter().any(|socket| socket.inode == inode)
    }

    /// Binds the open sockets with these inode numbers that were bound to the interface `index` to
    /// the interface that has this index now. The kernel unbinds a socket when the interface of the
    /// socket is deleted (net/packet/af_packet.c, packet_notifier).
    ///
    /// # Errors
    /// The kernel refuses to bind a socket (packet(7)). An interface that is gone is no error.
    pub fn bind_again(index: u32, inodes: &[u64]) -> Result<()> {
        let sockets = open_sockets();
        let mut lost = sockets
            .iter()
            .filter(|it| it.index == index && inodes.contains(&it.inode));
        lost.try_for_each(|it| match bind(&it.fd, index, it.protocol) {
            // The interface has gone for good, and the socket hears nothing.
            Err(Errno::ENODEV) => Ok(()),
            bound => bound,
        })
    }

    /// Receives a frame, with its Ethernet header, and returns its length.
    ///
    /// # Errors
    /// No frame is waiting, or the interface is gone.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize> {
        recv(self.inner.fd.as_raw_fd(), buffer, MsgFlags::empty())
    }

    /// Sends a frame, with its Ethernet header.
    ///
    /// # Errors
    /// The interface is down or gone, or the kernel has no room.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.inner.fd.as_raw_fd(), frame, MsgFlags::empty()).map(drop)
    }
}

impl AsFd for PortSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.fd.as_fd()
    }
}

/// Takes datagrams over IPv4 to a port. The places are those behind 14 bytes of Ethernet (RFC 791,
/// section 3.1; RFC 768).
fn datagrams_to(port: u16) -> [libc::sock_filter; 11] {
    use libc::{BPF_B, BPF_H, BPF_IND, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_MSH};
    [
        op(LOAD_HALF, 0, 0, 12),
        op(IS, 0, 8, 0x0800),
        op(LOAD_BYTE, 0, 0, 23),
        op(IS, 0, 6, 17),
        op(LOAD_HALF, 0, 0, 20),
        // A fragment that is not the first has no ports.
        op(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 0x1fff),
        op(BPF_LDX | BPF_B | BPF_MSH, 0, 0, 14),
        op(BPF_LD | BPF_H | BPF_IND, 0, 0, 16),
        op(IS, 0, 1, u32::from(port)),
        op(TAKE, 0, 0, u32::MAX),
        op(TAKE, 0, 0, 0),
    ]
}

/// The types of the messages by which hosts look for routers, and routers say that they are there
/// (RFC 4861, section 4).
const SOLICITATION: u32 = 133;
const ADVERTISEMENT: u32 = 134;

/// Takes messages of ICMPv6 of a type (RFC 8200, section 3; RFC 4443, section 2.1).
fn router_messages(kind: u32) -> [libc::sock_filter; 8] {
    [
        op(LOAD_HALF, 0, 0, 12),
        op(IS, 0, 5, 0x86dd),
        op(LOAD_BYTE, 0, 0, 20),
        op(IS, 0, 3, 58),
        op(LOAD_BYTE, 0, 0, 54),
        op(IS, 0, 1, kind),
        op(TAKE, 0, 0, u32::MAX),
        op(TAKE, 0, 0, 0),
    ]
}
