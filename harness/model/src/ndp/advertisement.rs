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
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The type of advertisements.
const ADVERTISEMENT: u8 = 134;

/// The advertisement of a router on one of its networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// MAC address of the router.
    pub mac: [u8; 6],
    /// Link-local address of the router.
    pub from: Ipv6Addr,
    /// Seconds for which it is a default router; 0 if it is none.
    pub router: u16,
    /// The prefixes, with the seconds for which addresses of them are valid.
    pub prefixes: Vec<(Subnet, u32)>,
}

impl Advertisement {
    /// Returns the frame to all hosts of the network.
    pub fn frame(&self) -> Vec<u8> {
        let mut message = vec![ADVERTISEMENT, 0, 0, 0];
        /// Hop limit that hosts are to use.
        const HOPS: u8 = 64;
        message.extend([HOPS, 0]);
        message.extend(self.router.to_be_bytes());
        // Hosts keep their own times for neighbours.
        message.extend([0; 8]);
        // The router's MAC address (option 1), so that nobody has to ask for it.
        message.extend([1, 1]);
        message.extend(self.mac);
        for (prefix, seconds) in &self.prefixes {
            // On the link, and for addresses: flags L and A (section 4.6.2).
            message.extend([3, 4, prefix.prefix(), 0xc0]);
            message.extend(seconds.to_be_bytes());
            message.extend(seconds.to_be_bytes());
            message.extend([0; 4]);
            if let IpAddr::V6(network) = prefix.network() {
                message.extend(network.octets());
            }
        }
        let mut frame = [&ALL_NODES_MAC[..], &self.mac].concat();
        frame.extend(ETHERTYPE_IPV6.to_be_bytes());
        let at = frame.len();
        // Section 6.1.2: whoever has fewer hops left is not on the link, and is not believed.
        frame.extend(ipv6(ICMPV6, message.len() as u16, 255));
        frame.extend(self.from.octets());
        frame.extend(ALL_NODES.octets());
        let sum = Sum::pseudo_header(IpVersion::V6, &frame[at..], ICMPV6, message.len());
        let checksum = sum.add(&message).checksum();
        message[ICMP_CHECKSUM_AT..ICMP_CHECKSUM_AT + 2].copy_from_slice(&checksum);
        frame.extend(message);
        frame
    }
}

/// Returns the prefix that a router advertises on an interface: the one that was asked for, or that
/// of its address there. There is none on an uplink, which leads to routers of others.
pub fn advertised_prefix(spec: &AdvertiseSpec, interface: &InterfacePlan) -> Option<Subnet> {
    if interface.uplink {
        return None;
    }
    let planned = || {
        let mut global = interface.addresses.iter();
        let global = global.find(|it| it.ip.is_ipv6() && !it.is_link_local() && it.prefix == 64)?;
        Subnet::around(global.ip, global.prefix)
    };
    spec.parsed_prefix().ok().flatten().or_else(planned)
}
