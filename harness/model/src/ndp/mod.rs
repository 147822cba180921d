//! IPv6 addresses that come over the wire: router advertisements (RFC 4861), from which hosts make
//! their own addresses (SLAAC, RFC 4862).
//!
//! | file | role |
//! |---|---|
//! | `spec` | what a test asks for: [`AdvertiseSpec`] |
//! | `advertisement` | advertisements as values and as frames |
//! | `announcement` | frames by which a host tells its neighbours of an address |
//! | `host` | what a host needs to make addresses of them |
//! | `check` | what is wrong with the routers of a topology |

pub mod advertisement;
pub mod announcement;
pub(crate) mod check;
pub(crate) mod host;
pub mod spec;
#[cfg(test)]
mod tests;

pub use spec::{AdvertiseSpec, AdvertisedPrefixError};
