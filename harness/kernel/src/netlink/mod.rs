//! Networks are made by messages, not by programs.
//!
//! Starting `ip` for each step costs ten times as much as the step itself (measured for this
//! project, 2026-08), and the program may be missing.
//!
//! A [`Netlink`] is a conversation with the kernel about *one* network namespace: the one in which
//! the socket was opened, whatever the thread does later. Requests are written into a [`Batch`],
//! which goes out with one system call per sixteen kilobytes. The kernel answers while it is in
//! that call, so that a batch costs what the kernel's work costs. Everything blocks for
//! microseconds and needs no runtime: callers may be test threads, tasks of a tokio runtime, or an
//! init.
//!
//! ```text
//! let mut batch = Batch::new();
//! let far = VethEnd { netns: Some(node), ..VethEnd::new(eth0) };
//! batch.add_veth(&Veth { near: VethEnd::new(port), far });
//! batch.set_up(port);
//! netlink.execute(batch)?;
//! netlink.wait_until_up(&[port], deadline)?;
//! ```
//!
//! | file | role |
//! |---|---|
//! | `socket` | a netlink socket of any protocol: bytes in, bytes out |
//! | `batch` | requests on their way out, each with the words that an error needs |
//! | `connection` | sending a batch, reading what came back, dumps |
//! | `link`, `bridge`, `address` | the requests |
//! | `carried` | what stands on an interface, to be given to another interface |
//! | `neighbour_table` | how long neighbours count as known, on each interface |
//! | `offload` | work of interfaces for the protocols above them |
//! | `ip_family` | IPv4 and IPv6, by their numbers |
//! | `wait` | waits for conditions, by events, with a deadline |
//! | `view`, `view/parse` | interfaces, addresses, routes and neighbours as plain values |
//! | `diag` | sockets as plain values |
//! | `unix_names` | Unix sockets that are ready for clients, with their files |
//! | `encoding` | headers and attributes |
//! | `error` | refusals of the kernel, with what was asked and what the errno means |

mod address;
pub(crate) mod batch;
mod bridge;
mod carried;
pub(crate) mod connection;
mod diag;
pub(crate) mod encoding;
pub(crate) mod error;
mod ip_family;
pub(crate) mod link;
mod neighbour_table;
mod offload;
pub(crate) mod socket;
#[cfg(test)]
pub(crate) mod tests;
mod unix_names;
mod view;
mod wait;

pub use address::{NeighbourRequest, RouteRequest};
pub use batch::Batch;
pub use bridge::{BridgeRequest, LearntGroup, Querier};
pub use carried::CarriedSettings;
pub use connection::Netlink;
pub use diag::SocketEntry;
pub use diag::sockets;
pub use error::NetlinkError;
pub use ip_family::IpFamily;
pub use link::{Device, Veth, VethEnd};
pub use neighbour_table::{NeighbourParameters, NeighbourTable, SharedTable};
pub use nix::net::if_::{if_indextoname, if_nametoindex};
pub use offload::{Features, Offload};
pub(crate) use socket::{NetlinkProtocol, NetlinkSocket};
pub use unix_names::{ReadyUnixSocket, SocketFile, ready_unix_sockets};
pub use view::{AddressEntry, InterfaceCounters, InterfaceEntry, NeighbourEntry, RouteEntry};
