//! Routes that go with an interface or its addresses.

use crate::netlink::encoding::{self, has_number, numbered, set_u32};

/// `RTA_EXPIRES` (linux/rtnetlink.h): seconds that a route still has.
pub(super) const RTA_EXPIRES: u16 = 23;

/// Returns the IPv4 addresses of an interface. Each message is a `struct ifaddrmsg`, of 8 bytes
/// that begin with the family, and attributes.
pub(super) fn sources<'a>(messages: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    const IFA_LOCAL: u16 = 2;
    let v4 = messages.filter(|it| it.first() == Some(&(libc::AF_INET as u8)));
    v4.filter_map(|it| encoding::find(it.get(8..)?, IFA_LOCAL))
        .map(<[u8]>::to_vec)
        .collect()
}

/// Returns whether a route goes with the interface and was made by a program, and clears the flags
/// that the kernel sets itself. The message is a `struct rtmsg`: protocol at 5, flags at 8.
///
/// Besides the routes over the interface, the kernel deletes those over any interface whose source
/// is an IPv4 address that goes (net/ipv4/fib_semantics.c, fib_sync_down_addr).
pub(super) fn route(whole: &mut [u8], index: u32, sources: &[Vec<u8>]) -> bool {
    const RTA_OIF: u16 = 4;
    const RTA_PREFSRC: u16 = 7;
    const RTA_MULTIPATH: u16 = 9;
    // The kernel makes its own routes again, from the addresses (net/ipv4/fib_frontend.c,
    // fib_add_ifaddr and fib_magic).
    const RTPROT_KERNEL: u8 = 2;
    const RTM_F_CLONED: u32 = 0x200;
    // RTNH_F_PERVASIVE and ONLINK are asked for by programs; the others tell of the state.
    const ASKED_FOR: u32 = 0x02 | 0x04;
    let Some(flags) = encoding::u32_at(whole, 8) else {
        return false;
    };
    set_u32(whole, 8, flags & ASKED_FOR);
    if whole[5] == RTPROT_KERNEL || flags & RTM_F_CLONED != 0 {
        return false;
    }
    let attributes = &whole[12..];
    let is_one_of_many = |list: &[u8]| {
        // `struct rtnexthop`: length, flags, hops, index; attributes follow.
        let mut rest = list;
        std::iter::from_fn(|| {
            let length = usize::from(encoding::u16_at(rest, 0)?).max(8);
            let hop = encoding::u32_at(rest, 4)?;
            rest = rest.get(encoding::align(length)..).unwrap_or_default();
            Some(hop)
        })
        .any(|hop| hop == index)
    };
    let source = encoding::find(attributes, RTA_PREFSRC);
    let is_from_here = source.is_some_and(|source| sources.iter().any(|it| it == source));
    is_from_here
        || has_number(attributes, RTA_OIF, index)
        || numbered(attributes).any(|(kind, list)| kind == RTA_MULTIPATH && is_one_of_many(list))
}

/// Returns the seconds that a route of IPv6 still has; nothing for a route that stays.
///
/// The kernel tells them in a `struct rta_cacheinfo`, in hundredths of a second
/// (net/core/rtnetlink.c, rtnl_put_cacheinfo), and takes them in an attribute of their own.
pub(super) fn expiry(attributes: &[u8]) -> Option<u32> {
    const RTA_CACHEINFO: u16 = 12;
    /// Ticks of a second that programs see (USER_HZ) on all architectures of today.
    const TICKS: u32 = 100;
    let information = encoding::find(attributes, RTA_CACHEINFO)?;
    // The time is signed, and negative when the route has expired.
    let ticks = encoding::u32_at(information, 8)?.cast_signed();
    let ticks = u32::try_from(ticks).ok().filter(|ticks| *ticks > 0)?;
    Some(ticks.div_ceil(TICKS))
}
