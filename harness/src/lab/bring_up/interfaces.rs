//! What interfaces are given, and the wait until packets pass.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::kernel::netlink::{Device, NeighbourRequest, RouteRequest};
use crate::lab::bring_up::network::{Builder, New, bridge, bridge_index, device};
use crate::lab::error::Result;
use crate::topology::plan::{self, Cable, Interface, Place, StackPlan};

/// How long the kernel may take to let packets through, on the busiest of machines.
const READY: Duration = Duration::from_secs(30);

impl<'a> Builder<'a> {
    /// Gives new interfaces all that they are to have.
    pub(crate) fn settle(&mut self, stack: usize, interfaces: &[usize]) -> Result<()> {
        let plan = &self.plan.stacks[stack];
        for interface in interfaces {
            let device = self.device_of(stack, *interface);
            self.batch.give_no_addresses(device);
            for altname in &plan.interfaces[*interface].altnames {
                self.batch.add_altname(device, altname);
            }
            self.address(stack, *interface);
        }
        self.routes(stack, |interface| interfaces.contains(&interface));
        let mut netlink = self.open_stack(stack)?;
        netlink
            .execute_reusing(&mut self.batch)
            .map_err(|e| self.explain(Place::Stack(stack), e))
    }

    /// Raises an interface and gives it its addresses and neighbours.
    pub(crate) fn address(&mut self, stack: usize, interface: usize) {
        let device = self.device_of(stack, interface);
        let plan = &self.plan.stacks[stack];
        self.batch.set_up(device);
        let link = plan.interfaces[interface].link;
        if self.plan.cables[link.index()].middle.is_some() {
            self.batch.look_at(device);
        }
        for address in &plan.interfaces[interface].addresses {
            self.batch.add_address(device, address.ip, address.prefix);
        }
        let known = plan.neighbours.iter();
        for entry in known.filter(|entry| entry.interface == interface) {
            let entry = self.neighbour(stack, entry);
            self.batch.add_neighbour(&entry);
        }
    }

    /// Adds the routes over those interfaces.
    pub(crate) fn routes(&mut self, stack: usize, over: impl Fn(usize) -> bool) {
        let plan = &self.plan.stacks[stack];
        for route in plan.routes.iter().filter(|route| over(route.interface)) {
            let route = self.route(stack, route);
            self.batch.add_route(&route);
        }
    }

    /// Makes what a stack has from what it had: names, addresses, neighbours and routes. Not of interfaces that are `elsewhere`:
    /// those that were settled just now, and those that are gone or down.
    pub(crate) fn exchange(
        &mut self,
        stack: usize,
        before: &StackPlan,
        elsewhere: &impl Fn(usize) -> bool,
    ) {
        let now = &self.plan.stacks[stack];
        let here = |interface: usize| !elsewhere(interface);
        for route in only(&before.routes, &now.routes).filter(|route| here(route.interface)) {
            let route = self.route(stack, route);
            self.batch.delete_route(&route);
        }
        for entry in only(&before.neighbours, &now.neighbours).filter(|it| here(it.interface)) {
            let entry = self.neighbour(stack, entry);
            self.batch.delete_neighbour(&entry);
        }
        let both = before.interfaces.iter().zip(&now.interfaces).enumerate();
        for (index, (before, now)) in both.filter(|(index, _)| here(*index)) {
            self.exchange_interface(self.device_of(stack, index), before, now);
        }
        for entry in only(&now.neighbours, &before.neighbours).filter(|it| here(it.interface)) {
            let entry = self.neighbour(stack, entry);
            self.batch.add_neighbour(&entry);
        }
        for route in only(&now.routes, &before.routes).filter(|route| here(route.interface)) {
            let route = self.route(stack, route);
            self.batch.add_route(&route);
        }
    }

    fn exchange_interface(&mut self, device: Device<'_>, before: &Interface, now: &Interface) {
        for altname in only(&before.altnames, &now.altnames) {
            self.batch.delete_altname(device, altname);
        }
        for altname in only(&now.altnames, &before.altnames) {
            self.batch.add_altname(device, altname);
        }
        if now.mtu != before.mtu {
            self.batch.set_mtu(device, now.mtu);
        }
        for address in only(&before.addresses, &now.addresses) {
            self.batch
                .delete_address(device, address.ip, address.prefix);
        }
        for address in only(&now.addresses, &before.addresses) {
            self.batch.add_address(device, address.ip, address.prefix);
        }
    }

    fn route(&self, stack: usize, route: &plan::Route) -> RouteRequest<'a> {
        RouteRequest {
            destination: route.to.network(),
            prefix: route.to.prefix(),
            via: Some(route.via),
            device: self.device_of(stack, route.interface),
        }
    }

    fn neighbour(&self, stack: usize, entry: &plan::Neighbour) -> NeighbourRequest<'a> {
        NeighbourRequest {
            address: entry.ip,
            mac: entry.mac,
            device: self.device_of(stack, entry.interface),
        }
    }

    pub(crate) fn device_of(&self, stack: usize, interface: usize) -> Device<'a> {
        let Interface { name, end, .. } = &self.plan.stacks[stack].interfaces[interface];
        let index = u32::try_from(2 + 2 * interface + end).unwrap_or(u32::MAX);
        Device { index, name }
    }

    pub(crate) fn await_stacks(&self, touched: &BTreeMap<usize, Vec<usize>>) -> Result<()> {
        let deadline = Instant::now() + READY;
        for (stack, interfaces) in touched {
            self.await_interfaces(*stack, interfaces, deadline)?;
        }
        Ok(())
    }

    /// Waits until packets pass these interfaces. Those behind a switch are waited for at their ports.
    pub(crate) fn await_interfaces(
        &self,
        stack: usize,
        interfaces: &[usize],
        deadline: Instant,
    ) -> Result<()> {
        let mut netlink = self.open_stack(stack)?;
        let failed = |e| self.explain(Place::Stack(stack), e);
        let direct: Vec<Device<'_>> = interfaces
            .iter()
            .filter(|interface| self.is_direct(stack, **interface))
            .map(|interface| self.device_of(stack, *interface))
            .collect();
        if !direct.is_empty() {
            netlink.wait_until_up(&direct, deadline).map_err(failed)?;
        }
        for interface in interfaces {
            let addresses = v6(&self.plan.stacks[stack].interfaces[*interface]);
            netlink
                .wait_until_heard(self.device_of(stack, *interface), &addresses, deadline)
                .map_err(failed)?;
        }
        Ok(())
    }

    pub(crate) fn is_direct(&self, stack: usize, interface: usize) -> bool {
        let Interface { link, end, .. } = &self.plan.stacks[stack].interfaces[interface];
        let cable = &self.plan.cables[link.index()];
        cable.middle.is_some() || cable.ends[1 - end].place != Place::Hub
    }

    pub(crate) fn start_bridges(&mut self, new: &New) -> Result<()> {
        let Some(mut hub) = self.open_hub()? else {
            return Ok(());
        };
        let plan = self.plan;
        for planned in new.bridges(plan) {
            self.batch.start_bridge(&bridge(planned));
        }
        let cables = &plan.cables[new.cables.clone()];
        let mut ports = Vec::new();
        for (cable, which) in cables.iter().flat_map(|cable| [(cable, 0), (cable, 1)]) {
            let end = &cable.ends[which];
            let Some(bridge) = &end.bridge else { continue };
            ports.push(device(end, cable, which));
            self.enrol(cable, which, bridge);
        }
        let trunks = plan.switches.iter().flat_map(|switch| &switch.trunks);
        for (trunk, which) in trunks.flat_map(|trunk| [(trunk, 0), (trunk, 1)]) {
            ports.push(device(&trunk.ends[which], trunk, which));
        }
        hub.execute_reusing(&mut self.batch)
            .map_err(|e| self.explain(Place::Hub, e))?;
        hub.wait_until_ports_up(&ports, Instant::now() + READY)
            .map_err(|e| self.explain(Place::Hub, e))
    }

    /// Tells a bridge who lives behind a port.
    pub(crate) fn enrol(&mut self, cable: &Cable, port: usize, bridge: &str) {
        let other = &cable.ends[1 - port];
        let (Place::Stack(stack), Some(interface)) = (other.place, other.interface) else {
            return;
        };
        let bridge = Device {
            index: bridge_index(bridge),
            name: bridge,
        };
        let port = device(&cable.ends[port], cable, port);
        for address in v6(&self.plan.stacks[stack].interfaces[interface]) {
            self.batch.add_membership(bridge, port, address);
        }
    }
}

/// Those that the others do not have.
fn only<'p, T: PartialEq>(these: &'p [T], others: &'p [T]) -> impl Iterator<Item = &'p T> {
    these.iter().filter(|one| !others.contains(one))
}

fn v6(interface: &Interface) -> Vec<Ipv6Addr> {
    let only = |ip| match ip {
        IpAddr::V6(v6) => Some(v6),
        IpAddr::V4(_) => None,
    };
    interface
        .addresses
        .iter()
        .filter_map(|address| only(address.ip))
        .collect()
}
