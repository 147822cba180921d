//! Name servers of a lab: what they know, what breaks them, and what they were asked.
//!
//! A node whose specification has a [`DnsSpec`] is a name server, and all nodes of the lab ask it:
//! their `resolv.conf` leads there, by glibc, musl, Go or a library of their own. It answers over
//! UDP and TCP, knows EDNS, and says "no such record" for the types that a name does not have, so
//! that nobody waits in vain.
//!
//! ```
//! use snowglobe::dns::{DnsSpec, Zone};
//! use snowglobe::topology::{NodeSpec, Topology};
//!
//! let topology = Topology::from_toml(
//!     r#"
//!     [[node]]
//!     name = "names"
//!     dns.zones = [{ name = "example.org", records = ["www 60 A 192.0.2.80", "*.dev CNAME www"] }]
//!
//!     [[node]]
//!     name = "client"
//!
//!     [[link]]
//!     ends = ["names", "client"]
//!     "#,
//! )?;
//! let zone = Zone::new("example.org")
//!     .record("www 60 A 192.0.2.80")
//!     .record("*.dev CNAME www");
//! let names = NodeSpec::new("names").dns(DnsSpec::new().zone(zone));
//! assert_eq!(topology[topology.find("names").unwrap()], names);
//! # Ok::<(), snowglobe::topology::TopologyError>(())
//! ```
//!
//! # What it knows
//!
//! - **Nodes**, by the names that they have in hosts files elsewhere: `bob`, `bob.lab`, aliases,
//!   and names of containers; the addresses of a node near the asker go first. Addresses have names
//!   (PTR), too. What grows or moves is known as soon as the call returns.
//! - **Zones**, whose lines are those of any name server: see [`Zone`]. A name that nobody has does
//!   not exist (NXDOMAIN): the lab is the whole world. No other name server is asked: an NS record
//!   is data, and names below it are looked for in the zones of this server.
//!
//! - **Names without IPv6**, for hosts without IPv4: with [`DnsSpec::dns64`] such a name gets IPv6
//!   addresses that lead to a NAT64 (RFC 6147), and these have names as well. Names that have IPv6
//!   keep it. Who gets such answers can be said by network: [`Dns64Spec::client`].
//!
//! The hosts file of a node has the node's own names only, so that the server is asked for all
//! others; [`DnsSpec::keep_hosts_files`] leaves them there. glibc says "try again" (`EAI_AGAIN`)
//! when the server fails or says nothing. A question that is lost is asked again after one second,
//! and three times in all (`options timeout:1 attempts:3`).
//!
//! # What breaks it
//!
//! [`Dns::inject`] and [`Fault::dns`](crate::fault::Fault::dns) make answers late, wrong or missing
//! for as long as a guard lives: delay, SERVFAIL, NXDOMAIN, truncation (the asker comes again by
//! TCP), silence, and other records. The server ends with its node: after
//! [`kill_processes`](crate::lab::Node::kill_processes) its port is closed, after a
//! [crash](crate::lab::Node::crash) it is silent, a [pause](crate::lab::Node::pause) holds it up,
//! and a [restart](crate::lab::Node::restart) starts it again.

pub use crate::lab::Dns;
#[doc(inline)]
pub use crate::model::dns::{
    Dns64Spec, DnsEffect, DnsFault, DnsFaultError, DnsOutcome, DnsQuery, DnsSpec, NameError,
    RecordError, RecordKind, UnknownRecordKind, Zone,
};
