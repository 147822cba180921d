//! Frames of some senders that a network namespace no longer lets pass, from one instant on.
//!
//! A partition takes filters at many interfaces, and a test must not see half of it. One
//! transaction of nftables changes everything in a namespace at once: the kernel compares one word
//! for each packet (`nf_tables_core.c`, `nft_do_chain` reads `gencursor`). No transaction spans
//! several namespaces. There the rules also look at the time of day, which all namespaces share
//! (`nft_meta.c`, `NFT_META_TIME_NS`): they are made ahead of time, and all take effect at one
//! nanosecond.
//!
//! The table belongs to the socket that made it, as that of an [`super::IngressDrop`] does.

use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use nix::libc;

use super::expression::Expression;
use super::owned_table::{FIRST, OwnedTable};
use super::set::{NftSet, SetKind, octets};
use super::table::{NftHook, NftTable};
use crate::netlink::{Batch, NetlinkError};

/// Senders of frames, by all that tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Senders {
    /// Hardware addresses, by which neighbours on the same segment are known.
    pub macs: Vec<[u8; 6]>,
    /// Source addresses of packets through any number of routers, and of ARP.
    pub addresses: Vec<IpAddr>,
}

/// Ports of bridges that get nothing of some senders.
#[derive(Clone, Debug)]
pub struct ReceiverPorts {
    /// Indices of the interfaces that are the ports. Those that do not exist match nothing.
    pub ports: Vec<u32>,
    /// The senders.
    pub from: Senders,
}

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropTime {
    /// At once.
    Now,
    /// At a time of day, in nanoseconds since 1970.
    At(u64),
}

/// Rules that drop the frames of some senders; they end when this value is dropped.
#[derive(Debug)]
#[must_use = "the frames pass again when this value is dropped"]
pub struct SenderDrop {
    table: OwnedTable,
    /// Whether rules match the port: one rule in the gate for each, by the number of the branch.
    by_port: bool,
    branches: usize,
    /// Requests that make the table, until they are carried out.
    prepared: Option<Batch>,
}

/// The chain that the kernel calls. Its rules decide whether frames go to the branches.
const GATE: &str = "gate";
/// Beginning of the names of its tables, and their purpose.
const NAMES: [&str; 2] = ["snowglobe-from", "filter"];

impl SenderDrop {
    /// Prepares to drop what interfaces receive from some senders. Nothing changes yet.
    ///
    /// # Errors
    /// There is no such interface, or the thread may not enter the namespace.
    pub fn of_interfaces(
        netns: BorrowedFd<'_>,
        devices: &[&str],
        from: &Senders,
    ) -> Result<Self, NetlinkError> {
        let table = OwnedTable::prepare(netns, libc::NFPROTO_NETDEV, devices, NAMES)?;
        let hook = NftHook {
            kind: "filter",
            number: libc::NF_NETDEV_INGRESS,
            priority: FIRST,
            devices,
        };
        let mut batch = table.with_chain(GATE, hook);
        add_branch(&mut batch, table.named(), 0, from);
        Ok(Self {
            table,
            by_port: false,
            branches: 1,
            prepared: Some(batch),
        })
    }

    /// Prepares to drop what bridges forward to ports. Nothing changes yet.
    ///
    /// # Errors
    /// The thread may not enter the namespace.
    pub fn of_ports(
        netns: BorrowedFd<'_>,
        receivers: &[ReceiverPorts],
    ) -> Result<Self, NetlinkError> {
        let table = OwnedTable::prepare(netns, libc::NFPROTO_BRIDGE, &[], NAMES)?;
        // Frames that a bridge floods pass this hook once for each port, as all others do
        // (net/bridge/br_forward.c, __br_forward).
        let hook = NftHook {
            kind: "filter",
            number: libc::NF_BR_FORWARD,
            priority: FIRST,
            devices: &[],
        };
        let mut batch = table.with_chain(GATE, hook);
        for (number, receiver) in receivers.iter().enumerate() {
            let members = receiver
                .ports
                .iter()
                .map(|port| port.to_ne_bytes().to_vec());
            let name = ports(number);
            batch.add_set(table.named(), &set(&name, SetKind::Interface, members));
            add_branch(&mut batch, table.named(), number, &receiver.from);
        }
        Ok(Self {
            table,
            by_port: true,
            branches: receivers.len(),
            prepared: Some(batch),
        })
    }

    /// Makes the rules ahead of time. Frames pass them until [`close`](Self::close).
    ///
    /// # Errors
    /// The kernel refused the rules.
    pub fn make(&mut self) -> Result<(), NetlinkError> {
        match self.prepared.take() {
            Some(batch) => self.table.commit(batch),
            None => Ok(()),
        }
    }

    /// Drops the frames of the senders from a time on, by one transaction.
    ///
    /// # Errors
    /// The kernel refused the rules.
    pub fn close(&mut self, from: DropTime) -> Result<(), NetlinkError> {
        // One transaction also where the rules were not made ahead: it is all or nothing.
        let mut batch = self.prepared.take().unwrap_or_default();
        let leads = match from {
            DropTime::Now => GateTime::Always,
            DropTime::At(time) => GateTime::From(time.to_be_bytes()),
        };
        self.set_gate(&mut batch, leads);
        self.table.commit(batch)
    }

    /// Lets all frames pass from a time on, by one transaction.
    ///
    /// # Errors
    /// The kernel refused the rules.
    pub fn open_gate(&mut self, from: DropTime) -> Result<(), NetlinkError> {
        let mut batch = Batch::new();
        match from {
            DropTime::Now => batch.flush_chain(self.table.named(), GATE),
            DropTime::At(time) => {
                let last = time.saturating_sub(1).to_be_bytes();
                self.set_gate(&mut batch, GateTime::Until(last));
            }
        }
        self.table.commit(batch)
    }

    /// Removes the rules. The drop of the value that is left waits until the kernel has destroyed
    /// them, as the end of a [`super::FilterConversation`] does.
    ///
    /// # Errors
    /// The kernel refused to delete the rules.
    pub fn remove(&mut self) -> Result<(), NetlinkError> {
        self.table.delete()
    }

    /// Replaces the rules by which frames go to the branches.
    fn set_gate(&self, batch: &mut Batch, leads: GateTime) {
        let table = self.table.named();
        batch.flush_chain(table, GATE);
        for number in 0..self.branches {
            let (branch, ports) = (branch(number), ports(number));
            let mut rule = Vec::new();
            // Numbers are compared byte by byte, so that the first byte must count most.
            let time = [Expression::TimeOfDay, Expression::InNetworkOrder];
            // Each packet reads the clock by itself, so that the order of the namespaces does not
            // matter (nft_meta.c, nft_meta_get_eval_time).
            match &leads {
                GateTime::Always => {}
                GateTime::From(first) => {
                    rule.extend(time);
                    rule.push(Expression::AtLeast(first));
                }
                GateTime::Until(last) => {
                    rule.extend(time);
                    rule.push(Expression::AtMost(last));
                }
            }
            if self.by_port {
                rule.extend([Expression::LeavesBy, Expression::In(&ports)]);
            }
            rule.push(Expression::Goto(&branch));
            batch.add_rule(table, GATE, &rule);
        }
    }
}

/// When the gate leads frames to the branches, by the time of day.
enum GateTime {
    Always,
    From([u8; 8]),
    Until([u8; 8]),
}

fn branch(number: usize) -> String {
    format!("branch{number}")
}

fn ports(number: usize) -> String {
    format!("ports{number}")
}

/// Makes the chain in which the frames of some senders are dropped.
fn add_branch(batch: &mut Batch, table: NftTable<'_>, number: usize, from: &Senders) {
    use Expression::{Drop, Equals, EtherType, In, Load};
    const ETHER: libc::c_int = libc::NFT_PAYLOAD_LL_HEADER;
    const NETWORK: libc::c_int = libc::NFT_PAYLOAD_NETWORK_HEADER;
    let chain = branch(number);
    batch.add_branch(table, &chain);
    if !from.macs.is_empty() {
        let macs = format!("macs{number}");
        let members = from.macs.iter().map(|mac| mac.to_vec());
        batch.add_set(table, &set(&macs, SetKind::Mac, members));
        // In an Ethernet header the source is at 6, after the destination.
        batch.add_rule(table, &chain, &[Load(ETHER, 6, 6), In(&macs), Drop]);
    }
    // EtherType, offset and length of the source address: RFC 791, 826 and 8200.
    let v4 = [(libc::ETH_P_IP, 12), (libc::ETH_P_ARP, 14)];
    let v6 = [(libc::ETH_P_IPV6, 8)];
    let families = [
        (true, SetKind::Ipv4, 4, &v4[..]),
        (false, SetKind::Ipv6, 16, &v6[..]),
    ];
    for (is_v4, kind, length, places) in families {
        let of_family = from.addresses.iter().filter(|it| it.is_ipv4() == is_v4);
        let members: Vec<Vec<u8>> = of_family.map(|address| octets(*address)).collect();
        // An empty set would cost each packet a lookup, and the transaction four messages.
        if members.is_empty() {
            continue;
        }
        let name = format!("{}-{number}", if is_v4 { "v4" } else { "v6" });
        batch.add_set(table, &set(&name, kind, members.into_iter()));
        for (ether_type, offset) in places {
            let ether_type = (*ether_type as u16).to_be_bytes();
            let rule = [
                EtherType,
                Equals(&ether_type),
                Load(NETWORK, *offset, length),
                In(&name),
                Drop,
            ];
            batch.add_rule(table, &chain, &rule);
        }
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
#[path = "sender_drop_tests.rs"]
mod tests;
