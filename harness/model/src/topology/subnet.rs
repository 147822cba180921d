//! Ranges of addresses.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::packet::ip::IpVersion;

/// A range of addresses that share a prefix, such as `10.0.0.0/24` or `fd00::/64`.
///
/// ```
/// use snowglobe_model::topology::Subnet;
///
/// let lan: Subnet = "192.168.1.0/24".parse()?;
/// assert!(lan.contains("192.168.1.7".parse().unwrap()));
/// let error = "192.168.1.7/24".parse::<Subnet>().unwrap_err();
/// let expected = "`192.168.1.7/24` is not a subnet; it is in `192.168.1.0/24`";
/// assert_eq!(error.to_string(), expected);
/// # Ok::<(), snowglobe_model::topology::SubnetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    version: IpVersion,
    /// The first address; of an IPv4 subnet, in the low 32 bits.
    base: u128,
    prefix: u8,
}

impl Subnet {
    /// Returns the subnet with this prefix length that has `address` in it. Returns nothing if the
    /// length exceeds the bits of the address.
    pub fn around(address: IpAddr, prefix: u8) -> Option<Self> {
        let version = IpVersion::of(address);
        (prefix <= version.address_bits()).then(|| {
            let host = host_mask(version, prefix);
            Subnet {
                version,
                base: to_bits(address) & !host,
                prefix,
            }
        })
    }

    /// Returns the first address.
    pub fn network(&self) -> IpAddr {
        from_bits(self.version, self.base)
    }

    /// Returns the number of leading bits that all addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Returns whether the addresses are of IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.version == IpVersion::V6
    }

    /// Returns whether routers forward packets to the addresses of the subnet: those of groups, of
    /// one link and of one host they do not (RFC 6890, section 2.2).
    pub(crate) fn is_forwarded(&self) -> bool {
        match self.network() {
            IpAddr::V4(ip) => {
                let [first, ..] = ip.octets();
                (1..224).contains(&first) && !ip.is_loopback() && !ip.is_link_local()
            }
            IpAddr::V6(ip) => {
                let is_of_one = ip.is_unspecified() || ip.is_loopback();
                !is_of_one && !ip.is_multicast() && !ip.is_unicast_link_local()
            }
        }
    }

    /// Returns the version of the Internet protocol that the addresses are of.
    pub(crate) fn version(&self) -> IpVersion {
        self.version
    }

    /// Returns whether `address` is in the subnet.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.version == IpVersion::of(address) && to_bits(address) & !self.host_mask() == self.base
    }

    /// Returns whether some address is in both subnets.
    pub fn overlaps(&self, other: &Subnet) -> bool {
        self.version == other.version && self.base <= other.last() && other.base <= self.last()
    }

    pub(crate) fn from_bits(version: IpVersion, base: u128, prefix: u8) -> Self {
        Subnet {
            version,
            base: base & !host_mask(version, prefix),
            prefix,
        }
    }

    /// Returns the part with a number, from 0, among those with this prefix length. Returns nothing
    /// if there are not so many, and for `::/0` as a part of itself.
    pub(crate) fn part(&self, prefix: u8, number: u128) -> Option<Self> {
        let bits = prefix.checked_sub(self.prefix)?;
        let behind = self.version.address_bits().checked_sub(prefix)?;
        let fits = number.checked_shr(bits.into()).is_none_or(|it| it == 0);
        let base = self.base | number.checked_shl(behind.into())?;
        fits.then(|| Self::from_bits(self.version, base, prefix))
    }

    pub(crate) fn base(&self) -> u128 {
        self.base
    }

    /// Returns the last address, as bits.
    pub(crate) fn last(&self) -> u128 {
        self.base | self.host_mask()
    }

    /// Returns the number of interfaces that the subnet has room for.
    pub(crate) fn capacity(&self) -> u128 {
        let (first, last) = self.host_range();
        (last - first).saturating_add(1)
    }

    /// Returns the first and the last host number of an interface. The network's own address and
    /// the broadcast address are left out, if the subnet is large enough to have them.
    pub(crate) fn host_range(&self) -> (u128, u128) {
        let all = self.host_mask();
        match (all, self.version) {
            (0 | 1, _) => (0, all),
            (_, IpVersion::V6) => (1, all),
            (_, IpVersion::V4) => (1, all - 1),
        }
    }

    /// Returns the address of host number `host`.
    pub(crate) fn host(&self, host: u128) -> IpAddr {
        from_bits(self.version, self.base | host)
    }

    /// Returns the host number of an address in the subnet.
    pub(crate) fn host_of(&self, address: IpAddr) -> u128 {
        to_bits(address) & self.host_mask()
    }

    fn host_mask(&self) -> u128 {
        host_mask(self.version, self.prefix)
    }
}

fn host_mask(version: IpVersion, prefix: u8) -> u128 {
    let bits = u32::from(version.address_bits() - prefix);
    1u128
        .checked_shl(bits)
        .map_or(u128::MAX, |beyond| beyond - 1)
}

pub(crate) fn to_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn from_bits(version: IpVersion, bits: u128) -> IpAddr {
    match version {
        IpVersion::V4 => Ipv4Addr::from_bits(bits as u32).into(),
        IpVersion::V6 => Ipv6Addr::from_bits(bits).into(),
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.prefix)
    }
}

/// The reason why a text is no [`Subnet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubnetError {
    /// The text is not written as a subnet is.
    Malformed(String),
    /// The text has an address of a subnet that is not the first one.
    Within {
        /// The text.
        text: String,
        /// The subnet that has the address in it.
        subnet: Subnet,
    },
}

impl fmt::Display for SubnetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => write!(
                f,
                "`{}` is not a subnet; write it like `192.168.1.0/24` or `fd00::/64`",
                text.escape_debug()
            ),
            Self::Within { text, subnet } => {
                write!(f, "`{text}` is not a subnet; it is in `{subnet}`")
            }
        }
    }
}

impl Error for SubnetError {}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let bad = || SubnetError::Malformed(text.to_owned());
        let (address, prefix) = parse_address(text).ok_or_else(bad)?;
        let subnet = Subnet::around(address, prefix.ok_or_else(bad)?).ok_or_else(bad)?;
        if subnet.network() != address {
            return Err(SubnetError::Within {
                text: text.to_owned(),
                subnet,
            });
        }
        Ok(subnet)
    }
}

/// Reads `10.0.0.1` or `10.0.0.1/24`.
pub(crate) fn parse_address(text: &str) -> Option<(IpAddr, Option<u8>)> {
    let Some((address, prefix)) = text.split_once('/') else {
        return Some((text.parse().ok()?, None));
    };
    let address: IpAddr = address.parse().ok()?;
    let plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let prefix: u8 = prefix
        .parse()
        .ok()
        .filter(|&prefix| plain && prefix <= IpVersion::of(address).address_bits())?;
    Some((address, Some(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn subnets_know_their_hosts() {
        assert_eq!(subnet("10.0.0.0/24").capacity(), 254);
        assert_eq!(subnet("10.0.0.0/30").capacity(), 2);
        assert_eq!(subnet("10.0.0.0/31").capacity(), 2); // RFC 3021: no network and no broadcast address on a cable
        assert_eq!(subnet("10.0.0.1/32").capacity(), 1);
        assert_eq!(subnet("fd00::/127").capacity(), 2);
        assert_eq!(subnet("::/0").capacity(), u128::MAX);
        assert_eq!(subnet("10.0.1.0/24").host(7).to_string(), "10.0.1.7");
    }

    #[test]
    fn parts_are_counted_from_0_to_the_last() {
        let part = |whole: &str, prefix, number| {
            let part = subnet(whole).part(prefix, number);
            part.map(|it| it.to_string())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(part("10.0.0.0/8", 16, 255), some("10.255.0.0/16"));
        assert_eq!(part("10.0.0.0/8", 16, 256), None);
        assert_eq!(part("10.0.0.0/8", 7, 0), None);
        assert_eq!(part("10.0.0.0/8", 33, 0), None);
        assert_eq!(part("0.0.0.0/0", 0, 0), some("0.0.0.0/0"));
        assert_eq!(part("fd00::/56", 56, 0), some("fd00::/56"));
        assert_eq!(part("fd00::/56", 56, 1), None);
        assert_eq!(
            part("::/0", 128, u128::MAX),
            some(&format!("{}/128", Ipv6Addr::from_bits(u128::MAX)))
        );
    }

    #[test]
    fn overlap_is_containment_one_way_or_the_other() {
        assert!(subnet("10.0.0.0/8").overlaps(&subnet("10.9.0.0/16")));
        assert!(subnet("10.9.0.0/16").overlaps(&subnet("10.0.0.0/8")));
        assert!(!subnet("10.0.0.0/24").overlaps(&subnet("10.0.1.0/24")));
        assert!(!subnet("0.0.0.0/0").overlaps(&subnet("::/0")));
    }

    #[test]
    fn what_is_not_a_subnet_is_refused() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0/24",
            "fd00::/129",
            "10.0.0.0/24/24",
            "x/8",
        ] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }
}
