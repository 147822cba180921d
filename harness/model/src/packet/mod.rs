//! Packets as bytes: reading their headers, keeping those that were seen, and making new ones.
//!
//! Everything here takes a frame from its Ethernet header on, as it is on a wire. Frames may be cut
//! off or corrupted on purpose, so reading never fails: it stops where the frame stops to make
//! sense. No other module knows at which byte a field stands.
//!
//! | file | role |
//! |---|---|
//! | `ethernet` | the Ethernet header, and VLAN tags |
//! | `ip` | the IP header, and the extension headers of IPv6 |
//! | `transport` | the headers of TCP, UDP and ICMP |
//! | `headers` | all headers of a frame at once, for rules and messages |
//! | `flow_key` | a number for the flow to which a frame belongs |
//! | `checksum` | the Internet checksum |
//! | `build` | packets that are made here |
//! | `reset` | frames that reset a TCP connection |
//! | `seen` | a packet that is kept for a test to look at, and a view of one that is passing |
//! | `event` | messages of a wire to its listeners about frames |
//! | `segment/` | super-frames, which are cut into frames or made of them |

pub mod build;
pub(crate) mod checksum;
pub mod ethernet;
pub mod event;
mod flow_key;
pub mod headers;
pub mod ip;
pub mod reset;
pub mod seen;
pub mod segment;
pub mod testing;
#[cfg(test)]
mod tests;
pub mod transport;

pub use build::PacketSpec;
pub use event::{FrameEvent, FrameFate, FrameSource, Listener};
pub use flow_key::flow_key;
pub use headers::Headers;
pub use seen::{Packet, PacketView};
pub use transport::{Tcp, TcpFlags, Transport};

/// Length of the virtio-net header that precedes a frame, in bytes (`struct virtio_net_hdr`).
pub const VNET_HEADER: usize = 10;
