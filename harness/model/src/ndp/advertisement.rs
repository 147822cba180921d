//! Advertisements of routers, as values and as frames (RFC 4861, sections 4.2 and 4.6).

use std::net::{IpAddr, Ipv6Addr};

use crate::ndp::spec::AdvertiseSpec;
use crate::packet::build::ipv6;
use crate::packet::checksum::Sum;
use crate::packet::ethernet::ETHERTYPE_IPV6;
use crate::packet::ip::{ICMPV6, IpVersion};
use crate::packet::transport::ICMP_CHECKSUM_AT;
use crate::plan::stack::InterfacePlan;
use crate::topology::Subnet;

/// The MAC address of all nodes, `ff02::1` (RFC 2464, section 7).
pub(super) const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The MAC address of all routers, `ff02::2`.
const ALL_ROUTERS_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 2];
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// The types of advertisements and of what asks for them.
const ADVERTISEMENT: u8 = 134;
const SOLICITATION: u8 = 133;

/// Largest number of name servers in one option.
const MOST_SERVERS: usize = 127;

/// The advertisement of a router on one of its networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// MAC address of the router.
    pub mac: [u8; 6],
    /// Link-local address of the router.
    pub from: Ipv6Addr,
    /// Seconds for which it is a default router; 0 if it is none.
    pub router: u16,
    /// Whether hosts are to get their addresses by DHCPv6.
    pub managed: bool,
    /// Whether hosts are to ask for name servers and the like by DHCPv6.
    pub other: bool,
    /// The name servers, and the seconds for which they are good.
    pub dns: (Vec<Ipv6Addr>, u32),
    /// The prefixes.
    pub prefixes: Vec<AdvertisedPrefix>,
}

/// A prefix that a router advertises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvertisedPrefix {
    /// The prefix.
    pub prefix: Subnet,
    /// Whether hosts are to make addresses of it.
    pub autonomous: bool,
    /// Seconds for which such addresses are preferred, and for which they are valid.
    pub seconds: [u32; 2],
}

impl Advertisement {
    /// Returns the frame to all hosts of the network.
    pub fn frame(&self) -> Vec<u8> {
        let mut message = vec![ADVERTISEMENT, 0, 0, 0];
        /// Hop limit that hosts are to use.
        const HOPS: u8 = 64;
        // 0x80 is the flag M, and 0x40 the flag O (section 4.2).
        let managed = if self.managed { 0x80 } else { 0 };
        let other = if self.other { 0x40 } else { 0 };
        message.extend([HOPS, managed | other]);
        message.extend(self.router.to_be_bytes());
        // Hosts keep their own times for neighbours.
        message.extend([0; 8]);
        // The router's MAC address (option 1), so that nobody has to ask for it.
        message.extend([1, 1]);
        message.extend(self.mac);
        for AdvertisedPrefix {
            prefix,
            autonomous,
            seconds: [preferred, valid],
        } in &self.prefixes
        {
            // The flags L and A (section 4.6.2) say that the prefix is on the link, and for
            // addresses.
            let flags = if *autonomous { 0xc0 } else { 0x80 };
            message.extend([3, 4, prefix.prefix(), flags]);
            message.extend(valid.to_be_bytes());
            message.extend(preferred.to_be_bytes());
            message.extend([0; 4]);
            if let IpAddr::V6(network) = prefix.network() {
                message.extend(network.octets());
            }
        }
        let (dns, seconds) = &self.dns;
        // RDNSS (RFC 8106, section 5.1): the length is in units of 8 bytes, and one byte long.
        for dns in dns.chunks(MOST_SERVERS) {
            message.extend([25, 1 + 2 * dns.len() as u8, 0, 0]);
            message.extend(seconds.to_be_bytes());
            message.extend(dns.iter().flat_map(Ipv6Addr::octets));
        }
        to_group([ALL_NODES_MAC, self.mac], [self.from, ALL_NODES], message)
    }
}

/// Returns the frame by which a host asks for routers (section 4.1).
pub fn solicitation(mac: [u8; 6], from: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    // The host's MAC address (option 1).
    message.extend([1, 1]);
    message.extend(mac);
    to_group([ALL_ROUTERS_MAC, mac], [from, ALL_ROUTERS], message)
}

/// Returns whether the router that sent an advertisement tells hosts to get their addresses by
/// DHCPv6; nothing if the frame is no advertisement.
pub fn is_managed(frame: &[u8]) -> Option<bool> {
    let packet = frame.get(14..)?;
    let (header, message) = packet.split_first_chunk::<40>()?;
    // Section 6.1.2: a message with fewer hops left may come from another link.
    let [.., hops] = header.first_chunk::<8>()?;
    let whole = message.len() >= 16 && message[0] == ADVERTISEMENT;
    (whole && header[6] == ICMPV6 && *hops == 255).then(|| message[5] & 0x80 != 0)
}

/// Returns the frame with a message of ICMPv6 to all hosts of a kind.
pub(super) fn to_group(
    macs: [[u8; 6]; 2],
    [from, to]: [Ipv6Addr; 2],
    mut message: Vec<u8>,
) -> Vec<u8> {
    let mut frame = macs.concat();
    frame.extend(ETHERTYPE_IPV6.to_be_bytes());
    let at = frame.len();
    // Section 6.1.2: a message with fewer hops left may come from another link, and is not
    // believed.
    frame.extend(ipv6(ICMPV6, message.len() as u16, 255));
    frame.extend(from.octets());
    frame.extend(to.octets());
    let sum = Sum::pseudo_header(IpVersion::V6, &frame[at..], ICMPV6, message.len());
    let checksum = sum.add(&message).checksum();
    message[ICMP_CHECKSUM_AT..ICMP_CHECKSUM_AT + 2].copy_from_slice(&checksum);
    frame.extend(message);
    frame
}

/// Returns whether a router advertises itself on an interface.
pub fn advertises(spec: &AdvertiseSpec, interface: &InterfacePlan) -> bool {
    let has_v6 = interface.addresses.iter().any(|it| it.is_link_local());
    let delegated = spec.is_delegated() && !interface.uplink && has_v6;
    delegated || advertised_prefix(spec, interface).is_some()
}

/// Returns the prefix that a router advertises on an interface: the one that was asked for, or that
/// of its address there. There is none on an uplink, which leads to routers of others, and none
/// that is known before a router is delegated one.
pub fn advertised_prefix(spec: &AdvertiseSpec, interface: &InterfacePlan) -> Option<Subnet> {
    if interface.uplink || spec.is_delegated() {
        return None;
    }
    let planned = || {
        let mut global = interface.addresses.iter();
        let global = global.find(|it| it.ip.is_ipv6() && !it.is_link_local() && it.prefix == 64)?;
        Subnet::around(global.ip, global.prefix)
    };
    spec.parsed_prefix().ok().flatten().or_else(planned)
}
