//! The two ends of a link, and the settings of the interfaces there.
//!
//! When a link gets another carrier, the interfaces of its ends may be deleted and made again. So a
//! link keeps the part of the plan that is about its ends: names, indices and namespaces of new
//! interfaces. Their settings are those that the old interfaces had (`stack::carried`), or, where
//! nobody could change them, those of the plan (`stack::settings`).

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::kernel::netlink::{Batch, Device, Netlink, VethEnd};
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::link::nat_place::NatPlace;
use crate::lab::stack::device::{bridge_device, end_device, ipv6_addresses};
use crate::lab::stack::settings::{DeferredRequests, StackRequests};
use crate::lab::stack::stack::Stack;
use crate::lab::unfit::UnfitLink;
use crate::model::side::Side;
use crate::topology::LinkId;
use crate::topology::plan::{
    CableEndPlan, CablePlan, InterfaceId, InterfacePlan, InterfaceSlot, NetnsId, Plan, StackId,
};
use crate::trial::time_scale::stretched;
use crate::wire::UplinkNat;

/// Time in which the kernel lets packets through, on the busiest of machines.
const READY: Duration = Duration::from_secs(30);

/// A cable as it was planned, with the namespaces of its ends.
#[derive(Clone, Debug)]
pub(crate) struct LinkEnds {
    cable: CablePlan,
    ends: [End; 2],
    spare: Arc<SparePort>,
    /// Place for a NAT of ours at the first end; nothing where a port of a switch is there.
    nat: Option<NatPlace>,
}

/// The port that takes the place of the planned one when a link between a node and a switch gets
/// another carrier: the planned one is the inner end of the node's interface from then on.
#[derive(Debug)]
struct SparePort {
    name: String,
    index: u32,
    is_in_use: AtomicBool,
}

/// The namespace of an end, and the settings of the interface there.
#[derive(Clone, Debug)]
enum End {
    /// A port of a bridge, in the namespace of all switches.
    Bridge(Arc<OwnedFd>),
    /// An interface of a stack.
    Stack(Arc<Stack>, Box<StackEnd>),
}

/// An end in a stack: the part of the plan that is about its interface.
#[derive(Clone, Debug)]
struct StackEnd {
    hostname: String,
    id: InterfaceId,
    interface: InterfacePlan,
}

impl StackEnd {
    fn new(plan: &Plan, stack: StackId, id: InterfaceId) -> Self {
        let stack = &plan[stack];
        Self {
            hostname: stack.hostname.clone(),
            id,
            interface: stack[id].clone(),
        }
    }
}

/// Returns the plan of the interface that an end is, if the end is in a stack.
fn interface_of(end: &End) -> Option<&InterfacePlan> {
    match end {
        End::Bridge(_) => None,
        End::Stack(_, end) => Some(&end.interface),
    }
}

impl LinkEnds {
    /// Describes a cable whose namespaces are there.
    pub(crate) fn new(
        plan: &Plan,
        link: LinkId,
        hub: Option<&Arc<OwnedFd>>,
        stacks: &[Option<Arc<Stack>>],
    ) -> Self {
        let cable = plan[link].clone();
        let there = "a cable is laid when the namespaces of its ends are there";
        let end = |netns, interface| match (netns, interface) {
            (NetnsId::Stack(stack), Some(interface)) => {
                let planned = Box::new(StackEnd::new(plan, stack, interface));
                let stack = stacks[stack.index()].as_ref().expect(there);
                End::Stack(Arc::clone(stack), planned)
            }
            (NetnsId::Hub | NetnsId::Stack(_), _) => End::Bridge(Arc::clone(hub.expect(there))),
        };
        let ends = cable
            .ends
            .each_ref()
            .map(|planned| end(planned.netns, planned.interface));
        let spare = Arc::new(SparePort {
            name: format!("s{}", link.index()),
            index: InterfaceSlot::SparePort(link).index(),
            is_in_use: AtomicBool::new(false),
        });
        let nat = NatPlace::of(&cable, interface_of(&ends[Side::A]));
        Self {
            cable,
            ends,
            spare,
            nat,
        }
    }

    /// Returns the NAT on the wire of the link, or the place of one, if the first end is a node's.
    pub(crate) fn nat(&self) -> Option<&Arc<UplinkNat>> {
        self.nat.as_ref().map(NatPlace::nat)
    }

    /// Takes over what a changed plan says of the cable.
    pub(crate) fn refresh(&mut self, plan: &Plan) {
        self.cable = plan[self.link()].clone();
        for (plug, planned) in self.ends.iter_mut().zip(&self.cable.ends) {
            if let (End::Stack(_, end), NetnsId::Stack(stack), Some(interface)) =
                (plug, planned.netns, planned.interface)
            {
                **end = StackEnd::new(plan, stack, interface);
            }
        }
        if let Some(place) = &self.nat {
            place.refresh(&self.cable, interface_of(&self.ends[Side::A]));
        }
    }

    /// Returns the plan of the cable.
    pub(crate) fn cable(&self) -> &CablePlan {
        &self.cable
    }

    /// Returns the name of the link.
    pub(crate) fn name(&self) -> &str {
        &self.cable.name
    }

    /// Returns the link as the subject of an error.
    pub(crate) fn subject(&self) -> Subject {
        Subject::Link(self.cable.name.clone())
    }

    /// Returns whether the end is a port of a switch.
    pub(crate) fn is_port(&self, side: Side) -> bool {
        match &self.ends[side] {
            End::Bridge(_) => true,
            End::Stack(..) => false,
        }
    }

    /// Returns the stack of an end that is in one.
    pub(crate) fn stack(&self, side: Side) -> Option<&Arc<Stack>> {
        match &self.ends[side] {
            End::Bridge(_) => None,
            End::Stack(stack, _) => Some(stack),
        }
    }

    /// Returns the name of the node or pod at an end that is in a stack.
    pub(crate) fn hostname(&self, side: Side) -> Option<&str> {
        match &self.ends[side] {
            End::Bridge(_) => None,
            End::Stack(_, end) => Some(&end.hostname),
        }
    }

    pub(crate) fn link(&self) -> LinkId {
        self.cable
            .link
            .expect("only the trunk of a switch is no link")
    }

    /// Returns the ends that go down with the link: at a switch the port, so that the node's
    /// interface keeps its addresses and routes.
    pub(crate) fn ends_that_go_down(&self) -> Vec<Side> {
        let ports: Vec<Side> = Side::BOTH
            .into_iter()
            .filter(|side| self.is_port(*side))
            .collect();
        if ports.is_empty() {
            Side::BOTH.to_vec()
        } else {
            ports
        }
    }

    /// Returns the end that is a port of a switch, if one and only one is.
    pub(crate) fn only_port(&self) -> Option<Side> {
        match self.ends_that_go_down()[..] {
            [port] => Some(port),
            _ => None,
        }
    }

    /// Returns the interface of an end: the node's, or the port of the switch.
    pub(crate) fn device(&self, side: Side) -> Device<'_> {
        if self.is_port(side) && self.uses_spare_port() {
            return self.spare_port();
        }
        end_device(&self.cable.ends[side])
    }

    /// Returns the port that takes the place of the planned one.
    pub(crate) fn spare_port(&self) -> Device<'_> {
        Device {
            index: self.spare.index,
            name: &self.spare.name,
        }
    }

    /// Returns the indices that the port of an end has or can get.
    pub(crate) fn port_indices(&self, side: Side) -> [u32; 2] {
        [self.cable.ends[side].index, self.spare.index]
    }

    /// Returns whether the planned port is the inner end of the node's interface by now.
    pub(crate) fn uses_spare_port(&self) -> bool {
        self.spare.is_in_use.load(Ordering::Acquire)
    }

    /// Notes, for all copies of this value, that the spare port is the port of the switch.
    pub(crate) fn use_spare_port(&self) {
        self.spare.is_in_use.store(true, Ordering::Release);
    }

    /// Returns the port as it was planned, if the inner end of this side is that port.
    pub(crate) fn port_as_inner_end(&self, side: Side) -> Option<Device<'_>> {
        (self.uses_spare_port() && !self.is_port(side))
            .then(|| end_device(&self.cable.ends[side.other()]))
    }

    /// Returns the namespace of the switches, if the end is a port.
    pub(crate) fn hub(&self, side: Side) -> Option<&Arc<OwnedFd>> {
        match &self.ends[side] {
            End::Bridge(hub) => Some(hub),
            End::Stack(..) => None,
        }
    }

    /// Returns the plan of the interface of an end in a stack.
    pub(crate) fn interface(&self, side: Side) -> Option<&InterfacePlan> {
        interface_of(&self.ends[side])
    }

    /// Returns the name that the interface of an end has now: a program may have given it another
    /// one than the plan.
    pub(crate) fn name_now(&self, side: Side) -> Result<String> {
        let found = self.open(side)?.interface(self.device(side));
        found.map(|it| it.name).map_err(|e| self.refused(side, e))
    }

    /// Returns whether the end is in a machine without power.
    pub(crate) fn is_powered_off(&self, side: Side) -> bool {
        self.stack(side).is_some_and(|stack| !stack.has_power())
    }

    pub(crate) fn netns(&self, side: Side) -> Option<BorrowedFd<'_>> {
        match &self.ends[side] {
            End::Bridge(hub) => Some(hub.as_fd()),
            End::Stack(stack, _) => stack.netns().map(AsFd::as_fd),
        }
    }

    /// Returns the network namespace of an end, or the error that the link was removed.
    pub(crate) fn require_netns(&self, side: Side) -> Result<BorrowedFd<'_>> {
        self.netns(side)
            .ok_or_else(|| LabError::removed(self.subject()))
    }

    /// Returns a name for an end in errors: its node or the switches, and the link.
    pub(crate) fn whose(&self, side: Side) -> String {
        match &self.ends[side] {
            End::Bridge(_) => format!("the switches, link `{}`", self.cable.name),
            End::Stack(_, end) => format!("node `{}`, link `{}`", end.hostname, self.cable.name),
        }
    }

    /// Opens a netlink socket in the namespace of an end.
    pub(crate) fn open(&self, side: Side) -> Result<Netlink> {
        Netlink::open_in(self.require_netns(side)?).map_err(|e| self.refused(side, e))
    }

    /// Carries out requests in the namespace of an end. No requests cost no socket.
    pub(crate) fn execute(&self, side: Side, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let done = self.open(side)?.execute(batch);
        done.map_err(|e| self.refused(side, e))
    }

    /// Raises an end that was down: a port, or an interface with all that the kernel has forgotten.
    /// [`StackOp::is_lost_when_down`](crate::topology::plan::StackOp::is_lost_when_down) tells
    /// what.
    pub(crate) fn raise(&self, side: Side) -> Result<()> {
        // The restart of the machine gives all of it.
        if self.is_powered_off(side) {
            return Ok(());
        }
        let mut batch = Batch::new();
        let mut rest = None;
        match &self.ends[side] {
            End::Bridge(_) => batch.set_up(self.device(side)),
            End::Stack(stack, end) => {
                let ops = end.interface.ops(end.id).into_iter();
                let mut requests = StackRequests::new(&mut batch, |_| self.device(side));
                for op in ops.filter(|op| op.is_lost_when_down()) {
                    requests.give(op);
                }
                rest = Some((stack, requests.deferred()));
            }
        }
        // The link watcher of the kernel may wait for a second otherwise, as the other end is not a
        // veth of this link (net/core/link_watch.c, linkwatch_urgent_event).
        batch.sync_link_watch(self.device(side));
        self.execute(side, batch)?;
        match rest {
            Some((stack, deferred)) => self.finish(side, stack, deferred),
            None => Ok(()),
        }
    }

    /// Carries out the rest of the requests for the interface of an end in a stack.
    fn finish(&self, side: Side, stack: &Stack, deferred: DeferredRequests<'_>) -> Result<()> {
        match stack.netns() {
            Some(netns) => {
                let mut filter = stack.packet_filter().lock();
                deferred.finish(netns.as_fd(), &mut filter, &self.whose(side))
            }
            None => Ok(()),
        }
    }

    /// Gives a new interface, which is down, all the settings that the plan has for it.
    pub(crate) fn give_settings(&self, side: Side) -> Result<()> {
        if self.is_powered_off(side) {
            return Ok(());
        }
        let End::Stack(stack, end) = &self.ends[side] else {
            return self.add_memberships(side);
        };
        let mut batch = Batch::new();
        let mut requests = StackRequests::new(&mut batch, |_| self.device(side));
        let ops = end.interface.ops(end.id).into_iter();
        for op in ops.filter(|op| !op.is_set_at_creation()) {
            requests.give(op);
        }
        let deferred = requests.deferred();
        batch.sync_link_watch(self.device(side));
        self.execute(side, batch)?;
        self.finish(side, stack, deferred)
    }

    /// Moves the interface of an end in a stack to another namespace, as it was planned and down.
    pub(crate) fn move_to(&self, side: Side, netns: BorrowedFd<'_>) -> Result<()> {
        let device = self.device(side);
        let mut netlink = self.open(side)?;
        let interface = netlink.interface(device);
        let interface = interface.map_err(|e| self.refused(side, e))?;
        let (index, name) = (device.index, interface.name.as_str());
        let reset = netlink.reset_features(Device { index, name });
        reset.map_err(|e| self.refused(side, e))?;
        let mut batch = Batch::new();
        // The planned ones are given with the other settings, and the others go.
        for name in &interface.altnames {
            batch.delete_altname(device, name);
        }
        batch.relocate(
            device,
            &VethEnd {
                mac: Some(self.cable.ends[side].mac),
                mtu: Some(self.cable.mtu),
                netns: Some(netns),
                ..VethEnd::new(device)
            },
        );
        let moved = netlink.execute(batch);
        moved.map_err(|e| self.refused(side, e))
    }

    /// Plugs a port into the bridge that the plan has for it by now.
    pub(crate) fn replug(&self, side: Side) -> Result<()> {
        let mut batch = Batch::new();
        let port = self.device(side);
        // The MTU is set first: a bridge takes the smallest of its ports (net/bridge/br_if.c,
        // br_mtu_auto_adjust), and would change its own for a moment.
        batch.set_mtu(port, self.cable.mtu);
        batch.set_master(port, Some(self.bridge(side)?.index));
        self.execute(side, batch)?;
        self.add_memberships(side)
    }

    /// Tells the bridge which IPv6 addresses are behind a port.
    ///
    /// A bridge with multicast snooping forwards neighbour solicitations only to ports whose hosts
    /// have reported the group (RFC 4541), and reports may have been sent before the port was up.
    fn add_memberships(&self, side: Side) -> Result<()> {
        let snoops = |end: &CableEndPlan| end.bridge.as_ref().is_some_and(|it| it.snoops);
        if !snoops(&self.cable.ends[side]) {
            return Ok(());
        }
        let (bridge, port) = (self.bridge(side)?, self.device(side));
        let mut batch = Batch::new();
        if let End::Stack(_, end) = &self.ends[side.other()] {
            for address in ipv6_addresses(&end.interface) {
                batch.add_membership(bridge, port, address);
            }
        }
        self.execute(side, batch)
    }

    /// Returns the bridge of which the end is a port.
    pub(crate) fn bridge(&self, side: Side) -> Result<Device<'_>> {
        let Some(bridge) = &self.cable.ends[side].bridge else {
            return Err(LabError::unfit(self.subject(), UnfitLink::NoBridge));
        };
        Ok(bridge_device(bridge))
    }

    /// Waits until packets pass some ends.
    pub(crate) fn await_up(&self, ends: &[Side]) -> Result<()> {
        // All ends have one deadline: they come up at the same time.
        let deadline = Instant::now() + stretched(READY);
        for side in ends.iter().copied() {
            // No packet passes the end of a cable whose other end has no power.
            if self.is_powered_off(side) || self.is_powered_off(side.other()) {
                continue;
            }
            let mut netlink = self.open(side)?;
            let explain = |e| self.refused(side, e);
            let device = self.device(side);
            match &self.ends[side] {
                // A port has to forward, which is more than to be up.
                End::Bridge(_) => netlink
                    .wait_until_ports_up(&[device], deadline)
                    .map_err(explain)?,
                End::Stack(_, end) => {
                    netlink
                        .wait_until_up(&[device], deadline)
                        .map_err(explain)?;
                    netlink
                        .wait_until_addresses_usable(
                            device,
                            &ipv6_addresses(&end.interface),
                            deadline,
                        )
                        .map_err(explain)?;
                }
            }
        }
        Ok(())
    }

    /// Waits until packets pass an end in a stack, unless a program has taken its interface down.
    pub(crate) fn await_if_up(&self, side: Side) -> Result<()> {
        let deadline = Instant::now() + stretched(READY);
        let device = self.device(side);
        let explain = |e| self.refused(side, e);
        let mut netlink = self.open(side)?;
        if !netlink.interface(device).map_err(explain)?.up {
            return Ok(());
        }
        netlink
            .wait_until_up(&[device], deadline)
            .map_err(explain)?;
        // The addresses are those that the interface has, which need not be those of the plan.
        let addresses = netlink.addresses().map_err(explain)?;
        // An address that the peer has too is never answered for.
        let of_it = addresses
            .iter()
            .filter(|it| it.interface == device.index && !it.duplicate);
        let v6: Vec<Ipv6Addr> = of_it
            .filter_map(|it| match it.address {
                IpAddr::V6(v6) => Some(v6),
                IpAddr::V4(_) => None,
            })
            .collect();
        netlink
            .wait_until_addresses_usable(device, &v6, deadline)
            .map_err(explain)
    }
}
