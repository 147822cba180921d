//! The thread of a DHCPv6 server, and its routes to the prefixes that it has delegated.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::events::{EventKind, note_in_all, since_start};
use crate::kernel::frames::Poller;
use crate::kernel::netlink::{Batch, Device, Netlink, NetlinkError, RouteRequest};
use crate::lab::error::{LabError, Result};
use crate::lab::services::dhcp6::dhcp6::Dhcp6State;
use crate::lab::services::dhcp6::socket::Dhcp6Socket;
use crate::lab::services::service::{ServicePlace, ServiceThread, ServiceWork, open_inside};
use crate::topology::Subnet;

/// An interface that a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServedInterface {
    pub(super) index: u32,
    /// The address by which the server talks.
    pub(super) link_local: Ipv6Addr,
}

/// Starts a DHCPv6 server in a node.
pub(super) fn start(place: &dyn ServicePlace, shared: &Arc<Dhcp6State>) -> Result<ServiceThread> {
    let interfaces = shared.interfaces.lock().clone();
    let open = || {
        let open = |it: &ServedInterface| Dhcp6Socket::of_server(it.index, it.link_local);
        let sockets = interfaces
            .iter()
            .map(open)
            .collect::<io::Result<Vec<_>>>()?;
        Ok((sockets, Netlink::open()))
    };
    let (sockets, netlink) = open_inside(place, "port 547 of the DHCPv6 server", open)?;
    let name = place.place_name();
    let thread = Dhcp6ServerThread {
        node: name.to_owned(),
        netlink: netlink.map_err(|e| LabError::network(name, e))?,
        indexes: interfaces.iter().map(|it| it.index).collect(),
        sockets,
        shared: Arc::clone(shared),
        routes: HashMap::new(),
        range: None,
    };
    ServiceThread::start("dhcp6", place, thread)
}

struct Dhcp6ServerThread {
    node: String,
    netlink: Netlink,
    /// The sockets and the indexes of the interfaces, by the numbers of the networks.
    sockets: Vec<Dhcp6Socket>,
    indexes: Vec<u32>,
    shared: Arc<Dhcp6State>,
    /// The routes that the kernel has: the prefix, the interface and the router.
    routes: HashMap<Subnet, (u32, Ipv6Addr)>,
    /// The range whose parts nobody has are unreachable.
    range: Option<Subnet>,
}

impl ServiceWork for Dhcp6ServerThread {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.sockets.iter().map(Dhcp6Socket::descriptor).collect()
    }

    fn step(&mut self) -> Option<Duration> {
        let now = since_start();
        let mut server = self.shared.server.lock();
        server.expire(now);
        let next = server.next_end();
        // Netlink takes its time, and a test may ask for the leases meanwhile.
        drop(server);
        self.route();
        Some(next?.saturating_sub(since_start()))
    }

    fn hear(&mut self, token: u64, _poller: &Poller) {
        let at = token as usize;
        let Some((from, message)) = self.sockets.get(at).and_then(Dhcp6Socket::receive) else {
            return;
        };
        let mut server = self.shared.server.lock();
        let answer = server.hear(&message, at, from, since_start());
        drop(server);
        // The route goes first: the router uses the prefix as soon as it hears of it.
        self.route();
        if let Some(answer) = answer {
            self.sockets[at].send_to_client(from, &answer);
        }
    }
}

impl Dhcp6ServerThread {
    /// Gives the kernel the routes to what is delegated, and takes those from it to what is not.
    fn route(&mut self) {
        let server = self.shared.server.lock();
        let range = server.delegated_range();
        let delegated = server.routes(since_start());
        drop(server);
        let index = |network: usize| self.indexes.get(network).copied();
        let wanted = delegated.into_iter();
        let wanted = wanted.filter_map(|(prefix, at, via)| Some((prefix, (index(at)?, via))));
        let wanted: HashMap<Subnet, (u32, Ipv6Addr)> = wanted.collect();
        if (range, &wanted) == (self.range, &self.routes) {
            return;
        }
        let mut batch = Batch::new();
        if range != self.range {
            // What nobody has would go to the default route, and come back from there (RFC 7084,
            // WPD-5, for the same reason at the other router).
            if let Some(old) = self.range {
                batch.delete_unreachable(old.network(), old.prefix());
            }
            if let Some(new) = range {
                batch.delete_unreachable(new.network(), new.prefix());
                batch.add_unreachable(new.network(), new.prefix());
            }
        }
        let route =
            |(prefix, (index, via)): (&Subnet, &(u32, Ipv6Addr))| route_to(*prefix, *index, *via);
        let gone = self
            .routes
            .iter()
            .filter(|(it, at)| wanted.get(it) != Some(at));
        gone.for_each(|it| batch.delete_route(&route(it)));
        let new = wanted
            .iter()
            .filter(|(it, at)| self.routes.get(it) != Some(at));
        for it in new {
            // The network of a node that was started again has kept the route.
            batch.delete_route(&route(it));
            batch.add_route(&route(it));
        }
        let done = self.netlink.execute(batch);
        // The routes are noted even where the kernel has refused one of them: what has gone with an
        // interface is not there to be taken away next time.
        (self.range, self.routes) = (range, wanted);
        self.complain(done);
    }

    fn complain(&self, done: std::result::Result<(), NetlinkError>) {
        if let Err(error) = done {
            note_in_all(EventKind::ServiceFailed {
                service: format!("DHCPv6 server of `{}`", self.node),
                error: error.to_string(),
            });
        }
    }
}

fn route_to(prefix: Subnet, index: u32, via: Ipv6Addr) -> RouteRequest<'static> {
    RouteRequest {
        destination: prefix.network(),
        prefix: prefix.prefix(),
        via: Some(IpAddr::V6(via)),
        // The kernel finds an interface by its index; the name is for messages.
        device: Device {
            index,
            name: "an interface with DHCPv6",
        },
        metric: None,
        table: None,
    }
}
