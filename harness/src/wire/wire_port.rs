//! The ends of a wire: a TAP device or a packet socket, both with one set of methods.

use std::os::fd::{AsFd, BorrowedFd};

use std::time::Duration;

use crate::kernel::frames::{Inbox, PacketSocket, TapDevice};
use crate::kernel::poll::wait_writable;

/// One end of a wire: receives frames from, and sends frames to, one side of a link.
#[derive(Debug)]
pub(crate) enum WirePort {
    /// The interface in the node itself.
    ///
    /// This is the faster end: 0.73 of a veth pair's TCP throughput, against 0.6 with a packet
    /// socket (measured for this project, 2026-08). But it needs `/dev/net/tun`, which has mode
    /// 0600 on some distributions and is absent from many containers.
    Tap(TapDevice),
    /// A socket on the inner end of a veth pair, whose outer end is the node's interface.
    Packet(PacketSocket),
}

impl WirePort {
    /// Receives the frames that are there, at most an inbox full, without waiting. Returns how
    /// many frames came.
    pub(super) fn receive(&self, inbox: &mut Inbox) -> crate::kernel::Result<usize> {
        match self {
            // A TAP device gives one frame for each read(2) (tuntap.rst of the kernel's
            // documentation), a packet socket several for each recvmmsg(2). Both fill the inbox.
            Self::Tap(tap) => tap.receive(inbox),
            Self::Packet(socket) => socket.receive(inbox),
        }
    }

    /// Sends frames, each with its virtio-net header in front. Returns how many were sent; an
    /// error is about the first of them.
    pub(super) fn send(&self, frames: &[&[u8]]) -> crate::kernel::Result<usize> {
        match self {
            Self::Tap(tap) => tap.send(frames),
            Self::Packet(socket) => socket.send(frames),
        }
    }

    /// Waits, but only for a moment, until the kernel has taken the frames that were sent and
    /// more can be sent.
    pub(super) fn wait_for_room(&self) {
        // One worker carries many wires: a receiver that does not read may hold up the others
        // for a millisecond and no longer.
        const MOMENT: Duration = Duration::from_millis(1);
        // If poll(2) fails, the next attempt to send fails as well, and that is counted.
        let _ = wait_writable(self.as_fd(), Some(MOMENT));
    }

    /// Returns how many frames the kernel has dropped, since the last call, because they came
    /// faster than they were received.
    pub(super) fn take_lost(&self) -> u64 {
        match self {
            // A TAP device with a full queue drops the frame and counts it in the statistics of
            // its own interface, `tx_dropped` (drivers/net/tun.c, tun_net_xmit), not here.
            Self::Tap(_) => 0,
            // PACKET_STATISTICS sets its counters to zero when it is read (packet(7)).
            Self::Packet(socket) => socket.take_lost().unwrap_or(0),
        }
    }
}

impl AsFd for WirePort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tap(tap) => tap.as_fd(),
            Self::Packet(socket) => socket.as_fd(),
        }
    }
}
