//! The thread of the DHCPv6 clients of a node.

use std::collections::HashMap;
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::events::{EventKind, since_start};
use crate::kernel::frames::{Poller, PortSocket};
use crate::kernel::netlink::{Netlink, NetlinkError};
use crate::lab::error::{LabError, Result};
use crate::lab::services::dhcp6::clients::{AskingInterface, Dhcp6ClientState, KnownAddress};
use crate::lab::services::dhcp6::holder::{add_address, remove_address};
use crate::lab::services::dhcp6::socket::Dhcp6Socket;
use crate::lab::services::service::{ServicePlace, ServiceThread, ServiceWork, open_inside};
use crate::model::dhcp6::client::{Dhcp6Action, Dhcp6Client, HeldRange};
use crate::model::dhcp6::message::{AssociationKind, first};
use crate::model::ndp::advertisement::{is_managed, solicitation};
use crate::topology::Subnet;

/// Time between two questions for a router (RFC 4861, section 10: RTR_SOLICITATION_INTERVAL is four
/// seconds, for networks larger than a lab).
const SOLICIT: Duration = Duration::from_millis(500);

/// Starts the clients of a node, which had these addresses if it is started again: it asks anew,
/// and may get others. Its network has kept them, if there was no power cut.
pub(super) fn start(
    place: &dyn ServicePlace,
    interfaces: Vec<AskingInterface>,
    known: &HashMap<u32, KnownAddress>,
    state: &Arc<Dhcp6ClientState>,
) -> Result<ServiceThread> {
    let open = || {
        let open = |it: &AskingInterface| {
            let socket = Dhcp6Socket::of_client(it.index, it.link_local)?;
            let routers = it
                .address
                .then(|| PortSocket::open_for_advertisements(it.index));
            Ok((socket, routers.transpose()?))
        };
        let sockets = interfaces
            .iter()
            .map(open)
            .collect::<io::Result<Vec<_>>>()?;
        Ok((sockets, Netlink::open()))
    };
    let (sockets, netlink) = open_inside(place, "port 546 of the DHCPv6 client", open)?;
    let clients = interfaces.into_iter().zip(sockets);
    let clients = clients.map(|(interface, (socket, routers))| {
        let client = |kind| Dhcp6Client::new(state.mac, kind, interface.index);
        let mut clients = Vec::new();
        // There is one client for each kind: a server that has no address to give must not keep the
        // prefix from the router (RFC 7084, WPD-6).
        if interface.prefix {
            let mut client = client(AssociationKind::Prefixes);
            client.begin(since_start());
            clients.push(client);
        }
        if interface.address {
            // The client of addresses begins when a router says so.
            clients.push(client(AssociationKind::Addresses));
        }
        InterfaceClients {
            solicit: routers.is_some().then_some(Duration::ZERO),
            interface,
            socket,
            routers,
            clients,
        }
    });
    let mut thread = Dhcp6ClientThread {
        interfaces: clients.collect(),
        netlink: netlink.map_err(|e| LabError::network(place.place_name(), e))?,
        state: Arc::clone(state),
        downlinks: Vec::new(),
    };
    for at in 0..thread.interfaces.len() {
        let index = thread.interfaces[at].interface.index;
        if let Some(KnownAddress::Has(address)) = known.get(&index) {
            thread.lose_address(at, *address);
            // Nobody waits for an address before a router has told the node to ask.
            state.addresses.lock().remove(&index);
        }
    }
    ServiceThread::start("dhcp6", place, thread)
}

/// The clients of an interface.
struct InterfaceClients {
    interface: AskingInterface,
    socket: Dhcp6Socket,
    /// The socket that hears routers, where they are listened to.
    routers: Option<PortSocket>,
    /// The moment of the next question for a router, until there was an answer.
    solicit: Option<Duration>,
    clients: Vec<Dhcp6Client>,
}

struct Dhcp6ClientThread {
    interfaces: Vec<InterfaceClients>,
    netlink: Netlink,
    state: Arc<Dhcp6ClientState>,
    /// The networks that were numbered last.
    downlinks: Vec<u32>,
}

impl ServiceWork for Dhcp6ClientThread {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let sockets = self.interfaces.iter().map(|it| it.socket.descriptor());
        let routers = self.interfaces.iter().filter_map(|it| it.routers.as_ref());
        sockets.chain(routers.map(AsFd::as_fd)).collect()
    }

    // A paused node does not see its leases end, and catches up when it goes on.
    fn step(&mut self) -> Option<Duration> {
        let now = since_start();
        self.number_new_networks();
        for at in 0..self.interfaces.len() {
            self.begin_anew(at);
            self.interfaces[at].solicit(now);
            for client in 0..self.interfaces[at].clients.len() {
                let actions = self.interfaces[at].clients[client].step(now);
                self.act(at, actions);
            }
        }
        let next = self
            .interfaces
            .iter()
            .flat_map(InterfaceClients::next)
            .min();
        next.map(|next| next.saturating_sub(since_start()))
    }

    fn hear(&mut self, token: u64, _poller: &Poller) {
        let at = token as usize;
        let Some(own) = self.interfaces.get(at) else {
            return self.hear_router(at - self.interfaces.len());
        };
        let Some((_, message)) = own.socket.receive() else {
            return;
        };
        // The number of the question tells for which of the clients the answer is.
        for client in 0..self.interfaces[at].clients.len() {
            let actions = self.interfaces[at].clients[client].hear(&message, since_start());
            self.act(at, actions);
        }
    }
}

impl InterfaceClients {
    /// Asks for a router if that is due.
    fn solicit(&mut self, now: Duration) {
        if let (Some(routers), Some(due)) = (&self.routers, &mut self.solicit)
            && *due <= now
        {
            let own = &self.interface;
            // A question that cannot be sent is followed by another.
            let _ = routers.send(&solicitation(own.mac, own.link_local));
            *due = now + SOLICIT;
        }
    }

    fn next(&self) -> impl Iterator<Item = Duration> + '_ {
        let clients = self.clients.iter().filter_map(Dhcp6Client::next);
        clients.chain(self.solicit)
    }
}

impl Dhcp6ClientThread {
    /// Looks for a router at an interface that leads to another network, and gives up the address.
    fn begin_anew(&mut self, at: usize) {
        let index = self.interfaces[at].interface.index;
        if !self.state.anew.lock().remove(&index) {
            return;
        }
        self.interfaces[at].solicit = Some(Duration::ZERO);
        let clients = self.interfaces[at].clients.iter_mut();
        let mut clients = clients.filter(|it| it.kind() == AssociationKind::Addresses);
        let lost = clients.next().map(Dhcp6Client::restart);
        self.act(at, lost.unwrap_or_default());
        // Nobody waits for what the earlier network would give.
        self.state.addresses.lock().remove(&index);
    }

    /// Takes an advertisement that has come to a socket that hears routers.
    fn hear_router(&mut self, number: usize) {
        let mut hearing = self.interfaces.iter_mut().filter(|it| it.routers.is_some());
        let Some(own) = hearing.nth(number) else {
            return;
        };
        let mut frame = [0; 1514];
        let length = own.routers.as_ref().map(|it| it.receive(&mut frame));
        let Some(managed) = length.and_then(|it| is_managed(&frame[..it.ok()?])) else {
            return;
        };
        // What comes later by itself is heard as well: a network may become managed.
        own.solicit = None;
        if managed {
            let kind = AssociationKind::Addresses;
            let mut clients = own.clients.iter_mut();
            if let Some(client) = clients.find(|it| it.kind() == kind) {
                client.begin(since_start());
            }
        }
        // RFC 4862, section 5.2: a host that has begun to ask goes on, whatever is said later.
        let known = if managed {
            KnownAddress::Asking
        } else {
            KnownAddress::OwnMake
        };
        let index = own.interface.index;
        self.state.addresses.lock().entry(index).or_insert(known);
        self.state.changed.notify_all();
    }

    fn act(&mut self, at: usize, actions: Vec<Dhcp6Action>) {
        for action in actions {
            match action {
                Dhcp6Action::Send(message) => self.interfaces[at].socket.send_to_servers(&message),
                Dhcp6Action::Hold(held) if held.range.prefix() == 128 => {
                    self.take_address(at, first(held.range));
                }
                Dhcp6Action::Lose(range) if range.prefix() == 128 => {
                    self.lose_address(at, first(range));
                }
                Dhcp6Action::Hold(held) => self.set_prefix(at, held.range, Some(held)),
                Dhcp6Action::Lose(range) => self.set_prefix(at, range, None),
            }
        }
    }

    fn take_address(&mut self, at: usize, address: Ipv6Addr) {
        let index = self.interfaces[at].interface.index;
        let known = self.state.addresses.lock().get(&index).copied();
        if known == Some(KnownAddress::Has(address)) {
            // The interface has more time for what it has: nothing changes in the kernel.
            return;
        }
        let done = add_address(&mut self.netlink, index, address);
        if !self.complain(at, done) {
            self.note_address(at, Some(address));
        }
    }

    fn lose_address(&mut self, at: usize, address: Ipv6Addr) {
        let index = self.interfaces[at].interface.index;
        let done = remove_address(&mut self.netlink, index, address);
        if !self.complain(at, done) {
            self.note_address(at, None);
        }
    }

    /// Tells the lab which address an interface has now.
    fn note_address(&mut self, at: usize, address: Option<Ipv6Addr>) {
        let own = &self.interfaces[at].interface;
        // The event comes first: a test that sees the address finds the event in the journal.
        self.state.journal.record(EventKind::LeasedV6 {
            node: self.state.node.clone(),
            interface: own.name.clone(),
            address,
        });
        let now = address.map_or(KnownAddress::Asking, KnownAddress::Has);
        self.state.addresses.lock().insert(own.index, now);
        self.state.changed.notify_all();
    }

    fn set_prefix(&mut self, at: usize, range: Subnet, held: Option<HeldRange>) {
        let Some(prefix) = &self.state.prefix else {
            return;
        };
        // A prefix that another has taken the place of is lost already.
        let other = prefix.range().is_some_and(|it| it != range);
        if held.is_none() && other {
            return;
        }
        let before = std::mem::replace(&mut *prefix.held.lock(), held);
        let same = held.is_some() && before.map(|it| it.range) == held.map(|it| it.range);
        // A router that was started again has forgotten what it had, and its networks have not.
        let done = prefix.follow(&mut self.netlink);
        self.downlinks.clone_from(&prefix.downlinks.lock());
        let heard = prefix.heard.swap(held.is_some(), Ordering::Relaxed);
        if self.complain(at, done) || same && heard {
            return;
        }
        self.state.journal.record(EventKind::Delegated {
            node: self.state.node.clone(),
            interface: self.interfaces[at].interface.name.clone(),
            prefix: held.map(|_| range),
        });
        // Whoever waits looks at the prefix and waits under this lock.
        drop(self.state.addresses.lock());
        self.state.changed.notify_all();
    }

    /// Numbers networks that have come while the lab ran.
    fn number_new_networks(&mut self) {
        let Some(prefix) = &self.state.prefix else {
            return;
        };
        let now = prefix.downlinks.lock().clone();
        if prefix.heard.load(Ordering::Relaxed) && now != self.downlinks {
            let done = prefix.follow(&mut self.netlink);
            self.downlinks = now;
            self.complain(0, done);
        }
    }

    /// Says what the kernel has refused, and returns whether there was something.
    fn complain(&self, at: usize, done: std::result::Result<(), NetlinkError>) -> bool {
        let Err(error) = done else {
            return false;
        };
        let name = self.interfaces.get(at).map(|it| it.interface.name.as_str());
        let name = name.unwrap_or_default();
        self.state.journal.record(EventKind::ServiceFailed {
            service: format!("DHCPv6 client of `{}`, {name}", self.state.node),
            error: error.to_string(),
        });
        true
    }
}
