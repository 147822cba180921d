//! The work of the kernel's packet filter in a router or before a host, as rules of nftables.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;

use super::firewall::{self, LOOPBACK};
use crate::kernel::netlink::IpFamily;
use crate::kernel::netlink::NetlinkError;
use crate::kernel::nft::{
    FilterConversation, HookRule, RuleAction, RuleCounter, RuleHook, RuleMatch, state,
};
use crate::model::dhcp6::message::CLIENT_PORT;
use crate::model::nat::{
    Hairpinning, NatEngine, NatProtocol, NatSpec, PortAssignment, PortForward,
};
use crate::model::packet::ip::{ICMP, ICMPV6, TCP, UDP};
use crate::model::side::Side;
use crate::model::v6::{ClatSpec, V6Nat};
use crate::topology::plan::{InterfaceSlot, NetfilterPlan};
use crate::topology::{Ecn, PathMtu, RouterSettings};

/// The name of the table.
const TABLE: &str = "snowglobe-router";

/// The name of the table for addresses that DHCP has given. It is apart from the other one, whose
/// counters go on while leases come and go.
const LEASED_HAIRPINS: &str = "snowglobe-hairpins";

/// Puts the rules in place that a stack is to have, the second, instead of those it had.
pub(crate) fn install(
    filter: &mut FilterConversation,
    netns: BorrowedFd<'_>,
    planned: [Option<&NetfilterPlan>; 2],
) -> Result<(), NetlinkError> {
    let [before, after] = planned.map(|it| it.map(rules).unwrap_or_default());
    // Much of what a router does needs no rule: the other engine translates on a wire. The counters
    // of the rules that stay go on.
    if before == after {
        return Ok(());
    }
    filter.replace_rules(netns, TABLE, &after)
}

/// Puts the rules in place that hairpins need at addresses that DHCP has given to the uplinks.
pub(crate) fn install_hairpins(
    filter: &mut FilterConversation,
    netns: BorrowedFd<'_>,
    rules: &[HookRule],
) -> Result<(), NetlinkError> {
    filter.replace_rules(netns, LEASED_HAIRPINS, rules)
}

/// Returns the counters of the rules of a stack.
pub(crate) fn counters(
    filter: &mut FilterConversation,
    netns: BorrowedFd<'_>,
) -> Result<Vec<RuleCounter>, NetlinkError> {
    filter.rule_counters(netns, &[TABLE, LEASED_HAIRPINS])
}

/// Returns the rules that hairpins need at addresses of uplinks, by the index of the uplink, which
/// the plan does not know: DHCP has given them.
pub(crate) fn hairpins(planned: &NetfilterPlan, leased: &[(u32, Ipv4Addr)]) -> Vec<HookRule> {
    let NetfilterPlan {
        router,
        firewall,
        uplinks,
        clat: _,
        external,
    } = planned;
    let Some(nat) = router.as_ref().and_then(|router| router.nat.as_ref()) else {
        return Vec::new();
    };
    let on_wire = nat.carried_by() == NatEngine::Userspace;
    match nat.hairpinning {
        Hairpinning::Off => leased
            .iter()
            .map(|(_, it)| from_inside(*it, uplinks))
            .collect(),
        Hairpinning::ToRouter => Vec::new(),
        Hairpinning::ExternalSource | Hairpinning::InternalSource if on_wire => {
            let behind_firewall = leased.iter().filter(|_| firewall.is_some());
            behind_firewall
                .map(|(uplink, it)| mark_hairpin(*uplink, *it))
                .collect()
        }
        Hairpinning::ExternalSource | Hairpinning::InternalSource => {
            let forwards = nat.forwards.iter().flat_map(|forward| {
                leased
                    .iter()
                    .filter_map(|(uplink, address)| forward_from_inside(forward, *uplink, *address))
            });
            // An address that is planned is the source already.
            let source = external
                .is_empty()
                .then(|| source_of_hairpins(nat, uplinks, leased));
            forwards.chain(source.flatten()).collect()
        }
    }
}

/// Marks what comes back from the wire of an uplink, from one host inside to another one: the
/// firewall lets such packets through.
fn mark_hairpin(uplink: u32, address: Ipv4Addr) -> HookRule {
    let matches = vec![
        RuleMatch::Family(IpFamily::V4),
        RuleMatch::ReceivedOn(uplink),
        RuleMatch::From(address.into(), 32),
    ];
    rule(
        RuleHook::Arrival,
        matches,
        RuleAction::Mark(LEASED),
        "nat-hairpin",
    )
}

/// Returns the rules of a stack.
fn rules(planned: &NetfilterPlan) -> Vec<HookRule> {
    let NetfilterPlan {
        router,
        firewall,
        uplinks,
        clat,
        external,
    } = planned;
    let router = router.as_ref();
    let mut rules = Vec::new();
    if *clat {
        rules.push(hide_translated());
    }
    if router.is_some_and(|router| router.path_mtu == PathMtu::Blackhole) {
        rules.extend(blackhole());
    }
    rules.extend(router.map(marks).unwrap_or_default());
    let asked = router.and_then(|router| router.nat.as_ref());
    // The other engine works on the wire of the uplink.
    let nat = asked.filter(|nat| nat.carried_by() == NatEngine::Nftables);
    match (asked, nat) {
        (_, Some(nat)) => {
            rules.extend(uplinks.iter().flat_map(|uplink| {
                let external = own(external, *uplink);
                translation(nat, *uplink, &external)
            }));
            rules.extend(source_of_hairpins(nat, uplinks, external));
        }
        (Some(nat), None) if firewall.is_some() => {
            rules.extend(uplinks.iter().flat_map(|uplink| {
                let external = own(external, *uplink);
                let_in(nat, *uplink, &external)
            }));
        }
        (_, None) => {}
    }
    if asked.is_some_and(|nat| nat.hairpinning == Hairpinning::Off) {
        let external = external.iter().map(|(_, address)| *address);
        rules.extend(external.map(|address| from_inside(address, uplinks)));
    }
    let masquerades_v6 = router.is_some_and(|router| router.nat_v6 == V6Nat::Masquerade);
    if masquerades_v6 {
        rules.extend(uplinks.iter().flat_map(|uplink| masquerade_v6(*uplink)));
    }
    if let Some(firewall) = firewall {
        // The NAT on the wire has a filter of its own, which has let in what comes as far as here.
        let strangers = asked.is_some_and(|nat| nat.lets_strangers_in()) && nat.is_none();
        let uplinks = router.is_some().then_some(uplinks);
        rules.extend(firewall::rules(firewall, uplinks, strangers));
    }
    // This comes last, so that a rule of the firewall can let something in.
    for (translates, family) in [
        (nat.is_some(), IpFamily::V4),
        (masquerades_v6, IpFamily::V6),
    ] {
        let uplinks = uplinks.iter().filter(|_| translates);
        rules.extend(uplinks.flat_map(|uplink| unasked(*uplink, family)));
    }
    rules
}

/// Drops the messages by which senders find out the MTU of a path: "fragmentation needed" of ICMP
/// (RFC 792, type 3, code 4) and "packet too big" of ICMPv6 (RFC 4443, type 2).
fn blackhole() -> Vec<HookRule> {
    let too_big = [
        [RuleMatch::Transport(ICMP), RuleMatch::IcmpType(3, Some(4))],
        [RuleMatch::Transport(ICMPV6), RuleMatch::IcmpType(2, None)],
    ];
    let at = |hook| {
        let rule = |matches| rule(hook, matches, RuleAction::Drop, "path-mtu");
        too_big.clone().map(|matches| rule(matches.into()))
    };
    [RuleHook::Output, RuleHook::Forward].map(at).concat()
}

/// Changes the traffic class of packets that are forwarded, in both families.
fn marks(router: &RouterSettings) -> Vec<HookRule> {
    let changes = [
        (router.dscp.change(), "dscp", None),
        // Only a packet whose sender says that it knows ECN is told of congestion (RFC 3168,
        // section 5).
        (
            router.ecn.change(),
            "ecn",
            (router.ecn == Ecn::Congested).then_some(0b11),
        ),
    ];
    let rules = changes.into_iter().flat_map(|(change, label, with)| {
        let of = move |family| {
            let [keep, set] = change?;
            let with = with.map(|bits| RuleMatch::TrafficClass(family, bits));
            let matches = [RuleMatch::Family(family)]
                .into_iter()
                .chain(with)
                .collect();
            let action = RuleAction::ChangeTrafficClass { family, keep, set };
            Some(rule(RuleHook::Change, matches, action, label))
        };
        IpFamily::BOTH.into_iter().filter_map(of)
    });
    rules.collect()
}

/// Returns the addresses of one uplink.
fn own(external: &[(u32, Ipv4Addr)], uplink: u32) -> Vec<Ipv4Addr> {
    let own = external.iter().filter(|(index, _)| *index == uplink);
    own.map(|(_, address)| *address).collect()
}

/// Translates what leaves by an uplink, and lets in what is forwarded to a port.
fn translation(nat: &NatSpec, uplink: u32, external: &[Ipv4Addr]) -> Vec<HookRule> {
    let random = nat.ports == PortAssignment::Random;
    let leaves = vec![RuleMatch::Family(IpFamily::V4), RuleMatch::LeavesBy(uplink)];
    // A packet to a forwarded port has its new destination before it is forwarded: that is given
    // to it when it arrives (linux/netfilter_ipv4.h, NF_IP_PRI_NAT_DST).
    let forwarded = vec![
        RuleMatch::Family(IpFamily::V4),
        RuleMatch::ReceivedOn(uplink),
        RuleMatch::DestinationTranslated,
    ];
    let masquerade = RuleAction::Masquerade { random };
    let mut rules = vec![
        rule(RuleHook::Postrouting, leaves, masquerade, "nat"),
        rule(
            RuleHook::Forward,
            forwarded,
            RuleAction::Accept,
            "nat-forwarded",
        ),
    ];
    let hairpins = nat.hairpinning.is_on();
    // Without hairpinning, only packets from the uplink are led to a forwarded port.
    let external = if hairpins { external } else { &[] };
    let forwards = nat.forwards.iter();
    rules.extend(forwards.flat_map(|it| port_forward(it, uplink, external)));
    rules
}

/// Gives what was made of a packet of IPv4 the address of the interface by which it leaves: that of
/// the node, which its neighbours know.
fn hide_translated() -> HookRule {
    let local = ClatSpec::LOCAL.subnet();
    let back = InterfaceSlot::Translator(1, Side::A).index();
    // What goes back by the interface of the translator keeps its source.
    let leaves = vec![
        RuleMatch::From(local.network(), local.prefix()),
        RuleMatch::NotLeavesBy(back),
    ];
    let masquerade = RuleAction::Masquerade { random: false };
    rule(RuleHook::Postrouting, leaves, masquerade, "clat")
}

/// Matches what neighbours send by their link-local addresses.
fn from_link_local() -> RuleMatch {
    RuleMatch::From(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0).into(), 10)
}

/// Matches the answers of DHCPv6 servers to a client in the node: to the kernel they are no
/// replies, since the questions go to a group (RFC 8415, section 7.1).
pub(super) fn dhcp6_answers() -> [RuleMatch; 3] {
    let port = RuleMatch::ToPorts(CLIENT_PORT..=CLIENT_PORT);
    [from_link_local(), RuleMatch::Transport(UDP), port]
}

/// Gives what leaves by an uplink the IPv6 address of the uplink.
fn masquerade_v6(uplink: u32) -> [HookRule; 2] {
    let leaves = |more: Vec<RuleMatch>| [vec![RuleMatch::LeavesBy(uplink)], more].concat();
    let masquerade = RuleAction::Masquerade { random: false };
    [
        // What the router says to its neighbours keeps its source: routing daemons speak by
        // link-local addresses (RFC 5340, section 2.5).
        rule(
            RuleHook::Postrouting,
            leaves(vec![from_link_local()]),
            RuleAction::Accept,
            "link-local",
        ),
        rule(
            RuleHook::Postrouting,
            leaves(vec![RuleMatch::Family(IpFamily::V6)]),
            masquerade,
            "nat",
        ),
    ]
}

/// Gives connections of hosts inside to forwarded ports an external address as their source, where
/// that is asked for. Without one, the answers of the other host would not come by the router.
fn source_of_hairpins(
    nat: &NatSpec,
    uplinks: &[u32],
    external: &[(u32, Ipv4Addr)],
) -> Option<HookRule> {
    let (_, address) = external.first()?;
    if nat.hairpinning != Hairpinning::ExternalSource {
        return None;
    }
    let inside = uplinks.iter().flat_map(|uplink| {
        [
            RuleMatch::NotReceivedOn(*uplink),
            RuleMatch::NotLeavesBy(*uplink),
        ]
    });
    let matches = [
        RuleMatch::Family(IpFamily::V4),
        RuleMatch::DestinationTranslated,
    ];
    let matches = matches.into_iter().chain(inside).collect();
    let action = RuleAction::SourceTo(*address, None);
    Some(rule(RuleHook::Postrouting, matches, action, "nat-hairpin"))
}

/// Drops packets of hosts inside to an external address, which the kernel would take in.
fn from_inside(external: Ipv4Addr, uplinks: &[u32]) -> HookRule {
    let beside = [LOOPBACK].iter().chain(uplinks);
    let mut matches = vec![
        RuleMatch::Family(IpFamily::V4),
        RuleMatch::To(external.into(), 32),
    ];
    matches.extend(beside.map(|it| RuleMatch::NotReceivedOn(*it)));
    rule(RuleHook::Input, matches, RuleAction::Drop, "nat-hairpin")
}

/// Lets a port of the uplink lead inside, also for hosts inside that ask these external addresses.
pub(crate) fn port_forward(
    forward: &PortForward,
    uplink: u32,
    external: &[Ipv4Addr],
) -> Vec<HookRule> {
    let outside = lead_inside(forward, vec![RuleMatch::ReceivedOn(uplink)]);
    let inside = external
        .iter()
        .map(|address| forward_from_inside(forward, uplink, *address));
    [outside].into_iter().chain(inside).flatten().collect()
}

/// Lets a port of the uplink lead inside for hosts inside that ask an external address.
fn forward_from_inside(forward: &PortForward, uplink: u32, address: Ipv4Addr) -> Option<HookRule> {
    let to = RuleMatch::To(address.into(), 32);
    lead_inside(forward, vec![RuleMatch::NotReceivedOn(uplink), to])
}

fn lead_inside(forward: &PortForward, from: Vec<RuleMatch>) -> Option<HookRule> {
    let PortForward { protocol, port, to } = *forward;
    let ports = [
        RuleMatch::Transport(number_of(protocol)?),
        RuleMatch::ToPorts(port..=port),
    ];
    let matches = [vec![RuleMatch::Family(IpFamily::V4)], from, ports.into()].concat();
    let action = RuleAction::DestinationTo((*to.ip()).into(), to.port());
    Some(rule(RuleHook::Prerouting, matches, action, "nat-port"))
}

/// Returns the number of a protocol that has ports.
pub(crate) fn number_of(protocol: NatProtocol) -> Option<u8> {
    match protocol {
        NatProtocol::Udp => Some(UDP),
        NatProtocol::Tcp => Some(TCP),
        // The specification is refused that names ICMP here.
        NatProtocol::Icmp => None,
    }
}

/// The mark of packets for a port that a host has asked for, which a NAT on the wire has let in.
pub(crate) const LEASED: u32 = 0x736e_6f77;

/// Lets through the firewall what a NAT on the wire of an uplink leads inside: packets for
/// forwarded ports and for those that hosts have asked for, and what comes back from one host
/// inside to another one. nftables knows of none of them.
fn let_in(nat: &NatSpec, uplink: u32, external: &[Ipv4Addr]) -> Vec<HookRule> {
    let accept = |more: Vec<RuleMatch>, label: &str| {
        let matches = [
            RuleMatch::Family(IpFamily::V4),
            RuleMatch::ReceivedOn(uplink),
        ];
        let matches = [matches.into(), more].concat();
        rule(RuleHook::Forward, matches, RuleAction::Accept, label)
    };
    let mut rules = vec![accept(vec![RuleMatch::Marked(LEASED)], "nat-forwarded")];
    for PortForward { protocol, to, .. } in &nat.forwards {
        let Some(number) = number_of(*protocol) else {
            continue;
        };
        let matches = vec![
            RuleMatch::To((*to.ip()).into(), 32),
            RuleMatch::Transport(number),
            RuleMatch::ToPorts(to.port()..=to.port()),
        ];
        rules.push(accept(matches, "nat-forwarded"));
    }
    if nat.hairpinning.is_on() {
        let from = |address: &Ipv4Addr| RuleMatch::From((*address).into(), 32);
        let hairpins = external.iter().map(from);
        rules.extend(hairpins.map(|from| accept(vec![from], "nat-hairpin")));
    }
    rules
}

/// Drops what nobody behind the router has asked for.
fn unasked(uplink: u32, family: IpFamily) -> Vec<HookRule> {
    let inbound = [RuleMatch::Family(family), RuleMatch::ReceivedOn(uplink)];
    let new = RuleMatch::State(state::NEW | state::INVALID);
    let drop = |hook, more: Vec<RuleMatch>| {
        let matches = [&inbound[..], &more].concat();
        rule(hook, matches, RuleAction::Drop, "nat-unasked")
    };
    // Without the first two rules, an unasked packet to a port would make the kernel remember a
    // connection of the router itself, and a later mapping could not have that port
    // (nf_nat_core.c, nf_nat_used_tuple).
    let tcp = vec![RuleMatch::Transport(TCP), new.clone()];
    let udp = vec![RuleMatch::Transport(UDP), new.clone()];
    let answers = (family == IpFamily::V6).then(|| {
        let answers = [&inbound[..], &dhcp6_answers()].concat();
        rule(RuleHook::Input, answers, RuleAction::Accept, "dhcpv6")
    });
    let drops = [
        drop(RuleHook::Input, tcp),
        drop(RuleHook::Input, udp),
        drop(RuleHook::Forward, vec![new]),
    ];
    answers.into_iter().chain(drops).collect()
}

/// Returns a rule that tells nobody of its packets.
pub(crate) fn rule(
    hook: RuleHook,
    matches: Vec<RuleMatch>,
    action: RuleAction,
    label: &str,
) -> HookRule {
    HookRule {
        hook,
        matches,
        log: None,
        action,
        label: label.into(),
    }
}
