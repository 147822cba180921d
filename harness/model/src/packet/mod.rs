//! Packets as bytes: what their headers say, what was seen of them on a link, and how new ones are made.
//!
//! Everything here takes a frame from its Ethernet header on, as it is on a wire. Frames may be cut off or corrupted
//! on purpose, so reading never fails: it stops where the frame stops to make sense.
//!
//! | file | role |
//! |---|---|
//! | `headers` | the headers of a frame, for rules and messages |
//! | `seen` | a packet that is kept for a test to look at, and a view of one that is passing |
//! | `event` | what a wire tells its listeners of a frame |
//! | `reset` | frames that reset a TCP connection |
//! | `segment/` | super-frames, which are cut into frames or made of them |

pub mod event;
pub mod headers;
pub mod reset;
pub mod seen;
pub mod segment;
pub mod testing;
#[cfg(test)]
mod tests;

pub use event::{FrameEvent, FrameFate, FrameSource, Listener};
pub use headers::{Headers, Tcp, TcpFlags, Transport};
pub use seen::{Packet, View};

/// Length of the virtio-net header that precedes a frame, in bytes (`struct virtio_net_hdr`).
pub const VNET_HEADER: usize = 10;
