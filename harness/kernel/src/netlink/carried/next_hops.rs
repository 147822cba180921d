//! Next hops, which the kernel removes from an interface that loses its carrier, with all routes
//! over them (net/ipv4/nexthop.c, nh_netdev_event).

use super::{CarriedSettings, NEXT_HOP, ROUTE};
use crate::netlink::connection::Netlink;
use crate::netlink::encoding::{self, numbered};
use crate::netlink::error::NetlinkError;
use crate::netlink::link::Device;

/// `RTA_NH_ID` (linux/rtnetlink.h): a route over a next hop.
pub(super) const RTA_NH_ID: u16 = 30;

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
