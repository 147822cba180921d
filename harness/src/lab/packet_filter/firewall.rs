//! The rules of a firewall, in terms of nftables.

use std::net::IpAddr;

use super::netfilter::{dhcp6_answers, rule};
use crate::kernel::netlink::IpFamily;
use crate::kernel::nft::{HookRule, RuleAction, RuleHook, RuleMatch, state};
use crate::model::packet::ip::{ICMP, ICMPV6, TCP, UDP};
use crate::topology::{
    CaptivePortal, Firewall, FirewallAction, FirewallProtocol, FirewallRule, Heading, PORTAL_PORT,
    network_of,
};

/// The group of nflog that hears of packets which a firewall does not let through.
pub(super) const LOG_GROUP: u16 = 1;
/// Index of the loopback interface in every network namespace (`net/core/net_namespace.c`).
pub(super) const LOOPBACK: u32 = 1;
/// The label of what a portal does.
const PORTAL: &str = "captive portal";

/// A place where a firewall looks at packets of one heading.
struct Gate {
    heading: Heading,
    hook: RuleHook,
    place: RuleMatch,
}

/// Returns the rules of a firewall: of a router with these uplinks, or of a host.
///
/// With `strangers`, a NAT of ours lets in by its own filter who of outside reaches whom inside,
/// and the firewall may leave that to the NAT.
pub(super) fn rules(
    firewall: &Firewall,
    uplinks: Option<&Vec<u32>>,
    strangers: bool,
) -> Vec<HookRule> {
    let Firewall {
        inbound,
        leaves_v4_to_nat,
        outbound,
        rules: asked,
        portal,
        log,
    } = firewall;
    let mut rules = Vec::new();
    // Only a router has hosts behind it; the check of the topology refuses the portal of a host.
    if let (Some(portal), Some(uplinks)) = (portal, uplinks) {
        rules.extend(redirection(portal, uplinks));
    }
    for gate in gates(uplinks) {
        rules.extend(always(&gate));
        let here = asked.iter().filter(|rule| rule.heading == gate.heading);
        for asked in here {
            let label = asked.label();
            for matches in matches(asked) {
                rules.extend(gate.rules(matches, asked.action, &label, *log));
            }
        }
        if let (Some(portal), Heading::Outbound) = (portal, gate.heading) {
            rules.extend(admission(portal, &gate, *log));
        }
        // This comes after the rules that were asked for, and before the fate of all the rest. To
        // the connection tracking of the kernel, such packets begin connections.
        let is_way_in = gate.heading == Heading::Inbound && gate.hook == RuleHook::Forward;
        if strangers && *leaves_v4_to_nat && is_way_in {
            let v4 = vec![RuleMatch::Family(IpFamily::V4)];
            rules.extend(gate.rules(v4, FirewallAction::Accept, "nat", *log));
        }
        let (action, label) = match gate.heading {
            Heading::Inbound => (*inbound, "inbound"),
            Heading::Outbound => (*outbound, "outbound"),
        };
        rules.extend(gate.rules(Vec::new(), action, label, *log));
    }
    rules
}

fn gates(uplinks: Option<&Vec<u32>>) -> Vec<Gate> {
    use Heading::{Inbound, Outbound};
    let gate = |heading, hook, place| Gate {
        heading,
        hook,
        place,
    };
    let Some(uplinks) = uplinks else {
        return vec![
            gate(Inbound, RuleHook::Input, RuleMatch::NotReceivedOn(LOOPBACK)),
            gate(Outbound, RuleHook::Output, RuleMatch::NotLeavesBy(LOOPBACK)),
        ];
    };
    let at = |uplink: &u32| {
        [
            gate(Inbound, RuleHook::Input, RuleMatch::ReceivedOn(*uplink)),
            gate(Inbound, RuleHook::Forward, RuleMatch::ReceivedOn(*uplink)),
            gate(Outbound, RuleHook::Forward, RuleMatch::LeavesBy(*uplink)),
        ]
    };
    uplinks.iter().flat_map(at).collect()
}

impl Gate {
    /// Returns the rules by which packets here that fulfil conditions have a fate. Packets that are
    /// accepted by the lack of a rule need none, but are counted.
    fn rules(
        &self,
        matches: Vec<RuleMatch>,
        action: FirewallAction,
        label: &str,
        log: bool,
    ) -> Vec<HookRule> {
        let with = |more: Vec<RuleMatch>, action: RuleAction| HookRule {
            log: (log && action != RuleAction::Accept).then(|| (LOG_GROUP, label.to_owned())),
            ..rule(
                self.hook,
                [vec![self.place.clone()], matches.clone(), more].concat(),
                action,
                label,
            )
        };
        match action {
            FirewallAction::Accept => vec![with(Vec::new(), RuleAction::Accept)],
            FirewallAction::Drop => vec![with(Vec::new(), RuleAction::Drop)],
            // TCP comes first: its reset tells more than ICMP does.
            FirewallAction::Reject => vec![
                with(vec![RuleMatch::Transport(TCP)], RuleAction::Reset),
                with(Vec::new(), RuleAction::Prohibit),
            ],
        }
    }
}

/// Lets through what a network cannot do without, and replies to what was let through.
fn always(gate: &Gate) -> Vec<HookRule> {
    let pass = |matches: Vec<RuleMatch>| {
        let matches = [vec![gate.place.clone()], matches].concat();
        rule(gate.hook, matches, RuleAction::Accept, "replies")
    };
    let mut rules = Vec::new();
    if gate.hook != RuleHook::Forward {
        // Without neighbour discovery there is no IPv6 (RFC 4861, section 4: types 133 to 137).
        // Neighbour discovery is never forwarded.
        for kind in 133..=137 {
            let discovery = vec![
                RuleMatch::Transport(ICMPV6),
                RuleMatch::IcmpType(kind, None),
            ];
            rules.push(pass(discovery));
        }
    }
    if gate.hook == RuleHook::Input {
        rules.push(pass(dhcp6_answers().into()));
    }
    // The rule passes only packets of the answering side: a rule that was added later also ends
    // connections which began before.
    rules.push(pass(vec![
        RuleMatch::State(state::ESTABLISHED),
        RuleMatch::Reply,
    ]));
    rules.push(pass(vec![RuleMatch::State(state::RELATED)]));
    rules
}

/// Returns the conditions of a rule: it applies where one of the lists is fulfilled as a whole.
fn matches(rule: &FirewallRule) -> Vec<Vec<RuleMatch>> {
    let mut all = Vec::new();
    for (text, from) in [(&rule.from, true), (&rule.to, false)] {
        // The topology was checked, so the text is a network.
        let Some(network) = text.as_deref().and_then(network_of) else {
            continue;
        };
        let (ip, prefix) = (network.network(), network.prefix());
        all.push(match from {
            true => RuleMatch::From(ip, prefix),
            false => RuleMatch::To(ip, prefix),
        });
    }
    let protocols: &[u8] = match rule.protocol {
        None => return vec![all],
        Some(FirewallProtocol::Tcp) => &[TCP],
        Some(FirewallProtocol::Udp) => &[UDP],
        Some(FirewallProtocol::Icmp) => &[ICMP, ICMPV6],
    };
    let mut lists = Vec::new();
    for protocol in protocols {
        let list = [all.clone(), vec![RuleMatch::Transport(*protocol)]].concat();
        if rule.ports.is_empty() {
            lists.push(list);
            continue;
        }
        for [first, last] in &rule.ports {
            let ports = RuleMatch::ToPorts(*first..=*last);
            lists.push([list.clone(), vec![ports]].concat());
        }
    }
    lists
}

/// Leads plain HTTP of hosts that are not admitted to the portal.
fn redirection(portal: &CaptivePortal, uplinks: &[u32]) -> Vec<HookRule> {
    let mut rules = Vec::new();
    // Admitted hosts come first: the kernel takes the first translation that fits a connection.
    for host in &portal.admitted {
        let from = vec![from_host(*host)];
        rules.push(rule(
            RuleHook::Prerouting,
            from,
            RuleAction::Accept,
            "admitted",
        ));
    }
    let behind = uplinks
        .iter()
        .map(|uplink| RuleMatch::NotReceivedOn(*uplink));
    let http = [RuleMatch::Transport(TCP), RuleMatch::ToPorts(80..=80)];
    let matches = behind.chain(http).collect();
    let to = RuleAction::RedirectTo(PORTAL_PORT);
    rules.push(rule(RuleHook::Prerouting, matches, to, PORTAL));
    rules
}

/// Lets out hosts that are admitted, and from others questions to name servers only.
fn admission(portal: &CaptivePortal, gate: &Gate, log: bool) -> Vec<HookRule> {
    let accept = FirewallAction::Accept;
    let mut rules = Vec::new();
    // A client that cannot resolve a name never asks for a page, and would not find the portal.
    for protocol in [UDP, TCP] {
        let dns = vec![RuleMatch::Transport(protocol), RuleMatch::ToPorts(53..=53)];
        rules.extend(gate.rules(dns, accept, PORTAL, log));
    }
    for host in &portal.admitted {
        rules.extend(gate.rules(vec![from_host(*host)], accept, "admitted", log));
    }
    rules.extend(gate.rules(Vec::new(), FirewallAction::Reject, PORTAL, log));
    rules
}

fn from_host(host: IpAddr) -> RuleMatch {
    RuleMatch::From(host, if host.is_ipv6() { 128 } else { 32 })
}
