//! Gives network stacks their settings: the one interpreter of [`StackOp`].
//!
//! The settings of a stack are given when the lab starts, again when a link gets another carrier, and changed when the
//! topology changes. All three take the operations from the plan and hand them to the two functions below.

use crate::kernel::netlink::{Batch, Device, NeighbourRequest, RouteRequest};
use crate::topology::plan::{InterfaceId, NeighbourPlan, RoutePlan, StackOp, Sysctl};

/// Adds the request that gives a stack a setting; `device` finds the device of an interface.
///
/// A sysctl is a file and no request. It is returned, for the caller to write when the batch is executed.
pub(crate) fn give<'p>(
    batch: &mut Batch,
    device: impl Fn(InterfaceId) -> Device<'p>,
    op: StackOp<'p>,
) -> Option<&'p Sysctl> {
    match op {
        StackOp::Sysctl(sysctl) | StackOp::InterfaceSysctl(_, sysctl) => return Some(sysctl),
        StackOp::Up(id) => {
            // Addresses that the kernel gives by itself would appear as soon as the interface is up.
            batch.give_no_addresses(device(id));
            batch.set_up(device(id));
        }
        StackOp::Altname(id, name) => batch.add_altname(device(id), name),
        StackOp::Mtu(id, mtu) => batch.set_mtu(device(id), mtu),
        StackOp::Address(id, address) => {
            batch.add_address(device(id), address.ip, address.prefix);
        }
        StackOp::Neighbour(id, entry) => batch.add_neighbour(&neighbour(device(id), entry)),
        StackOp::Route(id, planned) => batch.add_route(&route(device(id), planned)),
    }
    None
}

/// Adds the request that takes a setting away from a stack.
///
/// A setting of which there is always one (see [`StackOp::is_replaced`]) is never taken away.
pub(crate) fn take_away<'p>(
    batch: &mut Batch,
    device: impl Fn(InterfaceId) -> Device<'p>,
    op: StackOp<'p>,
) {
    match op {
        StackOp::Sysctl(_) | StackOp::InterfaceSysctl(..) | StackOp::Mtu(..) => {}
        StackOp::Up(id) => batch.set_down(device(id)),
        StackOp::Altname(id, name) => batch.delete_altname(device(id), name),
        StackOp::Address(id, address) => {
            batch.delete_address(device(id), address.ip, address.prefix);
        }
        StackOp::Neighbour(id, entry) => batch.delete_neighbour(&neighbour(device(id), entry)),
        StackOp::Route(id, planned) => batch.delete_route(&route(device(id), planned)),
    }
}

fn neighbour<'p>(device: Device<'p>, planned: &NeighbourPlan) -> NeighbourRequest<'p> {
    NeighbourRequest {
        address: planned.ip,
        mac: planned.mac,
        device,
    }
}

fn route<'p>(device: Device<'p>, planned: &RoutePlan) -> RouteRequest<'p> {
    RouteRequest {
        destination: planned.to.network(),
        prefix: planned.to.prefix(),
        via: Some(planned.via),
        device,
    }
}
