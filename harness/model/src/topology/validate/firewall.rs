//! Checks of firewalls.

use crate::packet::ip::IpVersion;
use crate::topology::router::{Firewall, FirewallRule};
use crate::topology::subnet::{Subnet, parse_address};

/// The most rules of a firewall. The kernel compares each packet with one after the other.
const RULES: usize = 1000;

/// The most bytes of a rule's name: a log of the kernel has 127 (`NF_LOG_PREFIXLEN`,
/// include/net/netfilter/nf_log.h).
const NAME: usize = 100;

/// Returns the fault of a firewall, if it has one.
pub(super) fn wrong_firewall(firewall: &Firewall) -> Option<String> {
    if firewall.rules.len() > RULES {
        let count = firewall.rules.len();
        return Some(format!("has {count} rules; it can have at most {RULES}"));
    }
    firewall.rules.iter().find_map(wrong_rule)
}

fn wrong_rule(rule: &FirewallRule) -> Option<String> {
    use crate::topology::router::FirewallProtocol::{Tcp, Udp};
    let fault = |why: String| Some(format!("has the rule `{rule}`, {why}"));
    if !rule.ports.is_empty() && !matches!(rule.protocol, Some(Tcp | Udp)) {
        return fault("which has ports but neither TCP nor UDP; add `.tcp()` or `.udp()`".into());
    }
    if let Some([first, last]) = rule.ports.iter().find(|[a, b]| *a == 0 || a > b) {
        return fault(format!(
            "whose ports {first} to {last} are none; ports are 1 to 65535, the first before the last"
        ));
    }
    for network in [&rule.from, &rule.to].into_iter().flatten() {
        if network_of(network).is_none() {
            return fault(format!(
                "whose network `{}` is none; write it like `10.0.0.0/8`",
                network.escape_debug()
            ));
        }
    }
    let label = rule.label();
    if label.is_empty() || label.len() > NAME || label.contains('\0') {
        return fault(format!(
            "whose name does not have 1 to {NAME} bytes; give it a shorter one with `.name(…)`"
        ));
    }
    None
}

/// Reads a network, or a single address.
pub fn network_of(text: &str) -> Option<Subnet> {
    let (ip, prefix) = parse_address(text)?;
    let subnet = Subnet::around(ip, prefix.unwrap_or(IpVersion::of(ip).address_bits()))?;
    (subnet.network() == ip).then_some(subnet)
}
