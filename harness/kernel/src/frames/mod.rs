//! Ethernet frames: where programs of users take them from the kernel and hand them back.
//!
//! | file | role |
//! |---|---|
//! | `filter` | which frames a packet socket receives |
//! | `frame` | memory for frames, with their virtio-net headers |
//! | `packet_socket` | frames as they pass an interface |
//! | `poller` | waiting for many descriptors, and for a time in nanoseconds |
//! | `port_socket` | frames to one UDP port |
//! | `tap` | interfaces whose frames a program reads and writes |
//! | `timestamping` | software time stamps of the whole machine |

mod filter;
mod frame;
mod packet_socket;
mod poller;
mod port_socket;
mod tap;
mod timestamping;

pub use frame::{BATCH, Buffer, Inbox, ReceivedFrame, VNET_HEADER};
pub use packet_socket::PacketSocket;
pub use poller::{PollEvents, Poller, exact_timers};
pub use port_socket::PortSocket;
pub use tap::TapDevice;
pub use timestamping::ReceiveTimestamps;
