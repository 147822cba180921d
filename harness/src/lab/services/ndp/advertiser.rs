//! The advertisements of a router, and the thread that sends them.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::events::since_start;
use crate::kernel::frames::{Poller, PortSocket};
use crate::kernel::sync::Lock;
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::services::service::{
    Control, Service, ServicePlace, ServiceThread, ServiceWork, open_inside,
};
use crate::model::ndp::AdvertiseSpec;
use crate::model::ndp::advertisement::{Advertisement, advertised_prefix};
use crate::topology::Plan;
use crate::topology::plan::NodePlan;

/// A router of a lab that advertises itself: see [`AdvertiseSpec`].
///
/// ```no_run
/// use snowglobe::ndp::AdvertiseSpec;
/// use snowglobe::prelude::*;
///
/// #[snowglobe::test]
/// fn a_host_is_renumbered() -> TestResult {
///     let mut topology = Topology::new();
///     let router = NodeSpec::new("router").forward(true).advertise(AdvertiseSpec::new());
///     let router = topology.node(router);
///     let host = topology.node(NodeSpec::new("host").autoconfigure());
///     topology.link(router, host);
///     let lab = topology.start()?; // the host has an address
///     let before = lab[host].ipv6();
///     let other = AdvertiseSpec::new().prefix("2001:db8:2::/64");
///     lab[router].advertiser().unwrap().change(other)?;
///     lab.wait_until(|| lab[host].ipv6() != before)?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Advertiser {
    node: String,
    interfaces: Vec<u32>,
    networks: Arc<Lock<Vec<AdvertisedNetwork>>>,
    control: Lock<Weak<Control>>,
}

/// A network on which the router advertises itself.
#[derive(Debug)]
struct AdvertisedNetwork {
    advertisement: Advertisement,
    /// Time between two advertisements.
    interval: Duration,
    /// The moment of the next one, since the start of the trial.
    next: Duration,
}

impl Advertiser {
    pub(crate) fn new(node: &NodePlan, spec: &AdvertiseSpec, plan: &Plan) -> Self {
        let forwards = plan[node.stack].sets("net/ipv6/conf/all/forwarding", "1");
        let (mut networks, mut indexes) = (Vec::new(), Vec::new());
        for interface in &plan[node.stack].interfaces {
            let own = interface.addresses.iter().find_map(|it| match it.ip {
                IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(v6),
                IpAddr::V4(_) | IpAddr::V6(_) => None,
            });
            let (Some(from), Some(prefix)) = (own, advertised_prefix(spec, interface)) else {
                continue;
            };
            // Sockets and networks have the same numbers from here on.
            indexes.push(interface.index);
            networks.push(AdvertisedNetwork {
                advertisement: Advertisement {
                    mac: interface.mac,
                    from,
                    router: if forwards { spec.seconds() } else { 0 },
                    prefixes: vec![(prefix, spec.seconds().into())],
                },
                interval: spec_interval(spec),
                next: Duration::ZERO,
            });
        }
        Self {
            node: node.name.clone(),
            interfaces: indexes,
            networks: Arc::new(Lock::new(networks)),
            control: Lock::default(),
        }
    }

    /// Advertises another prefix from now on, or other times. Hosts hear that the prefix of before
    /// is over: they make no new connections from its addresses, and drop them in time (RFC 4862,
    /// section 5.5.3: two hours, or what was left of their lifetime).
    ///
    /// # Errors
    /// The specification has no prefix, or one that is no /64. The router is as it was then.
    pub fn change(&self, spec: AdvertiseSpec) -> Result<()> {
        let wrong = |wrong: &str| {
            let why = format!("advertises a prefix that hosts cannot use: {wrong}");
            LabError::invalid(Subject::Node(self.node.clone()), why)
        };
        let prefix = spec.parsed_prefix().map_err(|why| wrong(&why))?;
        let prefix = prefix.ok_or_else(|| wrong("there is none"))?;
        for network in self.networks.lock().iter_mut() {
            let Advertisement {
                router, prefixes, ..
            } = &mut network.advertisement;
            prefixes.retain(|(other, _)| *other != prefix);
            // Those of before are told once more with each advertisement, for hosts that have
            // missed the first one.
            prefixes.iter_mut().for_each(|(_, seconds)| *seconds = 0);
            prefixes.insert(0, (prefix, spec.seconds().into()));
            if *router > 0 {
                *router = spec.seconds();
            }
            network.interval = spec_interval(&spec);
            network.next = Duration::ZERO;
        }
        // The thread waits for the time of the next one, which has just changed.
        if let Some(control) = self.control.lock().upgrade() {
            control.wake();
        }
        Ok(())
    }
}

/// Returns the time between two advertisements: a third of the lifetime (RFC 4861, section 6.2.1).
fn spec_interval(spec: &AdvertiseSpec) -> Duration {
    Duration::from_secs(spec.seconds().into()) / 3
}

impl Service for Advertiser {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        let indexes = &self.interfaces;
        let sockets = open_inside(place, "open the sockets of the router", || {
            let open = |index: &u32| Ok(PortSocket::open_for_solicitations(*index)?);
            indexes.iter().map(open).collect::<io::Result<Vec<_>>>()
        })?;
        // A router that was started again says so at once.
        for network in self.networks.lock().iter_mut() {
            network.next = Duration::ZERO;
        }
        let networks = Arc::clone(&self.networks);
        let thread = ServiceThread::start("ndp", place, RouterThread { sockets, networks })?;
        *self.control.lock() = Arc::downgrade(thread.control());
        Ok(thread)
    }
}

impl AdvertisedNetwork {
    /// Sends the advertisement if it is due, and returns the time until the next one.
    fn step(&mut self, socket: &PortSocket) -> Duration {
        let now = since_start();
        if self.next <= now {
            // One that cannot be sent, as on an interface that is down, is followed by another.
            let _ = socket.send(&self.advertisement.frame());
            self.next = now + self.interval;
        }
        self.next.saturating_sub(since_start())
    }
}

struct RouterThread {
    /// The sockets, in the order of the networks.
    sockets: Vec<PortSocket>,
    networks: Arc<Lock<Vec<AdvertisedNetwork>>>,
}

impl ServiceWork for RouterThread {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.sockets.iter().map(AsFd::as_fd).collect()
    }

    /// Sends the advertisements that are due.
    fn step(&mut self) -> Option<Duration> {
        let mut networks = self.networks.lock();
        let pairs = networks.iter_mut().zip(&self.sockets);
        pairs.map(|(network, socket)| network.step(socket)).min()
    }

    fn hear(&mut self, token: u64, _poller: &Poller) {
        let at = token as usize;
        let socket = self.sockets.get(at);
        // The content is not looked at: the filter of the socket takes solicitations alone.
        // RFC 4861, section 6.2.6: the router may answer all at once. Whatever a host asks, the
        // answer is the advertisement, and all hosts hear it.
        if socket.is_some_and(|socket| socket.receive(&mut [0; 256]).is_ok())
            && let Some(network) = self.networks.lock().get_mut(at)
        {
            network.next = Duration::ZERO;
        }
    }
}
