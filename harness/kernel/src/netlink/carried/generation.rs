//! This module reads the mode and the token by which an interface generates IPv6 addresses, and
//! requests the same mode and token for another interface.

use crate::netlink::encoding::{self, Attributes};
use crate::netlink::link::Device;

/// Returns the token and the mode of the interface that a list of attributes is about.
pub(super) fn told(attributes: &[u8]) -> Attributes {
    const IFLA_INET6_TOKEN: u16 = 7;
    const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
    let families = encoding::find_numbered(attributes, libc::IFLA_AF_SPEC);
    let v6 = families.and_then(|it| encoding::find_numbered(it, libc::AF_INET6 as u16));
    let Some(v6) = v6 else {
        return Attributes::new();
    };
    // The token of an interface without one is told as zeros. The kernel refuses a token for an
    // interface that accepts no router advertisements (net/ipv6/addrconf.c, inet6_set_iftoken).
    let token = encoding::find(v6, IFLA_INET6_TOKEN);
    let token = token.filter(|token| token.iter().any(|byte| *byte != 0));
    let mode = encoding::find(v6, IFLA_INET6_ADDR_GEN_MODE);
    Attributes::new()
        .maybe(token, |all, token| all.with(IFLA_INET6_TOKEN, token))
        .maybe(mode, |all, mode| all.with(IFLA_INET6_ADDR_GEN_MODE, mode))
}

/// Returns the payload of a request to generate addresses by this mode and this token.
///
/// A mode that netlink sets generates no address until the interface comes up again. The sysctl
/// generates addresses at once (net/ipv6/addrconf.c, addrconf_sysctl_addr_gen_mode).
pub(super) fn request(device: Device<'_>, generation: Attributes) -> Vec<u8> {
    let families = Attributes::new().nest(libc::AF_INET6 as u16, generation);
    let mut link = encoding::words(&[0, device.index, 0, 0]);
    link.extend(Attributes::new().nest(libc::IFLA_AF_SPEC, families).0);
    link
}
