//! The advertisements of a router, and the thread that sends them.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::events::since_start;
use crate::kernel::frames::{PollEvents, PortSocket};
use crate::kernel::sync::Lock;
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::services::service::{
    Control, Service, ServicePlace, ServiceThread, inside, refused,
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
    shared: Arc<Shared>,
    interfaces: Vec<u32>,
}

#[derive(Debug)]
struct Shared {
    networks: Lock<Vec<Network>>,
    control: Lock<Weak<Control>>,
}

/// A network on which the router advertises itself.
#[derive(Debug)]
struct Network {
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
            networks.push(Network {
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
            shared: Arc::new(Shared {
                networks: Lock::new(networks),
                control: Lock::default(),
            }),
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
        for network in self.shared.networks.lock().iter_mut() {
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
        if let Some(control) = self.shared.control.lock().upgrade() {
            control.poller().wake();
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
        let opened = inside(place, || {
            let open = |index: &u32| Ok(PortSocket::open_for_solicitations(*index)?);
            indexes.iter().map(open).collect::<io::Result<Vec<_>>>()
        })?;
        let sockets = opened.map_err(|e| refused("open the sockets of the router", place, &e))?;
        // A router that was started again says so at once.
        for network in self.shared.networks.lock().iter_mut() {
            network.next = Duration::ZERO;
        }
        let shared = Arc::clone(&self.shared);
        let name = format!("ndp {}", place.place_name());
        let thread = ServiceThread::start(name, move |control| {
            if let Err(errno) = serve(control, &sockets, &shared) {
                eprintln!("the advertisements of a router of the lab have ended: {errno}");
            }
        })?;
        *self.shared.control.lock() = Arc::downgrade(thread.control());
        Ok(thread)
    }
}

fn serve(control: &Control, sockets: &[PortSocket], shared: &Shared) -> crate::kernel::Result<()> {
    for (token, socket) in (0..).zip(sockets) {
        control.poller().add(socket.as_fd(), token)?;
    }
    let mut events = PollEvents::new();
    let mut buffer = [0; 256];
    while control.goes_on() {
        // Before the first wait: hosts that are up have asked before there was somebody to answer.
        let left = advertise(sockets, shared);
        control.poller().wait(Some(left), &mut events)?;
        for token in events.tokens() {
            let socket = sockets.get(token as usize);
            // RFC 4861, section 6.2.6: the router may answer all at once. Whatever a host asks, the
            // answer is the advertisement, and all hosts hear it.
            if socket.is_some_and(|socket| socket.receive(&mut buffer).is_ok())
                && let Some(network) = shared.networks.lock().get_mut(token as usize)
            {
                network.next = Duration::ZERO;
            }
        }
    }
    Ok(())
}

/// Sends what is due, and returns the nanoseconds until more is.
fn advertise(sockets: &[PortSocket], shared: &Shared) -> u64 {
    let mut left = u64::MAX;
    for (network, socket) in shared.networks.lock().iter_mut().zip(sockets) {
        let now = since_start();
        if network.next <= now {
            // One that cannot be sent, as on an interface that is down, is followed by another.
            let _ = socket.send(&network.advertisement.frame());
            network.next = now + network.interval;
        }
        let rest = network.next.saturating_sub(since_start()).as_nanos();
        left = left.min(u64::try_from(rest).unwrap_or(u64::MAX));
    }
    left
}
