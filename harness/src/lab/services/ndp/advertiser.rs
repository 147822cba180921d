//! The advertisements of a router, and the thread that sends them.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::events::since_start;
use crate::kernel::frames::{Poller, PortSocket};
use crate::kernel::sync::Lock;
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::services::service::{
    Service, ServicePlace, ServiceThread, ServiceWork, ThreadWaker, open_inside,
};
use crate::lab::unfit::UnfitService;
use crate::model::dhcp6::client::HeldRange;
use crate::model::dhcp6::network::{link_local, name_servers};
use crate::model::ndp::AdvertiseSpec;
use crate::model::ndp::advertisement::{
    AdvertisedPrefix, Advertisement, advertised_prefix, advertises,
};
use crate::topology::plan::{InterfacePlan, NodePlan};
use crate::topology::{Plan, Subnet};

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
    spec: AdvertiseSpec,
    networks: Arc<Lock<Vec<AdvertisedNetwork>>>,
    waker: ThreadWaker,
}

/// A network on which the router advertises itself.
#[derive(Debug)]
struct AdvertisedNetwork {
    /// Index of the interface.
    index: u32,
    advertisement: Advertisement,
    /// Whether the router forwards, and is a default router while it has a prefix.
    forwards: bool,
    /// Seconds for which the router and addresses of the first prefix are good.
    lifetime: u16,
    /// The moments at which the first prefix is preferred no more and valid no more, if the router
    /// has it for a time only.
    ends: Option<[Duration; 2]>,
    /// Time between two advertisements.
    interval: Duration,
    /// The moment of the next one, since the start of the trial.
    next: Duration,
}

impl Advertiser {
    pub(crate) fn new(node: &NodePlan, spec: &AdvertiseSpec, plan: &Plan) -> Self {
        Self {
            node: node.name.clone(),
            spec: spec.clone(),
            networks: Arc::new(Lock::new(networks(node, spec, plan))),
            waker: ThreadWaker::default(),
        }
    }

    /// Takes over networks that a changed plan has besides those of before.
    pub(crate) fn refresh(&self, plan: &Plan) {
        let node = plan.nodes.iter().find(|it| it.name == self.node);
        let all = node.map(|node| networks(node, &self.spec, plan));
        let mut known = self.networks.lock();
        for network in all.into_iter().flatten() {
            if known.iter().all(|it| it.index != network.index) {
                known.push(network);
            }
        }
    }

    /// Advertises another prefix from now on, or other times. Hosts hear that the earlier prefix
    /// is over: they make no new connections from its addresses, and drop them in time (RFC 4862,
    /// section 5.5.3: two hours, or what was left of their lifetime).
    ///
    /// # Errors
    /// The specification has no prefix, or one that is no /64, or the prefix of the router is the
    /// one that it is delegated. The router is as it was then.
    pub fn change(&self, spec: AdvertiseSpec) -> Result<()> {
        let unfit = |reason| LabError::unfit(Subject::Node(self.node.clone()), reason);
        if self.spec.is_delegated() || spec.is_delegated() {
            return Err(unfit(UnfitService::DelegatedPrefix));
        }
        let prefix = spec
            .parsed_prefix()
            .map_err(|wrong| unfit(UnfitService::UnusablePrefix(wrong)))?;
        let prefix = prefix.ok_or_else(|| unfit(UnfitService::NoPrefix))?;
        for network in self.networks.lock().iter_mut() {
            network.lifetime = spec.seconds();
            network.interval = spec_interval(&spec);
            network.advertisement.managed = spec.is_managed();
            network.advertisement.other = spec.is_other();
            network.advertisement.dns.1 = spec.seconds().into();
            network.replace(Some(prefix));
        }
        self.waker.wake();
        Ok(())
    }

    /// Advertises networks out of a prefix that the router is delegated, by the indexes of their
    /// interfaces, or that it has none.
    pub(crate) fn set_delegated(&self, held: Option<HeldRange>, networks: &HashMap<u32, Subnet>) {
        let now = since_start();
        for network in self.networks.lock().iter_mut() {
            let prefix = networks.get(&network.index).copied();
            network.ends = held.filter(|_| prefix.is_some()).map(|it| it.ends);
            // RFC 4861, section 6.2.1: three times before it is over.
            let left = held.map(|it| it.ends[1].saturating_sub(now) / 3);
            let interval = spec_interval(&self.spec);
            network.interval = left
                .map_or(interval, |left| left.min(interval))
                .max(SHORTEST);
            network.replace(prefix);
        }
        self.waker.wake();
    }
}

/// The shortest time between two advertisements that nobody asked for.
const SHORTEST: Duration = Duration::from_millis(500);

/// Returns the networks on which a node advertises itself.
fn networks(node: &NodePlan, spec: &AdvertiseSpec, plan: &Plan) -> Vec<AdvertisedNetwork> {
    let forwards = plan[node.stack].sets("net/ipv6/conf/all/forwarding", "1");
    let network = |interface: &InterfacePlan| {
        let from = link_local(interface).filter(|_| advertises(spec, interface))?;
        let mut network = AdvertisedNetwork {
            index: interface.index,
            advertisement: Advertisement {
                mac: interface.mac,
                from,
                router: 0,
                managed: spec.is_managed(),
                other: spec.is_other(),
                dns: (
                    name_servers(plan, node.stack, interface),
                    spec.seconds().into(),
                ),
                prefixes: Vec::new(),
            },
            forwards,
            lifetime: spec.seconds(),
            ends: None,
            interval: spec_interval(spec),
            next: Duration::ZERO,
        };
        network.replace(advertised_prefix(spec, interface));
        Some(network)
    };
    plan[node.stack]
        .interfaces
        .iter()
        .filter_map(network)
        .collect()
}

/// Returns the time between two advertisements: a third of the lifetime (RFC 4861, section 6.2.1).
fn spec_interval(spec: &AdvertiseSpec) -> Duration {
    Duration::from_secs(spec.seconds().into()) / 3
}

impl Service for Advertiser {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        let networks = self.networks.lock();
        let indexes: Vec<u32> = networks.iter().map(|it| it.index).collect();
        drop(networks);
        let sockets = open_inside(place, "the sockets of the router", || {
            let open = |index: &u32| Ok(PortSocket::open_for_solicitations(*index)?);
            indexes.iter().map(open).collect::<io::Result<Vec<_>>>()
        })?;
        // A router that was started again says so at once.
        for network in self.networks.lock().iter_mut() {
            network.next = Duration::ZERO;
        }
        let networks = Arc::clone(&self.networks);
        let thread = ServiceThread::start("ndp", place, RouterThread { sockets, networks })?;
        self.waker.set(&thread);
        Ok(thread)
    }

    fn networks(&self) -> usize {
        self.networks.lock().len()
    }
}

impl AdvertisedNetwork {
    /// Advertises a prefix, or none, from now on, and that the earlier prefixes are over.
    fn replace(&mut self, prefix: Option<Subnet>) {
        let Advertisement {
            router,
            managed,
            prefixes,
            ..
        } = &mut self.advertisement;
        prefixes.retain(|it| Some(it.prefix) != prefix);
        // The old prefixes are told once more with each advertisement, for hosts that have missed
        // the first one (RFC 9096, section 3.5).
        prefixes.iter_mut().for_each(|it| it.seconds = [0; 2]);
        // A router that has nothing to forward for is none.
        let is_router = self.forwards && prefix.is_some();
        *router = if is_router { self.lifetime } else { 0 };
        if let Some(prefix) = prefix {
            let advertised = AdvertisedPrefix {
                prefix,
                autonomous: !*managed,
                seconds: [self.lifetime.into(); 2],
            };
            prefixes.insert(0, advertised);
        }
        self.next = Duration::ZERO;
    }

    /// Takes over what is left of the time for which the router has its prefix.
    fn count_down(&mut self, now: Duration) {
        let first = self.advertisement.prefixes.first_mut();
        if let (Some(ends), Some(first)) = (self.ends, first) {
            let left = ends.map(|end| end.saturating_sub(now).as_secs());
            let left = left.map(|it| u32::try_from(it).unwrap_or(u32::MAX));
            first.seconds = left.map(|it| it.min(self.lifetime.into()));
        }
    }

    /// Sends the advertisement if it is due, and returns the time until the next one.
    fn step(&mut self, socket: &PortSocket) -> Duration {
        let now = since_start();
        if self.next <= now {
            self.count_down(now);
            // An advertisement that cannot be sent, as on an interface that is down, is followed by
            // another.
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
