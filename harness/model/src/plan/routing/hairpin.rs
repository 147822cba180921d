//! Packets of hosts behind a router to its own external address.
//!
//! The kernel of a router takes a packet to its own address in, whoever sends it. A NAT on the wire
//! of the uplink would never see those that hosts behind the router send to one another's external
//! addresses (RFC 4787, section 6). So such packets leave by the uplink: by a route in a table of
//! their own, over the router in front of this one, where they never arrive.

use std::net::Ipv4Addr;

use crate::nat::{NatEngine, NatSpec};
use crate::plan::stack::{Diversion, InterfacePlan, RoutePlan, StackPlan, Sysctl};
use crate::topology::subnet::Subnet;
use crate::topology::value::Topology;

use super::realms::router;

/// The table of the routes: below those of routes by source, and above those that the kernel and
/// other programs use.
const TABLE: u32 = 999;

/// Gives the stacks of routers whose NAT hairpins on the wire what leads packets there.
pub(crate) fn divert_to_uplinks(topology: &Topology, stacks: &mut [StackPlan]) {
    for stack in stacks {
        let nat = router(topology, stack.owner).and_then(|router| router.nat.as_ref());
        if hairpins_on_wire(nat) {
            divert(stack);
        }
    }
}

impl StackPlan {
    /// Returns the diversion of packets to an address that DHCP gives to an uplink, if the NAT
    /// hairpins on the wire. The plan has those of the addresses that it knows.
    pub fn diversion_of_lease(&self, address: Ipv4Addr) -> Option<Diversion> {
        let router = self.own.netfilter.as_ref()?.router.as_ref()?;
        let diversion = || Diversion {
            address,
            interfaces: behind(self),
            table: TABLE,
        };
        hairpins_on_wire(router.nat.as_ref()).then(diversion)
    }
}

fn hairpins_on_wire(nat: Option<&NatSpec>) -> bool {
    nat.is_some_and(|nat| nat.carried_by() == NatEngine::Userspace && nat.hairpinning.is_on())
}

/// Returns the names of the interfaces that lead to the networks behind a router.
fn behind(stack: &StackPlan) -> Vec<String> {
    let behind = stack.interfaces.iter().filter(|it| !it.uplink);
    behind.map(|it| it.name.clone()).collect()
}

fn divert(stack: &mut StackPlan) {
    let behind = behind(stack);
    let mut diversions = Vec::new();
    // An uplink without an address gets one by DHCP.
    let leased = stack.interfaces.iter();
    let leased = leased
        .filter(|it| it.uplink)
        .any(|it| it.v4().next().is_none());
    for uplink in stack.interfaces.iter_mut().filter(|it| it.uplink) {
        let Some(default) = default_route(uplink) else {
            continue;
        };
        let own: Vec<_> = uplink.v4().collect();
        for address in own {
            let Some(to) = Subnet::around(address.into(), 32) else {
                continue;
            };
            uplink.routes.push(RoutePlan {
                to,
                via: default.via,
                metric: None,
                table: Some(TABLE),
            });
            diversions.push(Diversion {
                address,
                interfaces: behind.clone(),
                table: TABLE,
            });
        }
    }
    if diversions.is_empty() && !leased {
        return;
    }
    stack.own.diversions = diversions;
    for (path, value) in [
        // What comes back has an address of the router as its source, which the kernel takes for
        // forged without this (net/ipv4/fib_frontend.c, fib_validate_source).
        ("net/ipv4/conf/all/accept_local", "1"),
        // The kernel looks for the socket of a packet before it looks for its route, and forwards
        // no packet that has one (net/ipv4/ip_input.c, ip_rcv_finish_core; ip_forward.c,
        // ip_forward).
        ("net/ipv4/ip_early_demux", "0"),
    ] {
        stack.own.sysctls.push(Sysctl {
            path: path.into(),
            value: value.into(),
        });
    }
}

fn default_route(interface: &InterfacePlan) -> Option<RoutePlan> {
    let mut routes = interface.routes.iter();
    let default =
        |route: &&RoutePlan| !route.to.is_ipv6() && route.to.prefix() == 0 && route.table.is_none();
    routes.find(default).copied()
}
