//! A DHCP server: which client has which address, and until when.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::dhcp::message::{DhcpMessage, MessageKind};
use crate::dhcp::pool::LeasePool;
use crate::order::sort_by_key;

/// Time for which an offered address is kept for the client, and one that somebody else has is kept
/// from all.
const OFFERED: Duration = Duration::from_secs(30);
const DECLINED: Duration = Duration::from_secs(600);

/// An address that a client has from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DhcpLease {
    /// The address.
    pub address: Ipv4Addr,
    /// The MAC address of the client.
    pub mac: [u8; 6],
    /// The name that the client said it has.
    pub hostname: Option<String>,
    /// Time since the start of the trial at which the lease ends.
    pub until: Duration,
}

/// A server on one network.
#[derive(Clone, Debug)]
pub struct DhcpServer {
    pool: LeasePool,
    /// The addresses that clients have or were offered, by the name of the client.
    given: HashMap<Vec<u8>, Given>,
    /// Addresses that somebody has whom the server does not know, and until when to believe it.
    declined: HashMap<Ipv4Addr, Duration>,
}

#[derive(Clone, Debug)]
struct Given {
    lease: DhcpLease,
    /// Whether the client has taken the offer.
    taken: bool,
}

impl DhcpServer {
    /// Returns a server that has given nothing.
    pub fn new(pool: LeasePool) -> Self {
        Self {
            pool,
            given: HashMap::new(),
            declined: HashMap::new(),
        }
    }

    /// Returns the pool.
    pub fn pool(&self) -> &LeasePool {
        &self.pool
    }

    /// Gives addresses of another pool from now on. Who has another one hears so when asking for
    /// more time.
    pub fn set_pool(&mut self, pool: LeasePool) {
        self.pool = pool;
    }

    /// Returns what clients have at a moment.
    pub fn leases(&self, now: Duration) -> Vec<DhcpLease> {
        let given = self.given.values();
        let taken = given.filter(|it| it.taken && it.lease.until > now);
        let mut leases: Vec<DhcpLease> = taken.map(|it| it.lease.clone()).collect();
        sort_by_key(&mut leases, |it| it.address);
        leases
    }

    /// Forgets what was given, as a server does that has lost its disk.
    pub fn forget(&mut self) {
        self.given.clear();
        self.declined.clear();
    }

    /// Returns the answer to a message, if there is one.
    pub fn hear(&mut self, message: &DhcpMessage, now: Duration) -> Option<DhcpMessage> {
        self.given.retain(|_, it| it.lease.until > now);
        self.declined.retain(|_, until| *until > now);
        // The client of a relay is on another network, for which there is no pool here, and the
        // relay would wait for an answer at its port (RFC 2131, section 4.1).
        if !message.relay.is_unspecified() {
            return None;
        }
        let key = key(message);
        match message.kind {
            MessageKind::Discover => {
                let address = self.choose(&key, message.requested)?;
                self.give(key, message, address, now + OFFERED, false);
                Some(self.answer(message, MessageKind::Offer, address))
            }
            MessageKind::Request => self.request(key, message, now),
            MessageKind::Release | MessageKind::Decline => {
                let given = self.given.remove(&key)?;
                if message.kind == MessageKind::Decline {
                    self.declined.insert(given.lease.address, now + DECLINED);
                }
                None
            }
            MessageKind::Inform => {
                let mut answer = self.answer(message, MessageKind::Ack, Ipv4Addr::UNSPECIFIED);
                // RFC 2131, section 4.3.5: no times, for there is no lease.
                answer.times = [None; 3];
                Some(answer)
            }
            MessageKind::Offer | MessageKind::Ack | MessageKind::Nak => None,
        }
    }

    /// Answers a request, as RFC 2131, section 4.3.2, says.
    fn request(
        &mut self,
        key: Vec<u8>,
        message: &DhcpMessage,
        now: Duration,
    ) -> Option<DhcpMessage> {
        let own = self.given.get(&key).map(|it| it.lease.address);
        if message
            .server
            .is_some_and(|server| server != self.pool.server)
        {
            // The client has chosen another server.
            self.given.remove(&key);
            return None;
        }
        let wanted = message.requested.or_else(|| {
            let has = message.client;
            (!has.is_unspecified()).then_some(has)
        })?;
        let may = self.pool.has(wanted) && !self.declined.contains_key(&wanted);
        let of_another = || {
            let mut others = self.given.iter();
            others.any(|(other, it)| *other != key && it.lease.address == wanted)
        };
        if !may || own.is_some_and(|own| own != wanted) || of_another() {
            let mut nak = DhcpMessage::new(MessageKind::Nak, message.xid, message.mac);
            nak.server = Some(self.pool.server);
            // A refusal is sent to everybody, as the client may lack the address that it asked for
            // (RFC 2131, section 4.3.2).
            nak.broadcast = true;
            return Some(nak);
        }
        let until = now + Duration::from_secs(self.pool.lease.into());
        self.give(key, message, wanted, until, true);
        Some(self.answer(message, MessageKind::Ack, wanted))
    }

    /// Chooses an address for a client: the one that it has, the one that it wants, or one that
    /// nobody has.
    fn choose(&self, key: &[u8], wanted: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let free = |address: &Ipv4Addr| {
            let mut others = self.given.iter();
            let taken = others.any(|(other, it)| other != key && it.lease.address == *address);
            self.pool.has(*address) && !taken && !self.declined.contains_key(address)
        };
        let own = self.given.get(key).map(|it| it.lease.address);
        let known = own.into_iter().chain(wanted).find(free);
        known.or_else(|| self.pool.addresses().find(free))
    }

    fn give(
        &mut self,
        key: Vec<u8>,
        message: &DhcpMessage,
        address: Ipv4Addr,
        until: Duration,
        taken: bool,
    ) {
        let lease = DhcpLease {
            address,
            mac: message.mac,
            hostname: message.hostname.clone(),
            until,
        };
        // A client that looks anew keeps the time that it has.
        let still = self.given.get(&key).filter(|it| it.taken && !taken);
        let still = still.filter(|it| it.lease.address == address).is_some();
        if !still {
            self.given.insert(key, Given { lease, taken });
        }
    }

    fn answer(&self, to: &DhcpMessage, kind: MessageKind, yours: Ipv4Addr) -> DhcpMessage {
        let LeasePool {
            server,
            prefix,
            range: _,
            taken: _,
            router,
            dns,
            domain,
            lease,
            renew_after,
        } = &self.pool;
        let mut answer = DhcpMessage::new(kind, to.xid, to.mac);
        answer.broadcast = to.broadcast;
        answer.client = to.client;
        answer.yours = yours;
        answer.server = Some(*server);
        // RFC 2131, section 4.4.5: another server is asked after seven eighths of the time.
        let rebind = u32::try_from(u64::from(*lease) * 7 / 8).ok();
        let rebind = rebind.map(|it| it.max(*renew_after));
        answer.times = [Some(*lease), Some(*renew_after), rebind];
        answer.prefix = Some(*prefix);
        answer.routers = router.iter().copied().collect();
        answer.dns.clone_from(dns);
        answer.domain = Some(domain.clone());
        answer.identity.clone_from(&to.identity);
        answer
    }
}

/// Returns the name by which a client is known.
fn key(message: &DhcpMessage) -> Vec<u8> {
    message
        .identity
        .clone()
        .unwrap_or_else(|| message.mac.to_vec())
}
