//! Next hops, which the kernel removes from an interface that loses its carrier, with all routes
//! over them (net/ipv4/nexthop.c, nh_netdev_event).

use super::{CarriedSettings, NEXT_HOP, ROUTE};
use crate::netlink::connection::Netlink;
use crate::netlink::encoding::numbered;
use crate::netlink::error::NetlinkError;
use crate::netlink::link::Device;

/// `RTA_NH_ID` (linux/rtnetlink.h): a route over a next hop.
pub(super) const RTA_NH_ID: u16 = 30;

impl CarriedSettings {
    /// Keeps the next hops of the settings, and the routes over them, and nothing else.
    pub fn retain_next_hops(&mut self) {
        self.requests.retain(|it| {
            let is_over_one = |list: &[u8]| numbered(list).any(|(kind, _)| kind == RTA_NH_ID);
            it.kind == NEXT_HOP.new
                || it.kind == ROUTE.new && it.payload.get(ROUTE.header..).is_some_and(is_over_one)
        });
    }
}

impl Netlink {
    /// Gives an interface what it has lost, and returns what the kernel refused.
    pub fn give_back(
        &mut self,
        device: Device<'_>,
        settings: &CarriedSettings,
    ) -> Vec<NetlinkError> {
        self.send_in_rounds(device, &settings.requests)
    }
}
