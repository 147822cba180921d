//! All leases of a router, and the rules by which hosts get them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::engine::{LeaseEngine, LeaseRefusal};
use super::lease::{HeldPeer, LeaseOrigin, PortLease};
use super::spec::PortMappingSpec;
use crate::nat::{NatProtocol, RequestedPort};

/// The most leases of a router.
const MOST: usize = 10_000;

const NANOSECONDS: u64 = 1_000_000_000;

/// The leases of a router.
#[derive(Debug)]
pub struct LeaseBook {
    spec: PortMappingSpec,
    leases: Vec<PortLease>,
    peers: Vec<HeldPeer>,
    /// The time at which the router had no lease, because it had just been started. Hosts find out
    /// by the seconds since then that their leases are gone (RFC 6887, section 8.5).
    epoch: u64,
}

/// A port that a host asks for.
#[derive(Clone, Debug)]
pub(super) struct LeaseWish {
    pub(super) protocol: NatProtocol,
    pub(super) inside: SocketAddrV4,
    /// The external port that the host would like, or 0.
    pub(super) port: u16,
    /// Whether no other port will do.
    pub(super) exact: bool,
    /// The lifetime; none for a lease that never ends.
    pub(super) lifetime: Option<Duration>,
    pub(super) origin: LeaseOrigin,
    pub(super) description: String,
}

impl LeaseOrigin {
    /// Returns whether a host that comes by `other` may change what this one has made. PCP has the
    /// nonce for that (RFC 6887, section 11.3).
    fn trusts(self, other: LeaseOrigin) -> bool {
        self == other
    }
}

impl LeaseBook {
    /// Makes a book without leases, whose epoch begins now.
    pub fn new(spec: PortMappingSpec, now: u64) -> LeaseBook {
        LeaseBook {
            spec,
            leases: Vec::new(),
            peers: Vec::new(),
            epoch: now,
        }
    }

    /// Returns what is served.
    pub fn spec(&self) -> &PortMappingSpec {
        &self.spec
    }

    /// Serves something else from now on. Leases go on.
    pub fn set_spec(&mut self, spec: PortMappingSpec) {
        self.spec = spec;
    }

    /// Returns the leases that have not ended, in the order in which they were made.
    pub fn leases(&self, now: u64) -> impl Iterator<Item = &PortLease> {
        self.leases.iter().filter(move |lease| lease.until > now)
    }

    /// Returns the remote hosts with which traffic is kept.
    pub fn peers(&self, now: u64) -> impl Iterator<Item = &HeldPeer> {
        self.peers.iter().filter(move |peer| peer.until > now)
    }

    /// Notes that the traffic with a remote host is kept; that of too many is not noted.
    pub(super) fn keep(&mut self, peer: HeldPeer) {
        let is_it = |it: &HeldPeer| {
            (it.protocol, it.inside, it.remote) == (peer.protocol, peer.inside, peer.remote)
        };
        match self.peers.iter().position(is_it) {
            Some(known) => self.peers[known] = peer,
            None if self.peers.len() < MOST => self.peers.push(peer),
            None => {}
        }
    }

    /// Returns the lease of an external port.
    pub(super) fn of_port(&self, protocol: NatProtocol, port: u16, now: u64) -> Option<PortLease> {
        let mut leases = self.leases(now);
        leases
            .find(|it| (it.protocol, it.port) == (protocol, port))
            .cloned()
    }

    /// Returns the whole seconds since the router had no lease.
    pub fn epoch(&self, now: u64) -> u32 {
        let seconds = now.saturating_sub(self.epoch) / NANOSECONDS;
        // The counter of the protocols has 32 bits, and begins anew after them.
        (seconds & u64::from(u32::MAX)) as u32
    }

    /// Forgets all leases, as a router does that was started again: the epoch begins now.
    pub fn forget(&mut self, engine: &mut dyn LeaseEngine, now: u64) {
        for lease in self.leases.drain(..) {
            engine.remove(&lease);
        }
        self.peers.clear();
        self.epoch = now;
    }

    /// Removes leases that have ended, and returns the time at which the next one ends.
    pub fn expire(&mut self, engine: &mut dyn LeaseEngine, now: u64) -> Option<u64> {
        self.remove(engine, |lease| lease.until <= now);
        self.peers.retain(|peer| peer.until > now);
        let peers = self.peers.iter().map(|peer| peer.until);
        let ends = self.leases.iter().map(|lease| lease.until).chain(peers);
        ends.filter(|until| *until != u64::MAX).min()
    }

    /// Gives a host the port that it asks for, or another one, or prolongs the lease.
    pub(super) fn lease(
        &mut self,
        engine: &mut dyn LeaseEngine,
        wish: &LeaseWish,
        now: u64,
    ) -> Result<PortLease, LeaseRefusal> {
        self.expire(engine, now);
        let until = wish.lifetime.map_or(u64::MAX, |time| end_of(time, now));
        let of_inside = |it: &PortLease| (it.protocol, it.inside) == (wish.protocol, wish.inside);
        let known = self.leases.iter().position(of_inside);
        let mut wanted = RequestedPort {
            protocol: wish.protocol,
            inside: wish.inside,
            port: wish.port,
            exact: wish.exact,
            until,
        };
        if let Some(known) = known {
            let lease = &self.leases[known];
            if !lease.origin.trusts(wish.origin) {
                return Err(LeaseRefusal::NotAuthorized);
            }
            // The answers of a host leave by one port, so that two ports cannot lead to it.
            if wish.exact && lease.port != wish.port {
                return Err(LeaseRefusal::Taken);
            }
            (wanted.port, wanted.exact) = (lease.port, true);
        } else if self.leases.len() == MOST {
            return Err(LeaseRefusal::Exhausted);
        }
        let lease = PortLease {
            protocol: wish.protocol,
            inside: wish.inside,
            port: engine.make(&wanted)?,
            until,
            origin: wish.origin,
            description: wish.description.clone(),
        };
        match known {
            Some(known) => self.leases[known] = lease.clone(),
            None => self.leases.push(lease.clone()),
        }
        Ok(lease)
    }

    /// Ends the leases of a host that `pick` picks, and returns how many those were.
    ///
    /// Nothing ends where one of them belongs to another protocol, or has another nonce.
    pub(super) fn end(
        &mut self,
        engine: &mut dyn LeaseEngine,
        host: Ipv4Addr,
        origin: LeaseOrigin,
        pick: impl Fn(&PortLease) -> bool,
    ) -> Result<usize, LeaseRefusal> {
        let picked = |it: &PortLease| *it.inside.ip() == host && pick(it);
        let mut of_host = self.leases.iter().filter(|it| picked(it));
        if !of_host.all(|it| it.origin.trusts(origin)) {
            return Err(LeaseRefusal::NotAuthorized);
        }
        Ok(self.remove(engine, picked))
    }

    /// Removes the leases that `pick` picks, with their mappings, and returns how many those were.
    fn remove(&mut self, engine: &mut dyn LeaseEngine, pick: impl Fn(&PortLease) -> bool) -> usize {
        let ended = self.leases.extract_if(.., |lease| pick(lease));
        ended.inspect(|lease| engine.remove(lease)).count()
    }
}

/// Returns the time at which a lease that begins now ends.
pub(super) fn end_of(lifetime: Duration, now: u64) -> u64 {
    now.saturating_add(u64::try_from(lifetime.as_nanos()).unwrap_or(u64::MAX))
}
