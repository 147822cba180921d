//! Packet sockets: frames as they pass an interface, and frames put onto it.
//!
//! A **wire** has one packet socket at each end. The socket takes what arrives at its interface and
//! sends what the other end of the wire delivers, with virtio-net headers, so that super-frames
//! pass whole. For **captures**, a socket sees both directions, with the time at which the kernel
//! had the frame.
//!
//! Unlike a TAP device, a packet socket needs no `/dev/net/tun`, which many containers lack and
//! some hosts keep for root. `CAP_NET_RAW` in the interface's network namespace is enough
//! (`packet(7)`).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};

use super::filter::{attach, beside_a_shortcut};
use super::frame::{BATCH, Inbox};
use crate::fd::set_option;
use crate::netns::Netns;

/// A packet socket on one interface.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

/// Bytes of a wire's socket buffers. The kernel cuts this to `net.core.rmem_max`, silently
/// (`socket(7)`).
const WIRE_BUFFER: usize = 8 << 20;
/// Bytes of a capture's receive buffer: a capture is written by one thread for all links, which may
/// fall behind.
const CAPTURE_BUFFER: usize = 32 << 20;

impl PacketSocket {
    /// Opens one end of a wire at the interface `index` of `netns`: it receives what arrives there,
    /// and nothing that leaves.
    ///
    /// # Errors
    /// The call that the kernel refused.
    pub fn for_wire(netns: BorrowedFd<'_>, index: u32) -> io::Result<PacketSocket> {
        Self::open(netns, index, WIRE_BUFFER, PacketSocket::prepare_for_wire)
    }

    /// Opens one end of a wire as [`for_wire`](Self::for_wire) does, beside a shortcut: the socket
    /// receives the frames that the kernel does not
    /// [carry](crate::nft::FilterConversation::forward_between).
    ///
    /// # Errors
    /// The call that the kernel refused.
    pub fn beside_shortcut(netns: BorrowedFd<'_>, index: u32) -> io::Result<PacketSocket> {
        Self::open(netns, index, WIRE_BUFFER, |socket| {
            socket.prepare_for_wire()?;
            attach(&socket.fd, &beside_a_shortcut())
        })
    }

    fn prepare_for_wire(&self) -> crate::Result<()> {
        // Otherwise the socket would receive what it sends, and the wire would carry it back.
        self.set(crate::uapi::PACKET_IGNORE_OUTGOING, 1)?;
        // The wire has queues of its own. The interface's queue would add delay and drop packets.
        self.set(libc::PACKET_QDISC_BYPASS, 1)
    }

    /// Opens a capture at the interface `index` of `netns`, of what arrives and what leaves, with
    /// times.
    ///
    /// # Errors
    /// The call that the kernel refused.
    pub fn for_capture(netns: BorrowedFd<'_>, index: u32) -> io::Result<PacketSocket> {
        Self::open(netns, index, CAPTURE_BUFFER, |socket| {
            setsockopt(&socket.fd, sockopt::ReceiveTimestampns, &true)
        })
    }

    fn open(
        netns: BorrowedFd<'_>,
        index: u32,
        buffer: usize,
        prepare: impl FnOnce(&PacketSocket) -> crate::Result<()>,
    ) -> io::Result<PacketSocket> {
        let explain = |step: &str, errno: Errno| {
            let why = format!("failed to {step} a packet socket on interface {index}: {errno}");
            io::Error::new(io::Error::from(errno).kind(), why)
        };
        let fd = Netns::visit(netns, open_unbound)
            .and_then(|opened| opened)
            .map_err(|errno| explain("open", errno))?;
        let socket = PacketSocket { fd };
        socket
            .set(crate::uapi::PACKET_VNET_HDR, 1)
            // Tells the VLAN tag, which the kernel takes out of the frame.
            .and_then(|()| socket.set(libc::PACKET_AUXDATA, 1))
            .and_then(|()| setsockopt(&socket.fd, sockopt::RcvBuf, &buffer))
            .and_then(|()| setsockopt(&socket.fd, sockopt::SndBuf, &buffer))
            .and_then(|()| prepare(&socket))
            .map_err(|errno| explain("prepare", errno))?;
        bind(&socket.fd, index, libc::ETH_P_ALL).map_err(|errno| explain("bind", errno))?;
        Ok(socket)
    }

    fn set(&self, option: i32, value: i32) -> crate::Result<()> {
        set_option(&self.fd, libc::SOL_PACKET, option, &value)
    }

    /// Receives the waiting frames, as many as the inbox holds, and returns their number.
    ///
    /// Never waits. An interface that is down has no frames, as it may come back.
    ///
    /// # Errors
    /// The kernel refused for another reason.
    pub fn receive(&self, inbox: &mut Inbox) -> crate::Result<usize> {
        let mut meta = [const { Meta::NONE }; BATCH];
        let slots = inbox.slots();
        let count = slots.len();
        let mut parts = [const { NO_PART }; BATCH];
        let mut messages = [const { NO_MESSAGE }; BATCH];
        for (at, slot) in slots.iter_mut().enumerate() {
            let space = slot.buffer.space();
            parts[at].iov_base = space.as_mut_ptr().cast();
            parts[at].iov_len = space.len();
            let message = &mut messages[at].msg_hdr;
            message.msg_iov = &raw mut parts[at];
            message.msg_iovlen = 1;
            message.msg_name = (&raw mut meta[at].from).cast();
            message.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            message.msg_control = (&raw mut meta[at].control).cast();
            message.msg_controllen = size_of_val(&meta[at].control);
        }
        let received = loop {
            // SAFETY: each header points at memory of `inbox`, `parts` and `meta`, which live
            // across the call and do not move; the lengths are theirs.
            let received = unsafe {
                libc::recvmmsg(
                    self.fd.as_raw_fd(),
                    messages.as_mut_ptr(),
                    count as u32,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            };
            match Errno::result(received) {
                // The kernel reports once that the interface went down or away
                // (net/packet/af_packet.c, packet_notifier). Frames that came before may still be
                // in the queue.
                Err(Errno::EINTR | Errno::ENETDOWN) => {}
                // EINVAL: a virtio-net header cannot describe the next frame, of a tunnel say
                // (linux/virtio_net.h, virtio_net_hdr_from_skb). The kernel has dropped the frame.
                Err(Errno::EAGAIN | Errno::EINVAL) => return Ok(0),
                Err(errno) => return Err(errno),
                Ok(received) => break received as usize,
            }
        };
        for (slot, (message, meta)) in slots
            .iter_mut()
            .zip(messages.iter().zip(&meta))
            .take(received)
        {
            slot.buffer.set_filled(message.msg_len as usize);
            // The direction is in the type of the packet (packet(7)).
            slot.outgoing = meta.from.sll_pkttype == libc::PACKET_OUTGOING;
            let notes = notes(&message.msg_hdr);
            slot.time = notes.time;
            if let Some((protocol, control)) = notes.vlan {
                slot.buffer.insert_vlan_tag(protocol, control);
            }
        }
        inbox.set_received(received);
        Ok(received)
    }

    /// Sends frames with their headers, at most [`BATCH`] of them, and returns the number of those
    /// sent.
    ///
    /// Never waits.
    ///
    /// # Errors
    /// The reason why the first frame was refused (`sendmmsg(2)`).
    pub fn send(&self, frames: &[&[u8]]) -> crate::Result<usize> {
        let mut parts = [const { NO_PART }; BATCH];
        let mut messages = [const { NO_MESSAGE }; BATCH];
        let count = frames.len().min(BATCH);
        for (at, frame) in frames[..count].iter().enumerate() {
            // The kernel only reads from where an outgoing message points at.
            parts[at].iov_base = frame.as_ptr().cast_mut().cast();
            parts[at].iov_len = frame.len();
            messages[at].msg_hdr.msg_iov = &raw mut parts[at];
            messages[at].msg_hdr.msg_iovlen = 1;
        }
        loop {
            // SAFETY: each header points at a part, and each part at a frame; all live across the
            // call.
            let sent = unsafe {
                libc::sendmmsg(
                    self.fd.as_raw_fd(),
                    messages.as_mut_ptr(),
                    count as u32,
                    libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                )
            };
            match Errno::result(sent) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
                Ok(sent) => return Ok(sent as usize),
            }
        }
    }

    /// Returns the number of frames that found the socket's buffer full since the last call.
    ///
    /// # Errors
    /// The kernel refused to tell.
    pub fn take_lost(&self) -> crate::Result<u64> {
        let mut statistics = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut length = size_of_val(&statistics) as libc::socklen_t;
        // Reading the counters sets them to zero (packet(7), PACKET_STATISTICS).
        // SAFETY: the structure lives across the call, and the length is its own.
        let done = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        };
        Errno::result(done).map(|_| statistics.tp_drops.into())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Opens a packet socket in the thread's network namespace. It never waits, and receives nothing
/// until it is bound.
pub(super) fn open_unbound() -> crate::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    // With a protocol it would receive frames of all interfaces meanwhile (packet(7)).
    socket(AddressFamily::Packet, SockType::Raw, flags, None)
}

/// Makes a packet socket receive the frames of one interface that have this protocol (`ETH_P_*`).
pub(super) fn bind(fd: &OwnedFd, index: u32, protocol: i32) -> crate::Result<()> {
    let address = address(index.cast_signed(), protocol);
    // SAFETY: the address lives across the call, and the length is its own.
    let done = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

/// Memory for the sender's address and the control messages of a frame.
struct Meta {
    from: libc::sockaddr_ll,
    /// Room for a `tpacket_auxdata` and a time stamp, aligned as control messages are.
    control: [u64; 16],
}

impl Meta {
    const NONE: Meta = Meta {
        from: address(0, libc::ETH_P_ALL),
        control: [0; 16],
    };
}

const NO_PART: libc::iovec = libc::iovec {
    iov_base: std::ptr::null_mut(),
    iov_len: 0,
};

// SAFETY: null pointers and zero lengths are valid values of this plain structure, which has
// private padding.
const NO_MESSAGE: libc::mmsghdr = unsafe { std::mem::zeroed() };

/// Returns the address for a protocol on an interface.
const fn address(index: i32, protocol: i32) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (protocol as u16).to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

#[derive(Default)]
struct Notes {
    /// Protocol and control information of the VLAN tag that the kernel took out.
    vlan: Option<(u16, u16)>,
    time: Option<u64>,
}

fn notes(message: &libc::msghdr) -> Notes {
    let mut notes = Notes::default();
    // SAFETY: the kernel has filled the control buffer that `message` points at, and set its
    // length.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !at.is_null() {
        // SAFETY: a non-null header lies within the control buffer, with data of the length that it
        // says; the kernel writes these two kinds whole, and reading is unaligned.
        unsafe {
            let data = libc::CMSG_DATA(at);
            match ((*at).cmsg_level, (*at).cmsg_type) {
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                    notes.vlan = vlan(&data.cast::<libc::tpacket_auxdata>().read_unaligned());
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time = data.cast::<libc::timespec>().read_unaligned();
                    let seconds = time.tv_sec.cast_unsigned();
                    notes.time = Some(seconds * 1_000_000_000 + time.tv_nsec.cast_unsigned());
                }
                _ => {}
            }
            at = libc::CMSG_NXTHDR(message, at);
        }
    }
    notes
}

fn vlan(data: &libc::tpacket_auxdata) -> Option<(u16, u16)> {
    const ETH_P_8021Q: u16 = 0x8100;
    let has = |status| data.tp_status & status != 0;
    if !has(libc::TP_STATUS_VLAN_VALID) {
        return None;
    }
    let protocol = match has(libc::TP_STATUS_VLAN_TPID_VALID) {
        true => data.tp_vlan_tpid,
        false => ETH_P_8021Q,
    };
    Some((protocol, data.tp_vlan_tci))
}

#[cfg(test)]
mod tests;
