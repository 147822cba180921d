//! Checks of firewalls.

use crate::packet::ip::IpVersion;
use crate::topology::problem::{FirewallFault, RuleFault};
use crate::topology::router::{Firewall, FirewallRule};
use crate::topology::subnet::{Subnet, parse_address};

/// The most rules of a firewall. The kernel compares each packet with one after the other.
const RULES: usize = 1000;

/// The most bytes of a rule's name: a log of the kernel has 127 (`NF_LOG_PREFIXLEN`,
/// include/net/netfilter/nf_log.h).
const NAME: usize = 100;

/// Returns the fault of a firewall, if it has one.
pub(super) fn wrong_firewall(firewall: &Firewall) -> Option<FirewallFault> {
    let count = firewall.rules.len();
    if count > RULES {
        return Some(FirewallFault::TooManyRules { count, most: RULES });
    }
    firewall.rules.iter().find_map(|rule| {
        let fault = wrong_rule(rule)?;
        let rule = Box::new(rule.clone());
        Some(FirewallFault::Rule { rule, fault })
    })
}

fn wrong_rule(rule: &FirewallRule) -> Option<RuleFault> {
    use crate::topology::router::FirewallProtocol::{Tcp, Udp};
    if !rule.ports.is_empty() && !matches!(rule.protocol, Some(Tcp | Udp)) {
        return Some(RuleFault::PortsWithoutProtocol);
    }
    if let Some([first, last]) = rule.ports.iter().find(|[a, b]| *a == 0 || a > b) {
        let (first, last) = (*first, *last);
        return Some(RuleFault::Ports { first, last });
    }
    let mut networks = [&rule.from, &rule.to].into_iter().flatten();
    if let Some(network) = networks.find(|network| network_of(network).is_none()) {
        return Some(RuleFault::Network(network.clone()));
    }
    let label = rule.label();
    let wrong_length = label.is_empty() || label.len() > NAME || label.contains('\0');
    wrong_length.then_some(RuleFault::NameLength { most: NAME })
}

/// Reads a network, or a single address.
pub fn network_of(text: &str) -> Option<Subnet> {
    let (ip, prefix) = parse_address(text)?;
    let subnet = Subnet::around(ip, prefix.unwrap_or(IpVersion::of(ip).address_bits()))?;
    (subnet.network() == ip).then_some(subnet)
}
