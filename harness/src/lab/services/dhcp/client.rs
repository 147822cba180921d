//! The DHCP clients of a node: one for each interface, all on one thread.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::events::{EventKind, Journal, since_start};
use crate::kernel::frames::{PollEvents, PortSocket};
use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError, RouteRequest};
use crate::kernel::sync::{Lock, Notifier};
use crate::lab::error::{LabError, Result};
use crate::lab::services::service::{
    Control, Service, ServicePlace, ServiceThread, inside, refused,
};
use crate::lab::stack::stack::Stack;
use crate::model::dhcp::client::{DhcpClient, Held, LeaseAction};
use crate::model::dhcp::frame::{CLIENT_PORT, EVERYBODY, SERVER_PORT, unwrap, wrap};
use crate::model::dhcp::message::DhcpMessage;
use crate::topology::plan::StackPlan;

/// The longest frame of a link with the usual MTU. Longer ones are no messages of DHCP.
const LONGEST: usize = 1514;

/// The clients of a node.
#[derive(Debug)]
pub(crate) struct DhcpClients {
    shared: Arc<Shared>,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Debug)]
struct Interface {
    name: String,
    index: u32,
    mac: [u8; 6],
}

/// What the thread of the clients and those who wait for it share.
#[derive(Debug)]
struct Shared {
    node: String,
    hostname: String,
    stack: Arc<Stack>,
    journal: Arc<Journal>,
    /// What the clients have, by the index of the interface.
    held: Lock<HashMap<u32, Held>>,
    changed: Notifier,
}

impl DhcpClients {
    pub(crate) fn new(
        node: &str,
        plan: &StackPlan,
        stack: &Arc<Stack>,
        journal: &Arc<Journal>,
    ) -> Self {
        let interfaces = plan.interfaces.iter().map(|it| Interface {
            name: it.name.clone(),
            index: it.index,
            mac: it.mac,
        });
        Self {
            interfaces: interfaces.collect(),
            shared: Arc::new(Shared {
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

impl Service for DhcpClients {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        let interfaces = &self.interfaces;
        let opened = inside(place, || {
            // As for the server: keeps the kernel from saying that nobody is at the port.
            let port = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, CLIENT_PORT))?;
            let open = |it: &Interface| Ok(PortSocket::open(it.index, CLIENT_PORT)?);
            let sockets = interfaces
                .iter()
                .map(open)
                .collect::<io::Result<Vec<_>>>()?;
            Ok((port, sockets, Netlink::open()))
        })?;
        let (port, sockets, netlink) =
            opened.map_err(|e| refused("open port 68 of the DHCP client", place, &e))?;
        let netlink = netlink.map_err(|e| LabError::network(self.shared.node.as_str(), e))?;
        // A node that was started again has what its network has kept, and asks anew.
        self.shared.held.lock().clear();
        // Interfaces are known by their indexes, which they keep for all their lives in a lab.
        let clients = self.interfaces.iter().cloned().zip(sockets);
        let clients = clients.map(|(interface, socket)| InterfaceClient {
            client: DhcpClient::new(interface.mac, &self.shared.hostname),
            server_mac: EVERYBODY,
            interface,
            socket,
        });
        let mut thread = ClientThread {
            clients: clients.collect(),
            netlink,
            shared: Arc::clone(&self.shared),
        };
        let name = format!("dhcp {}", place.place_name());
        ServiceThread::start(name, move |control| {
            if let Err(errno) = thread.serve(control) {
                eprintln!("the DHCP client of a node has ended: {errno}");
            }
            drop(port);
        })
    }

    fn await_ready(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut held = self.shared.held.lock();
        while held.len() < self.interfaces.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let without = self
                    .interfaces
                    .iter()
                    .filter(|it| !held.contains_key(&it.index));
                let names: Vec<&str> = without.map(|it| it.name.as_str()).collect();
                let why = format!(
                    "no DHCP server has given an address to {} within {limit:?}",
                    names.join(", ")
                );
                let what = format!("start node `{}`", self.shared.node);
                let kind = crate::lab::error::LabErrorKind::TimedOut;
                return Err(LabError::failed(kind, what, why).about_node(&self.shared.node));
            }
            held = self.shared.changed.wait_timeout(held, left);
        }
        Ok(())
    }
}

/// A client, with the socket of its interface.
struct InterfaceClient {
    interface: Interface,
    socket: PortSocket,
    client: DhcpClient,
    /// MAC address of the server that was heard last.
    server_mac: [u8; 6],
}

struct ClientThread {
    clients: Vec<InterfaceClient>,
    netlink: Netlink,
    shared: Arc<Shared>,
}

impl ClientThread {
    fn serve(&mut self, control: &Control) -> crate::kernel::Result<()> {
        for (token, client) in (0..).zip(&self.clients) {
            control.poller().add(client.socket.as_fd(), token)?;
        }
        let mut events = PollEvents::new();
        let mut buffer = vec![0; LONGEST];
        while control.goes_on() {
            let now = since_start();
            for at in 0..self.clients.len() {
                let actions = self.clients[at].client.step(now);
                self.act(at, actions);
            }
            let next = self.clients.iter().map(|it| it.client.next()).min();
            let left = next.map(|next| next.saturating_sub(since_start()));
            let left = left.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
            control.poller().wait(left, &mut events)?;
            // A paused node does not see its leases end, and catches up when it goes on.
            if !control.goes_on() {
                break;
            }
            for token in events.tokens() {
                self.hear(token as usize, &mut buffer);
            }
        }
        Ok(())
    }

    fn hear(&mut self, at: usize, buffer: &mut [u8]) {
        let Some(own) = self.clients.get_mut(at) else {
            return;
        };
        // One frame at a time: the set reports a socket with more of them again.
        let Ok(length) = own.socket.receive(buffer) else {
            return;
        };
        let Some((sender, bytes)) = unwrap(&buffer[..length]) else {
            return;
        };
        let Some(message) = DhcpMessage::decode(bytes) else {
            return;
        };
        let actions = own.client.hear(&message, since_start());
        if !actions.is_empty() {
            own.server_mac = sender;
        }
        self.act(at, actions);
    }

    fn act(&mut self, at: usize, actions: Vec<LeaseAction>) {
        for action in actions {
            match action {
                LeaseAction::Send { message, to } => self.clients[at].send(&message, to),
                LeaseAction::Take(held) => {
                    let done = self.take(at, &held);
                    self.report(at, Some(held), done.err());
                }
                LeaseAction::Drop(held) => {
                    let done = self.drop_address(at, &held);
                    self.report(at, None, done.err());
                }
            }
        }
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
        // The route first: with the address, the kernel may take it along, or not, as other
        // addresses of the interface have it (net/ipv4/fib_frontend.c, fib_del_ifaddr).
        if let Some(route) = default_route(device, held) {
            batch.delete_route(&route);
        }
        batch.delete_address(device, IpAddr::V4(held.address), held.prefix);
        self.netlink.execute(batch)
    }

    /// Tells those who wait and those who read events.
    fn report(&self, at: usize, held: Option<Held>, error: Option<NetlinkError>) {
        let Interface { name, index, .. } = &self.clients[at].interface;
        let address = held.as_ref().map(|it| it.address);
        if let Some(error) = error {
            // The lab may be at its end, with interfaces gone; otherwise the test sees it.
            eprintln!("DHCP client of `{}`, {name}: {error}", self.shared.node);
            return;
        }
        self.shared.stack.set_leased(*index, address);
        let mut all = self.shared.held.lock();
        match held {
            Some(held) => drop(all.insert(*index, held)),
            None => drop(all.remove(index)),
        }
        drop(all);
        self.shared.journal.record(EventKind::Leased {
            node: self.shared.node.clone(),
            interface: name.clone(),
            address,
        });
        // The event first: whoever waits for the address finds it in the journal.
        self.shared.changed.notify_all();
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

    fn send(&self, message: &DhcpMessage, to: Option<Ipv4Addr>) {
        let (mac, ip) = match to {
            Some(server) => (self.server_mac, server),
            None => (EVERYBODY, Ipv4Addr::BROADCAST),
        };
        let macs = [self.interface.mac, mac];
        let ports = [CLIENT_PORT, SERVER_PORT];
        if let Some(frame) = wrap(macs, [message.client, ip], ports, &message.encode()) {
            // A frame that cannot be sent is lost, as on any wire, and the client asks again.
            let _ = self.socket.send(&frame);
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
