//! Next hops, which the kernel removes from an interface that loses its carrier, with all routes
//! over them (net/ipv4/nexthop.c, nh_netdev_event).

use super::{CarriedSettings, NEXT_HOP, ROUTE};
use crate::netlink::connection::Netlink;
use crate::netlink::encoding::{self, Attributes, has_number, numbered, set_u32};
use crate::netlink::error::NetlinkError;
use crate::netlink::link::Device;

/// `RTA_NH_ID` (linux/rtnetlink.h): a route over a next hop.
pub(super) const RTA_NH_ID: u16 = 30;
/// `NHA_RES_GROUP` (linux/nexthop.h): the buckets of a resilient group.
pub(super) const NHA_RES_GROUP: u16 = 12;

impl Netlink {
    /// Gives the interface with this index its next hops again, and the routes over them. Returns
    /// what the kernel refused.
    pub fn give_next_hops_back(
        &mut self,
        index: u32,
        settings: &CarriedSettings,
    ) -> Vec<NetlinkError> {
        let device = Device {
            index,
            name: settings.name(),
        };
        let lost = settings.requests.iter().filter(|it| {
            let is_over_one = |list: &[u8]| numbered(list).any(|(kind, _)| kind == RTA_NH_ID);
            it.kind == NEXT_HOP.new
                || it.kind == ROUTE.new && it.payload.get(ROUTE.header..).is_some_and(is_over_one)
        });
        self.send_in_rounds(device, lost.collect())
    }
}

/// Returns the number of a next hop.
pub(super) fn next_hop_id(whole: &[u8]) -> Option<u32> {
    const NHA_ID: u16 = 1;
    encoding::find(whole.get(8..)?, NHA_ID).and_then(|id| encoding::u32_at(id, 0))
}

/// Tells whether one of these next hops is a member of a group: `struct nexthop_grp`, of 8 bytes.
pub(super) fn is_group_of(whole: &mut [u8], members: &[u32]) -> bool {
    const NHA_GROUP: u16 = 2;
    let group = numbered(&whole[8..]).find(|(kind, _)| *kind == NHA_GROUP);
    let is_member =
        |entry: &[u8]| encoding::u32_at(entry, 0).is_some_and(|id| members.contains(&id));
    group.is_some_and(|(_, entries)| entries.chunks_exact(8).any(is_member))
}

/// Returns whether a next hop leads over the interface, and clears the flags that the kernel sets
/// itself. The message is a `struct nhmsg`, of 8 bytes; the interface is in an attribute.
pub(super) fn next_hop(whole: &mut [u8], index: u32) -> bool {
    const NHA_OIF: u16 = 5;
    const RTNH_F_ONLINK: u32 = 0x04;
    // Whether the way is dead is for the kernel to say.
    let flags = encoding::u32_at(whole, 4).unwrap_or(0);
    set_u32(whole, 4, flags & RTNH_F_ONLINK);
    // `nh_scope` too is for the kernel to say (net/ipv4/nexthop.c, rtm_to_nh_config).
    whole[1] = 0;
    has_number(&whole[8..], NHA_OIF, index)
}

/// Returns the settings of the buckets of a resilient group that a program can request, as an
/// attribute: their number and their two timers. The time for which the group has been unbalanced
/// is no part of a request (net/ipv4/nexthop.c, rtm_nh_res_policy_new).
pub(super) fn bucket_request(told: &[u8]) -> (u16, Attributes) {
    // The kernel insists on this flag, where a list in a list is newer than Linux 5.2
    // (lib/nlattr.c, __nla_validate_parse).
    const NLA_F_NESTED: u16 = 0x8000;
    // NHA_RES_GROUP_BUCKETS, IDLE_TIMER, UNBALANCED_TIMER.
    let asked = numbered(told).filter(|(kind, _)| [1, 2, 3].contains(kind));
    let asked = asked.fold(Attributes::new(), |all, (kind, value)| {
        all.with(kind, value)
    });
    (NHA_RES_GROUP | NLA_F_NESTED, asked)
}
