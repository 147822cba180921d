//! The two families of addresses of the Internet protocol, as the kernel numbers them.

use std::net::IpAddr;

use nix::libc;
use snowglobe_derive::Serialize;

/// Family of addresses, of packets and of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpFamily {
    /// Both families.
    pub const BOTH: [IpFamily; 2] = [IpFamily::V4, IpFamily::V6];

    /// Returns the family of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Returns the family that has this [`number`](Self::number), if there is one.
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        let is_it = |family: &Self| family.number() == libc::c_int::from(number);
        Self::BOTH.into_iter().find(is_it)
    }

    /// Returns the number by which the kernel knows the family. Netfilter has the same numbers as
    /// sockets: `NFPROTO_IPV4` is `AF_INET` (include/uapi/linux/netfilter.h).
    pub(crate) fn number(self) -> libc::c_int {
        match self {
            Self::V4 => libc::AF_INET,
            Self::V6 => libc::AF_INET6,
        }
    }
}
