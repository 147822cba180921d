//! The networks that a router numbers out of the prefix that it has been delegated.

use crate::dhcp6::network::link_local;
use crate::plan::stack::{InterfacePlan, StackPlan};
use crate::topology::Subnet;

/// The length of the prefix of each network, in bits (RFC 4291, section 2.5.4).
const NETWORK: u8 = 64;

/// Returns the interfaces of a router to the networks that get their prefix from it, in their
/// order.
pub fn downlinks(stack: &StackPlan) -> impl Iterator<Item = &InterfacePlan> {
    let interfaces = stack.interfaces.iter();
    interfaces.filter(|it| !it.uplink && link_local(it).is_some())
}

/// Returns the interfaces of a router by which it asks for a prefix.
pub fn uplinks(stack: &StackPlan) -> impl Iterator<Item = &InterfacePlan> {
    let interfaces = stack.interfaces.iter();
    interfaces.filter(|it| it.uplink && link_local(it).is_some())
}

/// Returns the prefix of the network with a number, from 0, out of a delegated prefix; nothing if
/// the prefix is too short to have as many.
pub fn network(delegated: Subnet, number: usize) -> Option<Subnet> {
    delegated.part(NETWORK, number as u128)
}
