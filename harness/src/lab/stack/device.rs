//! Interfaces of a plan, as netlink names them.

use crate::kernel::netlink::Device;
use crate::topology::plan::{BridgeInterface, CableEndPlan, InterfacePlan};

/// Returns the device of a cable's end.
pub(crate) fn end_device(end: &CableEndPlan) -> Device<'_> {
    Device {
        index: end.index,
        name: &end.name,
    }
}

/// Returns the device of a bridge.
pub(crate) fn bridge_device(bridge: &BridgeInterface) -> Device<'_> {
    Device {
        index: bridge.index,
        name: &bridge.name,
    }
}

/// Returns the device of a stack's interface.
pub(crate) fn interface_device(interface: &InterfacePlan) -> Device<'_> {
    Device {
        index: interface.index,
        name: &interface.name,
    }
}

/// Returns the IPv6 addresses of an interface.
pub(crate) fn ipv6_addresses(interface: &InterfacePlan) -> Vec<std::net::Ipv6Addr> {
    let addresses = interface.addresses.iter();
    addresses
        .filter_map(|address| match address.ip {
            std::net::IpAddr::V6(v6) => Some(v6),
            std::net::IpAddr::V4(_) => None,
        })
        .collect()
}
