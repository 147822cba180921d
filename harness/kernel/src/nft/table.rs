//! Requests for tables, chains and rules.
//!
//! Numbers in these messages are big-endian (`nf_tables_api.c` reads them by `nla_get_be32`),
//! unlike those of routing netlink.

use nix::libc;

use super::attributes::*;
use super::expression::Expression;
use crate::netlink::Batch;
use crate::netlink::encoding::{Attributes, NLM_F_APPEND, NLM_F_CREATE};

/// A table, in which chains and sets have their names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NftTable<'a> {
    /// Family of the table: `NFPROTO_IPV4`, `NFPROTO_NETDEV`, …
    pub family: libc::c_int,
    /// Name of the table, which errors show.
    pub name: &'a str,
}

/// A place in the path of packets from which the kernel calls a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NftHook<'a> {
    /// `filter` or `nat`.
    pub kind: &'a str,
    /// Number of the hook: `NF_INET_*` or `NF_NETDEV_*`.
    pub number: libc::c_int,
    /// Priority: of the chains at one hook, the kernel calls those with lower numbers first.
    pub priority: i32,
    /// Names of the interfaces, in the family `netdev`; no others have any.
    pub devices: &'a [&'a str],
}

/// `NFT_TABLE_F_OWNER`: only the socket that made the table can change it, and `flush ruleset`
/// spares the table. The kernel deletes the table when that socket is closed (`nf_tables_api.c`,
/// `nft_rcv_nl_event`).
pub(crate) const OWNED: u32 = 2;

impl Batch {
    /// Makes a table. An existing table of that name stays as it is.
    pub(crate) fn add_table(&mut self, table: NftTable<'_>, flags: u32) {
        let text = Attributes::new()
            .text(NFTA_TABLE_NAME, table.name)
            .with(NFTA_TABLE_FLAGS, &flags.to_be_bytes());
        let operation = "create the nftables table";
        self.nft(operation, table, libc::NFT_MSG_NEWTABLE, text);
    }

    /// Removes a table with all its chains, rules and sets.
    pub(crate) fn delete_table(&mut self, table: NftTable<'_>) {
        let text = Attributes::new().text(NFTA_TABLE_NAME, table.name);
        let operation = "delete the nftables table";
        self.nft(operation, table, libc::NFT_MSG_DELTABLE, text);
    }

    /// Removes a table, if there is one of that name, so that a new one can take its place in the
    /// same transaction.
    pub(super) fn delete_table_if_there(&mut self, table: NftTable<'_>) {
        // Adding the table first makes the deletion succeed in both cases, as `nft(8)` advises for
        // replacing a ruleset.
        self.add_table(table, 0);
        self.delete_table(table);
    }

    /// Makes a chain that the kernel calls at a hook.
    pub(crate) fn add_chain(&mut self, table: NftTable<'_>, name: &str, hook: NftHook<'_>) {
        let place = Attributes::new()
            .with(NFTA_HOOK_HOOKNUM, &hook.number.to_be_bytes())
            .with(NFTA_HOOK_PRIORITY, &hook.priority.to_be_bytes());
        let place = match hook.devices {
            // Only the families `netdev` and `inet` ingress have hooks at interfaces.
            [] => place,
            [device] => place.text(NFTA_HOOK_DEV, device),
            devices => {
                let list = |list: Attributes, name: &&str| list.text(NFTA_DEVICE_NAME, name);
                let names = devices.iter().fold(Attributes::new(), list);
                place.nest(NFTA_HOOK_DEVS, names)
            }
        };
        let text = Attributes::new()
            .text(NFTA_CHAIN_TABLE, table.name)
            .text(NFTA_CHAIN_NAME, name)
            .nest(NFTA_CHAIN_HOOK, place)
            .text(NFTA_CHAIN_TYPE, hook.kind);
        let operation = "create a chain in the nftables table";
        self.nft(operation, table, libc::NFT_MSG_NEWCHAIN, text);
    }

    /// Makes a chain to which rules of other chains go.
    pub(crate) fn add_branch(&mut self, table: NftTable<'_>, name: &str) {
        let text = Attributes::new()
            .text(NFTA_CHAIN_TABLE, table.name)
            .text(NFTA_CHAIN_NAME, name);
        let operation = "create a chain in the nftables table";
        self.nft(operation, table, libc::NFT_MSG_NEWCHAIN, text);
    }

    /// Removes all rules of a chain.
    pub(crate) fn flush_chain(&mut self, table: NftTable<'_>, chain: &str) {
        // A deletion that names no rule is one of all rules (nf_tables_api.c, nf_tables_delrule).
        let text = Attributes::new()
            .text(NFTA_RULE_TABLE, table.name)
            .text(NFTA_RULE_CHAIN, chain);
        let operation = "empty a chain of the nftables table";
        self.nft(operation, table, libc::NFT_MSG_DELRULE, text);
    }

    /// Appends a rule to a chain.
    pub(crate) fn add_rule(&mut self, table: NftTable<'_>, chain: &str, rule: &[Expression<'_>]) {
        let steps = rule.iter().map(Expression::encode);
        self.add_encoded_rule(table, chain, steps, Attributes::new());
    }

    /// Appends a rule to a chain, by its encoded steps and what else is told of it.
    pub(super) fn add_encoded_rule(
        &mut self,
        table: NftTable<'_>,
        chain: &str,
        steps: impl IntoIterator<Item = Attributes>,
        more: Attributes,
    ) {
        let list = |list: Attributes, step| list.nest(NFTA_LIST_ELEM, step);
        let expressions = steps.into_iter().fold(Attributes::new(), list);
        let mut text = Attributes::new()
            .text(NFTA_RULE_TABLE, table.name)
            .text(NFTA_RULE_CHAIN, chain)
            .nest(NFTA_RULE_EXPRESSIONS, expressions);
        text.0.extend(more.0);
        let operation = "add a rule to the nftables table";
        self.nft(operation, table, libc::NFT_MSG_NEWRULE, text);
    }

    pub(super) fn nft(
        &mut self,
        operation: &'static str,
        table: NftTable<'_>,
        kind: libc::c_int,
        text: Attributes,
    ) {
        // The family is in each message: tables of two families may have the same name.
        let payload = [&header(table.family), &text.0[..]].concat();
        // Without NLM_F_APPEND the kernel puts a rule before all others of its chain
        // (nf_tables_api.c, nf_tables_newrule).
        let flags = match kind {
            libc::NFT_MSG_NEWRULE => NLM_F_CREATE | NLM_F_APPEND,
            _ => NLM_F_CREATE,
        };
        self.push(operation, table.name, message_kind(kind), flags, &payload);
    }
}

/// Returns a `struct nfgenmsg`: family, version, and a resource number that nftables ignores.
pub(super) fn header(family: libc::c_int) -> [u8; 4] {
    [family as u8, 0, 0, 0]
}

/// Returns the type of a message: the subsystem in the upper byte (`linux/netfilter/nfnetlink.h`).
pub(super) fn message_kind(kind: libc::c_int) -> u16 {
    // One netlink protocol serves all of netfilter, so the type names the subsystem too.
    (libc::NFNL_SUBSYS_NFTABLES << 8 | kind) as u16
}
