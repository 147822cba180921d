//! nftables, as far as faults and probes need it: tables, chains, rules and sets, made all at once or not at all.
//!
//! The numbers are those of `linux/netfilter/nf_tables.h`. Everything in there is big-endian, but for what is compared
//! with the bytes of a packet.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE};
use nix::errno::Errno;
use nix::libc;

use crate::netlink::batch::Batch;
use crate::netlink::connection::{Netlink, error_of, words_of};
use crate::netlink::encoding::{self, Attributes, NLMSG_ERROR};
use crate::netlink::error::NetlinkError;

const MSG_BATCH_BEGIN: u16 = libc::NFNL_MSG_BATCH_BEGIN as u16;
const MSG_BATCH_END: u16 = libc::NFNL_MSG_BATCH_END as u16;
/// `struct nfgenmsg` of the two: they name the subsystem.
const BRACKET: [u8; 4] = [0, 0, 0, libc::NFNL_SUBSYS_NFTABLES as u8];
/// Members of a set in one message, whose length is a number of sixteen bits.
const ELEMENTS_AT_ONCE: usize = 1000;

/// A table, in which chains and sets have their names.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// `NFPROTO_IPV4`, `NFPROTO_NETDEV`, …
    pub family: libc::c_int,
    /// What it is called, and what an error tells.
    pub name: &'a str,
}

/// Where a chain is called from.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    /// `filter` or `nat`.
    pub kind: &'a str,
    /// The place in the packet's path.
    pub number: libc::c_int,
    /// Lower ones are called first.
    pub priority: i32,
    /// The device, in the family that has one.
    pub device: Option<&'a str>,
}

/// A table that only its socket can change, and that goes with its socket: `flush ruleset` spares it.
pub const OWNED: u32 = 2;

impl Batch {
    /// Makes a table; an existing one is left as it is.
    pub fn add_table(&mut self, table: Table<'_>, flags: u32) {
        let text = Attributes::new()
            .text(1, table.name)
            .with(2, &flags.to_be_bytes());
        self.nft(
            "create the nftables table",
            table,
            libc::NFT_MSG_NEWTABLE,
            text,
        );
    }

    /// Removes a table and all that is in it.
    pub fn delete_table(&mut self, table: Table<'_>) {
        let text = Attributes::new().text(1, table.name);
        self.nft(
            "delete the nftables table",
            table,
            libc::NFT_MSG_DELTABLE,
            text,
        );
    }

    /// Makes a chain that the kernel calls.
    pub fn add_chain(&mut self, table: Table<'_>, name: &str, hook: Hook<'_>) {
        let place = Attributes::new()
            .with(1, &hook.number.to_be_bytes())
            .with(2, &hook.priority.to_be_bytes());
        let place = match hook.device {
            Some(device) => place.text(3, device),
            None => place,
        };
        let text = Attributes::new()
            .text(1, table.name)
            .text(3, name)
            .nest(4, place)
            .text(7, hook.kind);
        self.nft(
            "create a chain in the nftables table",
            table,
            libc::NFT_MSG_NEWCHAIN,
            text,
        );
    }

    /// Appends a rule.
    pub fn add_rule(&mut self, table: Table<'_>, chain: &str, rule: &[Expression<'_>]) {
        let expressions = rule.iter().fold(Attributes::new(), |list, expression| {
            list.nest(1, expression.encode())
        });
        let text = Attributes::new()
            .text(1, table.name)
            .text(2, chain)
            .nest(4, expressions);
        self.nft(
            "add a rule to the nftables table",
            table,
            libc::NFT_MSG_NEWRULE,
            text,
        );
    }

    /// Makes a set with these members, all of one length.
    pub fn add_set(&mut self, table: Table<'_>, set: &Set<'_>) {
        let text = Attributes::new()
            .text(1, table.name)
            .text(2, set.name)
            .with(3, &0u32.to_be_bytes())
            .with(4, &set.kind.number().to_be_bytes())
            .with(5, &set.kind.length().to_be_bytes())
            // Its number within the transaction, which nothing here refers to.
            .with(10, &1u32.to_be_bytes());
        self.nft(
            "create a set in the nftables table",
            table,
            libc::NFT_MSG_NEWSET,
            text,
        );
        for members in set.members.chunks(ELEMENTS_AT_ONCE) {
            let elements = members.iter().fold(Attributes::new(), |list, member| {
                let key = Attributes::new().with(1, member);
                list.nest(1, Attributes::new().nest(1, key))
            });
            let text = Attributes::new()
                .text(1, table.name)
                .text(2, set.name)
                .nest(3, elements);
            self.nft(
                "fill a set of the nftables table",
                table,
                libc::NFT_MSG_NEWSETELEM,
                text,
            );
        }
    }

    fn nft(
        &mut self,
        operation: &'static str,
        table: Table<'_>,
        kind: libc::c_int,
        text: Attributes,
    ) {
        let payload = [&header(table.family), &text.0[..]].concat();
        self.push_raw(
            operation,
            table.name,
            message_kind(kind),
            NLM_F_CREATE,
            &payload,
        );
    }
}

/// `struct nfgenmsg`: family, version, and a number that is not used.
fn header(family: libc::c_int) -> [u8; 4] {
    [family as u8, 0, 0, 0]
}

fn message_kind(kind: libc::c_int) -> u16 {
    (libc::NFNL_SUBSYS_NFTABLES << 8 | kind) as u16
}

/// Values that a rule can look up.
#[derive(Clone, Debug)]
pub struct Set<'a> {
    /// Name of the set in its table.
    pub name: &'a str,
    /// Type of the members.
    pub kind: SetKind,
    /// Members in network byte order.
    pub members: Vec<Vec<u8>>,
}

/// What the values are; for the kernel only the length counts, the rest is for whoever lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Hardware addresses.
    Mac,
}

impl SetKind {
    fn number(self) -> u32 {
        match self {
            Self::Ipv4 => 7,
            Self::Ipv6 => 8,
            Self::Mac => 9,
        }
    }

    fn length(self) -> u32 {
        match self {
            Self::Ipv4 => 4,
            Self::Ipv6 => 16,
            Self::Mac => 6,
        }
    }
}

/// A step of a rule: it goes on with the next one if it is true of the packet. Values are in register 1.
#[derive(Clone, Debug)]
pub enum Expression<'a> {
    /// Loads the EtherType.
    EtherType,
    /// Loads bytes of the packet: `NFT_PAYLOAD_*`, offset, length.
    Load(libc::c_int, u32, u32),
    /// Loads these bytes.
    Immediate(&'a [u8]),
    /// What is loaded equals this.
    Equals(&'a [u8]),
    /// What is loaded is in that set.
    In(&'a str),
    /// Counts.
    Count,
    /// Ends here: the packet is dropped.
    Drop,
    /// Takes the address of the interface that the packet leaves by for its source.
    Masquerade,
    /// Takes what is loaded, an IPv4 address, for the packet's destination.
    Redirect,
}

impl Expression<'_> {
    fn encode(&self) -> Attributes {
        let register = (libc::NFT_REG_1 as u32).to_be_bytes();
        let word = |number: libc::c_int| (number as u32).to_be_bytes();
        let value = |bytes: &[u8]| Attributes::new().with(1, bytes);
        let (name, data) = match self {
            Self::EtherType => {
                let key = word(libc::NFT_META_PROTOCOL);
                ("meta", Attributes::new().with(1, &register).with(2, &key))
            }
            Self::Load(base, offset, length) => {
                let place = Attributes::new().with(1, &register).with(2, &word(*base));
                let place = place.with(3, &offset.to_be_bytes());
                ("payload", place.with(4, &length.to_be_bytes()))
            }
            Self::Immediate(bytes) => (
                "immediate",
                Attributes::new().with(1, &register).nest(2, value(bytes)),
            ),
            Self::Equals(bytes) => {
                let compare = Attributes::new()
                    .with(1, &register)
                    .with(2, &word(libc::NFT_CMP_EQ));
                ("cmp", compare.nest(3, value(bytes)))
            }
            Self::In(set) => ("lookup", Attributes::new().text(1, set).with(2, &register)),
            Self::Count => ("counter", Attributes::new()),
            Self::Drop => {
                let code = Attributes::new().with(1, &word(libc::NF_DROP));
                let verdict = Attributes::new().with(1, &word(libc::NFT_REG_VERDICT));
                (
                    "immediate",
                    verdict.nest(2, Attributes::new().nest(2, code)),
                )
            }
            Self::Masquerade => ("masq", Attributes::new()),
            Self::Redirect => {
                let kind = Attributes::new().with(1, &word(libc::NFT_NAT_DNAT));
                let kind = kind.with(2, &word(libc::NFPROTO_IPV4));
                ("nat", kind.with(3, &register))
            }
        };
        Attributes::new().text(1, name).nest(2, data)
    }
}

/// The bytes of an address, as they are in a packet.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

impl Netlink {
    /// Has nftables do everything in the batch, or nothing; the error is the first refusal.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), NetlinkError> {
        const OPERATION: &str = "change nftables in";
        let whole =
            |errno, words| NetlinkError::refused(OPERATION, "the network namespace", errno, words);
        if batch.is_empty() {
            return Ok(());
        }
        let first = self.reserve(batch.requests.len() as u32);
        let bytes = bracketed(batch, first);
        self.socket
            .send(&bytes)
            .map_err(|errno| whole(errno, None))?;
        let last = batch.requests.len() - 1;
        let (mut refusal, mut acknowledged) = (None, false);
        // The work was done in `send`, and the answers are there.
        while let Some(datagram) = self
            .socket
            .try_receive(&mut self.buffer)
            .map_err(|errno| whole(errno, None))?
        {
            for message in
                encoding::messages(datagram).filter(|message| message.kind == NLMSG_ERROR)
            {
                let at = message.sequence.wrapping_sub(first) as usize;
                let Some(errno) = error_of(&message) else {
                    acknowledged |= at == last;
                    continue;
                };
                refusal.get_or_insert_with(|| match batch.requests.get(at) {
                    Some(request) => NetlinkError::refused(
                        request.operation,
                        request.subject.text(),
                        errno,
                        words_of(&message),
                    ),
                    // The brackets: nftables itself is refused, or the transaction as a whole.
                    None => whole(errno, words_of(&message)),
                });
            }
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None if acknowledged => Ok(()),
            None => Err(whole(Errno::EPROTO, None)),
        }
    }

    /// Packets and bytes that the counters in this table's rules have counted, together.
    pub fn counted(&mut self, table: Table<'_>) -> Result<(u64, u64), NetlinkError> {
        let name = Attributes::new().text(1, table.name);
        let question = [&header(table.family), &name.0[..]].concat();
        let kind = message_kind(libc::NFT_MSG_GETRULE);
        let counters = self.dump(
            "read the nftables counters of",
            kind,
            &question,
            |message| {
                let attributes = message.payload.get(4..)?;
                let named = encoding::find(attributes, 1).map(encoding::text);
                (named.as_deref() == Some(table.name)).then(|| counter(attributes))
            },
        )?;
        let sum = counters.iter().flatten();
        Ok(sum.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
    }
}

/// The requests, numbered from `first`, between the two messages that make them one; the last asks for an answer.
fn bracketed(batch: &Batch, first: u32) -> Vec<u8> {
    let bracket = |kind| {
        let mut bytes = vec![0; encoding::HEADER];
        bytes.extend(BRACKET);
        encoding::header(
            &mut bytes,
            kind,
            libc::NLM_F_REQUEST as u16,
            first.wrapping_sub(1),
        );
        bytes
    };
    let mut bytes = bracket(MSG_BATCH_BEGIN);
    let offset = bytes.len();
    bytes.extend(&batch.bytes);
    for (at, request) in batch.requests.iter().enumerate() {
        let start = offset + request.start;
        let number = first.wrapping_add(at as u32);
        bytes[start + 8..start + 12].copy_from_slice(&number.to_ne_bytes());
        if at + 1 == batch.requests.len() {
            let flags = encoding::u16_at(&bytes, start + 6).unwrap_or(0) | NLM_F_ACK;
            bytes[start + 6..start + 8].copy_from_slice(&flags.to_ne_bytes());
        }
    }
    bytes.extend(bracket(MSG_BATCH_END));
    bytes
}

/// Packets and bytes of a rule's counter.
fn counter(rule: &[u8]) -> Option<(u64, u64)> {
    let number = |data: &[u8], kind| {
        let bytes = encoding::find(data, kind)?.try_into().ok()?;
        Some(u64::from_be_bytes(bytes))
    };
    let expressions = encoding::find(rule, 4)?;
    encoding::each(expressions).find_map(|expression| {
        let name = encoding::find(expression, 1).map(encoding::text)?;
        let data = encoding::find(expression, 2).filter(|_| name == "counter")?;
        Some((number(data, 2)?, number(data, 1)?))
    })
}
