//! Prefixes exchanged for others, so that checksums hold (NPTv6, RFC 6296).

use std::net::{IpAddr, Ipv6Addr};

use super::error::{LONGEST, PrefixError};
use crate::nat::NatOutcome;
use crate::packet::ethernet::{EthernetHeader, exchange_macs};
use crate::packet::ip::{ICMPV6, IpHeader, IpVersion};
use crate::packet::transport::{ICMP_LENGTH, is_icmp_error};
use crate::topology::Subnet;

/// Two prefixes of the same length that stand for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixPair {
    inside: Subnet,
    outside: Subnet,
}

/// The longest prefix that leaves the number of the subnet for the adjustment (section 3.4).
const WITH_SUBNET: u8 = 48;
/// Index of the 16-bit word of an address that has the number of the subnet, in a /48.
const SUBNET_WORD: usize = 3;

impl PrefixPair {
    /// Makes a pair of the prefix behind a router and the one in front of it.
    ///
    /// # Errors
    /// The prefixes cannot stand for each other.
    pub fn new(inside: Subnet, outside: Subnet) -> Result<Self, PrefixError> {
        for prefix in [inside, outside] {
            if !prefix.is_ipv6() {
                return Err(PrefixError::NotIpv6(prefix));
            }
            if !(1..=LONGEST).contains(&prefix.prefix()) {
                return Err(PrefixError::ExchangedLength(prefix));
            }
        }
        if inside.prefix() != outside.prefix() {
            return Err(PrefixError::LengthsDiffer { inside, outside });
        }
        if inside.overlaps(&outside) {
            return Err(PrefixError::Overlap(inside));
        }
        Ok(Self { inside, outside })
    }

    /// Returns the prefix behind the router.
    pub fn inside(&self) -> Subnet {
        self.inside
    }

    /// Returns the prefix in front of the router.
    pub fn outside(&self) -> Subnet {
        self.outside
    }

    /// Returns the address outside of an address inside; none if no address stands for it (section
    /// 3.4: the subnet 0xffff of a /48 or shorter prefix).
    pub fn to_outside(&self, address: Ipv6Addr) -> Option<Ipv6Addr> {
        exchange(address, self.inside, self.outside)
    }

    /// Returns the address inside of an address outside.
    pub fn to_inside(&self, address: Ipv6Addr) -> Option<Ipv6Addr> {
        exchange(address, self.outside, self.inside)
    }
}

/// Gives an address another prefix, and changes 16 other bits by the opposite.
fn exchange(address: Ipv6Addr, from: Subnet, to: Subnet) -> Option<Ipv6Addr> {
    let host = address.to_bits() & !(u128::MAX << (128 - u32::from(from.prefix())));
    let mut words = Ipv6Addr::from_bits(to.base() | host).segments();
    // A shorter prefix leaves the number of the subnet, and a longer one the first word of the
    // interface's number that is not all ones (sections 3.4 and 3.5).
    let at = if from.prefix() <= WITH_SUBNET {
        SUBNET_WORD
    } else {
        (4..8).find(|at| words[*at] != 0xffff)?
    };
    if words[at] == 0xffff {
        return None;
    }
    let sum = |prefix: Subnet| {
        let words = Ipv6Addr::from_bits(prefix.base()).segments();
        words.into_iter().fold(0, add)
    };
    let adjusted = add(words[at], add(sum(from), !sum(to)));
    // All ones is zero too, and would not be found again on the way back (section 3.4).
    words[at] = if adjusted == 0xffff { 0 } else { adjusted };
    Some(Ipv6Addr::from(words))
}

/// Adds numbers as the Internet checksum does (RFC 1071): a carry is added at the low end.
fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + u16::from(carry)
}

/// Exchanges the prefixes of frames at the uplink of a router. It remembers nothing.
#[derive(Clone, Debug)]
pub struct PrefixExchanger {
    pair: PrefixPair,
    translated: [u64; 2],
}

/// Place of the source address in an IPv6 header; the destination follows it (RFC 8200, section 3).
const SOURCE_AT: usize = 8;
const DESTINATION_AT: usize = 24;

impl PrefixExchanger {
    /// Makes a translator for a pair of prefixes.
    pub fn new(pair: PrefixPair) -> Self {
        Self {
            pair,
            translated: [0; 2],
        }
    }

    /// Returns the prefixes.
    pub fn pair(&self) -> PrefixPair {
        self.pair
    }

    /// Returns the numbers of packets that were translated on their way out, and in.
    pub fn translated(&self) -> [u64; 2] {
        self.translated
    }

    /// Translates a packet that leaves by the uplink; there is no outcome for a frame that carries
    /// no IPv6.
    ///
    /// A packet to an address outside that is in truth inside goes back, with both addresses
    /// translated, as RFC 6296, section 3.2 asks (hairpinning).
    pub fn outbound(&mut self, frame: &mut [u8]) -> Option<NatOutcome> {
        let ip = v6(frame)?;
        let pair = self.pair;
        let own = |it: Ipv6Addr| pair.inside.contains(it.into());
        self.quoted(frame, &ip, DESTINATION_AT, own, |it| pair.to_outside(it));
        let [source, destination] = ends(frame, &ip);
        if own(source) {
            let Some(outside) = pair.to_outside(source) else {
                return Some(NatOutcome::Drop(crate::nat::NatDrop::NoMapping));
            };
            put(frame, ip.at + SOURCE_AT, outside);
            self.translated[0] += 1;
        }
        if !pair.outside.contains(destination.into()) {
            return Some(NatOutcome::Pass);
        }
        let Some(inside) = pair.to_inside(destination) else {
            return Some(NatOutcome::Drop(crate::nat::NatDrop::NoMapping));
        };
        // The error is about a packet that came back as this one does, and both of its addresses
        // were translated.
        let own = |it: Ipv6Addr| pair.outside.contains(it.into());
        self.quoted(frame, &ip, SOURCE_AT, own, |it| pair.to_inside(it));
        put(frame, ip.at + DESTINATION_AT, inside);
        exchange_macs(frame);
        Some(NatOutcome::Hairpin)
    }

    /// Translates a packet that has come by the uplink; there is no outcome for a frame that
    /// carries no IPv6.
    pub fn inbound(&mut self, frame: &mut [u8]) -> Option<NatOutcome> {
        let ip = v6(frame)?;
        let pair = self.pair;
        let own = |it: Ipv6Addr| pair.outside.contains(it.into());
        let [_, destination] = ends(frame, &ip);
        if !own(destination) {
            return Some(NatOutcome::Pass);
        }
        let Some(inside) = pair.to_inside(destination) else {
            return Some(NatOutcome::Drop(crate::nat::NatDrop::NoMapping));
        };
        self.quoted(frame, &ip, SOURCE_AT, own, |it| pair.to_inside(it));
        put(frame, ip.at + DESTINATION_AT, inside);
        self.translated[1] += 1;
        Some(NatOutcome::Pass)
    }

    /// Translates one address of the packet that an ICMPv6 error quotes. The checksum of the error
    /// holds, as that of any packet does.
    fn quoted(
        &self,
        frame: &mut [u8],
        ip: &IpHeader,
        end: usize,
        own: impl Fn(Ipv6Addr) -> bool,
        other: impl Fn(Ipv6Addr) -> Option<Ipv6Addr>,
    ) {
        let kind = frame.get(ip.payload_at).filter(|_| ip.protocol == ICMPV6);
        let is_error = kind.is_some_and(|kind| is_icmp_error(IpVersion::V6, *kind));
        let at = ip.payload_at + ICMP_LENGTH;
        let Some(quoted) = IpHeader::read_at(frame, at).filter(|_| is_error) else {
            return;
        };
        if quoted.version != IpVersion::V6 {
            return;
        }
        let [source, destination] = ends(frame, &quoted);
        let address = if end == SOURCE_AT {
            source
        } else {
            destination
        };
        if let Some(new) = other(address).filter(|_| own(address)) {
            put(frame, at + end, new);
        }
    }
}

fn v6(frame: &[u8]) -> Option<IpHeader> {
    let ip = IpHeader::read(frame, &EthernetHeader::read(frame)?)?;
    (ip.version == IpVersion::V6).then_some(ip)
}

fn ends(frame: &[u8], ip: &IpHeader) -> [Ipv6Addr; 2] {
    ip.addresses(frame).map(|ip| match ip {
        IpAddr::V6(v6) => v6,
        IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED,
    })
}

fn put(frame: &mut [u8], at: usize, address: Ipv6Addr) {
    if let Some(place) = frame.get_mut(at..at + 16) {
        place.copy_from_slice(&address.octets());
    }
}
