//! The DHCP clients of a node: one for each interface, all on one thread.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::events::{EventKind, Journal, since_start};
use crate::kernel::frames::Poller;
use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError, RouteRequest};
use crate::kernel::sync::{Lock, Notifier};
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::services::dhcp::sockets::DhcpSockets;
use crate::lab::services::service::{
    Service, ServicePlace, ServiceThread, ServiceWork, open_inside,
};
use crate::lab::stack::stack::Stack;
use crate::model::dhcp::client::{DhcpClient, Held, LeaseAction};
use crate::model::dhcp::frame::{CLIENT_PORT, EVERYBODY, SERVER_PORT};
use crate::model::dhcp::message::DhcpMessage;
use crate::topology::Plan;
use crate::topology::plan::{InterfacePlan, StackPlan};

/// The clients of a node.
#[derive(Debug)]
pub(crate) struct DhcpClients {
    state: Arc<ClientState>,
    interfaces: Lock<Vec<ClientInterface>>,
}

#[derive(Clone, Debug)]
struct ClientInterface {
    name: String,
    index: u32,
    mac: [u8; 6],
}

/// State that the thread of the clients shares with those who wait for it.
#[derive(Debug)]
struct ClientState {
    node: String,
    hostname: String,
    stack: Arc<Stack>,
    journal: Arc<Journal>,
    /// The indexes of the interfaces that have an address.
    held: Lock<HashSet<u32>>,
    changed: Notifier,
}

impl DhcpClients {
    pub(crate) fn new(
        node: &str,
        plan: &StackPlan,
        stack: &Arc<Stack>,
        journal: &Arc<Journal>,
    ) -> Self {
        Self {
            interfaces: Lock::new(asking(plan)),
            state: Arc::new(ClientState {
                node: node.to_owned(),
                hostname: plan.hostname.clone(),
                stack: Arc::clone(stack),
                journal: Arc::clone(journal),
                held: Lock::default(),
                changed: Notifier::default(),
            }),
        }
    }
}

impl DhcpClients {
    /// Takes over what a changed plan says of the interfaces.
    pub(crate) fn refresh(&self, plan: &Plan) {
        let node = plan.nodes.iter().find(|it| it.name == self.state.node);
        if let Some(node) = node {
            *self.interfaces.lock() = asking(&plan[node.stack]);
        }
    }
}

/// Returns the interfaces at which a node asks.
fn asking(plan: &StackPlan) -> Vec<ClientInterface> {
    let interface = |it: &InterfacePlan| ClientInterface {
        name: it.name.clone(),
        index: it.index,
        mac: it.mac,
    };
    plan.interfaces.iter().map(interface).collect()
}

impl Service for DhcpClients {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        // Interfaces are known by their indexes, which they keep for all their lives in a lab.
        let interfaces = self.interfaces.lock().clone();
        let indexes: Vec<u32> = interfaces.iter().map(|it| it.index).collect();
        let open = || {
            let sockets = DhcpSockets::open([CLIENT_PORT, SERVER_PORT], &indexes)?;
            Ok((sockets, Netlink::open()))
        };
        let (sockets, netlink) = open_inside(place, "open port 68 of the DHCP client", open)?;
        let netlink = netlink.map_err(|e| LabError::network(self.state.node.as_str(), e))?;
        // A node that was started again has what its network has kept, and asks anew.
        self.state.held.lock().clear();
        let clients = interfaces.into_iter().map(|interface| InterfaceClient {
            client: DhcpClient::new(interface.mac, &self.state.hostname),
            server_mac: EVERYBODY,
            interface,
        });
        let thread = ClientThread {
            clients: clients.collect(),
            sockets,
            netlink,
            state: Arc::clone(&self.state),
        };
        ServiceThread::start("dhcp", place, thread)
    }

    fn await_ready(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let interfaces = self.interfaces.lock().clone();
        let mut held = self.state.held.lock();
        while held.len() < interfaces.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let without = interfaces.iter().filter(|it| !held.contains(&it.index));
                let names: Vec<&str> = without.map(|it| it.name.as_str()).collect();
                let why = format!(
                    "no DHCP server has given an address to {} within {limit:?}",
                    names.join(", ")
                );
                let what = format!("start node `{}`", self.state.node);
                let kind = LabErrorKind::TimedOut;
                return Err(LabError::failed(kind, what, why).about_node(&self.state.node));
            }
            held = self.state.changed.wait_timeout(held, left);
        }
        Ok(())
    }

    fn networks(&self) -> usize {
        self.interfaces.lock().len()
    }
}

/// The client of an interface.
struct InterfaceClient {
    interface: ClientInterface,
    client: DhcpClient,
    /// MAC address of the server that has given the address.
    server_mac: [u8; 6],
}

struct ClientThread {
    clients: Vec<InterfaceClient>,
    /// The sockets, in the order of the clients.
    sockets: DhcpSockets,
    netlink: Netlink,
    state: Arc<ClientState>,
}

impl ServiceWork for ClientThread {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.sockets.descriptors()
    }

    // A paused node does not see its leases end, and catches up when it goes on.
    fn step(&mut self) -> Option<Duration> {
        let now = since_start();
        for at in 0..self.clients.len() {
            let actions = self.clients[at].client.step(now);
            self.act(at, actions);
        }
        let next = self.clients.iter().map(|it| it.client.next()).min();
        next.map(|next| next.saturating_sub(since_start()))
    }

    fn hear(&mut self, token: u64, _poller: &Poller) {
        let at = token as usize;
        let Some((sender, message)) = self.sockets.receive(at) else {
            return;
        };
        let own = &mut self.clients[at];
        let actions = own.client.hear(&message, since_start());
        // Another server may have renewed the lease while nothing else has changed.
        let held = own.client.held();
        if held.is_some_and(|held| message.server == Some(held.server)) {
            own.server_mac = sender;
        }
        self.act(at, actions);
    }
}

impl ClientThread {
    fn act(&mut self, at: usize, actions: Vec<LeaseAction>) {
        for action in actions {
            match action {
                LeaseAction::Send { message, to } => self.send(at, &message, to),
                LeaseAction::Take(held) => {
                    let done = self.take(at, &held);
                    self.report(at, Some(held.address), done.err());
                }
                LeaseAction::Drop(held) => {
                    let done = self.drop_address(at, &held);
                    self.report(at, None, done.err());
                }
            }
        }
    }

    fn send(&self, at: usize, message: &DhcpMessage, to: Option<Ipv4Addr>) {
        let own = &self.clients[at];
        let (mac, ip) = match to {
            Some(server) => (own.server_mac, server),
            None => (EVERYBODY, Ipv4Addr::BROADCAST),
        };
        let macs = [own.interface.mac, mac];
        self.sockets.send(at, macs, [message.client, ip], message);
    }

    fn take(&mut self, at: usize, held: &Held) -> std::result::Result<(), NetlinkError> {
        let device = self.clients[at].device();
        let address = IpAddr::V4(held.address);
        let mut batch = Batch::new();
        // The network of a node that was started again has kept the address.
        batch.delete_address(device, address, held.prefix);
        batch.add_address(device, address, held.prefix);
        if let Some(route) = default_route(device, held) {
            batch.delete_route(&route);
            batch.add_route(&route);
        }
        self.netlink.execute(batch)
    }

    fn drop_address(&mut self, at: usize, held: &Held) -> std::result::Result<(), NetlinkError> {
        let device = self.clients[at].device();
        let mut batch = Batch::new();
        // The route goes first: with the address, the kernel may take it along, or not, as other
        // addresses of the interface have it (net/ipv4/fib_frontend.c, fib_del_ifaddr).
        if let Some(route) = default_route(device, held) {
            batch.delete_route(&route);
        }
        batch.delete_address(device, IpAddr::V4(held.address), held.prefix);
        self.netlink.execute(batch)
    }

    /// Tells those who wait and those who read events.
    fn report(&self, at: usize, address: Option<Ipv4Addr>, error: Option<NetlinkError>) {
        let ClientInterface { name, index, .. } = &self.clients[at].interface;
        if let Some(error) = error {
            // The lab may be at its end, with interfaces gone; otherwise the test sees it.
            eprintln!("DHCP client of `{}`, {name}: {error}", self.state.node);
            return;
        }
        // The event comes first: a test that sees the address finds the event in the journal.
        self.state.journal.record(EventKind::Leased {
            node: self.state.node.clone(),
            interface: name.clone(),
            address,
        });
        self.state.stack.set_leased(*index, address);
        let mut held = self.state.held.lock();
        match address {
            Some(_) => held.insert(*index),
            None => held.remove(index),
        };
        drop(held);
        self.state.changed.notify_all();
    }
}

impl InterfaceClient {
    fn device(&self) -> Device<'static> {
        // The kernel finds an interface by its index; the name is for messages.
        Device {
            index: self.interface.index,
            name: "an interface with DHCP",
        }
    }
}

fn default_route<'d>(device: Device<'d>, held: &Held) -> Option<RouteRequest<'d>> {
    Some(RouteRequest {
        destination: Ipv4Addr::UNSPECIFIED.into(),
        prefix: 0,
        via: Some(held.router?.into()),
        device,
        metric: None,
        table: None,
    })
}
