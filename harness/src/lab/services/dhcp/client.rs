//! The DHCP clients of a node: one for each interface, all on one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::events::{EventKind, Journal, since_start};
use crate::kernel::frames::Poller;
use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError, RouteRequest};
use crate::kernel::sync::{Lock, Notifier};
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::failure::FailureReason;
use crate::lab::services::dhcp::hairpins::LeasedHairpins;
use crate::lab::services::dhcp::sockets::DhcpSockets;
use crate::lab::services::service::{
    Service, ServicePlace, ServiceThread, ServiceWork, ThreadWaker, open_inside,
};
use crate::lab::stack::stack::{AddressClient, Stack};
use crate::model::dhcp::client::{DhcpClient, Held, LeaseAction};
use crate::model::dhcp::frame::{CLIENT_PORT, EVERYBODY, SERVER_PORT};
use crate::model::dhcp::message::DhcpMessage;
use crate::topology::plan::{InterfacePlan, StackPlan};
use crate::topology::{LinkId, Plan};

/// The clients of a node.
#[derive(Debug)]
pub(crate) struct DhcpClients {
    state: Arc<ClientState>,
    waker: ThreadWaker,
}

/// An interface at which a node asks, and what it has there.
#[derive(Clone, Debug)]
struct ClientInterface {
    name: String,
    link: LinkId,
    mac: [u8; 6],
    /// The metric of the default route.
    metric: u32,
    /// Whether the interface went with its link.
    gone: bool,
    /// Whether the client is to begin anew: the interface leads to another network.
    anew: bool,
    held: Option<Held>,
}

/// State that the thread of the clients shares with those who wait for it.
#[derive(Debug)]
struct ClientState {
    node: String,
    hostname: String,
    stack: Arc<Stack>,
    journal: Arc<Journal>,
    /// The interfaces by their indexes, which they keep for all their lives in a lab.
    interfaces: Lock<BTreeMap<u32, ClientInterface>>,
    hairpins: Lock<LeasedHairpins>,
    changed: Notifier,
}

impl DhcpClients {
    pub(crate) fn new(
        node: &str,
        plan: &StackPlan,
        stack: &Arc<Stack>,
        journal: &Arc<Journal>,
    ) -> Self {
        let state = Arc::new(ClientState {
            node: node.to_owned(),
            hostname: plan.hostname.clone(),
            stack: Arc::clone(stack),
            journal: Arc::clone(journal),
            interfaces: Lock::new(plan.asking().map(asking).collect()),
            hairpins: Lock::new(LeasedHairpins::new(plan)),
            changed: Notifier::default(),
        });
        let keeper: Weak<ClientState> = Arc::downgrade(&state);
        stack.add_client(keeper);
        let waker = ThreadWaker::default();
        Self { state, waker }
    }

    /// Takes over what a changed plan says of the interfaces, some of whose links were removed.
    pub(crate) fn refresh(&self, plan: &Plan, removed: &BTreeSet<LinkId>) {
        let state = &self.state;
        let Some(node) = plan.nodes.iter().find(|it| it.name == state.node) else {
            return;
        };
        let mut lost = Vec::new();
        let mut interfaces = state.interfaces.lock();
        for planned in plan[node.stack].asking() {
            let (index, new) = asking(planned);
            let own = interfaces.entry(index).or_insert(new);
            if planned.metric != own.metric {
                let before = std::mem::replace(&mut own.metric, planned.metric);
                let done = state.change_metric(index, own, before);
                state.complain(&own.name, done);
            }
            if removed.contains(&own.link) && !own.gone {
                own.gone = true;
                lost.extend(own.held.take().map(|_| (index, own.name.clone())));
            }
        }
        drop(interfaces);
        for (index, name) in lost {
            state.lead_hairpins(index, &name, None);
            state.tell(index, &name, None);
        }
        let done = state
            .hairpins
            .lock()
            .refresh(&plan[node.stack], &state.stack);
        state.complain("hairpins", done);
    }

    /// Takes from an interface what the client has given it: it leads to another network, where the
    /// kernel would announce the address as soon as the interface comes up (`arp_notify`).
    pub(crate) fn give_up_lease(&self, index: u32) {
        let state = &self.state;
        let interfaces = state.interfaces.lock();
        if let Some(own) = interfaces.get(&index)
            && let (Some(held), Some(netns)) = (&own.held, state.stack.netns())
        {
            // The thread does it again when it begins anew, and tells of it. Nothing is there to
            // delete then, which is no error.
            let done = Netlink::open_in(netns.as_fd())
                .and_then(|mut it| it.execute(give_up(index, held, own.metric)));
            state.complain(&own.name, done);
        }
    }

    /// Lets the client of an interface ask anew: it leads to another network.
    pub(crate) fn ask_anew(&self, index: u32) {
        // The lease is forgotten here, since the caller waits for another one, and the thread knows
        // by itself what it has to take from the kernel.
        if let Some(own) = self.state.interfaces.lock().get_mut(&index) {
            own.anew = true;
            own.held = None;
        }
        self.waker.wake();
    }
}

/// Returns an interface at which a node asks, by its index.
fn asking(planned: &InterfacePlan) -> (u32, ClientInterface) {
    let interface = ClientInterface {
        name: planned.name.clone(),
        link: planned.link,
        mac: planned.mac,
        metric: planned.metric,
        gone: false,
        anew: false,
        held: None,
    };
    (planned.index, interface)
}

impl ClientState {
    /// Puts the default route of an interface in the place of one with another metric.
    fn change_metric(
        &self,
        index: u32,
        own: &ClientInterface,
        before: u32,
    ) -> std::result::Result<(), NetlinkError> {
        let (Some(held), Some(netns)) = (&own.held, self.stack.netns()) else {
            return Ok(());
        };
        let mut batch = Batch::new();
        // The old route goes first: the new one may have the same metric, and the kernel refuses
        // two such routes (net/ipv4/fib_trie.c, fib_table_insert).
        if let Some(old) = default_route(index, held, before) {
            batch.delete_route(&old);
        }
        if let Some(new) = default_route(index, held, own.metric) {
            batch.add_route(&new);
        }
        Netlink::open_in(netns.as_fd())?.execute(batch)
    }

    /// Gives up what a node had that is started again: it asks anew, and may get another address.
    /// Its network has kept the old one, if there was no power cut.
    fn forget_leases(&self, netlink: &mut Netlink) {
        let mut lost = Vec::new();
        for (index, own) in self.interfaces.lock().iter_mut() {
            own.anew = false;
            if let Some(held) = own.held.take() {
                let done = netlink.execute(give_up(*index, &held, own.metric));
                self.complain(&own.name, done);
                lost.push((*index, own.name.clone()));
            }
        }
        let done = self.hairpins.lock().forget(&self.stack);
        self.complain("hairpins", done);
        for (index, name) in lost {
            self.tell(index, &name, None);
        }
    }

    /// Tells those who read events, and the stack, of an address that came or went.
    fn tell(&self, index: u32, name: &str, address: Option<Ipv4Addr>) {
        // The event comes first: a test that sees the address finds the event in the journal.
        self.journal.record(EventKind::Leased {
            node: self.node.clone(),
            interface: name.to_owned(),
            address,
        });
        self.stack.set_leased(index, address);
    }

    /// Leads packets of hosts inside to the address that an uplink has now.
    fn lead_hairpins(&self, index: u32, name: &str, held: Option<&Held>) {
        let done = self.hairpins.lock().set(index, held, &self.stack);
        self.complain(name, done);
    }

    fn complain(&self, name: &str, done: std::result::Result<(), NetlinkError>) {
        if let Err(error) = done {
            self.journal.record(EventKind::ServiceFailed {
                service: format!("DHCP client of `{}`, {name}", self.node),
                error: error.to_string(),
            });
        }
    }
}

impl AddressClient for ClientState {
    fn give_back(&self, index: u32) {
        let interfaces = self.interfaces.lock();
        if let Some(own) = interfaces.get(&index) {
            // The kernel has kept the address (net/ipv4/fib_frontend.c, fib_disable_ip).
            self.complain(&own.name, self.change_metric(index, own, own.metric));
        }
        drop(interfaces);
        let done = self.hairpins.lock().restore(index, &self.stack);
        self.complain("hairpins", done);
    }
}

impl Service for DhcpClients {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        let interfaces = self.state.interfaces.lock().clone();
        let indexes: Vec<u32> = interfaces.keys().copied().collect();
        let open = || {
            let sockets = DhcpSockets::open([CLIENT_PORT, SERVER_PORT], &indexes)?;
            Ok((sockets, Netlink::open()))
        };
        let (sockets, netlink) = open_inside(place, "port 68 of the DHCP client", open)?;
        let mut netlink = netlink.map_err(|e| LabError::network(self.state.node.as_str(), e))?;
        self.state.forget_leases(&mut netlink);
        let clients = interfaces.into_iter().map(|(index, own)| InterfaceClient {
            client: DhcpClient::new(own.mac, &self.state.hostname),
            server_mac: EVERYBODY,
            mac: own.mac,
            index,
        });
        let thread = ClientThread {
            clients: clients.collect(),
            sockets,
            netlink,
            state: Arc::clone(&self.state),
        };
        let thread = ServiceThread::start("dhcp", place, thread)?;
        self.waker.set(&thread);
        Ok(thread)
    }

    fn await_ready(&self, limit: Duration, have_ended: &dyn Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut interfaces = self.state.interfaces.lock();
        loop {
            let without = interfaces.values();
            let without = without.filter(|it| it.held.is_none() && !it.gone);
            let without: Vec<String> = without.map(|it| it.name.clone()).collect();
            if without.is_empty() || have_ended() {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let interfaces = without;
                let why = FailureReason::NoLease { interfaces, limit };
                let what = NodeAttempt::Start.with(&self.state.node);
                return Err(LabError::failed(what, why).about_node(&self.state.node));
            }
            interfaces = self.state.changed.wait_timeout(interfaces, left);
        }
    }

    fn ended(&self) {
        // Whoever waits looks and waits under this lock.
        drop(self.state.interfaces.lock());
        self.state.changed.notify_all();
    }

    fn networks(&self) -> usize {
        self.state.interfaces.lock().len()
    }
}

/// The client of an interface.
struct InterfaceClient {
    index: u32,
    mac: [u8; 6],
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
            self.begin_anew(at, now);
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
    /// Begins anew at an interface that leads to another network.
    fn begin_anew(&mut self, at: usize, now: Duration) {
        let index = self.clients[at].index;
        let mut interfaces = self.state.interfaces.lock();
        let own = interfaces.get_mut(&index);
        let anew = own.is_some_and(|own| std::mem::take(&mut own.anew));
        drop(interfaces);
        if anew && let Some(held) = self.clients[at].client.restart(now) {
            self.act(at, vec![LeaseAction::Drop(held)]);
        }
    }

    fn act(&mut self, at: usize, actions: Vec<LeaseAction>) {
        for action in actions {
            match action {
                LeaseAction::Send { message, to } => self.send(at, &message, to),
                LeaseAction::Take(held) => self.change(at, &held, true),
                LeaseAction::Drop(held) => self.change(at, &held, false),
            }
        }
    }

    fn send(&self, at: usize, message: &DhcpMessage, to: Option<Ipv4Addr>) {
        let own = &self.clients[at];
        let (mac, ip) = match to {
            Some(server) => (own.server_mac, server),
            None => (EVERYBODY, Ipv4Addr::BROADCAST),
        };
        let macs = [own.mac, mac];
        self.sockets.send(at, macs, [message.client, ip], message);
    }

    /// Gives the interface an address and a default route, or takes both from it.
    fn change(&mut self, at: usize, held: &Held, has: bool) {
        let index = self.clients[at].index;
        let state = Arc::clone(&self.state);
        let mut interfaces = state.interfaces.lock();
        let Some(own) = interfaces.get_mut(&index).filter(|it| !it.gone) else {
            return;
        };
        let name = own.name.clone();
        let batch = if has { take } else { give_up }(index, held, own.metric);
        if let Err(error) = self.netlink.execute(batch) {
            return state.complain(&name, Err(error));
        }
        if has {
            self.sockets
                .announce(at, self.clients[at].mac, held.address);
        }
        // This is told without the lock: others hold a lock of the stack's cables when they take
        // this one.
        drop(interfaces);
        // A test that sees the address reaches it from inside.
        state.lead_hairpins(index, &name, has.then_some(held));
        state.tell(index, &name, has.then_some(held.address));
        if let Some(own) = state.interfaces.lock().get_mut(&index) {
            // Nobody waits for answers from the earlier network.
            own.held = has.then(|| held.clone()).filter(|_| !own.anew);
        }
        state.changed.notify_all();
    }
}

/// Returns what gives an interface its address and its default route.
fn take(index: u32, held: &Held, metric: u32) -> Batch {
    let address = IpAddr::V4(held.address);
    let mut batch = Batch::new();
    // A former lease may have left the same address, which the kernel would refuse (EEXIST).
    batch.delete_address(device(index), address, held.prefix);
    batch.add_address(device(index), address, held.prefix);
    if let Some(route) = default_route(index, held, metric) {
        batch.delete_route(&route);
        batch.add_route(&route);
    }
    batch
}

/// Returns what takes both from an interface.
fn give_up(index: u32, held: &Held, metric: u32) -> Batch {
    let mut batch = Batch::new();
    // The route goes first: with the address, the kernel may take it along, or not, as other
    // addresses of the interface have it (net/ipv4/fib_frontend.c, fib_del_ifaddr).
    if let Some(route) = default_route(index, held, metric) {
        batch.delete_route(&route);
    }
    batch.delete_address(device(index), IpAddr::V4(held.address), held.prefix);
    batch
}

pub(super) fn device(index: u32) -> Device<'static> {
    // The kernel finds an interface by its index; the name is for messages.
    Device {
        index,
        name: "an interface with DHCP",
    }
}

fn default_route(index: u32, held: &Held, metric: u32) -> Option<RouteRequest<'static>> {
    Some(RouteRequest {
        destination: Ipv4Addr::UNSPECIFIED.into(),
        prefix: 0,
        via: Some(held.router?.into()),
        device: device(index),
        metric: Some(metric),
        table: None,
    })
}
