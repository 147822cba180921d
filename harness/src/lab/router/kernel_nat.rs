//! The mappings of a NAT that nftables carries, read off the connections that the kernel tracks.
//!
//! The kernel has no table of mappings: each connection has its translation, and ports that are
//! forwarded are rules. So both are put together here, as the other engine has them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::kernel::nft::conntrack::TrackedFlow;
use crate::model::nat::{NatMapping, NatProtocol, NatSpec};
use crate::model::order::sort_by_key;
use crate::model::packet::ip::{ICMP, TCP, UDP};
use crate::model::portmap::PortLease;

/// Returns the mappings of a NAT with these external addresses.
pub(super) fn mappings(
    spec: &NatSpec,
    external: &[Ipv4Addr],
    leases: &[NatMapping],
    flows: &[TrackedFlow],
) -> Vec<NatMapping> {
    let mut open: Vec<NatMapping> = leases.to_vec();
    // A port is forwarded at the first address, as by the other engine.
    if let Some(first) = external.first() {
        let forwards = spec.forwards.iter();
        open.extend(forwards.map(|it| {
            let outside = SocketAddrV4::new(*first, it.port);
            open_port(it.protocol, it.to, outside, None)
        }));
    }
    let mut mappings = Vec::new();
    for flow in flows {
        let Some(protocol) = protocol(flow.protocol) else {
            continue;
        };
        if flow.destination_is_translated() {
            // Without an open port this is another translation, such as that to a captive portal.
            let of_flow = |it: &&mut NatMapping| {
                it.protocol == protocol
                    && it.outside == flow.original.destination
                    && it.inside == flow.reply.source
            };
            if let Some(mapping) = open.iter_mut().find(of_flow) {
                mapping.peers.push(match flow.source_is_translated() {
                    true => flow.reply.destination,
                    false => flow.original.source,
                });
            }
        }
        // A hairpin is both, for its two hosts.
        if flow.source_is_translated() {
            mappings.push(NatMapping {
                protocol,
                inside: flow.original.source,
                outside: flow.reply.destination,
                remote: flow.original.destination,
                peers: vec![flow.original.destination],
                expires_in: Some(flow.left),
            });
        }
    }
    for mapping in &mut open {
        mapping.peers.sort_unstable();
    }
    mappings.extend(open);
    sort_by_key(&mut mappings, |it| (it.protocol, it.inside, it.remote));
    mappings
}

/// Returns the one of these mappings that is for packets of a protocol from and to a remote address
/// and port. An open port is for all remote ends, and comes after a connection of its host.
pub(super) fn one_for(
    mappings: impl IntoIterator<Item = NatMapping>,
    protocol: NatProtocol,
    remote: SocketAddrV4,
) -> Option<NatMapping> {
    let fits = |it: &NatMapping| it.protocol == protocol && is_for(it, remote);
    let all = mappings.into_iter().filter(fits);
    all.max_by_key(|it| it.remote)
}

/// Returns whether a mapping is for packets from and to a remote address and port. The mapping of
/// an open port is for all remote ends. The port of ICMP is an identifier, which is not compared.
fn is_for(mapping: &NatMapping, remote: SocketAddrV4) -> bool {
    let is_open = mapping.remote == SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let is_icmp = mapping.protocol == NatProtocol::Icmp;
    is_open || mapping.remote == remote || is_icmp && mapping.remote.ip() == remote.ip()
}

/// Returns a lease as a mapping.
pub(super) fn leased(lease: &PortLease, external: Ipv4Addr, now: u64) -> NatMapping {
    let left = Duration::from_nanos(lease.until.saturating_sub(now));
    let outside = SocketAddrV4::new(external, lease.port);
    let ends = lease.until != u64::MAX;
    open_port(lease.protocol, lease.inside, outside, ends.then_some(left))
}

/// Returns the mapping of a port that is open to all.
fn open_port(
    protocol: NatProtocol,
    inside: SocketAddrV4,
    outside: SocketAddrV4,
    expires_in: Option<Duration>,
) -> NatMapping {
    NatMapping {
        protocol,
        inside,
        outside,
        remote: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
        peers: Vec::new(),
        expires_in,
    }
}

fn protocol(number: u8) -> Option<NatProtocol> {
    match number {
        UDP => Some(NatProtocol::Udp),
        TCP => Some(NatProtocol::Tcp),
        ICMP => Some(NatProtocol::Icmp),
        _ => None,
    }
}
