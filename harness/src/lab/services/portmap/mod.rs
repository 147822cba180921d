//! Routers that give ports to hosts that ask: NAT-PMP, PCP and UPnP.
//!
//! | file | role |
//! |---|---|
//! | `mapper` | the leases of a router, and its service |
//! | `site` | where a router serves, and what carries its NAT |
//! | `kernel` | leases in a NAT that nftables carries |
//! | `rules` | the rules of nftables that leases need |
//! | `server` | the thread that hears hosts |
//! | `stream` | requests that come over TCP |

mod kernel;
pub(crate) mod mapper;
mod rules;
mod server;
pub(crate) mod site;
mod stream;
