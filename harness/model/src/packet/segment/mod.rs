//! Super-frames, and how they are cut into frames as they are on a wire.
//!
//! A sender's kernel leaves segmentation to the network card, and here we are the card. So this
//! module does TCP segmentation (TSO), UDP segmentation (USO) and the completion of checksums, as
//! Linux does it in software (`net/ipv4/tcp_offload.c`, `net/ipv4/udp_offload.c`).
//!
//! | file | role |
//! |---|---|
//! | `cut` | a super-frame as segments |
//! | `complete` | checksums that a sender has left to the card |
//! | `bundle` | small datagrams as one super-frame |
//! | `layout` | the places of headers in a super-frame |
//! | `vnet` | the virtio-net header |
//! | `adapt` | the headers of a super-frame as those of a segment |

mod adapt;
mod bundle;
mod complete;
mod cut;
mod layout;
pub mod testing;
#[cfg(test)]
mod tests;
mod vnet;

pub use self::bundle::{bundle, how_many_together};
pub use self::complete::complete_checksum;
pub use self::cut::Segments;
pub(crate) use self::vnet::Vnet;
