//! Services of ours that run in nodes: servers and clients that a topology asks for as values.
//!
//! A socket keeps the network namespace in which it was made, so that a service makes its sockets
//! in the node and serves them on a thread of the test's process. Like a program of the node, a
//! service starts with the node, stands still while the node is paused, and ends with the node.
//!
//! | file or folder | role |
//! |---|---|
//! | `ndp/` | routers that advertise themselves |
//! | `own` | the services that one node has |
//! | `service` | what a service is, and the threads of those that run |
//! | `client_stream` | a TCP connection of one client among many of a thread |
//! | `dhcp/` | servers and clients of DHCP |
//! | `dhcp6/` | servers and clients of DHCPv6 |
//! | `dns/` | name servers |
//! | `translation/` | NAT64 and the client side of 464XLAT |
//! | `portmap/` | routers that give ports to hosts that ask |

pub(crate) mod client_stream;
pub(crate) mod dhcp;
pub(crate) mod dhcp6;
pub(crate) mod dns;
pub(crate) mod ndp;
pub(crate) mod own;
pub(crate) mod portmap;
pub(crate) mod service;
pub(crate) mod translation;
