//! The ends of a wire.

use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, poll};

use crate::kernel::frames::Inbox;
use crate::kernel::frames::PacketSocket;
use crate::kernel::frames::Tap;

/// One end: what takes frames from, and gives frames to, one side of a link.
#[derive(Debug)]
pub(crate) enum Port {
    /// The node's own interface.
    Tap(Tap),
    /// The other end of the node's cable.
    Packet(PacketSocket),
}

impl Port {
    /// Receives what is there, at most an inbox full and never waiting; says how many frames.
    pub(super) fn receive(&self, inbox: &mut Inbox) -> nix::Result<usize> {
        match self {
            Port::Tap(tap) => tap.receive(inbox),
            Port::Packet(socket) => socket.receive(inbox),
        }
    }

    /// Sends frames, each with its header in front; says how many. An error is about the first of them.
    pub(super) fn send(&self, frames: &[&[u8]]) -> nix::Result<usize> {
        match self {
            Port::Tap(tap) => tap.send(frames),
            Port::Packet(socket) => socket.send(frames),
        }
    }

    /// Waits, but not for long, until frames can be sent again: the kernel has yet to look at those that were.
    pub(super) fn wait_for_room(&self) {
        const MILLISECONDS: u8 = 1;
        let mut room = [PollFd::new(self.as_fd(), PollFlags::POLLOUT)];
        // What cannot be waited for cannot be sent either, and that is counted.
        let _ = poll(&mut room, MILLISECONDS);
    }

    /// How many frames have come faster than they were received, since this was last asked. A device that has nowhere to put them tells its
    /// sender, or its own statistics, and not us.
    pub(super) fn take_lost(&self) -> u64 {
        match self {
            Port::Tap(_) => 0,
            Port::Packet(socket) => socket.take_lost().unwrap_or(0),
        }
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Port::Tap(tap) => tap.as_fd(),
            Port::Packet(socket) => socket.as_fd(),
        }
    }
}
