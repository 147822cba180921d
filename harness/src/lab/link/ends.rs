//! The two ends of a link, and all that was given to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;

use crate::kernel::netlink::{Batch, Device, NeighbourRequest, Netlink, RouteRequest};
use crate::kernel::netns::Netns;
use crate::lab::bring_up::network::{bridge_index, device};
use crate::lab::error::{LabError, Result};
use crate::lab::node::node::Stack;
use crate::topology::plan::{self, Cable, Interface, Place, Plan, Sysctl};

/// A cable as it was planned, with what its ends are in.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) cable: Cable,
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
    pub(crate) interface: Interface,
    neighbours: Vec<plan::Neighbour>,
    routes: Vec<plan::Route>,
    sysctls: Vec<Sysctl>,
}

impl Given {
    fn of(plan: &Plan, stack: usize, index: usize) -> Given {
        let of_stack = &plan.stacks[stack];
        let interface = of_stack.interfaces[index].clone();
        let part = format!("/{}/", interface.name);
        let concerned = |sysctl: &&Sysctl| sysctl.path.contains(&part);
        Given {
            whose: of_stack.hostname.clone(),
            neighbours: of_stack
                .neighbours
                .iter()
                .filter(|entry| entry.interface == index)
                .copied()
                .collect(),
            routes: of_stack
                .routes
                .iter()
                .filter(|route| route.interface == index)
                .copied()
                .collect(),
            sysctls: of_stack
                .late_sysctls
                .iter()
                .filter(concerned)
                .cloned()
                .collect(),
            interface,
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
        index: usize,
        hub: Option<&Arc<OwnedFd>>,
        stacks: &[Option<Arc<Stack>>],
    ) -> Line {
        let cable = plan.cables[index].clone();
        let there = "a cable is laid when its ends are there";
        let ends = cable
            .ends
            .each_ref()
            .map(|end| match (end.place, end.interface) {
                (Place::Stack(stack), Some(interface)) => {
                    let given = Box::new(Given::of(plan, stack, interface));
                    Plug::Stack(Arc::clone(stacks[stack].as_ref().expect(there)), given)
                }
                _ => Plug::Hub(Arc::clone(hub.expect(there))),
            });
        Line { cable, ends }
    }

    /// Takes note of a plan that has changed.
    pub(crate) fn refresh(&mut self, plan: &Plan) {
        let index = self.number();
        self.cable = plan.cables[index].clone();
        for (plug, end) in self.ends.iter_mut().zip(&self.cable.ends) {
            if let (Plug::Stack(_, given), Place::Stack(stack), Some(interface)) =
                (plug, end.place, end.interface)
            {
                **given = Given::of(plan, stack, interface);
            }
        }
    }

    /// The number of the link.
    pub(crate) fn number(&self) -> usize {
        self.cable.link.map_or(0, |link| link.index())
    }

    /// The ends that go down with the link: at a switch the port, so that the node's interface keeps what it has.
    pub(crate) fn switched(&self) -> Vec<usize> {
        let ports: Vec<usize> = (0..2)
            .filter(|which| matches!(self.ends[*which], Plug::Hub(_)))
            .collect();
        if ports.is_empty() { vec![0, 1] } else { ports }
    }

    /// Which of its ends is in a switch, if one and only one is.
    pub(crate) fn port(&self) -> Option<usize> {
        match self.switched()[..] {
            [port] => Some(port),
            _ => None,
        }
    }

    pub(crate) fn device(&self, which: usize) -> Device<'_> {
        device(&self.cable.ends[which], &self.cable, which)
    }

    pub(crate) fn netns(&self, which: usize) -> Option<BorrowedFd<'_>> {
        match &self.ends[which] {
            Plug::Hub(hub) => Some(hub.as_fd()),
            Plug::Stack(stack, _) => stack.netns().map(AsFd::as_fd),
        }
    }

    /// Its network namespace; an error if it is gone.
    pub(crate) fn place(&self, which: usize) -> Result<BorrowedFd<'_>> {
        let gone = || LabError::other(format!("link `{}` was removed", self.cable.name));
        self.netns(which).ok_or_else(gone)
    }

    pub(crate) fn whose(&self, which: usize) -> String {
        match &self.ends[which] {
            Plug::Hub(_) => format!("the switches, link `{}`", self.cable.name),
            Plug::Stack(_, given) => format!("node `{}`, link `{}`", given.whose, self.cable.name),
        }
    }

    pub(crate) fn open(&self, which: usize) -> Result<Netlink> {
        Netlink::open_in(self.place(which)?).map_err(|e| LabError::network(self.whose(which), e))
    }

    pub(crate) fn execute(&self, which: usize, batch: Batch) -> Result<()> {
        let done = self.open(which)?.execute(batch);
        done.map_err(|e| LabError::network(self.whose(which), e))
    }

    /// Raises an end that was down: a port, or an interface with what the kernel forgot when it went down, which is all but its IPv4
    /// addresses.
    pub(crate) fn raise(&self, which: usize) -> Result<()> {
        let mut batch = Batch::new();
        batch.set_up(self.device(which));
        batch.look_at(self.device(which));
        if let Plug::Stack(_, given) = &self.ends[which] {
            self.give(&mut batch, which, given, IpAddr::is_ipv6);
        }
        self.execute(which, batch)
    }

    /// Gives an end that was made anew, and is down, all that the one before it had.
    pub(crate) fn settle(&self, which: usize) -> Result<()> {
        let Plug::Stack(stack, given) = &self.ends[which] else {
            return self.enrol(which);
        };
        let mut batch = Batch::new();
        let device = self.device(which);
        batch.give_no_addresses(device);
        for altname in &given.interface.altnames {
            batch.add_altname(device, altname);
        }
        batch.set_up(device);
        batch.look_at(device);
        self.give(&mut batch, which, given, |_| true);
        self.execute(which, batch)?;
        let Some(netns) = stack.netns() else {
            return Ok(());
        };
        for Sysctl { path, value } in &given.sysctls {
            let file = Path::new("/proc/sys").join(path);
            let written = Netns::visit(netns.as_fd(), || std::fs::write(&file, value))
                .unwrap_or_else(|errno| Err(errno.into()));
            let what = || format!("set sysctl `{path}` to {value}, in {}", self.whose(which));
            written.map_err(|e| LabError::io(what(), &e))?;
        }
        Ok(())
    }

    fn give(
        &self,
        batch: &mut Batch,
        which: usize,
        given: &Given,
        addresses: impl Fn(&IpAddr) -> bool,
    ) {
        let device = self.device(which);
        for address in &given.interface.addresses {
            if addresses(&address.ip) {
                batch.add_address(device, address.ip, address.prefix);
            }
        }
        for plan::Neighbour { ip, mac, .. } in &given.neighbours {
            batch.add_neighbour(&NeighbourRequest {
                address: *ip,
                mac: *mac,
                device,
            });
        }
        for route in &given.routes {
            let (destination, prefix) = (route.to.network(), route.to.prefix());
            batch.add_route(&RouteRequest {
                destination,
                prefix,
                via: Some(route.via),
                device,
            });
        }
    }

    /// Plugs a port into the bridge that it is in by now.
    pub(crate) fn replug(&self, which: usize) -> Result<()> {
        let mut batch = Batch::new();
        let port = self.device(which);
        batch.set_mtu(port, self.cable.mtu);
        batch.set_master(port, Some(self.bridge(which)?.index));
        self.execute(which, batch)?;
        self.enrol(which)
    }

    /// Tells the bridge who lives behind a port of it.
    fn enrol(&self, which: usize) -> Result<()> {
        let (bridge, port) = (self.bridge(which)?, self.device(which));
        let mut batch = Batch::new();
        if let Plug::Stack(_, given) = &self.ends[1 - which] {
            for address in given.v6() {
                batch.add_membership(bridge, port, address);
            }
        }
        self.execute(which, batch)
    }

    fn bridge(&self, which: usize) -> Result<Device<'_>> {
        let Some(name) = &self.cable.ends[which].bridge else {
            let link = &self.cable.name;
            return Err(LabError::other(format!("link `{link}` has no bridge")));
        };
        let index = bridge_index(name);
        Ok(Device { index, name })
    }

    /// Waits until packets pass these ends.
    pub(crate) fn await_up(&self, ends: &[usize]) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        for which in ends.iter().copied() {
            let mut netlink = self.open(which)?;
            let explain = |e| LabError::network(self.whose(which), e);
            let device = self.device(which);
            match &self.ends[which] {
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
        for (which, plug) in self.ends.iter().enumerate() {
            if let Plug::Stack(stack, given) = plug
                && let Some(netns) = stack.netns()
            {
                let name = self.cable.ends[which].name.as_str();
                let v4 = given.interface.addresses.iter().any(|it| it.ip.is_ipv4());
                let index = self.device(which).index;
                Netns::visit(netns.as_fd(), || call_out(name, index, v4))
                    .map_err(|e| LabError::refused(format!("enter {}", self.whose(which)), e))?
                    .map_err(|e| LabError::io(format!("send from {}", self.whose(which)), &e))?;
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
    setsockopt(&socket, BindToDevice, &interface.into())?;
    if v4 {
        socket.set_broadcast(true)?;
    }
    socket.send_to(b"", to).map(drop)
}
