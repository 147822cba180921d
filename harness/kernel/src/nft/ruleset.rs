//! A whole table of rules, as a router or a firewall needs them: put in place at once, with
//! counters by label.
//!
//! The table belongs to the network namespace and lives as long as that does. Programs there can
//! list and change it as any firewall.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::os::fd::BorrowedFd;

use nix::libc;

use super::attributes::NFTA_RULE_USERDATA;
use super::conversation::FilterConversation;
use super::expression::Expression;
use super::set::octets;
use super::table::{NftHook, NftTable};
use crate::netlink::encoding::Attributes;
use crate::netlink::{Batch, IpFamily, NetlinkError};

/// A place in the path of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleHook {
    /// Packets that arrive, before anything else looks at them: where marks are given.
    Arrival,
    /// Packets that arrive, before routing: where destinations are translated.
    Prerouting,
    /// Packets to the host itself.
    Input,
    /// Packets that are forwarded, before they are filtered: where they are changed.
    Change,
    /// Packets that are forwarded.
    Forward,
    /// Packets that the host sends.
    Output,
    /// Packets that leave: where sources are translated, before the next hook does so.
    Departure,
    /// Packets that leave: where sources are translated.
    Postrouting,
}

/// A condition on a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleMatch {
    /// The packet arrived on the interface with this index.
    ReceivedOn(u32),
    /// The packet did not arrive on the interface with this index.
    NotReceivedOn(u32),
    /// The packet leaves by the interface with this index.
    LeavesBy(u32),
    /// The packet does not leave by the interface with this index.
    NotLeavesBy(u32),
    /// The packet is of this version of the Internet protocol.
    Family(IpFamily),
    /// The packet is of this transport protocol.
    Transport(u8),
    /// The destination port is in a range.
    ToPorts(RangeInclusive<u16>),
    /// The source port is this one.
    FromPort(u16),
    /// The source address begins with these bits.
    From(IpAddr, u8),
    /// The destination address begins with these bits.
    To(IpAddr, u8),
    /// The connection is in one of these states: see [`state`].
    State(u32),
    /// The packet was sent by the side that did not begin the connection.
    Reply,
    /// The destination of the connection was translated.
    DestinationTranslated,
    /// The packet has this mark.
    Marked(u32),
    /// The ICMP message has this type and code.
    IcmpType(u8, Option<u8>),
    /// The packet has one of these bits in its traffic class. Another condition names the family.
    TrafficClass(IpFamily, u8),
}

/// States of a connection, as bits (`linux/netfilter/nf_conntrack_common.h`).
pub mod state {
    /// The packet belongs to no connection that the kernel understands.
    pub const INVALID: u32 = 1;
    /// Packets were seen in both directions.
    pub const ESTABLISHED: u32 = 2;
    /// The packet is about another connection, as an ICMP error is.
    pub const RELATED: u32 = 4;
    /// The packet begins a connection.
    pub const NEW: u32 = 8;
}

/// Fate of a packet that fulfils all conditions of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// The packet passes, and no later rule at this hook sees it.
    Accept,
    /// The packet vanishes.
    Drop,
    /// The sender is told: by a reset of TCP.
    Reset,
    /// The sender is told: by ICMP, administratively prohibited.
    Prohibit,
    /// The source becomes the address of the interface by which the packet leaves. It keeps its
    /// port if that is free, and gets another one otherwise.
    Masquerade {
        /// Whether each connection has a random port.
        random: bool,
    },
    /// The destination becomes this address and port.
    DestinationTo(IpAddr, u16),
    /// The destination becomes this port of the host itself.
    RedirectTo(u16),
    /// The packet goes on with another traffic class. The conditions name the family.
    ChangeTrafficClass {
        /// Family of the packets.
        family: IpFamily,
        /// The bits that stay.
        keep: u8,
        /// The bits that are set, of those that do not stay.
        set: u8,
    },
    /// The source becomes this address, and this port. Without one, it keeps its port if that is
    /// free, and gets another one otherwise.
    SourceTo(Ipv4Addr, Option<u16>),
    /// The packet gets this mark, and goes on.
    Mark(u32),
}

/// A rule. The rule counts the packets that fulfil its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRule {
    /// The place in the path of packets where the rule stands.
    pub hook: RuleHook,
    /// The conditions, in the order in which they are looked at.
    pub matches: Vec<RuleMatch>,
    /// The group of nflog that is told of such packets, if one is, with a text.
    pub log: Option<(u16, String)>,
    /// The fate of a packet that fulfils all conditions.
    pub action: RuleAction,
    /// The name by which its counter is found; rules may share one.
    pub label: String,
}

/// The packets and bytes that the rules with one label counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCounter {
    /// The label.
    pub label: String,
    /// The number of packets.
    pub packets: u64,
    /// The number of bytes, from the network header on.
    pub bytes: u64,
}

impl FilterConversation {
    /// Puts a table with these rules in place of the table with that name; without rules, there is
    /// none afterwards.
    ///
    /// # Errors
    /// The kernel has no nftables, lacks a kind of step, or refused the rules.
    pub fn replace_rules(
        &mut self,
        netns: BorrowedFd<'_>,
        name: &str,
        rules: &[HookRule],
    ) -> Result<(), NetlinkError> {
        let table = table(name);
        self.replace(netns, table, |batch| add_rules(batch, table, rules))
    }

    /// Returns the counters of tables that [`replace_rules`](Self::replace_rules) made, by label,
    /// in the order of tables and rules.
    ///
    /// # Errors
    /// The kernel refused to list the rules.
    pub fn rule_counters(
        &mut self,
        netns: BorrowedFd<'_>,
        names: &[&str],
    ) -> Result<Vec<RuleCounter>, NetlinkError> {
        let mut found = Vec::new();
        for name in names {
            found.extend(self.netlink(netns, name)?.counters(table(name))?);
        }
        let mut sums: Vec<RuleCounter> = Vec::new();
        // A rule without a label is not one of ours.
        let labelled = found
            .into_iter()
            .filter_map(|(label, counter)| Some((label?, counter)));
        for (label, (packets, bytes)) in labelled {
            match sums.iter_mut().find(|sum| sum.label == label) {
                Some(sum) => {
                    sum.packets += packets;
                    sum.bytes += bytes;
                }
                None => sums.push(RuleCounter {
                    label,
                    packets,
                    bytes,
                }),
            }
        }
        Ok(sums)
    }
}

fn table(name: &str) -> NftTable<'_> {
    NftTable {
        family: libc::NFPROTO_INET,
        name,
    }
}

impl RuleHook {
    fn chain(self) -> (&'static str, NftHook<'static>) {
        // Priorities are those of translation of destinations and sources, of changes, and of
        // filters (`linux/netfilter_ipv4.h`, `NF_IP_PRI_NAT_DST`, `NF_IP_PRI_MANGLE`, …).
        let (name, kind, number, priority) = match self {
            // -150 is `NF_IP_PRI_MANGLE` (linux/netfilter_ipv4.h).
            Self::Arrival => ("arrival", "filter", libc::NF_INET_PRE_ROUTING, -150),
            Self::Prerouting => ("prerouting", "nat", libc::NF_INET_PRE_ROUTING, -100),
            Self::Input => ("input", "filter", libc::NF_INET_LOCAL_IN, 0),
            Self::Change => ("change", "filter", libc::NF_INET_FORWARD, -150),
            Self::Forward => ("forward", "filter", libc::NF_INET_FORWARD, 0),
            Self::Output => ("output", "filter", libc::NF_INET_LOCAL_OUT, 0),
            Self::Departure => ("departure", "nat", libc::NF_INET_POST_ROUTING, 90),
            Self::Postrouting => ("postrouting", "nat", libc::NF_INET_POST_ROUTING, 100),
        };
        let hook = NftHook {
            kind,
            number,
            priority,
            devices: &[],
        };
        (name, hook)
    }
}

fn add_rules(batch: &mut Batch, table: NftTable<'_>, rules: &[HookRule]) {
    if rules.is_empty() {
        return;
    }
    batch.add_table(table, 0);
    // Only hooks with rules get a chain: a chain of kind `nat` makes the kernel track connections
    // (nft_chain_nat.c, nft_nat_inet_reg).
    let mut hooks: Vec<RuleHook> = rules.iter().map(|rule| rule.hook).collect();
    hooks.sort_unstable();
    hooks.dedup();
    for hook in hooks {
        let (chain, at) = hook.chain();
        batch.add_chain(table, chain, at);
    }
    for rule in rules {
        let label = Attributes::new().text(NFTA_RULE_USERDATA, &rule.label);
        batch.add_encoded_rule(table, rule.hook.chain().0, steps(rule), label);
    }
}

/// Returns the encoded steps of a rule.
fn steps(rule: &HookRule) -> Vec<Attributes> {
    let mut steps = Vec::new();
    let mut push = |step: Expression<'_>| steps.push(step.encode());
    for condition in &rule.matches {
        push_match(condition, &mut push);
    }
    // The counter stands behind the conditions, so that it counts what fulfils them.
    push(Expression::Count);
    if let Some((group, text)) = &rule.log {
        push(Expression::Log(*group, text));
    }
    match &rule.action {
        RuleAction::Accept => push(Expression::Accept),
        RuleAction::Drop => push(Expression::Drop),
        RuleAction::Reset => push(Expression::Reset),
        RuleAction::Prohibit => push(Expression::Prohibit),
        RuleAction::Masquerade { random: false } => push(Expression::Masquerade),
        RuleAction::Masquerade { random: true } => push(Expression::MasqueradeRandom),
        RuleAction::DestinationTo(ip, port) => {
            push(Expression::Immediate(&octets(*ip)));
            push(Expression::ImmediatePort(*port));
            push(Expression::DnatWithPort(IpFamily::of(*ip)));
        }
        // A redirection takes the first address of the interface that received the packet
        // (nf_nat_redirect.c).
        RuleAction::RedirectTo(port) => {
            push(Expression::ImmediatePort(*port));
            push(Expression::Redirect);
        }
        RuleAction::ChangeTrafficClass { family, keep, set } => {
            push(traffic_class());
            // The checksum of IPv4 is at offset 10 (RFC 791, section 3.1); IPv6 has none.
            let (rest, checksum) = match family {
                IpFamily::V4 => ([0xff, 0x00], Some(10)),
                IpFamily::V6 => ([0xf0, 0x0f], None),
            };
            let (keep, set) = (placed(*family, *keep), placed(*family, *set));
            push(Expression::Changed(
                &[keep[0] | rest[0], keep[1] | rest[1]],
                &set,
            ));
            push(Expression::Store(0, 2, checksum));
        }
        RuleAction::SourceTo(ip, port) => {
            push(Expression::Immediate(&ip.octets()));
            if let Some(port) = port {
                push(Expression::ImmediatePort(*port));
            }
            push(Expression::Snat(port.is_some()));
        }
        RuleAction::Mark(mark) => {
            push(Expression::Immediate(&mark.to_ne_bytes()));
            push(Expression::SetMark);
        }
    }
    steps
}

fn push_match(condition: &RuleMatch, push: &mut impl FnMut(Expression<'_>)) {
    use Expression::{AtLeast, AtMost, Differs, Equals, Load, Masked};
    const TRANSPORT: libc::c_int = libc::NFT_PAYLOAD_TRANSPORT_HEADER;
    let mut is = |load, bytes: &[u8]| {
        push(load);
        push(Equals(bytes));
    };
    match condition {
        RuleMatch::ReceivedOn(index) => is(Expression::ReceivedOn, &index.to_ne_bytes()),
        RuleMatch::LeavesBy(index) => is(Expression::LeavesBy, &index.to_ne_bytes()),
        RuleMatch::Marked(mark) => is(Expression::Mark, &mark.to_ne_bytes()),
        RuleMatch::Family(family) => is(Expression::Family, &[family.number() as u8]),
        RuleMatch::Transport(protocol) => is(Expression::Transport, &[*protocol]),
        RuleMatch::NotReceivedOn(index) => {
            push(Expression::ReceivedOn);
            push(Differs(&index.to_ne_bytes()));
        }
        RuleMatch::NotLeavesBy(index) => {
            push(Expression::LeavesBy);
            push(Differs(&index.to_ne_bytes()));
        }
        RuleMatch::ToPorts(ports) => {
            // The destination port is at offset 2 of TCP, UDP and SCTP: RFC 9293, 768 and 9260.
            push(Load(TRANSPORT, 2, 2));
            push(AtLeast(&ports.start().to_be_bytes()));
            push(AtMost(&ports.end().to_be_bytes()));
        }
        RuleMatch::FromPort(port) => is(Load(TRANSPORT, 0, 2), &port.to_be_bytes()),
        RuleMatch::State(bits) => {
            // The kernel gives a number of one bit for each packet (`NF_CT_STATE_BIT`).
            push(Expression::ConnectionState);
            push(Masked(&bits.to_ne_bytes()));
            push(Differs(&[0; 4]));
        }
        // `IP_CT_DIR_REPLY` is 1 (`linux/netfilter/nf_conntrack_tuple_common.h`).
        RuleMatch::Reply => is(Expression::ConnectionDirection, &[1]),
        RuleMatch::DestinationTranslated => {
            /// `IPS_DST_NAT` (`linux/netfilter/nf_conntrack_common.h`).
            const DST_NAT: u32 = 1 << 5;
            push(Expression::ConnectionStatus);
            push(Masked(&DST_NAT.to_ne_bytes()));
            push(Differs(&[0; 4]));
        }
        RuleMatch::IcmpType(kind, code) => {
            is(Load(TRANSPORT, 0, 1), &[*kind]);
            if let Some(code) = code {
                is(Load(TRANSPORT, 1, 1), &[*code]);
            }
        }
        RuleMatch::TrafficClass(family, bits) => {
            push(traffic_class());
            push(Masked(&placed(*family, *bits)));
            push(Differs(&[0; 2]));
        }
        RuleMatch::From(ip, prefix) => push_address(ip, *prefix, true, push),
        RuleMatch::To(ip, prefix) => push_address(ip, *prefix, false, push),
    }
}

/// Loads the first two bytes of the IP header, which have the traffic class in both families. The
/// checksum of IPv4 is of pairs of bytes, so that a single byte could not be stored.
fn traffic_class() -> Expression<'static> {
    Expression::Load(libc::NFT_PAYLOAD_NETWORK_HEADER, 0, 2)
}

/// Returns bits of a traffic class at their place in the first two bytes of the IP header: the
/// second byte of IPv4 (RFC 791), or the eight bits behind the version of IPv6 (RFC 8200).
fn placed(family: IpFamily, bits: u8) -> [u8; 2] {
    match family {
        IpFamily::V4 => [0, bits],
        IpFamily::V6 => [bits >> 4, bits << 4],
    }
}

/// Adds the steps that compare the first bits of an address.
fn push_address(ip: &IpAddr, prefix: u8, source: bool, push: &mut impl FnMut(Expression<'_>)) {
    use Expression::{Equals, Load, Masked};
    let bytes = octets(*ip);
    let length = bytes.len() as u32;
    // Offsets of the source address in the two headers: RFC 791 and RFC 8200. The destination
    // follows the source.
    let family = IpFamily::of(*ip);
    let first = match family {
        IpFamily::V4 => 12,
        IpFamily::V6 => 8,
    };
    let offset = first + if source { 0 } else { length };
    // A table of the family `inet` sees both, and the offset is that of one.
    push(Expression::Family);
    push(Equals(&[family.number() as u8]));
    push(Load(libc::NFT_PAYLOAD_NETWORK_HEADER, offset, length));
    let bits = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    let mask = &bits.to_be_bytes()[..bytes.len()];
    let masked: Vec<u8> = bytes.iter().zip(mask).map(|(a, b)| a & b).collect();
    push(Masked(mask));
    push(Equals(&masked));
}
