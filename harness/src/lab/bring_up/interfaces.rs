//! What interfaces are given, and the wait until packets pass.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::kernel::netlink::Device;
use crate::kernel::nft::FilterConversation;
use crate::lab::bring_up::builder::{NetworkBuilder, bridge_request};
use crate::lab::bring_up::new_parts::NewParts;
use crate::lab::error::Result;
use crate::lab::stack::device::{bridge_device, end_device, interface_device, ipv6_addresses};
use crate::lab::stack::settings::{DeferredRequests, StackRequests};
use crate::model::side::Side;
use crate::topology::plan::{
    BridgeInterface, CablePlan, InterfaceId, InterfacePlan, NetnsId, StackId, StackOp, StackPlan,
    diff,
};
use crate::trial::time_scale::stretched;

/// Time that the kernel may take to let packets through, on the busiest of machines.
const READY: Duration = Duration::from_secs(30);

impl<'a> NetworkBuilder<'a> {
    /// Gives new interfaces all that they are to have.
    pub(crate) fn give_settings(
        &mut self,
        stack: StackId,
        interfaces: &[InterfaceId],
    ) -> Result<()> {
        let plan = self.plan();
        let device = |id| interface_device(&plan[stack][id]);
        let mut requests = StackRequests::new(&mut self.batch, device);
        for op in plan[stack].interface_ops(interfaces) {
            // Sysctls of interfaces are written at the end of the start, when nodes can be asked to
            // do it.
            if !op.is_set_at_creation() && !matches!(op, StackOp::InterfaceSysctl(..)) {
                requests.give(op);
            }
        }
        let deferred = requests.deferred();
        // The kernel's link watcher may wait for a second where packets do not go straight to the
        // other end.
        for id in interfaces.iter().copied() {
            if plan[plan[stack][id].link].emulation.is_some() {
                self.batch.sync_link_watch(device(id));
            }
        }
        self.execute_in_stack(stack)?;
        let mut filter = FilterConversation::default();
        deferred.finish(self.stack_netns(stack)?, &mut filter, &self.whose(stack))
    }

    /// Makes what a stack has from what it had. Interfaces that are `elsewhere` are left out: those
    /// that were settled just now, and those that are gone or down. Sysctls are left to the caller.
    pub(crate) fn change_settings(
        &mut self,
        stack: StackId,
        before: &'a StackPlan,
        elsewhere: &impl Fn(InterfaceId) -> bool,
    ) -> DeferredRequests<'a> {
        let plan = self.plan();
        // Only the difference is asked for, so that addresses that stay are never gone.
        let changes = diff(before, &plan[stack]);
        // The caller writes the sysctls of the stack as a whole.
        let here = |op: &StackOp<'_>| match op.interface() {
            None => !op.is_sysctl(),
            Some(id) => !elsewhere(id),
        };
        let mut requests =
            StackRequests::new(&mut self.batch, |id| interface_device(&plan[stack][id]));
        // What goes is taken away first: the kernel would refuse a second route to the same
        // destination (EEXIST), and an address may move from one interface to another.
        for op in changes.removed.into_iter().filter(here) {
            requests.take_away(op);
        }
        for op in changes.added.into_iter().filter(here) {
            requests.give(op);
        }
        requests.deferred()
    }

    /// Waits until packets pass all that was made. `touched` are the stacks with new interfaces,
    /// and these.
    pub(crate) fn await_ready(
        &mut self,
        touched: &BTreeMap<StackId, Vec<InterfaceId>>,
        new: &NewParts,
    ) -> Result<()> {
        self.await_stacks(touched)?;
        // Bridges start last: each port that a running bridge enables makes the bridge walk over
        // all its others (see kernel::netlink::bridge).
        self.start_bridges(new)
    }

    fn await_stacks(&self, touched: &BTreeMap<StackId, Vec<InterfaceId>>) -> Result<()> {
        // All have one deadline: the kernel works on all of them at the same time.
        let deadline = Instant::now() + stretched(READY);
        for (stack, interfaces) in touched {
            self.await_interfaces(*stack, interfaces, deadline)?;
        }
        Ok(())
    }

    /// Waits until packets pass these interfaces. Those behind a switch are waited for at their
    /// ports.
    fn await_interfaces(
        &self,
        stack: StackId,
        interfaces: &[InterfaceId],
        deadline: Instant,
    ) -> Result<()> {
        // One conversation for all interfaces of the stack.
        let mut netlink = self.open_stack(stack)?;
        let failed = |e| self.explain(NetnsId::Stack(stack), e);
        // An interface behind a switch is up as soon as its port is, and that alone does not mean
        // that the bridge forwards: 8 of 60 labs lost their first packet so (measured for this
        // project, 2026-08). Such interfaces are waited for at their ports, in `start_bridges`.
        let direct: Vec<Device<'_>> = interfaces
            .iter()
            .filter(|interface| self.is_direct(stack, **interface))
            .map(|interface| interface_device(&self.plan()[stack][*interface]))
            .collect();
        if !direct.is_empty() {
            netlink.wait_until_up(&direct, deadline).map_err(failed)?;
        }
        for interface in interfaces {
            // An IPv6 address is heard when the interface has joined the solicited-node group of
            // the address (RFC 4291, 2.7.1). The kernel does that in a work item of its own.
            let addresses = ipv6_addresses(&self.plan()[stack][*interface]);
            netlink
                .wait_until_addresses_usable(
                    interface_device(&self.plan()[stack][*interface]),
                    &addresses,
                    deadline,
                )
                .map_err(failed)?;
        }
        Ok(())
    }

    fn is_direct(&self, stack: StackId, interface: InterfaceId) -> bool {
        let InterfacePlan { link, side, .. } = &self.plan()[stack][interface];
        let cable = &self.plan()[*link];
        cable.emulation.is_some() || cable.ends[side.other()].netns != NetnsId::Hub
    }

    fn start_bridges(&mut self, new: &NewParts) -> Result<()> {
        let Some(mut hub) = self.open_hub()? else {
            return Ok(());
        };
        let plan = self.plan();
        // Bridges of a lab that grows run already.
        for planned in new.bridges(plan) {
            self.batch.start_bridge(&bridge_request(planned));
        }
        let mut ports = Vec::new();
        let cables = new.cables().map(|link| &plan[link]);
        for (cable, side) in cables.flat_map(|cable| Side::BOTH.map(|side| (cable, side))) {
            let end = &cable.ends[side];
            // Interfaces of stacks were waited for above.
            let Some(bridge) = &end.bridge else { continue };
            ports.push(end_device(end));
            self.add_memberships(cable, side, bridge);
        }
        // Trunks of switches that were there before are up, so that to wait for them costs nothing.
        let trunks = plan.switches.iter().flat_map(|switch| &switch.trunks);
        ports.extend(trunks.flat_map(|trunk| &trunk.ends).map(end_device));
        hub.execute_reusing(&mut self.batch)
            .map_err(|e| self.explain(NetnsId::Hub, e))?;
        hub.wait_until_ports_up(&ports, Instant::now() + stretched(READY))
            .map_err(|e| self.explain(NetnsId::Hub, e))
    }

    /// Tells a bridge who lives behind a port.
    fn add_memberships(&mut self, cable: &CablePlan, port: Side, bridge: &BridgeInterface) {
        if !bridge.snoops {
            return;
        }
        let other = &cable.ends[port.other()];
        let (NetnsId::Stack(stack), Some(interface)) = (other.netns, other.interface) else {
            return;
        };
        let port = end_device(&cable.ends[port]);
        // A bridge that knows members of a group forwards a neighbour solicitation to their ports
        // alone (net/bridge/br_input.c, br_handle_frame_finish), and reports of the members may
        // come late.
        for address in ipv6_addresses(&self.plan()[stack][interface]) {
            self.batch
                .add_membership(bridge_device(bridge), port, address);
        }
    }
}
