//! Translation between IPv6 and IPv4 in a node: NAT64, and the client side of 464XLAT.
//!
//! The node has a veth pair. The kernel routes packets of one family into the near end, and what
//! comes out of it again is of the other family; a thread at the far end has translated it. A TUN
//! device would do the same, but most users may not open `/dev/net/tun`.
//!
//! | file | role |
//! |---|---|
//! | `pair` | the veth pair, with its routes |
//! | `translation` | the service: the pair, and the thread at its far end |

mod pair;
#[expect(
    clippy::module_inception,
    reason = "the file of the translation itself"
)]
pub(crate) mod translation;
