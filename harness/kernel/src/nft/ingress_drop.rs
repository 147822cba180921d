//! Frames that a device no longer receives: how a plain cable is cut without touching it.
//!
//! A chain at the device's ingress sees every frame before anything else in the namespace does (but for packet sockets,
//! which still show it): neither carrier nor addresses nor routes change, and the sender notices nothing. Each cut is
//! a table of its own, so that cuts compose: a frame passes when none of them wants it. The table belongs to the
//! socket that made it: a firewall in the node that flushes its rules does not heal the cable, and when the process is
//! gone the cut is.

use std::fmt;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc;
use nix::net::if_::if_nametoindex;

use super::rule::{self, Expression, Hook, OWNED, Set, SetKind, Table};
use crate::netlink::batch::Batch;
use crate::netlink::connection::Netlink;
use crate::netlink::error::NetlinkError;
use crate::netlink::link::Device;
use crate::netlink::socket::{Protocol, Socket};
use crate::netns::Netns;

/// Which frames do not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DropFrom {
    /// All.
    Anyone,
    /// Those that these hardware addresses sent: neighbours on the same segment.
    Macs(Vec<[u8; 6]>),
    /// Those with these source addresses, over any number of routers; ARP of those addresses as well.
    Addresses(Vec<IpAddr>),
}

/// A cut of one device; dropping it heals.
#[must_use = "dropping it heals the cut"]
pub struct IngressDrop {
    netlink: Netlink,
    name: String,
    healed: bool,
}

const CHAIN: &str = "ingress";
/// Before every chain that a program in the node may have made.
const FIRST: i32 = i32::MIN + 1;

impl IngressDrop {
    /// Has the device, which must be there, drop what it receives from now on.
    pub fn make(
        netns: BorrowedFd<'_>,
        device: Device<'_>,
        from: &DropFrom,
    ) -> Result<Self, NetlinkError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Linux 6.16 and later take a chain for a device that is still to come.
        let open = || if_nametoindex(device.name).and_then(|_| Socket::open(Protocol::Netfilter));
        let socket = Netns::visit(netns, open)
            .and_then(|opened| opened)
            .map_err(|errno| NetlinkError::refused("cut", device.name, errno, None))?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("snowglobe-{}-{number}", std::process::id());
        let mut cut = Self {
            netlink: Netlink::from_socket(socket),
            name,
            healed: false,
        };
        let batch = cut.rules(device, from);
        cut.netlink.commit(&batch)?;
        Ok(cut)
    }

    /// Packets and bytes dropped so far.
    pub fn dropped(&mut self) -> Result<(u64, u64), NetlinkError> {
        let table = table(&self.name);
        self.netlink.counted(table)
    }

    /// Heals it, and says when that was refused.
    pub fn heal(mut self) -> Result<(), NetlinkError> {
        self.delete()
    }

    fn delete(&mut self) -> Result<(), NetlinkError> {
        if std::mem::replace(&mut self.healed, true) {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.delete_table(table(&self.name));
        self.netlink.commit(&batch)
    }

    fn rules(&self, device: Device<'_>, from: &DropFrom) -> Batch {
        use Expression::{Count, Drop, Equals, EtherType, In, Load};
        const ETHER: libc::c_int = libc::NFT_PAYLOAD_LL_HEADER;
        const NETWORK: libc::c_int = libc::NFT_PAYLOAD_NETWORK_HEADER;
        let table = table(&self.name);
        let mut batch = Batch::new();
        batch.add_table(table, OWNED);
        let hook = Hook {
            kind: "filter",
            number: libc::NF_NETDEV_INGRESS,
            priority: FIRST,
            device: Some(device.name),
        };
        batch.add_chain(table, CHAIN, hook);
        match from {
            DropFrom::Anyone => batch.add_rule(table, CHAIN, &[Count, Drop]),
            DropFrom::Macs(macs) => {
                let members = macs.iter().map(|mac| mac.to_vec());
                batch.add_set(table, &set("macs", SetKind::Mac, members));
                batch.add_rule(table, CHAIN, &[Load(ETHER, 6, 6), In("macs"), Count, Drop]);
            }
            DropFrom::Addresses(addresses) => {
                let of = |v4| addresses.iter().filter(move |a| a.is_ipv4() == v4);
                let octets = |address: &IpAddr| rule::octets(*address);
                batch.add_set(table, &set("v4", SetKind::Ipv4, of(true).map(octets)));
                batch.add_set(table, &set("v6", SetKind::Ipv6, of(false).map(octets)));
                // The EtherType, and where the source address is.
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
    /// Closing the socket would do it too, but only when no child that is about to start a program shares it.
    fn drop(&mut self) {
        let _ = self.delete();
    }
}

fn table(name: &str) -> Table<'_> {
    Table {
        family: libc::NFPROTO_NETDEV,
        name,
    }
}

fn set(name: &str, kind: SetKind, members: impl Iterator<Item = Vec<u8>>) -> Set<'_> {
    let mut members: Vec<_> = members.collect();
    members.sort_unstable();
    members.dedup();
    Set {
        name,
        kind,
        members,
    }
}

#[cfg(test)]
#[path = "ingress_drop_tests.rs"]
mod tests;
