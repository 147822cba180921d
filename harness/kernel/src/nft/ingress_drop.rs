//! Frames that an interface no longer receives: how a plain link is cut without touching it.
//!
//! A chain at the interface's ingress sees every frame before anything else in the namespace does,
//! except packet sockets. Neither carrier nor addresses nor routes change, and the sender notices
//! nothing. Each cut is a table of its own, so that cuts compose: a frame passes if no cut drops
//! the frame. The table belongs to the socket that made it. A firewall in the node that flushes its
//! rules does not heal the link, and the cut ends with the process.

use std::fmt;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc;
use nix::net::if_::if_nametoindex;

use super::expression::Expression;
use super::set::{NftSet, SetKind, octets};
use super::table::{NftHook, NftTable, OWNED};
use crate::netlink::{Batch, Device, Netlink, NetlinkError, NetlinkProtocol, NetlinkSocket};
use crate::netns::Netns;

/// A choice of frames by their senders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DropFrom {
    /// All frames.
    Anyone,
    /// Frames that neighbours on the same segment sent, by their hardware addresses.
    Macs(Vec<[u8; 6]>),
    /// Frames with these source addresses, through any number of routers, and ARP of these
    /// addresses.
    Addresses(Vec<IpAddr>),
}

/// A rule that drops frames which an interface receives; it ends when this value is dropped.
#[must_use = "the interface receives again when this value is dropped"]
pub struct IngressDrop {
    netlink: Netlink,
    name: String,
    healed: bool,
}

const CHAIN: &str = "ingress";
/// Priority before every chain that a program in the node is likely to have made.
const FIRST: i32 = i32::MIN + 1;

impl IngressDrop {
    /// Makes an existing interface drop the chosen frames from now on.
    ///
    /// # Errors
    /// There is no such interface, or the kernel refused the rules.
    pub fn make(
        netns: BorrowedFd<'_>,
        device: Device<'_>,
        from: &DropFrom,
    ) -> Result<Self, NetlinkError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Linux 6.16 and later accept a chain for an interface that does not exist yet, so that the
        // answer would not tell a wrong name.
        let open = || {
            if_nametoindex(device.name)
                .and_then(|_| NetlinkSocket::open(NetlinkProtocol::Netfilter))
        };
        let socket = Netns::visit(netns, open)
            .and_then(|opened| opened)
            .map_err(|errno| NetlinkError::refused("cut", device.name, errno, None))?;
        // Names of tables are unique in a namespace, and several cuts may hit one interface.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("snowglobe-{}-{number}", std::process::id());
        let mut cut = Self {
            netlink: Netlink::from_socket(socket),
            name,
            healed: false,
        };
        let batch = cut.rules(device, from);
        cut.netlink.commit(batch)?;
        Ok(cut)
    }

    /// Returns the packets and bytes dropped so far.
    ///
    /// # Errors
    /// The kernel refused to list the rules.
    pub fn dropped(&mut self) -> Result<(u64, u64), NetlinkError> {
        let table = table(&self.name);
        self.netlink.counted(table)
    }

    /// Ends the cut.
    ///
    /// # Errors
    /// The kernel refused to delete the rules.
    pub fn heal(mut self) -> Result<(), NetlinkError> {
        self.delete()
    }

    fn delete(&mut self) -> Result<(), NetlinkError> {
        if std::mem::replace(&mut self.healed, true) {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.delete_table(table(&self.name));
        self.netlink.commit(batch)
    }

    fn rules(&self, device: Device<'_>, from: &DropFrom) -> Batch {
        use Expression::{Count, Drop, Equals, EtherType, In, Load};
        const ETHER: libc::c_int = libc::NFT_PAYLOAD_LL_HEADER;
        const NETWORK: libc::c_int = libc::NFT_PAYLOAD_NETWORK_HEADER;
        let table = table(&self.name);
        let mut batch = Batch::new();
        // OWNED needs Linux 5.12; the kernel refuses unknown flags, so the table is never made
        // without an owner.
        batch.add_table(table, OWNED);
        let hook = NftHook {
            kind: "filter",
            number: libc::NF_NETDEV_INGRESS,
            priority: FIRST,
            device: Some(device.name),
        };
        batch.add_chain(table, CHAIN, hook);
        match from {
            // The counter stands first, so that it counts what is dropped.
            DropFrom::Anyone => batch.add_rule(table, CHAIN, &[Count, Drop]),
            DropFrom::Macs(macs) => {
                let members = macs.iter().map(|mac| mac.to_vec());
                batch.add_set(table, &set("macs", SetKind::Mac, members));
                // In an Ethernet header the source is at 6, after the destination.
                batch.add_rule(table, CHAIN, &[Load(ETHER, 6, 6), In("macs"), Count, Drop]);
            }
            DropFrom::Addresses(addresses) => {
                let of = |v4| addresses.iter().filter(move |a| a.is_ipv4() == v4);
                let octets = |address: &IpAddr| octets(*address);
                batch.add_set(table, &set("v4", SetKind::Ipv4, of(true).map(octets)));
                batch.add_set(table, &set("v6", SetKind::Ipv6, of(false).map(octets)));
                // EtherType, offset and length of the source address: RFC 791, 826 and 8200.
                for (kind, offset, length, set) in [
                    (libc::ETH_P_IP, 12, 4, "v4"),
                    (libc::ETH_P_ARP, 14, 4, "v4"),
                    (libc::ETH_P_IPV6, 8, 16, "v6"),
                ] {
                    let kind = (kind as u16).to_be_bytes();
                    let matches = [
                        EtherType,
                        Equals(&kind),
                        Load(NETWORK, offset, length),
                        In(set),
                    ];
                    batch.add_rule(table, CHAIN, &[&matches[..], &[Count, Drop]].concat());
                }
            }
        }
        batch
    }
}

impl fmt::Debug for IngressDrop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("IngressDrop").field(&self.name).finish()
    }
}

impl Drop for IngressDrop {
    /// Deletes the rules. Closing the socket would do that too, but a child that is about to start
    /// a program may share the socket for a while.
    fn drop(&mut self) {
        let _ = self.delete();
    }
}

fn table(name: &str) -> NftTable<'_> {
    NftTable {
        family: libc::NFPROTO_NETDEV,
        name,
    }
}

fn set(name: &str, kind: SetKind, members: impl Iterator<Item = Vec<u8>>) -> NftSet<'_> {
    let mut members: Vec<_> = members.collect();
    // The kernel refuses an element that is named twice with NLM_F_EXCL, and merges it otherwise;
    // sorted sets are the same in every run.
    members.sort_unstable();
    members.dedup();
    NftSet {
        name,
        kind,
        members,
    }
}

#[cfg(test)]
#[path = "ingress_drop_tests.rs"]
mod tests;
