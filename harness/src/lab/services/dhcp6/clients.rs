//! The DHCPv6 clients of a node, as the lab sees them.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv6Addr;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::events::{EventKind, Journal};
use crate::kernel::netlink::Netlink;
use crate::kernel::sync::{Lock, Notifier};
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::failure::{FailureReason, MissingIpv6};
use crate::lab::services::dhcp6::client;
use crate::lab::services::dhcp6::holder::{DelegatedPrefix, add_address};
use crate::lab::services::ndp::advertiser::Advertiser;
use crate::lab::services::service::{Service, ServicePlace, ServiceThread, ThreadWaker};
use crate::lab::stack::stack::{AddressClient, Stack};
use crate::model::dhcp::AddressSource;
use crate::model::dhcp6::delegated;
use crate::model::dhcp6::network::link_local;
use crate::topology::plan::{InterfacePlan, NodePlan};
use crate::topology::{LinkId, Plan, Subnet};

/// The clients of a node.
#[derive(Debug)]
pub(crate) struct Dhcp6Clients {
    state: Arc<Dhcp6ClientState>,
    interfaces: Lock<Vec<AskingInterface>>,
    waker: ThreadWaker,
}

/// An interface at which a node asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AskingInterface {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) mac: [u8; 6],
    pub(super) link_local: Ipv6Addr,
    /// Whether the node asks for an address where the router tells hosts to ask.
    pub(super) address: bool,
    /// Whether the node asks for a prefix.
    pub(super) prefix: bool,
    /// Whether the interface went with its link.
    gone: bool,
}

/// The state that the thread of the clients and those who wait for it share.
#[derive(Debug)]
pub(super) struct Dhcp6ClientState {
    pub(super) node: String,
    /// The MAC address by which servers know the node.
    pub(super) mac: [u8; 6],
    pub(super) journal: Arc<Journal>,
    stack: Arc<Stack>,
    /// The indexes of interfaces that lead to another network than before.
    pub(super) anew: Lock<BTreeSet<u32>>,
    pub(super) prefix: Option<DelegatedPrefix>,
    /// State of the addresses of each interface, by its index.
    pub(super) addresses: Lock<HashMap<u32, KnownAddress>>,
    pub(super) changed: Notifier,
}

/// The state of the address of an interface, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KnownAddress {
    /// The router tells hosts to make addresses by themselves.
    OwnMake,
    /// The router tells hosts to ask, and no server has answered.
    Asking,
    /// The interface has an address.
    Has(Ipv6Addr),
}

impl Dhcp6Clients {
    /// Returns the clients of a node, if it has some.
    pub(crate) fn of(
        node: &NodePlan,
        plan: &Plan,
        stack: &Arc<Stack>,
        advertiser: Option<&Arc<Advertiser>>,
        journal: &Arc<Journal>,
    ) -> Option<Self> {
        let delegated = node.advertise.as_ref().is_some_and(|it| it.is_delegated());
        if !delegated && node.addresses_v6 != AddressSource::Dhcp {
            return None;
        }
        let planned = &plan[node.stack];
        let downlinks = || delegated::downlinks(planned).map(|it| it.index).collect();
        let prefix = advertiser.filter(|_| delegated);
        let state = Dhcp6ClientState {
            node: node.name.clone(),
            // The host has one name, whatever interface it asks by (RFC 8415, section 11).
            mac: planned.interfaces.first()?.mac,
            journal: Arc::clone(journal),
            stack: Arc::clone(stack),
            anew: Lock::default(),
            prefix: prefix.map(|it| DelegatedPrefix::new(downlinks(), Arc::clone(it))),
            addresses: Lock::default(),
            changed: Notifier::default(),
        };
        let state = Arc::new(state);
        let keeper: Weak<Dhcp6ClientState> = Arc::downgrade(&state);
        stack.add_client(keeper);
        Some(Self {
            state,
            interfaces: Lock::new(asking(node, plan, &BTreeSet::new())),
            waker: ThreadWaker::default(),
        })
    }

    /// Returns the prefix that the node is delegated.
    pub(crate) fn delegated_prefix(&self) -> Option<Subnet> {
        self.state.prefix.as_ref()?.range()
    }

    /// Takes over what a changed plan says of the interfaces, some of whose links were removed.
    pub(crate) fn refresh(&self, plan: &Plan, removed: &BTreeSet<LinkId>) {
        let Some(node) = plan.nodes.iter().find(|it| it.name == self.state.node) else {
            return;
        };
        *self.interfaces.lock() = asking(node, plan, removed);
        if let Some(prefix) = &self.state.prefix {
            let downlinks = delegated::downlinks(&plan[node.stack]);
            *prefix.downlinks.lock() = downlinks.map(|it| it.index).collect();
        }
        // The thread numbers networks that are new.
        self.waker.wake();
    }

    /// Lets the client of an interface ask anew: it leads to another network.
    pub(crate) fn ask_anew(&self, index: u32) {
        // A delegated prefix stays: the network in front of a router is the same one.
        let asks = |it: &AskingInterface| it.index == index && it.address;
        if self.interfaces.lock().iter().any(asks) {
            self.state.anew.lock().insert(index);
            self.state.addresses.lock().remove(&index);
            self.waker.wake();
        }
    }

    /// Returns what is missing yet, as the rest of a sentence.
    fn missing(&self, addresses: &HashMap<u32, KnownAddress>) -> Option<MissingIpv6> {
        let interfaces = self.interfaces.lock();
        let without = interfaces.iter().find_map(|it| {
            let known = addresses.get(&it.index);
            let interface = || it.name.clone();
            match known {
                _ if !it.address || it.gone => None,
                None => Some(MissingIpv6::Advertisement {
                    interface: interface(),
                }),
                Some(KnownAddress::Asking) => Some(MissingIpv6::Address {
                    interface: interface(),
                }),
                Some(KnownAddress::OwnMake | KnownAddress::Has(_)) => None,
            }
        });
        let prefix = self.state.prefix.as_ref();
        let unnumbered = prefix.filter(|it| !it.heard.load(Ordering::Relaxed));
        without.or_else(|| {
            let names = interfaces.iter().filter(|it| it.prefix);
            let interfaces = names.map(|it| it.name.clone()).collect();
            unnumbered.map(|_| MissingIpv6::Prefix { interfaces })
        })
    }
}

/// Returns the interfaces at which a node asks.
fn asking(node: &NodePlan, plan: &Plan, removed: &BTreeSet<LinkId>) -> Vec<AskingInterface> {
    let delegated = node.advertise.as_ref().is_some_and(|it| it.is_delegated());
    let own = |it: &InterfacePlan| {
        let address = node.addresses_v6 == AddressSource::Dhcp;
        let prefix = delegated && it.uplink;
        let interface = AskingInterface {
            name: it.name.clone(),
            index: it.index,
            mac: it.mac,
            link_local: link_local(it)?,
            address,
            prefix,
            gone: removed.contains(&it.link),
        };
        (address || prefix).then_some(interface)
    };
    plan[node.stack].asking().filter_map(own).collect()
}

impl AddressClient for Dhcp6ClientState {
    fn give_back(&self, index: u32) {
        let known = self.addresses.lock().get(&index).copied();
        let Some(Ok(mut netlink)) = self.stack.netns().map(|it| Netlink::open_in(it.as_fd()))
        else {
            return;
        };
        // The kernel has taken all addresses of IPv6 (net/ipv6/addrconf.c, addrconf_ifdown).
        let address = match known {
            Some(KnownAddress::Has(address)) => add_address(&mut netlink, index, address),
            Some(KnownAddress::OwnMake | KnownAddress::Asking) | None => Ok(()),
        };
        let prefix = self.prefix.as_ref();
        let prefix = prefix.filter(|it| it.downlinks.lock().contains(&index));
        let prefix = prefix.map_or(Ok(()), |it| it.follow(&mut netlink));
        for error in [address.err(), prefix.err()].into_iter().flatten() {
            self.journal.record(EventKind::ServiceFailed {
                service: format!("DHCPv6 client of `{}`", self.node),
                error: error.to_string(),
            });
        }
    }
}

impl Service for Dhcp6Clients {
    fn start(&self, place: &dyn ServicePlace) -> Result<ServiceThread> {
        let interfaces = self.interfaces.lock().clone();
        let known = std::mem::take(&mut *self.state.addresses.lock());
        self.state.anew.lock().clear();
        if let Some(prefix) = &self.state.prefix {
            prefix.heard.store(false, Ordering::Relaxed);
        }
        let thread = client::start(place, interfaces, &known, &self.state)?;
        self.waker.set(&thread);
        Ok(thread)
    }

    fn await_ready(&self, limit: Duration, have_ended: &dyn Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut addresses = self.state.addresses.lock();
        while let Some(missing) = self.missing(&addresses) {
            if have_ended() {
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let node = &self.state.node;
                let why = FailureReason::NoIpv6 { missing, limit };
                let what = NodeAttempt::Start.with(node);
                return Err(LabError::failed(what, why).about_node(node));
            }
            addresses = self.state.changed.wait_timeout(addresses, left);
        }
        Ok(())
    }

    fn ended(&self) {
        // Whoever waits looks and waits under this lock.
        drop(self.state.addresses.lock());
        self.state.changed.notify_all();
    }

    fn networks(&self) -> usize {
        self.interfaces.lock().len()
    }
}
