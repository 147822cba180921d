//! What a node does with an address or a prefix that it has got.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError};
use crate::kernel::sync::Lock;
use crate::lab::services::ndp::advertiser::Advertiser;
use crate::model::dhcp6::client::HeldRange;
use crate::model::dhcp6::{delegated, message};
use crate::topology::Subnet;

/// The prefix of a router, and the networks that it numbers out of it.
#[derive(Debug)]
pub(super) struct DelegatedPrefix {
    /// The prefix, as long as the router has one.
    pub(super) held: Lock<Option<HeldRange>>,
    /// Whether the router has heard of its prefix since it was started.
    pub(super) heard: AtomicBool,
    /// The indexes of the interfaces to these networks, in their order.
    pub(super) downlinks: Lock<Vec<u32>>,
    /// The addresses that the kernel has out of the prefix, by the index of the interface, and the
    /// range whose other parts are unreachable.
    numbered: Lock<(HashMap<u32, Ipv6Addr>, Option<Subnet>)>,
    pub(super) advertiser: Arc<Advertiser>,
}

impl DelegatedPrefix {
    pub(super) fn new(downlinks: Vec<u32>, advertiser: Arc<Advertiser>) -> Self {
        Self {
            held: Lock::default(),
            heard: AtomicBool::new(false),
            downlinks: Lock::new(downlinks),
            numbered: Lock::default(),
            advertiser,
        }
    }

    /// Returns the prefix.
    pub(super) fn range(&self) -> Option<Subnet> {
        self.held.lock().map(|it| it.range)
    }

    /// Numbers the networks behind the router, and tells their hosts.
    pub(super) fn follow(&self, netlink: &mut Netlink) -> Result<(), NetlinkError> {
        let held = *self.held.lock();
        let range = held.map(|it| it.range);
        let downlinks = self.downlinks.lock().clone();
        let of = |(number, index): (usize, &u32)| {
            let network = delegated::network(range?, number)?;
            Some((*index, network))
        };
        let networks = downlinks.iter().enumerate().filter_map(of);
        let networks: HashMap<u32, Subnet> = networks.collect();
        let own = |(index, network): (&u32, &Subnet)| {
            // The router has the first address of each network.
            let own = message::first(*network).to_bits() | 1;
            (*index, Ipv6Addr::from_bits(own))
        };
        let wanted: HashMap<u32, Ipv6Addr> = networks.iter().map(own).collect();
        let mut numbered = self.numbered.lock();
        let (before, whole) = &*numbered;
        let mut batch = Batch::new();
        let gone = before.iter().filter(|(it, at)| wanted.get(it) != Some(at));
        for (index, address) in gone {
            batch.delete_address(device(*index), IpAddr::V6(*address), 64);
        }
        for (index, address) in &wanted {
            // The network of a node that was started again has kept the address, and one that was
            // without power has not.
            batch.delete_address(device(*index), IpAddr::V6(*address), 64);
            batch.add_address(device(*index), IpAddr::V6(*address), 64);
        }
        if let Some(old) = whole.filter(|old| Some(*old) != range) {
            batch.delete_unreachable(old.network(), old.prefix());
        }
        if let Some(new) = range.filter(|it| it.prefix() < 64) {
            // RFC 7084, WPD-5: what no network has would go back to where it came from.
            batch.delete_unreachable(new.network(), new.prefix());
            batch.add_unreachable(new.network(), new.prefix());
        }
        let done = netlink.execute(batch);
        *numbered = (wanted, range);
        // The advertiser has a lock of its own.
        drop(numbered);
        // The prefix is advertised after the addresses are set: hosts use the router as soon as
        // they hear of it.
        self.advertiser.set_delegated(held, &networks);
        done
    }
}

/// Gives an address to an interface. The address is one of the link by what routers advertise, and
/// not by its own length (RFC 8415, section 18.2.10.1).
pub(super) fn add_address(
    netlink: &mut Netlink,
    index: u32,
    address: Ipv6Addr,
) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    // The network of a node that was started again has kept the address.
    batch.delete_address(device(index), IpAddr::V6(address), 128);
    batch.add_address(device(index), IpAddr::V6(address), 128);
    netlink.execute(batch)
}

/// Takes an address away from an interface.
pub(super) fn remove_address(
    netlink: &mut Netlink,
    index: u32,
    address: Ipv6Addr,
) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    batch.delete_address(device(index), IpAddr::V6(address), 128);
    netlink.execute(batch)
}

fn device(index: u32) -> Device<'static> {
    // The kernel finds an interface by its index; the name is for messages.
    Device {
        index,
        name: "an interface with DHCPv6",
    }
}
