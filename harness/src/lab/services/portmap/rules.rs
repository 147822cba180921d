//! The rules of nftables that leases need.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::site::{LeaseSite, NatCarrier};
use crate::kernel::netlink::IpFamily;
use crate::kernel::nft::{HookRule, RuleAction, RuleHook, RuleMatch};
use crate::lab::packet_filter::netfilter::{LEASED, number_of, port_forward, rule};
use crate::model::nat::{NatProtocol, PortForward};
use crate::model::portmap::PortLease;
use crate::model::portmap::book::LeaseBook;

/// The name of the table. It is apart from that of the router, whose counters go on while leases
/// come and go.
pub(super) const TABLE: &str = "snowglobe-leases";

/// Returns the rules for the leases of a book.
pub(super) fn rules(site: &LeaseSite, book: &LeaseBook, now: u64) -> Vec<HookRule> {
    let leases = book.leases(now);
    match &site.carrier {
        NatCarrier::Kernel(nat) => leases
            .flat_map(|lease| {
                let forward = PortForward {
                    protocol: lease.protocol,
                    port: lease.port,
                    to: lease.inside,
                };
                let external = std::slice::from_ref(&nat.external);
                let external = if nat.hairpins { external } else { &[] };
                let mut rules = port_forward(&forward, site.uplink, external);
                rules.extend(source(site, nat.external, lease));
                rules
            })
            .collect(),
        // The firewall of the router would not know such packets from others.
        NatCarrier::Wire(_) if site.firewall => {
            let leases = leases.filter_map(|it| mark(site, it.protocol, it.inside, None));
            let peers = book.peers(now);
            let peers = peers.filter_map(|it| mark(site, it.protocol, it.inside, Some(it.remote)));
            leases.chain(peers).collect()
        }
        NatCarrier::Wire(_) => Vec::new(),
    }
}

/// Lets what a host sends from its leased port leave by the external port (RFC 6887, section 11.3).
fn source(site: &LeaseSite, external: Ipv4Addr, lease: &PortLease) -> Option<HookRule> {
    let matches = vec![
        RuleMatch::Family(IpFamily::V4),
        RuleMatch::LeavesBy(site.uplink),
        RuleMatch::From((*lease.inside.ip()).into(), 32),
        RuleMatch::Transport(number_of(lease.protocol)?),
        RuleMatch::FromPort(lease.inside.port()),
    ];
    let action = RuleAction::SourceTo(external, Some(lease.port));
    Some(rule(RuleHook::Departure, matches, action, "nat-port"))
}

/// Marks packets that come by the uplink for a leased port, whose destination was translated on the
/// wire; or those of one remote host.
fn mark(
    site: &LeaseSite,
    protocol: NatProtocol,
    inside: SocketAddrV4,
    remote: Option<SocketAddrV4>,
) -> Option<HookRule> {
    let port = inside.port();
    let mut matches = vec![
        RuleMatch::Family(IpFamily::V4),
        RuleMatch::ReceivedOn(site.uplink),
        RuleMatch::To((*inside.ip()).into(), 32),
        RuleMatch::Transport(number_of(protocol)?),
        RuleMatch::ToPorts(port..=port),
    ];
    if let Some(remote) = remote {
        matches.push(RuleMatch::From((*remote.ip()).into(), 32));
        matches.push(RuleMatch::FromPort(remote.port()));
    }
    Some(rule(
        RuleHook::Arrival,
        matches,
        RuleAction::Mark(LEASED),
        "nat-port",
    ))
}
