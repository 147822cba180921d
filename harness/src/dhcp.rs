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
//!     let dhcp = DhcpSpec::new().renew_after(Duration::from_secs(1));
//!     let dhcp = dhcp.pool("10.0.0.100-10.0.0.110");
//!     let server = topology.node(NodeSpec::new("server").dhcp(dhcp.clone()));
//!     let client = topology.node(NodeSpec::new("client").addresses(AddressSource::Dhcp));
//!     topology.link(server, client);
//!     let lab = topology.start()?; // the client has its lease
//!     let before = lab[client].ip();
//!     // The client asks for more time after a second, and hears that it must move.
//!     lab[server].dhcp().unwrap().change(dhcp.pool("10.0.0.50-10.0.0.60"))?;
//!     lab.wait_until(|| lab[client].ipv4().is_some_and(|now| now != before))?;
//!     Ok(())
//! }
//! ```
//!
//! A router of a home asks at its uplink, has addresses of the plan behind it, and gives others to
//! its hosts. Its NAT translates to the address that it is given, and forgets its mappings with it:
//!
//! ```
//! use snowglobe::dhcp::{AddressSource, DhcpSpec};
//! use snowglobe::topology::{NodeSpec, RouterSpec, Topology};
//!
//! let mut topology = Topology::new();
//! let isp = topology.router(RouterSpec::new("isp").node(|node| node.dhcp(DhcpSpec::new())));
//! let both = |node: NodeSpec| node.addresses(AddressSource::Dhcp).dhcp(DhcpSpec::new());
//! let home = topology.router(RouterSpec::home("home").node(both));
//! topology.uplink(home, isp);
//! let laptop = topology.node(NodeSpec::new("laptop").addresses(AddressSource::Dhcp));
//! topology.link(laptop, home);
//! topology.validate()?;
//! # Ok::<(), snowglobe::topology::TopologyError>(())
//! ```
//!
//! A node that [moves](crate::Lab::move_link) to another network gives its address up and asks
//! there. One with several leases, such as a phone, leaves by that of the link with the lowest
//! [metric](crate::topology::LinkSpec::metric), which [`Lab::set_metric`](crate::Lab::set_metric)
//! changes.
//!
//! A server lives and dies with its node: after
//! [`kill_processes`](crate::lab::Node::kill_processes) nobody gets an address, and clients lose
//! theirs when the time is over. Its leases outlive a restart, as those on a disk;
//! [`Dhcp::forget_leases`] forgets them. Names of such clients stand for their IPv6 addresses only,
//! in hosts files and for the lab's own name servers. What a relay passes on has no answer.

pub use crate::lab::Dhcp;
#[doc(inline)]
pub use crate::model::dhcp::{AddressSource, DhcpLease, DhcpSpec};
