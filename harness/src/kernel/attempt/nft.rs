//! Packet filtering and address translation.

use nix::sys::socket::SockProtocol;

use super::Refusal;
use super::message::{ACK, Message, Nested, exchange};

/// What `linux/netfilter/nf_tables.h` numbers, as far as it is used here.
mod attribute {
    pub(super) const TABLE_NAME: u16 = 1;
    pub(super) const CHAIN_TABLE: u16 = 1;
    pub(super) const CHAIN_NAME: u16 = 3;
    pub(super) const CHAIN_HOOK: u16 = 4;
    pub(super) const CHAIN_TYPE: u16 = 7;
    pub(super) const HOOK_NUMBER: u16 = 1;
    pub(super) const HOOK_PRIORITY: u16 = 2;
    pub(super) const RULE_TABLE: u16 = 1;
    pub(super) const RULE_CHAIN: u16 = 2;
    pub(super) const RULE_EXPRESSIONS: u16 = 4;
    pub(super) const LIST_ELEMENT: u16 = 1;
    pub(super) const EXPRESSION_NAME: u16 = 1;
    pub(super) const EXPRESSION_DATA: u16 = 2;
    pub(super) const IMMEDIATE_REGISTER: u16 = 1;
    pub(super) const IMMEDIATE_DATA: u16 = 2;
    pub(super) const DATA_VALUE: u16 = 1;
    pub(super) const NAT_TYPE: u16 = 1;
    pub(super) const NAT_FAMILY: u16 = 2;
    pub(super) const NAT_ADDRESS: u16 = 3;
}

/// Creates a table of packet filters.
pub(crate) fn nft_table() -> Result<(), Refusal> {
    transaction([table()]).map_err(|e| ("NFT_MSG_NEWTABLE".to_owned(), e))
}

/// Translates source addresses (masquerade), and destination addresses (dnat).
pub(crate) fn nat() -> Result<(), Refusal> {
    let source = [
        table(),
        chain("postrouting", libc::NF_INET_POST_ROUTING, 100),
        rule("postrouting", expression("masq", Nested::new())),
    ];
    transaction(source).map_err(|e| ("NFT_MSG_NEWRULE masquerade".to_owned(), e))?;
    let destination = [
        chain("prerouting", libc::NF_INET_PRE_ROUTING, -100),
        rule("prerouting", to_localhost()),
    ];
    transaction(destination).map_err(|e| ("NFT_MSG_NEWRULE dnat".to_owned(), e))
}

/// The family of all that is made here: tables of another have no `masquerade` in older kernels.
const FAMILY: [u8; 4] = [libc::NFPROTO_IPV4 as u8, 0, 0, 0];
const TABLE: &[u8] = b"probe\0";

/// A message that is sent within a transaction: what it asks for, and its text.
type Part = (i32, Nested);

fn table() -> Part {
    let text = Nested::new().attribute(attribute::TABLE_NAME, TABLE);
    (libc::NFT_MSG_NEWTABLE, text)
}

fn chain(name: &str, hook: i32, priority: i32) -> Part {
    let hook = Nested::new()
        .attribute(attribute::HOOK_NUMBER, &hook.to_be_bytes())
        .attribute(attribute::HOOK_PRIORITY, &priority.to_be_bytes());
    let text = Nested::new()
        .attribute(attribute::CHAIN_TABLE, TABLE)
        .attribute(attribute::CHAIN_NAME, format!("{name}\0").as_bytes())
        .nested(attribute::CHAIN_HOOK, hook)
        .attribute(attribute::CHAIN_TYPE, b"nat\0");
    (libc::NFT_MSG_NEWCHAIN, text)
}

fn rule(chain: &str, expressions: Nested) -> Part {
    let text = Nested::new()
        .attribute(attribute::RULE_TABLE, TABLE)
        .attribute(attribute::RULE_CHAIN, format!("{chain}\0").as_bytes())
        .nested(attribute::RULE_EXPRESSIONS, expressions);
    (libc::NFT_MSG_NEWRULE, text)
}

fn expression(name: &str, data: Nested) -> Nested {
    Nested::new().nested(attribute::LIST_ELEMENT, named(name, data))
}

fn named(name: &str, data: Nested) -> Nested {
    Nested::new()
        .attribute(attribute::EXPRESSION_NAME, format!("{name}\0").as_bytes())
        .nested(attribute::EXPRESSION_DATA, data)
}

/// Puts 127.0.0.1 into the first register, and what is in there into the packet.
fn to_localhost() -> Nested {
    let register = (libc::NFT_REG_1 as u32).to_be_bytes();
    let load = Nested::new()
        .attribute(attribute::IMMEDIATE_REGISTER, &register)
        .nested(
            attribute::IMMEDIATE_DATA,
            Nested::new().attribute(attribute::DATA_VALUE, &[127, 0, 0, 1]),
        );
    let translate = Nested::new()
        .attribute(
            attribute::NAT_TYPE,
            &(libc::NFT_NAT_DNAT as u32).to_be_bytes(),
        )
        .attribute(
            attribute::NAT_FAMILY,
            &(libc::NFPROTO_IPV4 as u32).to_be_bytes(),
        )
        .attribute(attribute::NAT_ADDRESS, &register);
    expression("immediate", load).nested(attribute::LIST_ELEMENT, named("nat", translate))
}

/// Sends the parts as one; only the last is to be acknowledged, so that the first answer is that
/// or the first refusal.
fn transaction<const N: usize>(parts: [Part; N]) -> nix::Result<()> {
    const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
    // struct nfgenmsg: family, version, resource id (of the subsystem, in a batch's brackets).
    let bracket = [0, 0, 0, libc::NFNL_SUBSYS_NFTABLES as u8];
    let message = |kind: u16, flags, header: [u8; 4], text: &[u8]| {
        let mut message = Message::new(kind, flags);
        message.bytes(&header);
        message.bytes(text);
        message.finish()
    };
    let mut batch = message(libc::NFNL_MSG_BATCH_BEGIN as u16, REQUEST, bracket, &[]);
    for (place, (kind, text)) in parts.into_iter().enumerate() {
        let kind = (libc::NFNL_SUBSYS_NFTABLES << 8) as u16 | kind as u16;
        let asked = if place + 1 == N { ACK } else { REQUEST };
        let flags = asked | libc::NLM_F_CREATE as u16;
        batch.extend(message(kind, flags, FAMILY, &text.0));
    }
    batch.extend(message(
        libc::NFNL_MSG_BATCH_END as u16,
        REQUEST,
        bracket,
        &[],
    ));
    exchange(SockProtocol::NetlinkNetFilter, &batch)
}
