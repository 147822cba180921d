//! The veth pair of a translator, with the routes that lead into it.

use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError, RouteRequest, Veth, VethEnd};
use crate::model::side::Side;
use crate::topology::Subnet;
use crate::topology::plan::InterfaceSlot;
use crate::trial::time_scale::stretched;

/// The hardware addresses of both ends.
///
/// The kernel sends frames to the address of the near end, so that the far end, which belongs to
/// the same kernel, takes none of them for its own (net/ipv4/ip_input.c, ip_rcv_core, and
/// net/ipv6/ip6_input.c, ip6_rcv_core: PACKET_OTHERHOST).
pub(super) const MACS: [[u8; 6]; 2] = [[2, b'S', 0x64, 0, 0, 0], [2, b'S', 0x64, 0, 0, 1]];

/// The longest packet: larger than that of any link, so that it is the links, and their kernel,
/// which find a packet too large. An end of a veth pair takes no longer frame than it sends
/// (net/core/dev.c, is_skb_forwardable), and what comes back is longer than what was sent.
const MTU: u32 = 65_535;
/// The time that the kernel has to bring the pair up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pair that is to be made.
#[derive(Clone, Debug)]
pub(super) struct TranslatorPair {
    /// The number by which the indices of its ends are chosen.
    pub(super) number: usize,
    /// The names of the near end and the far end.
    pub(super) names: [&'static str; 2],
    /// The IPv4 address of the near end.
    pub(super) address: Option<Ipv4Addr>,
    /// The networks behind the near end.
    pub(super) routes: Vec<Subnet>,
    /// The metric and the MTU of the default route of IPv4 over the near end, if there is one.
    pub(super) default: Option<(u32, u32)>,
}

impl TranslatorPair {
    fn ends(&self) -> [Device<'static>; 2] {
        let [near, far] = self.names;
        [(Side::A, near), (Side::B, far)].map(|(side, name)| Device {
            index: InterfaceSlot::Translator(self.number, side).index(),
            name,
        })
    }

    /// Returns the index of the far end.
    pub(super) fn far(&self) -> u32 {
        self.ends()[1].index
    }

    /// Makes the pair in a network namespace, in place of one that is there.
    pub(super) fn make(&self, netns: BorrowedFd<'_>) -> Result<(), NetlinkError> {
        let [near, far] = self.ends();
        let [near_mac, far_mac] = MACS;
        let mut batch = Batch::new();
        // A node that was started again has what its network has kept.
        batch.delete_link_if_there(near);
        batch.add_veth(&Veth {
            near: VethEnd {
                mac: Some(near_mac),
                mtu: Some(MTU),
                ..VethEnd::new(near)
            },
            far: VethEnd {
                mac: Some(far_mac),
                mtu: Some(MTU),
                ..VethEnd::new(far)
            },
        });
        // Nobody is on this link who could be asked for anything, or told.
        batch.disable_address_generation(near);
        batch.disable_address_generation(far);
        batch.set_up_without_arp(near);
        batch.set_up_without_arp(far);
        if let Some(address) = self.address {
            batch.add_address(near, address.into(), 32);
        }
        let route = |destination, prefix, metric| RouteRequest {
            destination,
            prefix,
            via: None,
            device: near,
            metric,
            table: None,
        };
        for to in &self.routes {
            batch.add_route(&route(to.network(), to.prefix(), None));
        }
        if let Some((metric, mtu)) = self.default {
            let all = route(Ipv4Addr::UNSPECIFIED.into(), 0, Some(metric));
            batch.add_route_with_mtu(&all, mtu);
        }
        let mut netlink = Netlink::open_in(netns)?;
        netlink.execute(batch)?;
        netlink.wait_until_up(&[near, far], Instant::now() + stretched(PATIENCE))
    }
}
