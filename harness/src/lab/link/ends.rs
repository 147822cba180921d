//! The two ends of a link, and all that was given to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kernel::fd::bind_to_interface;

use crate::kernel::netlink::{Batch, Device, Netlink};
use crate::kernel::netns::Netns;
use crate::lab::bring_up::network::{bridge_device, device};
use crate::lab::error::{LabError, Result};
use crate::lab::node::node::Stack;
use crate::lab::stack::settings::StackRequests;
use crate::model::side::Side;
use crate::topology::LinkId;
use crate::topology::plan::{CablePlan, InterfaceId, InterfacePlan, NetnsId, Plan, StackId};

/// A cable as it was planned, with what its ends are in.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) cable: CablePlan,
    pub(crate) ends: [Plug; 2],
}

/// What an end of a cable is in, and all that was given to it there.
#[derive(Clone, Debug)]
pub(crate) enum Plug {
    Hub(Arc<OwnedFd>),
    Stack(Arc<Stack>, Box<Given>),
}

#[derive(Clone, Debug)]
pub(crate) struct Given {
    whose: String,
    pub(crate) id: InterfaceId,
    pub(crate) interface: InterfacePlan,
}

impl Given {
    fn of(plan: &Plan, stack: StackId, id: InterfaceId) -> Given {
        let of_stack = &plan[stack];
        Given {
            whose: of_stack.hostname.clone(),
            id,
            interface: of_stack[id].clone(),
        }
    }

    fn v6(&self) -> Vec<Ipv6Addr> {
        let v6 = |ip: IpAddr| match ip {
            IpAddr::V6(v6) => Some(v6),
            IpAddr::V4(_) => None,
        };
        let addresses = self.interface.addresses.iter();
        addresses.filter_map(|address| v6(address.ip)).collect()
    }
}

impl Line {
    /// A cable whose ends are there.
    pub(crate) fn of(
        plan: &Plan,
        link: LinkId,
        hub: Option<&Arc<OwnedFd>>,
        stacks: &[Option<Arc<Stack>>],
    ) -> Line {
        let cable = plan[link].clone();
        let there = "a cable is laid when its ends are there";
        let ends = cable
            .ends
            .each_ref()
            .map(|end| match (end.netns, end.interface) {
                (NetnsId::Stack(stack), Some(interface)) => {
                    let given = Box::new(Given::of(plan, stack, interface));
                    Plug::Stack(
                        Arc::clone(stacks[stack.index()].as_ref().expect(there)),
                        given,
                    )
                }
                _ => Plug::Hub(Arc::clone(hub.expect(there))),
            });
        Line { cable, ends }
    }

    /// Takes note of a plan that has changed.
    pub(crate) fn refresh(&mut self, plan: &Plan) {
        self.cable = plan[self.link()].clone();
        for (plug, end) in self.ends.iter_mut().zip(&self.cable.ends) {
            if let (Plug::Stack(_, given), NetnsId::Stack(stack), Some(interface)) =
                (plug, end.netns, end.interface)
            {
                **given = Given::of(plan, stack, interface);
            }
        }
    }

    pub(crate) fn link(&self) -> LinkId {
        self.cable
            .link
            .expect("only the trunk of a switch is no link")
    }

    /// The ends that go down with the link: at a switch the port, so that the node's interface keeps what it has.
    pub(crate) fn switched(&self) -> Vec<Side> {
        let ports: Vec<Side> = Side::BOTH
            .into_iter()
            .filter(|side| matches!(self.ends[*side], Plug::Hub(_)))
            .collect();
        if ports.is_empty() {
            Side::BOTH.to_vec()
        } else {
            ports
        }
    }

    /// Which of its ends is in a switch, if one and only one is.
    pub(crate) fn port(&self) -> Option<Side> {
        match self.switched()[..] {
            [port] => Some(port),
            _ => None,
        }
    }

    pub(crate) fn device(&self, side: Side) -> Device<'_> {
        device(&self.cable.ends[side])
    }

    pub(crate) fn netns(&self, side: Side) -> Option<BorrowedFd<'_>> {
        match &self.ends[side] {
            Plug::Hub(hub) => Some(hub.as_fd()),
            Plug::Stack(stack, _) => stack.netns().map(AsFd::as_fd),
        }
    }

    /// Its network namespace; an error if it is gone.
    pub(crate) fn place(&self, side: Side) -> Result<BorrowedFd<'_>> {
        let gone = || LabError::other(format!("link `{}` was removed", self.cable.name));
        self.netns(side).ok_or_else(gone)
    }

    pub(crate) fn whose(&self, side: Side) -> String {
        match &self.ends[side] {
            Plug::Hub(_) => format!("the switches, link `{}`", self.cable.name),
            Plug::Stack(_, given) => format!("node `{}`, link `{}`", given.whose, self.cable.name),
        }
    }

    pub(crate) fn open(&self, side: Side) -> Result<Netlink> {
        Netlink::open_in(self.place(side)?).map_err(|e| LabError::network(self.whose(side), e))
    }

    pub(crate) fn execute(&self, side: Side, batch: Batch) -> Result<()> {
        let done = self.open(side)?.execute(batch);
        done.map_err(|e| LabError::network(self.whose(side), e))
    }

    /// Raises an end that was down: a port, or an interface with what the kernel forgot when the interface went down.
    pub(crate) fn raise(&self, side: Side) -> Result<()> {
        let mut batch = Batch::new();
        match &self.ends[side] {
            Plug::Hub(_) => batch.set_up(self.device(side)),
            Plug::Stack(_, given) => {
                let ops = given.interface.ops(given.id).into_iter();
                let mut requests = StackRequests::new(&mut batch, |_| self.device(side));
                for op in ops.filter(|op| op.is_lost_when_down()) {
                    requests.give(op);
                }
            }
        }
        batch.look_at(self.device(side));
        self.execute(side, batch)
    }

    /// Gives an end that was made anew, and is down, all that the one before it had.
    pub(crate) fn settle(&self, side: Side) -> Result<()> {
        let Plug::Stack(stack, given) = &self.ends[side] else {
            return self.enrol(side);
        };
        let mut batch = Batch::new();
        let mut requests = StackRequests::new(&mut batch, |_| self.device(side));
        let ops = given.interface.ops(given.id).into_iter();
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

    /// Plugs a port into the bridge that it is in by now.
    pub(crate) fn replug(&self, side: Side) -> Result<()> {
        let mut batch = Batch::new();
        let port = self.device(side);
        batch.set_mtu(port, self.cable.mtu);
        batch.set_master(port, Some(self.bridge(side)?.index));
        self.execute(side, batch)?;
        self.enrol(side)
    }

    /// Tells the bridge who lives behind a port of it.
    fn enrol(&self, side: Side) -> Result<()> {
        let (bridge, port) = (self.bridge(side)?, self.device(side));
        let mut batch = Batch::new();
        if let Plug::Stack(_, given) = &self.ends[side.other()] {
            for address in given.v6() {
                batch.add_membership(bridge, port, address);
            }
        }
        self.execute(side, batch)
    }

    fn bridge(&self, side: Side) -> Result<Device<'_>> {
        let Some(bridge) = &self.cable.ends[side].bridge else {
            let link = &self.cable.name;
            return Err(LabError::other(format!("link `{link}` has no bridge")));
        };
        Ok(bridge_device(bridge))
    }

    /// Waits until packets pass these ends.
    pub(crate) fn await_up(&self, ends: &[Side]) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        for side in ends.iter().copied() {
            let mut netlink = self.open(side)?;
            let explain = |e| LabError::network(self.whose(side), e);
            let device = self.device(side);
            match &self.ends[side] {
                Plug::Hub(_) => netlink
                    .wait_until_ports_up(&[device], deadline)
                    .map_err(explain)?,
                Plug::Stack(_, given) => {
                    netlink
                        .wait_until_up(&[device], deadline)
                        .map_err(explain)?;
                    netlink
                        .wait_until_heard(device, &given.v6(), deadline)
                        .map_err(explain)?;
                }
            }
        }
        Ok(())
    }

    /// Lets all switches hear from the node where it is plugged in now: they remember where it was.
    pub(crate) fn announce(&self) -> Result<()> {
        for (side, plug) in Side::BOTH.into_iter().zip(&self.ends) {
            if let Plug::Stack(stack, given) = plug
                && let Some(netns) = stack.netns()
            {
                let name = self.cable.ends[side].name.as_str();
                let v4 = given.interface.addresses.iter().any(|it| it.ip.is_ipv4());
                let index = self.device(side).index;
                Netns::visit(netns.as_fd(), || call_out(name, index, v4))
                    .map_err(|e| LabError::refused(format!("enter {}", self.whose(side)), e))?
                    .map_err(|e| LabError::io(format!("send from {}", self.whose(side)), &e))?;
            }
        }
        Ok(())
    }
}

/// Sends a datagram that everybody hears and nobody takes.
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
    bind_to_interface(&socket, interface)?;
    if v4 {
        socket.set_broadcast(true)?;
    }
    socket.send_to(b"", to).map(drop)
}
