//! Packet sockets that receive one UDP port: for a host that has no address yet.
//!
//! A client of DHCP hears an answer to an address that it does not have, and a server sends one
//! there, where no host could answer to ARP (RFC 2131, section 4.1). So both look at frames. A
//! filter in the kernel keeps all others from them.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socket};

use crate::Result;

/// A packet socket on one interface that receives the datagrams to one UDP port over IPv4.
#[derive(Debug)]
pub struct PortSocket {
    fd: OwnedFd,
}

impl PortSocket {
    /// Opens a socket at the interface `index` of the thread's network namespace. It never waits.
    ///
    /// # Errors
    /// There is no such interface, or the thread lacks `CAP_NET_RAW`.
    pub fn open(index: u32, port: u16) -> Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Without a protocol it receives nothing before it is bound: packet(7).
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        let socket = Self { fd };
        // Before it is bound: whatever came between would be received.
        socket.filter(port)?;
        socket.bind(index)?;
        Ok(socket)
    }

    fn filter(&self, port: u16) -> Result<()> {
        let op = |code: u32, k: u32| (code as u16, 0, 0, k);
        let jump = |code: u32, k: u32, yes: u8, no: u8| (code as u16, yes, no, k);
        use libc::{BPF_ABS, BPF_B, BPF_H, BPF_IND, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD};
        use libc::{BPF_LDX, BPF_MSH, BPF_RET};
        // Offsets of Ethernet (14 bytes) and IPv4: RFC 791, section 3.1.
        let program = [
            op(BPF_LD | BPF_H | BPF_ABS, 12),
            jump(BPF_JMP | BPF_JEQ | BPF_K, 0x0800, 0, 8),
            op(BPF_LD | BPF_B | BPF_ABS, 23),
            jump(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 6),
            op(BPF_LD | BPF_H | BPF_ABS, 20),
            // A fragment that is not the first has no ports.
            jump(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
            op(BPF_LDX | BPF_B | BPF_MSH, 14),
            op(BPF_LD | BPF_H | BPF_IND, 16),
            jump(BPF_JMP | BPF_JEQ | BPF_K, u32::from(port), 0, 1),
            op(BPF_RET | BPF_K, u32::MAX),
            op(BPF_RET | BPF_K, 0),
        ];
        let mut program = program.map(|(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k });
        let filter = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        // SAFETY: the program lives across the call, and its length is its own; the kernel checks
        // and copies it (socket(7), SO_ATTACH_FILTER).
        let done = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const filter).cast(),
                size_of_val(&filter) as libc::socklen_t,
            )
        };
        Errno::result(done).map(drop)
    }

    fn bind(&self, index: u32) -> Result<()> {
        // SAFETY: all zeros are a valid value of this plain structure.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_IP as u16).to_be();
        address.sll_ifindex = index.cast_signed();
        // SAFETY: the address lives across the call, and the length is its own.
        let done = unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        Errno::result(done).map(drop)
    }

    /// Receives a frame, with its Ethernet header, and returns its length.
    ///
    /// # Errors
    /// No frame is waiting, or the interface is gone.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize> {
        recv(self.fd.as_raw_fd(), buffer, MsgFlags::empty())
    }

    /// Sends a frame, with its Ethernet header.
    ///
    /// # Errors
    /// The interface is down or gone, or the kernel has no room.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.fd.as_raw_fd(), frame, MsgFlags::empty()).map(drop)
    }
}

impl AsFd for PortSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
