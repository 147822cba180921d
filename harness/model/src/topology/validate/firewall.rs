//! Checks of firewalls.

use crate::packet::ip::IpVersion;
use crate::topology::problem::{FirewallMistake, RuleMistake};
use crate::topology::router::{Firewall, FirewallRule, NO_PORTS};
use crate::topology::subnet::{Subnet, parse_address};

/// The most rules of a firewall. The kernel compares each packet with one after the other.
const RULES: usize = 1000;

/// The most bytes of a rule's name: a log of the kernel has 127 (`NF_LOG_PREFIXLEN`,
/// include/net/netfilter/nf_log.h).
const NAME: usize = 100;

/// Returns the mistake of a firewall, if it has one.
pub(super) fn wrong_firewall(firewall: &Firewall) -> Option<FirewallMistake> {
    let count = firewall.rules.len();
    if count > RULES {
        return Some(FirewallMistake::TooManyRules { count, most: RULES });
    }
    firewall.rules.iter().find_map(|rule| {
        let mistake = wrong_rule(rule)?;
        let rule = Box::new(rule.clone());
        Some(FirewallMistake::Rule { rule, mistake })
    })
}

fn wrong_rule(rule: &FirewallRule) -> Option<RuleMistake> {
    use crate::topology::router::FirewallProtocol::{Tcp, Udp};
    if !rule.ports.is_empty() && !matches!(rule.protocol, Some(Tcp | Udp)) {
        return Some(RuleMistake::PortsWithoutProtocol);
    }
    if rule.ports.contains(&NO_PORTS) {
        return Some(RuleMistake::NoPorts);
    }
    if let Some([first, last]) = rule.ports.iter().find(|[a, b]| *a == 0 || a > b) {
        let (first, last) = (*first, *last);
        return Some(RuleMistake::PortRange { first, last });
    }
    let mut networks = [&rule.from, &rule.to].into_iter().flatten();
    if let Some(network) = networks.find(|network| network_of(network).is_none()) {
        return Some(RuleMistake::NotANetwork(network.clone()));
    }
    if let (Some(from), Some(to)) = (&rule.from, &rule.to)
        && let [Some(a), Some(b)] = [from, to].map(|it| network_of(it))
        && a.is_ipv6() != b.is_ipv6()
    {
        let (from, to) = (from.clone(), to.clone());
        return Some(RuleMistake::FamiliesDiffer { from, to });
    }
    if let Some(to) = &rule.to
        && let Some(network) = network_of(to)
        && network.network().is_unspecified()
        && network.prefix() > 0
        && network.prefix() == IpVersion::of(network.network()).address_bits()
    {
        return Some(RuleMistake::ToUnspecified(to.clone()));
    }
    let label = rule.label();
    let wrong_length = label.is_empty() || label.len() > NAME || label.contains('\0');
    wrong_length.then_some(RuleMistake::NameLength { most: NAME })
}

/// Reads a network, or a single address.
pub fn network_of(text: &str) -> Option<Subnet> {
    let (ip, prefix) = parse_address(text)?;
    let subnet = Subnet::around(ip, prefix.unwrap_or(IpVersion::of(ip).address_bits()))?;
    (subnet.network() == ip).then_some(subnet)
}
