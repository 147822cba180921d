//! Addresses that come over the wire, by DHCP for IPv4.
//!
//! A node may have a [server](DhcpSpec), usually a router. Another node takes its IPv4 addresses
//! from there ([`AddressSource::Dhcp`]), by a client of the lab: it gets, renews, rebinds and loses
//! leases as RFC 2131 has it. A node whose addresses are the business of a
//! [program](AddressSource::Program) has interfaces that are up, without an address, for a client
//! under test. The messages are real ones, which captures show.
//!
//! ```no_run
//! use snowglobe::dhcp::{AddressSource, DhcpSpec};
//! use snowglobe::prelude::*;
//!
//! #[snowglobe::test]
//! fn a_client_moves_to_another_address() -> TestResult {
//!     let mut topology = Topology::new();
//!     let dhcp = DhcpSpec::new().lease(Duration::from_secs(2)).pool("10.0.0.100-10.0.0.110");
//!     let server = topology.node(NodeSpec::new("server").dhcp(dhcp.clone()));
//!     let client = topology.node(NodeSpec::new("client").addresses(AddressSource::Dhcp));
//!     topology.link(server, client);
//!     let lab = topology.start()?; // the client has its lease
//!     let before = lab[client].ip();
//!     // The client asks for more time within a second, and hears that it must move.
//!     lab[server].dhcp().unwrap().change(dhcp.pool("10.0.0.50-10.0.0.60"))?;
//!     lab.wait_until(|| lab[client].ipv4().is_some_and(|now| now != before))?;
//!     Ok(())
//! }
//! ```
//!
//! A server lives and dies with its node: after
//! [`kill_processes`](crate::lab::Node::kill_processes) nobody gets an address, and clients lose
//! theirs when the time is over. Its leases outlive a restart, as those on a disk;
//! [`Dhcp::forget_leases`] forgets them. Names of such clients stand for their IPv6 addresses only,
//! in hosts files and for the lab's own name servers.

pub use crate::lab::Dhcp;
#[doc(inline)]
pub use crate::model::dhcp::{AddressSource, DhcpLease, DhcpSpec};
