//! IPv6 addresses that come over the wire: router advertisements and SLAAC.
//!
//! A node that [advertises](crate::topology::NodeSpec::advertise) sends real router advertisements
//! on its networks, and answers solicitations. The kernel of a node that
//! [autoconfigures](crate::topology::NodeSpec::autoconfigure) makes its addresses of them (RFC
//! 4862), without duplicate address detection, and takes the router for its default route.
//! Each advertisement names the name servers of the lab (RDNSS, RFC 8106), for programs that read
//! this option. The `resolv.conf` of a node names the name servers without any advertisement.
//! [`Advertiser::change`] advertises another prefix while hosts are connected.
//!
//! A prefix that is [named](AdvertiseSpec::prefix) is known to the hosts alone: neither the router
//! nor those in front of it have a route there, so that hosts reach one another by its addresses,
//! and nobody beyond. A prefix that is reached from the Internet is the subnet of the link, or one
//! that the router is [delegated](AdvertiseSpec::delegated) and that changes by
//! [`Lab::set_dhcp6`](crate::Lab::set_dhcp6).
//!
//! A router may tell hosts to get their addresses by DHCPv6 instead ([`AdvertiseSpec::managed`]),
//! or advertise a prefix that it is delegated by its uplink ([`AdvertiseSpec::delegated`]): see
//! [`dhcp6`](crate::dhcp6). Names of such hosts stand for their IPv4 addresses only, in hosts files
//! and for the lab's own name servers.

pub use crate::lab::Advertiser;
#[doc(inline)]
pub use crate::model::ndp::{AdvertiseSpec, AdvertisedPrefixError};
