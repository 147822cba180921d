//! The leases of a router, and the service that gives them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::kernel::KernelEngine;
use super::rules::{TABLE, rules};
use super::server;
use super::site::{InsideNetwork, LeaseSite, NatCarrier};
use crate::events::{EventKind, note_in_all};
use crate::kernel::clock::monotonic;
use crate::kernel::netlink::NetlinkError;
use crate::kernel::nft::HookRule;
use crate::kernel::sync::Lock;
use crate::lab::error::Result;
use crate::lab::services::service::{Service, ServicePlace, ServiceThread, ThreadWaker};
use crate::model::nat::RequestedPort;
use crate::model::portmap::book::LeaseBook;
use crate::model::portmap::engine::{LeaseEngine, LeaseRefusal, NatNow};
use crate::model::portmap::{PortLease, PortMappingSpec};

/// The port mapping of a router. A node that serves none has one too, since a router may be told to
/// serve at any time.
#[derive(Debug)]
pub(crate) struct PortMapper {
    node: String,
    state: Arc<LeaseState>,
    /// The value that is served; nothing while there is no thread.
    serves: Lock<Option<Served>>,
    waker: ThreadWaker,
}

/// A value that a thread serves, and the networks where it does.
#[derive(Debug, PartialEq, Eq)]
struct Served {
    spec: PortMappingSpec,
    inside: Vec<InsideNetwork>,
}

/// State that the thread shares with those who ask for leases.
#[derive(Debug)]
pub(super) struct LeaseState {
    inner: Lock<Leases>,
    /// Whether all hosts are to hear of the router: it has started, or has lost its leases.
    announce: AtomicBool,
}

#[derive(Debug)]
struct Leases {
    book: LeaseBook,
    site: Option<LeaseSite>,
    /// The rules that are in place.
    installed: Vec<HookRule>,
}

impl PortMapper {
    pub(crate) fn new(node: &str) -> Self {
        let leases = Leases {
            book: LeaseBook::new(PortMappingSpec::off(), monotonic()),
            site: None,
            installed: Vec::new(),
        };
        Self {
            node: node.to_owned(),
            state: Arc::new(LeaseState {
                inner: Lock::new(leases),
                announce: AtomicBool::new(false),
            }),
            serves: Lock::default(),
            waker: ThreadWaker::default(),
        }
    }

    /// Takes over what a plan says. A router that gives no ports any more takes those back that it
    /// gave, and so does one whose NAT has changed.
    pub(crate) fn place(&self, served: Option<PortMappingSpec>, site: Option<LeaseSite>) {
        // A router without a NAT has no port to give.
        let served = served.filter(|_| site.is_some());
        let mut leases = self.state.inner.lock();
        let same = leases.is_at(site.as_ref());
        if !same || served.is_none() {
            leases.forget();
        }
        // The site is entered after the leases are forgotten, which happens in the NAT that has
        // them.
        leases.site = site;
        leases
            .book
            .set_spec(served.unwrap_or(PortMappingSpec::off()));
    }

    /// Forgets all leases, as a router does that loses its power. Hosts are told so.
    pub(crate) fn forget(&self) {
        self.state.inner.lock().forget();
        self.announce();
    }

    /// Tells all hosts behind the router the external address and the epoch.
    pub(crate) fn announce(&self) {
        self.state.announce.store(true, Ordering::Release);
        // Without a thread, the next one tells it when it starts.
        self.waker.wake();
    }

    /// Returns the leases, with their external address.
    pub(crate) fn leases(&self) -> Vec<(PortLease, Ipv4Addr)> {
        self.state.with(|book, engine, now| {
            let external = engine.external();
            let all = book.leases(now).cloned();
            all.filter_map(|lease| Some((lease, external?))).collect()
        })
    }

    fn wanted(&self) -> Option<Served> {
        let leases = self.state.inner.lock();
        let site = leases.site.as_ref()?;
        let spec = *leases.book.spec();
        spec.is_on().then(|| Served {
            spec,
            inside: site.inside.clone(),
        })
    }
}

impl Service for PortMapper {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        let Served { spec, inside } = self.wanted().unwrap_or(Served {
            spec: PortMappingSpec::off(),
            inside: Vec::new(),
        });
        // A thread that takes the place of another goes on with its leases. One that begins with
        // its node has none: a router keeps them in memory.
        if self.serves.lock().is_none() {
            self.state.inner.lock().forget();
        }
        self.state.announce.store(true, Ordering::Release);
        let thread = server::start(place, &self.node, &spec, &inside, &self.state)?;
        self.waker.set(&thread);
        *self.serves.lock() = Some(Served { spec, inside });
        Ok(thread)
    }

    fn is_wanted(&self) -> bool {
        self.wanted().is_some()
    }

    fn is_outdated(&self) -> bool {
        *self.serves.lock() != self.wanted()
    }

    fn ended(&self) {
        *self.serves.lock() = None;
    }
}

impl LeaseState {
    /// Does something with the leases and the NAT. The rules of nftables are as they are to be when
    /// this returns.
    pub(super) fn with<R>(
        &self,
        work: impl FnOnce(&mut LeaseBook, &mut dyn LeaseEngine, u64) -> R,
    ) -> R {
        self.inner.lock().with(work)
    }

    /// Returns whether hosts are to hear of the router, once for each time.
    pub(super) fn take_announcement(&self) -> bool {
        self.announce.swap(false, Ordering::AcqRel)
    }
}

impl Leases {
    /// Returns whether leases can go on at a site: the NAT is the same one.
    fn is_at(&self, site: Option<&LeaseSite>) -> bool {
        let (Some(before), Some(now)) = (&self.site, site) else {
            return self.site.is_none() && site.is_none();
        };
        // The place of a NAT on a wire outlives a change of the plan, and its mappings with it.
        let carrier = match (&before.carrier, &now.carrier) {
            (NatCarrier::Wire(before), NatCarrier::Wire(now)) => Arc::ptr_eq(before, now),
            (NatCarrier::Kernel(before), NatCarrier::Kernel(now)) => before == now,
            (NatCarrier::Wire(_), NatCarrier::Kernel(_))
            | (NatCarrier::Kernel(_), NatCarrier::Wire(_)) => false,
        };
        carrier
            && before.nat == now.nat
            && (before.uplink, before.firewall) == (now.uplink, now.firewall)
    }

    fn with<R>(&mut self, work: impl FnOnce(&mut LeaseBook, &mut dyn LeaseEngine, u64) -> R) -> R {
        let now = monotonic();
        // The site is copied: the book is changed while the site is looked at.
        let Some(site) = self.site.clone().map(LeaseSite::with_leased_address) else {
            return work(&mut self.book, &mut NoNat, now);
        };
        let (done, forgotten) = match &site.carrier {
            NatCarrier::Wire(nat) => {
                let book = &mut self.book;
                // Packets wait meanwhile, so that none meets half of a change.
                let done = nat.with(|all| match &mut all.v4 {
                    Some(nat) => work(book, &mut NatNow { nat, now }, now),
                    None => work(book, &mut NoNat, now),
                });
                (done, Ok(()))
            }
            NatCarrier::Kernel(nat) => {
                let taken = self.book.leases(now);
                let taken = taken.map(|it| (it.protocol, it.port, it.inside)).collect();
                let Some(netns) = site.stack.netns() else {
                    return work(&mut self.book, &mut NoNat, now);
                };
                let mut engine = KernelEngine {
                    nat,
                    netns: netns.as_fd(),
                    taken,
                    ended: Vec::new(),
                };
                let done = work(&mut self.book, &mut engine, now);
                // The rules go first: without them, no packet begins such a connection again.
                let installed = self.install(&site, now);
                (done, installed.and_then(|()| engine.forget_connections()))
            }
        };
        if let Err(error) = forgotten.and_then(|()| self.install(&site, now)) {
            note_in_all(EventKind::ServiceFailed {
                service: "the leases of ports of a router".to_owned(),
                error: error.to_string(),
            });
        }
        done
    }

    /// Puts the rules in place that the leases need.
    fn install(&mut self, site: &LeaseSite, now: u64) -> std::result::Result<(), NetlinkError> {
        let rules = rules(site, &self.book, now);
        // Most requests renew a lease, which changes no rule.
        if rules == self.installed {
            return Ok(());
        }
        let Some(netns) = site.stack.netns() else {
            return Ok(());
        };
        let mut filter = site.stack.packet_filter().lock();
        filter.replace_rules(netns.as_fd(), TABLE, &rules)?;
        self.installed = rules;
        Ok(())
    }

    fn forget(&mut self) {
        self.with(|book, engine, now| book.forget(engine, now));
    }
}

/// The engine of a router without a NAT, which gives no ports.
struct NoNat;

impl LeaseEngine for NoNat {
    fn external(&self) -> Option<Ipv4Addr> {
        None
    }

    fn make(&mut self, _wanted: &RequestedPort) -> std::result::Result<u16, LeaseRefusal> {
        Err(LeaseRefusal::NoAddress)
    }

    fn remove(&mut self, _lease: &PortLease) {}

    fn hold(
        &mut self,
        _wanted: &RequestedPort,
        _remote: SocketAddrV4,
    ) -> std::result::Result<SocketAddrV4, LeaseRefusal> {
        Err(LeaseRefusal::NoAddress)
    }
}
