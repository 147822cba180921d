//! Packet filtering and address translation, which are kernel modules of their own.

use nix::errno::Errno;
use nix::libc;

use crate::errno::{RefusedCall, refused};
use crate::netlink::{Batch, Netlink, NetlinkProtocol, NetlinkSocket};
use crate::nft::{Expression, NftHook, NftTable};

/// A table for IPv4 only: those for both families have translation since Linux 5.2 only.
const TABLE: NftTable<'static> = NftTable {
    family: libc::NFPROTO_IPV4,
    name: "probe",
};

/// Creates a table of packet filters.
///
/// # Errors
/// The table was refused: the module `nf_tables` is missing.
pub fn nft_table() -> Result<(), RefusedCall> {
    let mut batch = Batch::new();
    batch.add_table(TABLE, 0);
    commit(batch).map_err(refused("NFT_MSG_NEWTABLE"))
}

/// Makes rules that translate source addresses (masquerade) and destination addresses (dnat).
///
/// # Errors
/// The rule that was refused: a module is missing.
pub fn nat() -> Result<(), RefusedCall> {
    use Expression::{Dnat, Immediate, Masquerade};
    let mut source = Batch::new();
    source.add_table(TABLE, 0);
    source.add_chain(TABLE, "postrouting", hook(libc::NF_INET_POST_ROUTING, 100));
    source.add_rule(TABLE, "postrouting", &[Masquerade]);
    commit(source).map_err(refused("NFT_MSG_NEWRULE masquerade"))?;
    let mut destination = Batch::new();
    // -100 and 100 are the priorities of destination and source translation (`NF_IP_PRI_NAT_DST`,
    // `NF_IP_PRI_NAT_SRC`).
    destination.add_chain(TABLE, "prerouting", hook(libc::NF_INET_PRE_ROUTING, -100));
    let to_localhost = [Immediate(&[127, 0, 0, 1]), Dnat];
    destination.add_rule(TABLE, "prerouting", &to_localhost);
    commit(destination).map_err(refused("NFT_MSG_NEWRULE dnat"))
}

fn hook(number: i32, priority: i32) -> NftHook<'static> {
    NftHook {
        kind: "nat",
        number,
        priority,
        devices: &[],
    }
}

fn commit(batch: Batch) -> Result<(), Errno> {
    let socket = NetlinkSocket::open(NetlinkProtocol::Netfilter)?;
    let outcome = Netlink::from_socket(socket).commit(batch);
    outcome.map_err(|error| error.errno().unwrap_or(Errno::EPROTO))
}
