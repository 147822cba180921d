//! What interfaces are given, and the wait until packets pass.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::error::Result;
use super::network::{Builder, New, bridge, bridge_index, device};
use crate::kernel::netlink::{Device, Neighbour, Route};
use crate::topology::plan::{self, Cable, Interface, Place, StackPlan};

/// How long the kernel may take to let packets through, on the busiest of machines.
const READY: Duration = Duration::from_secs(30);

impl<'a> Builder<'a> {
    /// Gives new interfaces all that they are to have.
    pub(super) fn settle(&mut self, stack: usize, interfaces: &[usize]) -> Result<()> {
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
    pub(super) fn address(&mut self, stack: usize, interface: usize) {
        let device = self.device_of(stack, interface);
        let plan = &self.plan.stacks[stack];
        self.batch.set_up(device);
        for address in &plan.interfaces[interface].addresses {
            self.batch.add_address(device, address.ip, address.prefix);
        }
        for neighbour in plan
            .neighbours
            .iter()
            .filter(|entry| entry.interface == interface)
        {
            let (address, mac) = (neighbour.ip, neighbour.mac);
            self.batch.add_neighbour(&Neighbour {
                address,
                mac,
                device,
            });
        }
    }

    /// Adds the routes over those interfaces.
    pub(super) fn routes(&mut self, stack: usize, over: impl Fn(usize) -> bool) {
        let plan = &self.plan.stacks[stack];
        for route in plan.routes.iter().filter(|route| over(route.interface)) {
            let (destination, prefix) = (route.to.network(), route.to.prefix());
            let device = self.device_of(stack, route.interface);
            self.batch.add_route(&Route {
                destination,
                prefix,
                via: Some(route.via),
                device,
            });
        }
    }

    /// Takes away the routes that are no longer planned, and adds those that were not yet; all neighbours of the plan as well.
    pub(super) fn exchange_routes(
        &mut self,
        stack: usize,
        before: &StackPlan,
        fresh: &impl Fn(usize) -> bool,
    ) {
        let now = &self.plan.stacks[stack];
        let request = |builder: &Builder<'a>, route: &plan::Route| Route {
            destination: route.to.network(),
            prefix: route.to.prefix(),
            via: Some(route.via),
            device: builder.device_of(stack, route.interface),
        };
        for route in before
            .routes
            .iter()
            .filter(|route| !now.routes.contains(route))
        {
            let route = request(self, route);
            self.batch.delete_route(&route);
        }
        let missing =
            |route: &&plan::Route| !before.routes.contains(route) && !fresh(route.interface);
        for route in now.routes.iter().filter(missing) {
            let route = request(self, route);
            self.batch.add_route(&route);
        }
        let unknown = |entry: &&plan::Neighbour| {
            !before.neighbours.contains(entry) && !fresh(entry.interface)
        };
        for entry in now.neighbours.iter().filter(unknown) {
            let device = self.device_of(stack, entry.interface);
            self.batch.add_neighbour(&Neighbour {
                address: entry.ip,
                mac: entry.mac,
                device,
            });
        }
    }

    pub(super) fn device_of(&self, stack: usize, interface: usize) -> Device<'a> {
        let Interface { name, end, .. } = &self.plan.stacks[stack].interfaces[interface];
        let index = u32::try_from(2 + 2 * interface + end).unwrap_or(u32::MAX);
        Device { index, name }
    }

    pub(super) fn await_stacks(&self, touched: &BTreeMap<usize, Vec<usize>>) -> Result<()> {
        let deadline = Instant::now() + READY;
        for (stack, interfaces) in touched {
            self.await_interfaces(*stack, interfaces, deadline)?;
        }
        Ok(())
    }

    /// Waits until packets pass these interfaces. Those behind a switch are waited for at their ports.
    pub(super) fn await_interfaces(
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

    pub(super) fn is_direct(&self, stack: usize, interface: usize) -> bool {
        let Interface { link, end, .. } = &self.plan.stacks[stack].interfaces[interface];
        self.plan.cables[link.index()].ends[1 - end].place != Place::Hub
    }

    pub(super) fn start_bridges(&mut self, new: &New) -> Result<()> {
        let Some(mut hub) = self.open_hub()? else {
            return Ok(());
        };
        let plan = self.plan;
        for (index, switch) in plan.switches.iter().enumerate() {
            let running = new.bridges_of(index);
            for planned in &switch.bridges[running..] {
                self.batch.start_bridge(&bridge(planned));
            }
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
    pub(super) fn enrol(&mut self, cable: &Cable, port: usize, bridge: &str) {
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
