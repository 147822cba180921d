//! Frames that the kernel carries from one interface to another, past the programs that read there.
//!
//! A packet socket sees a frame before any rule of the packet filter does (`net/core/dev.c`,
//! `__netif_receive_skb_core`). So a rule alone cannot take a frame from the socket, and a socket
//! cannot leave a frame to a rule. Both need one sign by which they tell the same frames apart,
//! and which changes at one moment for both: each frame goes one of the two ways, and none goes
//! both.
//!
//! That sign is the *type* that the kernel gives to each frame when the frame comes to the
//! interface (`net/ethernet/eth.c`, `eth_type_trans`): a frame to the address of the interface is
//! `PACKET_HOST`, one to its broadcast address is `PACKET_BROADCAST`, all others are
//! `PACKET_OTHERHOST` or `PACKET_MULTICAST`. The rule carries the first two, the socket receives
//! the others. An interface with the addresses of the host at the other side thus leaves all frames
//! to that host to the kernel, and an interface with addresses that nobody has leaves none.

use std::os::fd::BorrowedFd;

use nix::libc;

use super::conversation::FilterConversation;
use super::expression::Expression;
use super::table::{NftHook, NftTable};
use crate::netlink::{Batch, Device, NetlinkError};
use crate::qdisc::{Qdisc, QdiscPosition};

/// Most packets that wait at an interface while another processor sends there: what an interface
/// has by default (`include/net/sch_generic.h`, `DEFAULT_TX_QUEUE_LEN`).
const LONGEST_QUEUE: u32 = 1000;

impl FilterConversation {
    /// Tells whether the kernel can carry frames between interfaces of a namespace. A table without
    /// a chain at any interface stays there.
    pub fn can_carry(&mut self, netns: BorrowedFd<'_>) -> bool {
        const TABLE: NftTable<'_> = NftTable {
            family: libc::NFPROTO_NETDEV,
            name: "shortcut",
        };
        let chain = "none";
        let lo = Device::LOOPBACK.index.to_ne_bytes();
        let mut batch = Batch::new();
        batch.add_table(TABLE, 0);
        batch.add_branch(TABLE, chain);
        // Loads the module that forwards, if the kernel has it (nf_tables_api.c,
        // nft_expr_type_request_module).
        batch.add_rule(
            TABLE,
            chain,
            &[Expression::Immediate(&lo), Expression::Forward],
        );
        let netlink = self.netlink(netns, TABLE.name);
        netlink.is_ok_and(|netlink| netlink.commit(batch).is_ok())
    }

    /// Makes the kernel carry frames between two interfaces of a namespace, by a table of that
    /// name: those without a VLAN tag that come to the address or the broadcast address of the
    /// interface.
    ///
    /// # Errors
    /// The kernel cannot forward frames by rules (`CONFIG_NFT_FWD_NETDEV`), or refused them.
    pub fn forward_between(
        &mut self,
        netns: BorrowedFd<'_>,
        table: &str,
        interfaces: [Device<'_>; 2],
    ) -> Result<(), NetlinkError> {
        let table = NftTable {
            family: libc::NFPROTO_NETDEV,
            name: table,
        };
        self.replace(netns, table, |batch| {
            batch.add_table(table, 0);
            let [a, b] = interfaces;
            for (from, to) in [(a, b), (b, a)] {
                let hook = NftHook {
                    kind: "filter",
                    number: libc::NF_NETDEV_INGRESS,
                    priority: 0,
                    devices: &[from.name],
                };
                batch.add_chain(table, from.name, hook);
                carry(batch, table, from, to);
            }
        })
    }
}

fn carry(batch: &mut Batch, table: NftTable<'_>, from: Device<'_>, to: Device<'_>) {
    // `PACKET_HOST` is 0 and `PACKET_BROADCAST` is 1 (linux/if_packet.h).
    const TO_HERE: [u8; 1] = [libc::PACKET_BROADCAST];
    // The EtherTypes of VLAN tags (IEEE 802.1Q). Where the kernel has taken the tag out of the
    // frame, the rule sees it in its place (net/netfilter/nft_payload.c, nft_payload_copy_vlan).
    const TAGS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];
    let rule = [
        Expression::PacketType,
        Expression::AtMost(&TO_HERE),
        Expression::Load(libc::NFT_PAYLOAD_LL_HEADER, 12, 2),
        Expression::Differs(&TAGS[0]),
        Expression::Differs(&TAGS[1]),
        Expression::Immediate(&to.index.to_ne_bytes()),
        Expression::Forward,
    ];
    batch.add_rule(table, from.name, &rule);
}

impl Batch {
    /// Makes an interface count what leaves by it as it is on a wire: a super-frame counts as the
    /// packets that it will be cut into (`net/core/dev.c`, `qdisc_pkt_len_init`).
    pub fn count_packets(&mut self, device: Device<'_>) {
        self.replace_qdisc(device, QdiscPosition::ROOT, Qdisc::Fifo(LONGEST_QUEUE));
    }

    /// Lets the kernel carry the frames that arrive at `device` for the host with the address
    /// `host`.
    pub fn take_shortcut(&mut self, device: Device<'_>, host: [u8; 6]) {
        self.set_mac(device, host);
        self.set_broadcast(device, [0xff; 6]);
    }

    /// Leaves no frames that come to `device` to the kernel any more.
    pub fn leave_shortcut(&mut self, device: Device<'_>, host: [u8; 6]) {
        let mut nobody = host;
        // Another address of those that are given out locally (RFC 9542, section 2.1).
        nobody[0] = (host[0] ^ 0x10) & !1 | 2;
        self.set_mac(device, nobody);
        self.set_broadcast(device, [0; 6]);
    }
}

#[cfg(test)]
mod tests;
