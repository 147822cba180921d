//! Translation of IPv6: prefixes exchanged for others (RFC 6296), and packets between IPv6 and IPv4
//! (RFC 7915), as NAT64 (RFC 6146) and 464XLAT (RFC 6877) need them.
//!
//! All of it is pure: frames go in, frames and verdicts come out. The crate `snowglobe` puts the
//! translation of prefixes on the uplink of a router, and the translation between the families at
//! an interface of its own in a router or host.
//!
//! | file | role |
//! |---|---|
//! | `spec` | what a topology asks for, as values |
//! | `error` | why prefixes or a pool cannot serve |
//! | `exchange` | prefixes exchanged for others, checksum-neutral |
//! | `embedded` | IPv4 addresses within IPv6 addresses (RFC 6052) |
//! | `hosts` | the IPv4 addresses that stand for hosts of IPv6 |
//! | `translator` | packets of one family made into packets of the other |
//! | `header` | IP headers of either family |
//! | `payload` | what packets carry: checksums for other addresses, and fragments |
//! | `icmp` | ICMP messages of either family, with the packets that they quote |
//! | `answer` | ICMP errors of the translator itself |
//! | `outcome` | what a translator has done, and why it dropped packets |
//! | `check` | what is wrong with the translations of a topology |

mod answer;
pub(crate) mod check;
mod embedded;
mod error;
mod exchange;
mod header;
mod hosts;
mod icmp;
mod outcome;
mod payload;
pub mod spec;
#[cfg(test)]
mod tests;
mod translator;

pub use embedded::EmbeddingPrefix;
pub use error::PrefixError;
pub use exchange::{PrefixExchanger, PrefixPair};
pub use outcome::{TranslationCounters, TranslationDrop};
pub use spec::{ClatSpec, Nat64Spec, PrefixTranslation, V6Nat};
pub use translator::FamilyTranslator;
