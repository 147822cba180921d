//! A cable of a running lab.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;

use super::Lab;
use super::error::{LabError, Result};
use super::network::{bridge_index, device};
use super::node::Stack;
use crate::kernel::netlink::{Batch, Device, Neighbour, Netlink, Route};
use crate::kernel::netns::Netns;
use crate::observe::Captured;
use crate::topology::LinkId;
use crate::topology::plan::{self, Cable, Interface, Place, Plan};

/// A cable: see [`Lab`].
#[derive(Debug)]
pub struct Link {
    id: LinkId,
    pub(super) cable: Cable,
    ends: [Plug; 2],
    removed: AtomicBool,
    down: Mutex<bool>,
    pub(super) captured: Captured,
}

/// What an end of a cable is in, and all that was given to it there.
#[derive(Debug, Clone)]
enum Plug {
    Hub(Arc<OwnedFd>),
    Stack(Arc<Stack>, Box<Given>),
}

#[derive(Debug, Clone)]
struct Given {
    whose: String,
    interface: Interface,
    neighbours: Vec<plan::Neighbour>,
    routes: Vec<plan::Route>,
}

impl Given {
    fn of(plan: &Plan, stack: usize, index: usize) -> Given {
        let of_stack = &plan.stacks[stack];
        Given {
            whose: of_stack.hostname.clone(),
            interface: of_stack.interfaces[index].clone(),
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
        }
    }
}

impl Link {
    pub(super) fn new(lab: &Lab, index: usize) -> Link {
        let cable = lab.plan.cables[index].clone();
        Link {
            id: LinkId::new(index),
            ends: plugs(lab, &cable),
            cable,
            removed: AtomicBool::new(false),
            down: Mutex::new(false),
            captured: Captured::default(),
        }
    }

    /// Takes note of a plan that has changed.
    pub(super) fn refresh(&mut self, plan: &Plan) {
        self.cable = plan.cables[self.id.index()].clone();
        for (plug, end) in self.ends.iter_mut().zip(&self.cable.ends) {
            if let (Plug::Stack(_, given), Place::Stack(stack), Some(interface)) =
                (plug, end.place, end.interface)
            {
                **given = Given::of(plan, stack, interface);
            }
        }
    }

    /// Its id in the topology.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Its name for people: `alice–bob`, unless it was given one.
    pub fn name(&self) -> &str {
        &self.cable.name
    }

    /// Whether it was taken down by [`down`](Link::down).
    pub fn is_down(&self) -> bool {
        *self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pulls the cable: nothing passes until [`up`](Link::up). Between two nodes, both interfaces go down, with their routes; an
    /// interface at a switch loses its carrier.
    ///
    /// ```no_run
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// # let lab = snowglobe::topology::shape::pair().start()?;
    /// let cable = lab.links().next().unwrap();
    /// cable.down()?;
    /// let (a, b) = (lab.node("alice").unwrap(), lab.node("bob").unwrap());
    /// assert!(a.run(|| std::net::TcpStream::connect((b.ip(), 80))).is_err());
    /// cable.up()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn down(&self) -> Result<()> {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        if *down {
            return Ok(());
        }
        for which in self.switched() {
            let mut batch = Batch::new();
            batch.set_down(self.device(which));
            self.execute(which, batch)?;
        }
        *down = true;
        Ok(())
    }

    /// Puts the cable back; returns when packets pass again. Who was looking for a neighbour meanwhile finds it within a second, as on
    /// any Ethernet.
    pub fn up(&self) -> Result<()> {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        if !*down {
            return Ok(());
        }
        for which in self.switched() {
            let mut batch = Batch::new();
            batch.set_up(self.device(which));
            if let Plug::Stack(_, given) = &self.ends[which] {
                self.give_again(&mut batch, which, given);
            }
            self.execute(which, batch)?;
        }
        *down = false;
        self.await_up()
    }

    /// The ends that go down: at a switch the port, so that the node's interface keeps what it has.
    fn switched(&self) -> Vec<usize> {
        let ports: Vec<usize> = (0..2)
            .filter(|which| matches!(self.ends[*which], Plug::Hub(_)))
            .collect();
        if ports.is_empty() { vec![0, 1] } else { ports }
    }

    /// What the kernel forgot when the interface went down: all but its IPv4 addresses.
    fn give_again(&self, batch: &mut Batch, which: usize, given: &Given) {
        let device = self.device(which);
        for address in given
            .interface
            .addresses
            .iter()
            .filter(|address| address.ip.is_ipv6())
        {
            batch.add_address(device, address.ip, address.prefix);
        }
        for plan::Neighbour { ip, mac, .. } in &given.neighbours {
            batch.add_neighbour(&Neighbour {
                address: *ip,
                mac: *mac,
                device,
            });
        }
        for route in &given.routes {
            let (destination, prefix) = (route.to.network(), route.to.prefix());
            batch.add_route(&Route {
                destination,
                prefix,
                via: Some(route.via),
                device,
            });
        }
    }

    fn await_up(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        for which in self.switched() {
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
                    let v6 =
                        given
                            .interface
                            .addresses
                            .iter()
                            .filter_map(|address| match address.ip {
                                IpAddr::V6(v6) => Some(v6),
                                IpAddr::V4(_) => None,
                            });
                    netlink
                        .wait_until_heard(device, &v6.collect::<Vec<_>>(), deadline)
                        .map_err(explain)?;
                }
            }
        }
        Ok(())
    }

    /// Takes it away for good.
    pub(super) fn remove(&self) -> Result<()> {
        if self.removed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let Some(which) = (0..2).find(|which| self.netns(*which).is_some()) else {
            return Ok(());
        };
        let mut batch = Batch::new();
        batch.delete_link(self.device(which));
        self.execute(which, batch)
    }

    /// Plugs it into the bridge that it is in by now, and returns when packets pass; the plan that says so is noted already.
    pub(super) fn replug(&self, which: usize) -> Result<()> {
        let mut batch = Batch::new();
        let port = self.device(which);
        let Some(name) = &self.cable.ends[which].bridge else {
            return Err(LabError::other(format!(
                "link `{}` has no bridge",
                self.name()
            )));
        };
        let index = bridge_index(name);
        batch.set_mtu(port, self.cable.mtu);
        batch.set_master(port, Some(index));
        if let Plug::Stack(_, given) = &self.ends[1 - which] {
            for address in &given.interface.addresses {
                if let IpAddr::V6(v6) = address.ip {
                    batch.add_membership(Device { index, name }, port, v6);
                }
            }
        }
        self.execute(which, batch)?;
        if self.is_down() {
            Ok(())
        } else {
            self.await_up()
        }
    }

    /// Lets all switches hear from the node where it is plugged in now: they remember where it was.
    pub(super) fn announce(&self) -> Result<()> {
        for (which, plug) in self.ends.iter().enumerate() {
            if let Plug::Stack(stack, given) = plug
                && let Some(netns) = stack.netns()
                && !self.is_down()
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

    /// Whether an interface of a node is down with it: at a switch it is not.
    pub(super) fn is_down_at_nodes(&self) -> bool {
        self.is_down() && self.switched().len() == 2
    }

    /// Which of its ends is in a switch, if one and only one is.
    pub(super) fn port(&self) -> Option<usize> {
        match self.switched()[..] {
            [port] => Some(port),
            _ => None,
        }
    }

    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    pub(super) fn device(&self, which: usize) -> Device<'_> {
        device(&self.cable.ends[which], &self.cable, which)
    }

    pub(super) fn netns(&self, which: usize) -> Option<BorrowedFd<'_>> {
        match &self.ends[which] {
            Plug::Hub(hub) => Some(hub.as_fd()),
            Plug::Stack(stack, _) => stack.netns().map(AsFd::as_fd),
        }
    }

    fn whose(&self, which: usize) -> String {
        match &self.ends[which] {
            Plug::Hub(_) => format!("the switches, link `{}`", self.name()),
            Plug::Stack(_, given) => format!("node `{}`, link `{}`", given.whose, self.name()),
        }
    }

    fn open(&self, which: usize) -> Result<Netlink> {
        let gone = || LabError::other(format!("link `{}` was removed", self.name()));
        let netns = self.netns(which).ok_or_else(gone)?;
        Netlink::open_in(netns).map_err(|e| LabError::network(self.whose(which), e))
    }

    fn execute(&self, which: usize, batch: Batch) -> Result<()> {
        let done = self.open(which)?.execute(batch);
        done.map_err(|e| LabError::network(self.whose(which), e))
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

fn plugs(lab: &Lab, cable: &Cable) -> [Plug; 2] {
    cable
        .ends
        .each_ref()
        .map(|end| match (end.place, end.interface, &lab.hub) {
            (Place::Stack(stack), Some(interface), _) => {
                let given = Given::of(&lab.plan, stack, interface);
                Plug::Stack(Arc::clone(&lab.stacks[stack]), Box::new(given))
            }
            (_, _, Some(hub)) => Plug::Hub(Arc::clone(hub)),
            _ => unreachable!(
                "a plan with an end in the hub has switches, and a lab with switches a hub"
            ),
        })
}
