//! What interfaces are given, and the wait until packets pass.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::kernel::netlink::Device;
use crate::lab::bring_up::network::{Builder, New, bridge, bridge_device, device};
use crate::lab::error::Result;
use crate::lab::stack::settings::{Others, StackRequests};
use crate::model::side::Side;
use crate::topology::plan::{
    BridgeInterface, CablePlan, InterfaceId, InterfacePlan, NetnsId, Plan, StackId, StackOp,
    StackPlan, diff,
};

/// How long the kernel may take to let packets through, on the busiest of machines.
const READY: Duration = Duration::from_secs(30);

impl<'a> Builder<'a> {
    /// Gives new interfaces all that they are to have.
    pub(crate) fn settle(&mut self, stack: StackId, interfaces: &[InterfaceId]) -> Result<()> {
        let plan = self.plan;
        let device = |id| device_in(plan, stack, id);
        let mut requests = StackRequests::new(&mut self.batch, device);
        for op in plan[stack].interface_ops(interfaces) {
            // Sysctls of interfaces are written at the end of the start, when nodes can be asked to do it.
            if !op.is_set_at_creation() && !matches!(op, StackOp::InterfaceSysctl(..)) {
                requests.give(op);
            }
        }
        // The kernel's link watcher may wait for a second where packets do not go straight to the other end.
        for id in interfaces.iter().copied() {
            if plan[plan[stack][id].link].emulation.is_some() {
                self.batch.look_at(device(id));
            }
        }
        let mut netlink = self.open_stack(stack)?;
        netlink
            .execute_reusing(&mut self.batch)
            .map_err(|e| self.explain(NetnsId::Stack(stack), e))
    }

    /// Makes what a stack has from what it had. Interfaces that are `elsewhere` are left out: those that were settled just
    /// now, and those that are gone or down. Sysctls are left to the caller.
    pub(crate) fn exchange(
        &mut self,
        stack: StackId,
        before: &'a StackPlan,
        elsewhere: &impl Fn(InterfaceId) -> bool,
    ) -> Others<'a> {
        let plan = self.plan;
        let changes = diff(before, &plan[stack]);
        let here = |op: &StackOp<'_>| match op {
            StackOp::Sysctl(_) | StackOp::InterfaceSysctl(..) => false,
            op => op.interface().is_none_or(|id| !elsewhere(id)),
        };
        let mut requests = StackRequests::new(&mut self.batch, |id| device_in(plan, stack, id));
        for op in changes.removed.into_iter().filter(here) {
            requests.take_away(op);
        }
        for op in changes.added.into_iter().filter(here) {
            requests.give(op);
        }
        requests.others()
    }

    fn device_of(&self, stack: StackId, interface: InterfaceId) -> Device<'a> {
        device_in(self.plan, stack, interface)
    }

    pub(crate) fn await_stacks(&self, touched: &BTreeMap<StackId, Vec<InterfaceId>>) -> Result<()> {
        let deadline = Instant::now() + READY;
        for (stack, interfaces) in touched {
            self.await_interfaces(*stack, interfaces, deadline)?;
        }
        Ok(())
    }

    /// Waits until packets pass these interfaces. Those behind a switch are waited for at their ports.
    pub(crate) fn await_interfaces(
        &self,
        stack: StackId,
        interfaces: &[InterfaceId],
        deadline: Instant,
    ) -> Result<()> {
        let mut netlink = self.open_stack(stack)?;
        let failed = |e| self.explain(NetnsId::Stack(stack), e);
        let direct: Vec<Device<'_>> = interfaces
            .iter()
            .filter(|interface| self.is_direct(stack, **interface))
            .map(|interface| self.device_of(stack, *interface))
            .collect();
        if !direct.is_empty() {
            netlink.wait_until_up(&direct, deadline).map_err(failed)?;
        }
        for interface in interfaces {
            let addresses = v6(&self.plan[stack][*interface]);
            netlink
                .wait_until_heard(self.device_of(stack, *interface), &addresses, deadline)
                .map_err(failed)?;
        }
        Ok(())
    }

    pub(crate) fn is_direct(&self, stack: StackId, interface: InterfaceId) -> bool {
        let InterfacePlan { link, side, .. } = &self.plan[stack][interface];
        let cable = &self.plan[*link];
        cable.emulation.is_some() || cable.ends[side.other()].netns != NetnsId::Hub
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
        for (cable, side) in cables
            .iter()
            .flat_map(|cable| Side::BOTH.map(|side| (cable, side)))
        {
            let end = &cable.ends[side];
            let Some(bridge) = &end.bridge else { continue };
            ports.push(device(end));
            self.enrol(cable, side, bridge);
        }
        let trunks = plan.switches.iter().flat_map(|switch| &switch.trunks);
        ports.extend(trunks.flat_map(|trunk| &trunk.ends).map(device));
        hub.execute_reusing(&mut self.batch)
            .map_err(|e| self.explain(NetnsId::Hub, e))?;
        hub.wait_until_ports_up(&ports, Instant::now() + READY)
            .map_err(|e| self.explain(NetnsId::Hub, e))
    }

    /// Tells a bridge who lives behind a port.
    pub(crate) fn enrol(&mut self, cable: &CablePlan, port: Side, bridge: &BridgeInterface) {
        let other = &cable.ends[port.other()];
        let (NetnsId::Stack(stack), Some(interface)) = (other.netns, other.interface) else {
            return;
        };
        let port = device(&cable.ends[port]);
        for address in v6(&self.plan[stack][interface]) {
            self.batch
                .add_membership(bridge_device(bridge), port, address);
        }
    }
}

fn device_in(plan: &Plan, stack: StackId, id: InterfaceId) -> Device<'_> {
    let InterfacePlan { index, name, .. } = &plan[stack][id];
    Device {
        index: *index,
        name,
    }
}

fn v6(interface: &InterfacePlan) -> Vec<Ipv6Addr> {
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
