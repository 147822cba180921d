//! From a plan to a network: bridges, cables, addresses, and the wait until packets pass.
//!
//! Everything is asked of the kernel in batches, one conversation for each network namespace, and
//! both ends of a cable are born where they belong. The order matters: see
//! `kernel::netlink::bridge` for why bridges start last.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::error::{LabError, Result};
use crate::kernel::netlink::{
    Batch, Bridge, Device, End, Neighbour, Netlink, NetlinkError, Route, Veth,
};
use crate::kernel::netns::Netns;
use crate::topology::plan::{self, Cable, CableEnd, Interface, Place, Plan, StackPlan};

/// How long the kernel may take to let packets through, on the busiest of machines.
const READY: Duration = Duration::from_secs(30);

/// The network namespaces of a lab, by place.
pub(super) struct Places<'a> {
    /// The one with the bridges, if there are any.
    pub(super) hub: Option<BorrowedFd<'a>>,
    /// By number of the stack; `None` for one that is gone.
    pub(super) stacks: Vec<Option<BorrowedFd<'a>>>,
}

/// Which parts of a plan are to be made: all, or what a lab does not have yet.
pub(super) struct New {
    pub(super) switches: std::ops::Range<usize>,
    pub(super) cables: std::ops::Range<usize>,
    /// Bridges that a switch has already, which keep running.
    pub(super) running: Vec<usize>,
}

impl New {
    /// How many bridges of a switch run already.
    fn bridges_of(&self, switch: usize) -> usize {
        match self.switches.contains(&switch) {
            true => 0,
            false => self.running[switch],
        }
    }
}

/// The index of an interface. Those of the two ends of a cable always differ, by which the kernel knows
/// sooner that they are up.
pub(super) fn index_of(end: &CableEnd, cable: &Cable, which: usize) -> u32 {
    let index = match (end.interface, cable.link) {
        (Some(interface), _) => 2 + 2 * interface + which,
        (None, Some(link)) => 100_000 + 2 * link.index() + which,
        (None, None) => 10_000 + 2 * trunk_number(end) + which,
    };
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// `t3-7a` is the seventh trunk of the third switch.
fn trunk_number(end: &CableEnd) -> usize {
    let mut numbers = end
        .name
        .trim_matches(|c: char| !c.is_ascii_digit())
        .split('-');
    let mut next = || {
        numbers
            .next()
            .and_then(|text| text.parse::<usize>().ok())
            .unwrap_or(0)
    };
    next() * 32 + next()
}

/// `sw3-7` is the seventh bridge of the third switch besides the first.
pub(super) fn bridge_index(name: &str) -> u32 {
    let mut numbers = name.trim_start_matches("sw").split('-');
    let mut next = || {
        numbers
            .next()
            .and_then(|text| text.parse::<u32>().ok())
            .unwrap_or(0)
    };
    1_000_000 + next() * 32 + next()
}

pub(super) fn device<'a>(end: &'a CableEnd, cable: &Cable, which: usize) -> Device<'a> {
    Device {
        index: index_of(end, cable, which),
        name: &end.name,
    }
}

pub(super) fn bridge(planned: &plan::Bridge) -> Bridge<'_> {
    let device = Device {
        index: bridge_index(&planned.name),
        name: &planned.name,
    };
    Bridge {
        device,
        mac: planned.mac,
    }
}

/// Builds, and returns when packets pass.
pub(super) struct Builder<'a> {
    pub(super) plan: &'a Plan,
    pub(super) places: Places<'a>,
    pub(super) home: Netns,
    pub(super) batch: Batch,
}

impl<'a> Builder<'a> {
    pub(super) fn new(plan: &'a Plan, places: Places<'a>) -> Result<Builder<'a>> {
        let home = Netns::current()
            .map_err(|e| LabError::refused("look up the thread's network namespace", e))?;
        let batch = Batch::new();
        Ok(Builder {
            plan,
            places,
            home,
            batch,
        })
    }

    /// Lays these cables; whoever is at their ends is there.
    pub(super) fn lay(&mut self, cables: &[usize]) -> Result<()> {
        self.lay_at_hub(cables)?;
        self.lay_between_stacks(cables)
    }

    /// Waits until packets pass all that was made.
    pub(super) fn await_ready(
        &mut self,
        touched: &BTreeMap<usize, Vec<usize>>,
        new: &New,
    ) -> Result<()> {
        self.await_stacks(touched)?;
        self.start_bridges(new)
    }

    fn open_hub(&self) -> Result<Option<Netlink>> {
        self.places
            .hub
            .map(|hub| self.open(hub, "the switches"))
            .transpose()
    }

    fn open(&self, netns: BorrowedFd<'_>, whose: &str) -> Result<Netlink> {
        let failed = |e| LabError::refused(format!("enter the network namespace of {whose}"), e);
        let opened = self.home.excursion(netns, Netlink::open).map_err(failed)?;
        opened.map_err(|e| LabError::network(whose, e))
    }

    pub(super) fn open_stack(&self, stack: usize) -> Result<Netlink> {
        let whose = self.whose(stack);
        match self.places.stacks[stack] {
            Some(netns) => self.open(netns, &whose),
            None => Err(LabError::other(format!("{whose} was removed from the lab"))),
        }
    }

    pub(super) fn whose(&self, stack: usize) -> String {
        match self.plan.nodes.iter().find(|node| node.stack == stack) {
            Some(node) => format!("node `{}`", node.name),
            None => format!("pod `{}`", self.plan.stacks[stack].hostname),
        }
    }

    /// An error about an interface, with the link that it is an end of.
    pub(super) fn explain(&self, place: Place, error: NetlinkError) -> LabError {
        let ends = |cable: &&Cable| {
            cable
                .ends
                .iter()
                .any(|end| end.place == place && end.name == error.subject())
        };
        let whose = match place {
            Place::Hub => "the switches".to_owned(),
            Place::Stack(stack) => self.whose(stack),
        };
        let link = self
            .plan
            .cables
            .iter()
            .find(ends)
            .map(|cable| format!(", link `{}`", cable.name));
        LabError::network(format!("{whose}{}", link.unwrap_or_default()), error)
    }

    // ---- wires ---------------------------------------------------------------------------------

    /// Makes bridges and the trunks between them.
    pub(super) fn make_bridges(&mut self, new: &New) -> Result<()> {
        let Some(mut hub) = self.open_hub()? else {
            return Ok(());
        };
        let plan = self.plan;
        for (index, switch) in plan.switches.iter().enumerate() {
            let running = new.bridges_of(index);
            for planned in &switch.bridges[running..] {
                self.batch.add_bridge(&bridge(planned));
                if planned.mtu != 1500 {
                    self.batch.set_mtu(bridge(planned).device, planned.mtu);
                }
                if let Some(altname) = &planned.altname {
                    self.batch.add_altname(bridge(planned).device, altname);
                }
            }
            for trunk in &switch.trunks[running.saturating_sub(1)..] {
                self.lay_in_hub(trunk);
            }
        }
        hub.execute_reusing(&mut self.batch)
            .map_err(|e| self.explain(Place::Hub, e))
    }

    fn lay_at_hub(&mut self, cables: &[usize]) -> Result<()> {
        let plan = self.plan;
        for cable in cables.iter().map(|index| &plan.cables[*index]) {
            match cable.ends.each_ref().map(|end| end.place) {
                [Place::Hub, Place::Hub] => self.lay_in_hub(cable),
                [Place::Hub, Place::Stack(stack)] => self.plug(cable, 0, stack)?,
                [Place::Stack(stack), Place::Hub] => self.plug(cable, 1, stack)?,
                _ => {}
            }
        }
        match self.open_hub()? {
            Some(mut hub) => hub
                .execute_reusing(&mut self.batch)
                .map_err(|e| self.explain(Place::Hub, e)),
            None => Ok(()),
        }
    }

    /// A cable from a port of the hub to a stack.
    fn plug(&mut self, cable: &Cable, port: usize, stack: usize) -> Result<()> {
        let Some(netns) = self.places.stacks[stack] else {
            return Err(LabError::other(format!(
                "{} was removed from the lab",
                self.whose(stack)
            )));
        };
        let mut ends = ends(cable);
        ends[port].master = cable.ends[port].bridge.as_deref().map(bridge_index);
        ends[1 - port].netns = Some(netns);
        self.batch.add_veth(&Veth {
            near: ends[port],
            far: ends[1 - port],
        });
        self.batch.give_no_addresses(ends[port].device);
        self.batch.set_up(ends[port].device);
        Ok(())
    }

    /// A cable between two bridges, over which all that is not for one port has to go.
    fn lay_in_hub(&mut self, cable: &Cable) {
        let mut ends = ends(cable);
        let masters = cable
            .ends
            .each_ref()
            .map(|end| end.bridge.as_deref().map(bridge_index));
        ends[0].master = masters[0];
        self.batch.add_veth(&Veth {
            near: ends[0],
            far: ends[1],
        });
        self.batch.set_master(ends[1].device, masters[1]);
        for end in ends {
            self.batch.give_no_addresses(end.device);
            self.batch.set_up(end.device);
            send_all_multicast(&mut self.batch, end.device);
        }
    }

    /// The cables between two stacks, each made from where its first end is.
    fn lay_between_stacks(&mut self, cables: &[usize]) -> Result<()> {
        let plan = self.plan;
        let mut direct: Vec<(usize, usize, &Cable)> = cables
            .iter()
            .map(|index| &plan.cables[*index])
            .filter_map(|cable| match cable.ends.each_ref().map(|end| end.place) {
                [Place::Stack(near), Place::Stack(far)] => Some((near, far, cable)),
                _ => None,
            })
            .collect();
        direct.sort_by_key(|(near, _, _)| *near);
        for group in direct.chunk_by(|a, b| a.0 == b.0) {
            let near = group[0].0;
            let mut netlink = self.open_stack(near)?;
            for (_, far, cable) in group {
                let mut ends = ends(cable);
                ends[1].netns = self.places.stacks[*far];
                if ends[1].netns.is_none() {
                    return Err(LabError::other(format!(
                        "{} was removed from the lab",
                        self.whose(*far)
                    )));
                }
                self.batch.add_veth(&Veth {
                    near: ends[0],
                    far: ends[1],
                });
            }
            netlink
                .execute_reusing(&mut self.batch)
                .map_err(|e| self.explain(Place::Stack(near), e))?;
        }
        Ok(())
    }

    // ---- addresses -----------------------------------------------------------------------------

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

    // ---- readiness -----------------------------------------------------------------------------

    fn await_stacks(&self, touched: &BTreeMap<usize, Vec<usize>>) -> Result<()> {
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

    fn start_bridges(&mut self, new: &New) -> Result<()> {
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

fn ends<'a>(cable: &'a Cable) -> [End<'a>; 2] {
    [0, 1].map(|which| End {
        mac: Some(cable.ends[which].mac),
        mtu: Some(cable.mtu),
        ..End::new(device(&cable.ends[which], cable, which))
    })
}

/// Makes a port one that every multicast frame goes to: others are behind it whom the bridge does not know.
fn send_all_multicast(batch: &mut Batch, port: Device<'_>) {
    const RTM_SETLINK: u16 = 19;
    const IFLA_PROTINFO: u16 = 12 | 0x8000;
    const IFLA_BRPORT_MULTICAST_ROUTER: u16 = 25;
    const ALWAYS: u8 = 2;
    // struct ifinfomsg: family, padding, type, index, flags, change.
    let mut payload = vec![libc::AF_BRIDGE as u8, 0, 0, 0];
    payload.extend(port.index.to_ne_bytes());
    payload.extend([0; 8]);
    for (length, kind) in [(12u16, IFLA_PROTINFO), (5, IFLA_BRPORT_MULTICAST_ROUTER)] {
        payload.extend(length.to_ne_bytes());
        payload.extend(kind.to_ne_bytes());
    }
    payload.extend([ALWAYS, 0, 0, 0]);
    batch.push_raw(
        "let all multicast through",
        port.name,
        RTM_SETLINK,
        0,
        &payload,
    );
}

/// A network namespace that no process lives in.
pub(super) fn new_hub() -> Result<OwnedFd> {
    let failed = |e| LabError::refused("make a network namespace for the switches", e);
    let home = Netns::current().map_err(failed)?;
    let hub = home
        .excursion_to_new(|| {
            crate::kernel::net::loopback_up()?;
            Netns::current()
        })
        .map_err(failed)?
        .map_err(failed)?;
    Ok(hub.into())
}

impl Places<'_> {
    /// All are known.
    pub(super) fn of<'a>(
        hub: Option<&'a OwnedFd>,
        stacks: impl Iterator<Item = Option<&'a OwnedFd>>,
    ) -> Places<'a> {
        Places {
            hub: hub.map(AsFd::as_fd),
            stacks: stacks.map(|netns| netns.map(AsFd::as_fd)).collect(),
        }
    }
}
