//! IPv4 addresses within IPv6 addresses (RFC 6052).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::error::PrefixError;
use crate::packet::ip::IpVersion;
use crate::topology::Subnet;

/// A prefix behind which IPv6 addresses have an IPv4 address (RFC 6052, section 2.2).
///
/// ```
/// use snowglobe_model::v6::EmbeddingPrefix;
///
/// let prefix: EmbeddingPrefix = "64:ff9b::/96".parse()?;
/// let six = prefix.embed("192.0.2.33".parse().unwrap());
/// assert_eq!(six.to_string(), "64:ff9b::c000:221");
/// assert_eq!(prefix.extract(six).unwrap().to_string(), "192.0.2.33");
/// # Ok::<(), snowglobe_model::v6::PrefixError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EmbeddingPrefix {
    bits: u128,
    length: u8,
}

/// The lengths that a prefix can have (RFC 6052, section 2.2).
const LENGTHS: [u8; 6] = [32, 40, 48, 56, 64, 96];
/// Index of the byte that is zero in every such address: bits 64 to 71.
const ZERO: usize = 8;

impl EmbeddingPrefix {
    /// The well-known prefix, `64:ff9b::/96` (RFC 6052, section 2.1).
    pub(super) const WELL_KNOWN: EmbeddingPrefix = Self::new_const(0x0064_ff9b << 96, 96);

    pub(super) const fn new_const(bits: u128, length: u8) -> Self {
        Self { bits, length }
    }

    /// Returns the address that has an IPv4 address in it.
    pub fn embed(&self, v4: Ipv4Addr) -> Ipv6Addr {
        let mut bytes = self.bits.to_be_bytes();
        for (at, octet) in self.places().zip(v4.octets()) {
            bytes[at] = octet;
        }
        bytes.into()
    }

    /// Returns the IPv4 address in an address with this prefix; none for other addresses.
    pub fn extract(&self, v6: Ipv6Addr) -> Option<Ipv4Addr> {
        if !self.subnet().contains(v6.into()) {
            return None;
        }
        let bytes = v6.octets();
        let mut octets = [0; 4];
        for (octet, at) in octets.iter_mut().zip(self.places()) {
            *octet = bytes[at];
        }
        Some(octets.into())
    }

    /// Returns whether addresses with this prefix may have this IPv4 address in them: behind the
    /// well-known prefix, only public ones may stand (RFC 6052, section 3.1).
    pub fn admits(&self, v4: Ipv4Addr) -> bool {
        let is_well_known = *self == Self::WELL_KNOWN;
        let [a, b, ..] = v4.octets();
        // 100.64.0.0/10 is shared between carriers and their customers (RFC 6598).
        let shared = a == 100 && (64..128).contains(&b);
        let local = v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared;
        let no_host = a == 0 || a >= 224;
        !(is_well_known && (local || no_host))
    }

    /// Returns the network of all addresses with this prefix.
    pub fn subnet(&self) -> Subnet {
        Subnet::from_bits(IpVersion::V6, self.bits, self.length)
    }

    /// Returns the indexes of the bytes at which the four octets stand.
    fn places(&self) -> impl Iterator<Item = usize> {
        let first = usize::from(self.length) / 8;
        (first..16).filter(|at| *at != ZERO).take(4)
    }
}

impl fmt::Display for EmbeddingPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subnet().fmt(f)
    }
}

impl FromStr for EmbeddingPrefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let subnet: Subnet = text.parse()?;
        let (IpAddr::V6(network), true) = (subnet.network(), LENGTHS.contains(&subnet.prefix()))
        else {
            return Err(PrefixError::EmbeddingLength(subnet));
        };
        if !subnet.is_forwarded() {
            return Err(PrefixError::NotForwarded(subnet));
        }
        if network.octets()[ZERO] != 0 {
            return Err(PrefixError::ReservedBits(subnet));
        }
        Ok(Self {
            bits: network.to_bits(),
            length: subnet.prefix(),
        })
    }
}
