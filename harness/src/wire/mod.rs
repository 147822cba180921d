//! Carries the packets of a link in threads of the test's own process: a userspace wire.
//!
//! Not every kernel has netem, and netem decides about packets in their order of arrival: two
//! runs of the same test lose different packets. netem also knows nothing of single packets, so
//! a test cannot ask for "the second SYN, one second later". A wire can do all of that on every
//! kernel. It receives the frames that one end of a link sends, asks the link's packet rules and a
//! [`Channel`](crate::model::impair::channel::Channel) about each packet, and sends the packet out
//! of the other end when it is due. It needs no kernel module, and no privilege but `CAP_NET_RAW`
//! or `CAP_NET_ADMIN` in the link's own network namespaces.
//!
//! | file | role |
//! |---|---|
//! | `wire_spec` | values that a wire is started with |
//! | `wire_handle` | what threads of the test hold: starts, changes and ends a wire |
//! | `worker_pool` | starts and ends the threads that carry wires, and gives each wire to one |
//! | `worker` | one such thread: waits for frames, for requests and for the next due packet |
//! | `wire` | both directions of a link, the ports at its ends, and who observes it |
//! | `direction` | one direction: decides about packets and holds the packets in flight |
//! | `delivery_queue` | packets in flight, sorted by the time at which each is due |
//! | `packet` | one packet in flight, and what was done to it |
//! | `packet_pool` | memory of packets, kept for reuse |
//! | `wire_port` | one end of a wire: a TAP device or a packet socket |
//! | `frame_sender` | sends frames in batches, and datagrams as super-frames |
//! | `uplink_nat` | the NAT of a router, on the wire of its uplink |
//! | `observers` | packet rules and listeners of a wire |
//! | `lateness` | how far behind their due time deliveries were |
//!
//! # Threads
//!
//! Each wire belongs to one worker, and no other thread touches the wire: a handle sends the
//! worker a closure and waits for its result. So a packet costs no lock. (A rule or a listener
//! may lock what it shares with the test.)

mod delivery_queue;
mod direction;
mod frame_sender;
mod lateness;
mod observers;
mod packet;
mod packet_pool;
#[cfg(test)]
mod tests;
mod uplink_nat;
#[expect(
    clippy::module_inception,
    reason = "the module is about wires, and this file declares one"
)]
mod wire;
mod wire_handle;
mod wire_port;
mod wire_spec;
mod worker;
mod worker_pool;

pub(crate) use lateness::Lateness;
pub(crate) use uplink_nat::{UplinkNat, UplinkTranslators};
pub(crate) use wire_handle::WireHandle;
pub(crate) use wire_port::WirePort;
pub(crate) use wire_spec::WireSpec;
