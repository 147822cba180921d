//! IPv6 addresses and prefixes that come over the wire, by DHCPv6.
//!
//! A node may have a [server](Dhcp6Spec), usually a router: it gives addresses to hosts, and
//! *delegates* prefixes to routers. A router whose advertisements are
//! [delegated](crate::ndp::AdvertiseSpec::delegated) asks at its uplink for a prefix, numbers the
//! networks behind it out of that, a /64 each, and advertises these to the hosts there, which make
//! addresses of them. A host whose router says so ([`managed`](crate::ndp::AdvertiseSpec::managed))
//! gets an address from the server, by a client of the lab
//! ([`NodeSpec::addresses_v6`](crate::topology::NodeSpec::addresses_v6)) or by a program under
//! test. The messages are those of RFC 8415, which captures show.
//!
//! ```no_run
//! use snowglobe::dhcp6::Dhcp6Spec;
//! use snowglobe::ndp::AdvertiseSpec;
//! use snowglobe::prelude::*;
//!
//! #[snowglobe::test]
//! fn a_provider_renumbers_a_home() -> TestResult {
//!     let mut topology = Topology::new();
//!     let spec = Dhcp6Spec::new().lease(Duration::from_secs(4));
//!     let first = spec.clone().delegate("2001:db8:100::/40", 56);
//!     let isp = topology.router(RouterSpec::new("isp").node(|node| node.dhcp6(first)));
//!     let advertise = AdvertiseSpec::new().delegated();
//!     let home = topology.router(RouterSpec::home("home").node(|node| node.advertise(advertise)));
//!     topology.uplink(home, isp);
//!     let laptop = topology.node(NodeSpec::new("laptop").autoconfigure());
//!     topology.link(laptop, home);
//!     let mut lab = topology.start()?; // the laptop has an address of the first prefix
//!     let before = lab[laptop].ipv6();
//!     lab.set_dhcp6(isp, spec.delegate("2001:db8:200::/40", 56))?;
//!     // The router hears of it within two seconds, when it asks for more time.
//!     lab.wait_until(|| lab[laptop].ipv6() != before)?;
//!     Ok(())
//! }
//! ```
//!
//! When a prefix is over, the router tells hosts so at once, by a lifetime of zero (RFC 9096): they
//! begin no connection from its addresses any more. A router that was started again does the same
//! when it gets another prefix than before. The node of the server has a route to each delegated
//! prefix, over the router that asked; all other nodes have one to the whole range.
//!
//! A server lives and dies with its node. Its leases outlive a restart, as those on a disk;
//! [`Dhcp6::forget_leases`] forgets them. Who asks for temporary addresses hears that there are
//! none (`NoAddrsAvail`). Relays, authentication and `RECONFIGURE` are not served; a client of the
//! lab asks for one address or one prefix for each interface, and gives none back at its end.

pub use crate::lab::Dhcp6;
#[doc(inline)]
pub use crate::model::dhcp::AddressSource;
#[doc(inline)]
pub use crate::model::dhcp6::{Delegation, DelegationError, Dhcp6Lease, Dhcp6Spec};
