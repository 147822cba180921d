//! Ports whose packets a network namespace does not take in: a stateless packet filter, as of a
//! host with a firewall.
//!
//! The chain stands where packets to the host itself arrive, behind routing and the reassembly of
//! fragments. Packets that are forwarded, or come over `lo`, pass. Unlike [`super::IngressDrop`],
//! the table belongs to the namespace: it lives as long as the namespace does, and programs there
//! can list and change it as any firewall.

use std::os::fd::BorrowedFd;

use nix::libc;

use super::conversation::FilterConversation;
use super::expression::Expression;
use super::table::{NftHook, NftTable};
use crate::netlink::{Batch, NetlinkError};

const TABLE: NftTable<'_> = NftTable {
    family: libc::NFPROTO_INET,
    name: "snowglobe",
};
const CHAIN: &str = "inbound";
/// Index of the loopback interface in every network namespace (`net/core/net_namespace.c`).
const LOOPBACK: u32 = 1;

impl FilterConversation {
    /// Makes a network namespace drop packets to these TCP and UDP ports of its own, and to no
    /// others that an earlier call named.
    ///
    /// # Errors
    /// The kernel has no nftables, or refused the rules.
    pub fn drop_inbound(
        &mut self,
        netns: BorrowedFd<'_>,
        tcp: impl Iterator<Item = u16>,
        udp: impl Iterator<Item = u16>,
    ) -> Result<(), NetlinkError> {
        self.replace(netns, TABLE, |batch| add_rules(batch, tcp, udp))
    }
}

fn add_rules(batch: &mut Batch, tcp: impl Iterator<Item = u16>, udp: impl Iterator<Item = u16>) {
    batch.add_table(TABLE, 0);
    let hook = NftHook {
        kind: "filter",
        number: libc::NF_INET_LOCAL_IN,
        priority: 0,
        devices: &[],
    };
    batch.add_chain(TABLE, CHAIN, hook);
    let tcp = tcp.map(|port| (libc::IPPROTO_TCP, port));
    let udp = udp.map(|port| (libc::IPPROTO_UDP, port));
    for (protocol, port) in tcp.chain(udp) {
        batch.add_rule(
            TABLE,
            CHAIN,
            &[
                Expression::ReceivedOn,
                Expression::Differs(&LOOPBACK.to_ne_bytes()),
                Expression::Transport,
                Expression::Equals(&[protocol as u8]),
                // The destination port is at offset 2 in both headers: RFC 9293, section 3.1, and
                // RFC 768.
                Expression::Load(libc::NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2),
                Expression::Equals(&port.to_be_bytes()),
                Expression::Count,
                Expression::Drop,
            ],
        );
    }
}
