//! This module reads how an interface makes IPv6 addresses by itself, and asks for the same.

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
    // An interface without a token tells one of zeros. To set a token takes an interface that
    // listens to routers (net/ipv6/addrconf.c, inet6_set_iftoken), as not every one does.
    let token = encoding::find(v6, IFLA_INET6_TOKEN);
    let token = token.filter(|token| token.iter().any(|byte| *byte != 0));
    let mode = encoding::find(v6, IFLA_INET6_ADDR_GEN_MODE);
    Attributes::new()
        .maybe(token, |all, token| all.with(IFLA_INET6_TOKEN, token))
        .maybe(mode, |all, mode| all.with(IFLA_INET6_ADDR_GEN_MODE, mode))
}

/// Returns the payload of a request to generate addresses in this way.
///
/// By netlink, a mode makes none until the interface comes up the next time, whereas the sysctl
/// makes some at once (net/ipv6/addrconf.c, addrconf_sysctl_addr_gen_mode).
pub(super) fn request(device: Device<'_>, generation: Attributes) -> Vec<u8> {
    let families = Attributes::new().nest(libc::AF_INET6 as u16, generation);
    let mut link = encoding::words(&[0, device.index, 0, 0]);
    link.extend(Attributes::new().nest(libc::IFLA_AF_SPEC, families).0);
    link
}
