//! A DHCPv6 server: which client has which address or prefix, and until when.

use std::collections::{HashMap, HashSet};
use std::net::Ipv6Addr;
use std::time::Duration;

use crate::dhcp::given;
use crate::dhcp6::message::{AssociationKind, duid, first, single};
use crate::dhcp6::network::Dhcp6Network;
use crate::dhcp6::spec::{Delegation, Dhcp6Spec};
use crate::order::sort_by_key;
use crate::topology::Subnet;

/// Time for which what was offered is kept for the client, and an address that somebody else has is
/// kept from all.
const OFFERED: Duration = Duration::from_secs(30);
const DECLINED: Duration = Duration::from_secs(600);

/// An address or a prefix that a client has from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dhcp6Lease {
    /// The prefix, or the address as a prefix of 128 bits.
    pub range: Subnet,
    /// The name of the client (DUID).
    pub client: Vec<u8>,
    /// The number of the client's association (IAID).
    pub id: u32,
    /// The link-local address from which the client asked.
    pub via: Ipv6Addr,
    /// Time since the start of the trial at which the lease ends.
    pub until: Duration,
}

/// A server on the networks of a node.
#[derive(Clone, Debug)]
pub struct Dhcp6Server {
    pub(super) duid: Vec<u8>,
    pub(super) networks: Vec<Dhcp6Network>,
    pub(super) seconds: u32,
    pub(super) renew_after: u32,
    pub(super) rapid_commit: bool,
    delegation: Option<(Delegation, Subnet)>,
    given: HashMap<LeaseKey, GivenRange>,
    /// Addresses that somebody has whom the server does not know, and until when to believe it.
    declined: HashMap<Ipv6Addr, Duration>,
}

/// Holder of a lease: a client on a network, under a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LeaseKey {
    pub(super) network: usize,
    pub(super) client: Vec<u8>,
    pub(super) kind: AssociationKind,
    pub(super) id: u32,
}

#[derive(Clone, Debug)]
struct GivenRange {
    range: Subnet,
    via: Ipv6Addr,
    until: Duration,
    /// Whether the client has taken the offer.
    taken: bool,
}

impl Dhcp6Server {
    /// Returns a server that has given nothing, with the name that it has by a MAC address.
    pub fn new(mac: [u8; 6], spec: &Dhcp6Spec, networks: Vec<Dhcp6Network>) -> Self {
        let mut server = Self {
            duid: duid(mac),
            networks: Vec::new(),
            seconds: 0,
            renew_after: 0,
            rapid_commit: false,
            delegation: None,
            given: HashMap::new(),
            declined: HashMap::new(),
        };
        server.change(spec, networks);
        server
    }

    /// Gives something else from now on. Networks keep their numbers, and new ones come last.
    pub fn change(&mut self, spec: &Dhcp6Spec, networks: Vec<Dhcp6Network>) {
        self.networks = networks;
        [self.seconds, self.renew_after] = given::seconds(spec.lease, spec.renew_after);
        self.rapid_commit = spec.rapid_commit;
        let delegation = spec.delegate.clone();
        // A range that cannot be is refused before it comes here.
        self.delegation = delegation.and_then(|it| Some((it.clone(), it.parsed().ok()?)));
    }

    /// Returns whether there is an address or a prefix to give, and a time to give it for.
    pub fn gives_something(&self) -> bool {
        let mut networks = self.networks.iter();
        let addresses = networks.any(|it| it.addresses().next().is_some());
        self.seconds > 0 && (addresses || self.delegation.is_some())
    }

    /// Returns the range of which prefixes are delegated.
    pub fn delegated_range(&self) -> Option<Subnet> {
        self.delegation.as_ref().map(|(_, range)| *range)
    }

    /// Returns what clients have at a moment: addresses and prefixes in their order.
    pub fn leases(&self, now: Duration) -> Vec<Dhcp6Lease> {
        let mut leases: Vec<Dhcp6Lease> = self.taken(now).map(|(_, it)| it).collect();
        sort_by_key(&mut leases, |it| (it.range, it.id));
        leases
    }

    /// Returns the prefixes that are delegated at a moment, with the number of the network behind
    /// which each of them is, and the router there.
    pub fn routes(&self, now: Duration) -> HashSet<(Subnet, usize, Ipv6Addr)> {
        let of_prefix = |key: &LeaseKey| key.kind == AssociationKind::Prefixes;
        let taken = self.taken(now).filter(|(key, _)| of_prefix(key));
        taken
            .map(|(key, it)| (it.range, key.network, it.via))
            .collect()
    }

    fn taken(&self, now: Duration) -> impl Iterator<Item = (&LeaseKey, Dhcp6Lease)> {
        let taken = move |(_, it): &(&LeaseKey, &GivenRange)| it.taken && it.until > now;
        self.given.iter().filter(taken).map(|(key, it)| {
            let lease = Dhcp6Lease {
                range: it.range,
                client: key.client.clone(),
                id: key.id,
                via: it.via,
                until: it.until,
            };
            (key, lease)
        })
    }

    /// Returns the moment at which the next lease ends.
    pub fn next_end(&self) -> Option<Duration> {
        self.given.values().map(|it| it.until).min()
    }

    /// Forgets leases whose time is over.
    pub fn expire(&mut self, now: Duration) {
        self.given.retain(|_, it| it.until > now);
        self.declined.retain(|_, until| *until > now);
    }

    /// Forgets what was given, as a server does that has lost its disk.
    pub fn forget(&mut self) {
        self.given.clear();
        self.declined.clear();
    }

    /// Returns whether the server may give an address or prefix to a client, which may have it
    /// already.
    pub(super) fn may_give(&self, key: &LeaseKey, range: Subnet) -> bool {
        let fits = match key.kind {
            AssociationKind::Addresses => {
                let address = first(range);
                let mut network = self.networks.get(key.network).into_iter();
                range.prefix() == 128
                    && network.any(|it| it.has(address))
                    && !self.declined.contains_key(&address)
            }
            AssociationKind::Prefixes => self.delegation.as_ref().is_some_and(|(parts, whole)| {
                range.prefix() == parts.length && whole.overlaps(&range)
            }),
        };
        let mut others = self.given.iter();
        fits && !others.any(|(other, it)| other != key && it.range == range)
    }

    /// Returns what a client has, or was offered.
    pub(super) fn of_client(&self, key: &LeaseKey) -> Option<Subnet> {
        self.given.get(key).map(|it| it.range)
    }

    /// Chooses for a client: what it has, what it wants, or what nobody has.
    pub(super) fn choose(
        &self,
        key: &LeaseKey,
        wanted: impl Iterator<Item = Subnet>,
    ) -> Option<Subnet> {
        let own = self.of_client(key).into_iter();
        let mut known = own.chain(wanted);
        let known = known.find(|range| self.may_give(key, *range));
        known.or_else(|| self.free(key))
    }

    /// Returns the first address or prefix that nobody has.
    fn free(&self, key: &LeaseKey) -> Option<Subnet> {
        // Looked up once: a pool may have as many as there are clients.
        let others = self.given.iter().filter(|(other, _)| *other != key);
        let taken: HashSet<Subnet> = others.map(|(_, it)| it.range).collect();
        let is_free = |range: &Subnet| !taken.contains(range);
        match key.kind {
            AssociationKind::Addresses => {
                let addresses = self.networks.get(key.network)?.addresses();
                let usable = addresses.filter(|it| !self.declined.contains_key(it));
                usable.map(single).find(is_free)
            }
            AssociationKind::Prefixes => {
                let (parts, whole) = self.delegation.as_ref()?;
                (0..)
                    .map_while(|number| whole.part(parts.length, number))
                    .find(is_free)
            }
        }
    }

    /// Notes that a client has something, or was offered it.
    pub(super) fn give(
        &mut self,
        key: LeaseKey,
        range: Subnet,
        via: Ipv6Addr,
        now: Duration,
        taken: bool,
    ) {
        let lease = Duration::from_secs(self.seconds.into());
        let until = now + if taken { lease } else { OFFERED };
        let before = self.given.get(&key);
        // A client that looks anew keeps the time that it has.
        let still = before.is_some_and(|it| it.taken && !taken && it.range == range);
        if !still {
            let given = GivenRange {
                range,
                via,
                until,
                taken,
            };
            self.given.insert(key, given);
        }
    }

    /// Takes back what a client has; nothing if it has none.
    pub(super) fn take_back(
        &mut self,
        key: &LeaseKey,
        declined: bool,
        now: Duration,
    ) -> Option<()> {
        let given = self.given.remove(key)?;
        if declined && key.kind == AssociationKind::Addresses {
            self.declined.insert(first(given.range), now + DECLINED);
        }
        Some(())
    }
}
