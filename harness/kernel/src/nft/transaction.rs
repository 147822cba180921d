//! Changes that nftables makes all at once or not at all, and the counters of rules.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::libc;

use super::attributes::*;
use super::table::{NftTable, header, message_kind};
use crate::netlink::connection::{Question, error_of, words_of};
use crate::netlink::encoding::{self, Attributes, NLMSG_ERROR};
use crate::netlink::{Batch, Netlink, NetlinkError, NetlinkProtocol, NetlinkSocket};
use crate::netns::Netns;

const OPERATION: &str = "change nftables in";

impl Netlink {
    /// Opens a conversation about the packet filter of `netns`, which the current thread enters for
    /// a moment.
    pub(super) fn of_packet_filter(netns: BorrowedFd<'_>) -> crate::Result<Self> {
        let open = || NetlinkSocket::open(NetlinkProtocol::Netfilter);
        Ok(Self::from_socket(Netns::visit(netns, open)??))
    }

    /// Makes nftables do everything in the batch, or nothing.
    ///
    /// # Errors
    /// The first refusal.
    pub(crate) fn commit(&mut self, mut batch: Batch) -> Result<(), NetlinkError> {
        if batch.is_empty() {
            return Ok(());
        }
        let first = self.reserve(batch.len() as u32);
        let last = batch.len() - 1;
        let bytes = in_transaction(&mut batch, first);
        self.socket.make_room(bytes.len());
        self.socket
            .send(&bytes)
            .map_err(|errno| whole(errno, too_long(errno, bytes.len())))?;
        // The first refusal is the cause; later ones may only follow from it.
        let (mut refusal, mut acknowledged) = (None, false);
        // The kernel works in the sender's system call and queues all answers before that call
        // returns (af_netlink.c, netlink_unicast_kernel). So an empty queue means: no more answers.
        while let Some(datagram) = self
            .socket
            .try_receive(&mut self.buffer)
            .map_err(|errno| whole(errno, None))?
        {
            for message in encoding::messages(datagram).filter(|it| it.kind == NLMSG_ERROR) {
                let at = message.sequence.wrapping_sub(first) as usize;
                match error_of(&message) {
                    None => acknowledged |= at == last,
                    Some(errno) => {
                        let words = words_of(&message);
                        refusal.get_or_insert_with(|| {
                            // An answer to the enclosing messages refuses the whole transaction.
                            batch
                                .refusal(at, errno, words.clone())
                                .unwrap_or_else(|| whole(errno, words))
                        });
                    }
                }
            }
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None if acknowledged => Ok(()),
            None => Err(whole(Errno::EPROTO, None)),
        }
    }

    /// Returns whether there is surely no table of that name.
    pub(super) fn lacks(&mut self, table: NftTable<'_>) -> bool {
        let name = Attributes::new().text(NFTA_TABLE_NAME, table.name);
        let question = [&header(table.family), &name.0[..]].concat();
        let question = Question {
            operation: "look for the nftables table",
            subject: table.name,
            kind: message_kind(libc::NFT_MSG_GETTABLE),
            flags: 0,
            payload: &question,
        };
        let asked = self.get(&question, |_: &encoding::Message<'_>| None::<()>);
        // A transaction meets any other refusal as well, and tells it by what it was to do.
        asked.is_err_and(|error| error.errno() == Some(Errno::ENOENT))
    }

    /// Returns the sum of all counters in the rules of a table: packets and bytes.
    ///
    /// # Errors
    /// The kernel refused to list the rules.
    pub(crate) fn counted(&mut self, table: NftTable<'_>) -> Result<(u64, u64), NetlinkError> {
        let counters = self.counters(table)?;
        let sum = counters.into_iter().map(|(_, counter)| counter);
        Ok(sum.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
    }

    /// Returns the counters in the rules of a table, in the order of the rules: packets and bytes,
    /// with the label of the rule, if it has one.
    ///
    /// # Errors
    /// The kernel refused to list the rules.
    pub(super) fn counters(&mut self, table: NftTable<'_>) -> Result<Vec<Labelled>, NetlinkError> {
        let name = Attributes::new().text(NFTA_RULE_TABLE, table.name);
        let question = [&header(table.family), &name.0[..]].concat();
        let kind = message_kind(libc::NFT_MSG_GETRULE);
        let operation = "read the nftables counters of";
        self.dump(operation, kind, &question, |message| {
            let attributes = message.payload.get(header(0).len()..)?;
            let text = |kind| encoding::find(attributes, kind).map(encoding::text);
            if text(NFTA_RULE_TABLE)? != table.name {
                return None;
            }
            Some((text(NFTA_RULE_USERDATA), counter(attributes)?))
        })
    }
}

/// Packets and bytes that a rule counted, with its label.
type Labelled = (Option<String>, (u64, u64));

/// Returns the error for a refusal that is not about a single request.
fn whole(errno: Errno, words: Option<String>) -> NetlinkError {
    NetlinkError::refused(OPERATION, "the network namespace", errno, words)
}

/// Returns what to do about a transaction that is too long.
fn too_long(errno: Errno, bytes: usize) -> Option<String> {
    (errno == Errno::EMSGSIZE).then(|| {
        // The kernel doubles the size of a buffer that it is told (socket(7), SO_SNDBUF).
        let limit = (bytes + 32).div_ceil(2);
        format!(
            "the rules have {bytes} bytes, and go in one message; \
             `sudo sysctl -w net.core.wmem_max={limit}`, or use fewer rules and forwarded ports"
        )
    })
}

/// Returns the requests, numbered from `first`, between the two messages that make them one
/// transaction (`nfnetlink.c`, `nfnetlink_rcv_batch`).
fn in_transaction(batch: &mut Batch, first: u32) -> Vec<u8> {
    let bracket = |kind: libc::c_int| {
        let mut bytes = vec![0; encoding::HEADER];
        // The last two bytes of `struct nfgenmsg` name the subsystem, in big-endian order.
        bytes.extend([0, 0, 0, libc::NFNL_SUBSYS_NFTABLES as u8]);
        let flags = libc::NLM_F_REQUEST as u16;
        encoding::header(&mut bytes, kind as u16, flags, first.wrapping_sub(1));
        bytes
    };
    let mut bytes = bracket(libc::NFNL_MSG_BATCH_BEGIN);
    // All goes in one piece: a transaction must not be divided. Its last request asks for an
    // acknowledgement.
    for piece in batch.seal(usize::MAX, usize::MAX, first) {
        bytes.extend(batch.slice(&piece));
    }
    bytes.extend(bracket(libc::NFNL_MSG_BATCH_END));
    bytes
}

/// Returns packets and bytes of a rule's counter.
fn counter(rule: &[u8]) -> Option<(u64, u64)> {
    let number = |data: &[u8], kind| {
        let bytes = encoding::find(data, kind)?.try_into().ok()?;
        Some(u64::from_be_bytes(bytes))
    };
    let expressions = encoding::find(rule, NFTA_RULE_EXPRESSIONS)?;
    encoding::each(expressions).find_map(|expression| {
        let name = encoding::find(expression, NFTA_EXPR_NAME).map(encoding::text)?;
        let data = encoding::find(expression, NFTA_EXPR_DATA).filter(|_| name == "counter")?;
        let packets = number(data, NFTA_COUNTER_PACKETS)?;
        Some((packets, number(data, NFTA_COUNTER_BYTES)?))
    })
}
