//! What the kernel's packet filter does in a router, as rules of nftables.

use std::os::fd::BorrowedFd;

use crate::kernel::netlink::NetlinkError;
use crate::kernel::nft::{HookRule, RuleAction, RuleHook, RuleMatch, replace_rules, state};
use crate::model::nat::NatSpec;
use crate::topology::plan::NetfilterPlan;
use crate::topology::{PathMtu, RouterSettings};

/// The name of the table.
const TABLE: &str = "snowglobe-router";

/// Protocol numbers: RFC 792, RFC 9293, RFC 768 and RFC 4443.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP_V6: u8 = 58;

/// Puts the rules in place that a stack is to have, instead of those it had.
pub(crate) fn install(
    netns: BorrowedFd<'_>,
    planned: Option<&NetfilterPlan>,
) -> Result<(), NetlinkError> {
    let rules = planned.map(rules).unwrap_or_default();
    replace_rules(netns, TABLE, &rules)
}

/// Returns the rules of a router.
fn rules(planned: &NetfilterPlan) -> Vec<HookRule> {
    let NetfilterPlan { router, uplinks } = planned;
    let RouterSettings {
        nat,
        path_mtu,
        public: _,
    } = router;
    let mut rules = Vec::new();
    if *path_mtu == PathMtu::Blackhole {
        rules.extend(blackhole());
    }
    if let Some(nat) = nat {
        for uplink in uplinks {
            rules.extend(translation(nat, *uplink));
        }
    }
    rules
}

/// Drops the messages by which senders find out the MTU of a path: "fragmentation needed" of ICMP
/// (RFC 792, type 3, code 4) and "packet too big" of ICMPv6 (RFC 4443, type 2).
fn blackhole() -> Vec<HookRule> {
    let too_big = [
        [RuleMatch::Transport(ICMP), RuleMatch::IcmpType(3, Some(4))],
        [RuleMatch::Transport(ICMP_V6), RuleMatch::IcmpType(2, None)],
    ];
    let at = |hook| {
        let rule = move |matches: [RuleMatch; 2]| HookRule {
            hook,
            matches: matches.into(),
            log: None,
            action: RuleAction::Drop,
            label: "path-mtu".into(),
        };
        too_big.clone().map(rule)
    };
    [RuleHook::Output, RuleHook::Forward].map(at).concat()
}

/// Translates what leaves by an uplink, and keeps out what nobody behind the router has asked for.
fn translation(nat: &NatSpec, uplink: u32) -> Vec<HookRule> {
    let random = match nat {
        NatSpec::PortPreserving => false,
        NatSpec::RandomPorts => true,
    };
    let rule = |hook, matches: Vec<RuleMatch>, action, label: &str| HookRule {
        hook,
        matches: [vec![RuleMatch::V6(false)], matches].concat(),
        log: None,
        action,
        label: label.into(),
    };
    let inbound = RuleMatch::ReceivedOn(uplink);
    let new = RuleMatch::State(state::NEW | state::INVALID);
    let mut rules = vec![rule(
        RuleHook::Postrouting,
        vec![RuleMatch::LeavesBy(uplink)],
        RuleAction::Masquerade { random },
        "nat",
    )];
    // Without this rule, an unasked packet to a port would make the kernel remember a connection of
    // the router itself, and a later mapping could not have that port (nf_nat_core.c,
    // nf_nat_used_tuple).
    for protocol in [TCP, UDP] {
        let unasked = vec![inbound.clone(), RuleMatch::Transport(protocol), new.clone()];
        rules.push(rule(
            RuleHook::Input,
            unasked,
            RuleAction::Drop,
            "nat-unasked",
        ));
    }
    let forwarded = vec![inbound.clone(), RuleMatch::DestinationTranslated];
    rules.push(rule(
        RuleHook::Forward,
        forwarded,
        RuleAction::Accept,
        "nat-forwarded",
    ));
    rules.push(rule(
        RuleHook::Forward,
        vec![inbound, new],
        RuleAction::Drop,
        "nat-unasked",
    ));
    rules
}
