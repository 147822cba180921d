//! The two ends of a link, and the settings of the interfaces there.
//!
//! When a link gets another carrier, the interfaces of its ends may be deleted and made again. So a
//! link keeps the part of the plan that is about its ends, and gives a new interface all of it. The
//! interpreter of these settings is `stack::settings`, as it is when the lab starts.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kernel::fd::bind_to_interface;
use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError};
use crate::kernel::netns::Netns;
use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::stack::device::{bridge_device, end_device, ipv6_addresses};
use crate::lab::stack::settings::StackRequests;
use crate::lab::stack::stack::Stack;
use crate::model::side::Side;
use crate::topology::LinkId;
use crate::topology::plan::{
    CableEndPlan, CablePlan, InterfaceId, InterfacePlan, NetnsId, Plan, StackId,
};

/// Time in which the kernel lets packets through, on the busiest of machines.
const READY: Duration = Duration::from_secs(30);

/// A cable as it was planned, with the namespaces of its ends.
#[derive(Clone, Debug)]
pub(crate) struct LinkEnds {
    cable: CablePlan,
    ends: [End; 2],
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
        Self { cable, ends }
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

    pub(crate) fn link(&self) -> LinkId {
        self.cable
            .link
            .expect("only the trunk of a switch is no link")
    }

    /// Returns the ends that go down with the link: at a switch the port, so that the node's
    /// interface keeps its addresses and routes.
    pub(crate) fn switched(&self) -> Vec<Side> {
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
        match self.switched()[..] {
            [port] => Some(port),
            _ => None,
        }
    }

    pub(crate) fn device(&self, side: Side) -> Device<'_> {
        end_device(&self.cable.ends[side])
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

    /// Makes the error for a request that was refused in the namespace of an end.
    pub(crate) fn refused(&self, side: Side, error: NetlinkError) -> LabError {
        LabError::network(self.whose(side), error).about(self.subject())
    }

    /// Makes the error for a request about the link that was refused.
    pub(crate) fn link_refused(&self, error: NetlinkError) -> LabError {
        LabError::network(self.subject().to_string(), error).about(self.subject())
    }

    /// Opens a netlink socket in the namespace of an end.
    pub(crate) fn open(&self, side: Side) -> Result<Netlink> {
        Netlink::open_in(self.require_netns(side)?).map_err(|e| self.refused(side, e))
    }

    pub(crate) fn execute(&self, side: Side, batch: Batch) -> Result<()> {
        let done = self.open(side)?.execute(batch);
        done.map_err(|e| self.refused(side, e))
    }

    /// Raises an end that was down: a port, or an interface with all that the kernel has forgotten.
    /// [`StackOp::is_lost_when_down`](crate::topology::plan::StackOp::is_lost_when_down) tells
    /// what.
    pub(crate) fn raise(&self, side: Side) -> Result<()> {
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
                rest = stack.netns().map(|netns| (netns, requests.others()));
            }
        }
        // The link watcher of the kernel may wait for a second otherwise, as the other end is not a
        // veth of this link.
        batch.look_at(self.device(side));
        self.execute(side, batch)?;
        match rest {
            Some((netns, others)) => others.finish(netns.as_fd(), &self.whose(side)),
            None => Ok(()),
        }
    }

    /// Gives a new interface, which is down, all the settings that the plan has for it.
    pub(crate) fn give_settings(&self, side: Side) -> Result<()> {
        let End::Stack(stack, end) = &self.ends[side] else {
            return self.add_memberships(side);
        };
        let mut batch = Batch::new();
        let mut requests = StackRequests::new(&mut batch, |_| self.device(side));
        let ops = end.interface.ops(end.id).into_iter();
        for op in ops.filter(|op| !op.is_set_at_creation()) {
            requests.give(op);
        }
        let others = requests.others();
        batch.look_at(self.device(side));
        self.execute(side, batch)?;
        match stack.netns() {
            Some(netns) => others.finish(netns.as_fd(), &self.whose(side)),
            None => Ok(()),
        }
    }

    /// Plugs a port into the bridge that the plan has for it by now.
    pub(crate) fn replug(&self, side: Side) -> Result<()> {
        let mut batch = Batch::new();
        let port = self.device(side);
        // First the MTU: a bridge takes the smallest of its ports (net/bridge/br_if.c,
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

    fn bridge(&self, side: Side) -> Result<Device<'_>> {
        let Some(bridge) = &self.cable.ends[side].bridge else {
            return Err(LabError::unfit(
                LabErrorKind::Other,
                self.subject(),
                "has no bridge",
            ));
        };
        Ok(bridge_device(bridge))
    }

    /// Waits until packets pass some ends.
    pub(crate) fn await_up(&self, ends: &[Side]) -> Result<()> {
        // One deadline for all: the ends come up at the same time.
        let deadline = Instant::now() + READY;
        for side in ends.iter().copied() {
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
                        .wait_until_heard(device, &ipv6_addresses(&end.interface), deadline)
                        .map_err(explain)?;
                }
            }
        }
        Ok(())
    }

    /// Sends a frame from each end in a stack, so that all switches learn behind which port the MAC
    /// address is now. A bridge remembers a port for 300 s otherwise (`ageing_time`, ip-link(8)).
    pub(crate) fn announce(&self) -> Result<()> {
        for (side, plug) in Side::BOTH.into_iter().zip(&self.ends) {
            // Only nodes are learnt by switches: two ports that are joined have no address of
            // interest.
            if let End::Stack(stack, end) = plug
                && let Some(netns) = stack.netns()
            {
                let name = self.cable.ends[side].name.as_str();
                // A node may speak IPv6 only. Then a multicast to all nodes serves instead of a
                // broadcast.
                let v4 = end.interface.addresses.iter().any(|it| it.ip.is_ipv4());
                let index = self.device(side).index;
                Netns::visit(netns.as_fd(), || call_out(name, index, v4))
                    .map_err(|e| LabError::refused(format!("enter {}", self.whose(side)), e))?
                    .map_err(|e| LabError::io(format!("send from {}", self.whose(side)), &e))?;
            }
        }
        Ok(())
    }
}

/// Sends a datagram that every host on the segment hears and no program takes: to port 9, discard.
fn call_out(interface: &str, index: u32, v4: bool) -> std::io::Result<()> {
    const DISCARD: u16 = 9;
    let (from, to): (SocketAddr, SocketAddr) = if v4 {
        (
            (Ipv4Addr::UNSPECIFIED, 0).into(),
            (Ipv4Addr::BROADCAST, DISCARD).into(),
        )
    } else {
        let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        (
            (Ipv6Addr::UNSPECIFIED, 0).into(),
            SocketAddrV6::new(all_nodes, DISCARD, 0, index).into(),
        )
    };
    let socket = UdpSocket::bind(from)?;
    // Without this, the broadcast of a node with several interfaces would leave by one of them.
    bind_to_interface(&socket, interface)?;
    if v4 {
        socket.set_broadcast(true)?;
    }
    socket.send_to(b"", to).map(drop)
}
