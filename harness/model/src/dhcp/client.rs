//! A DHCP client: when it asks, and what it makes of the answers (RFC 2131, section 4.4).

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::dhcp::message::{DhcpMessage, MessageKind};

/// Time until a question is asked again; it doubles each time. RFC 2131 begins with four seconds,
/// which is for networks larger than a lab.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(16);

/// Number of times that an offered address is asked for before the client begins anew.
const REQUESTS: u32 = 4;

/// The address that a client has from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The address.
    pub address: Ipv4Addr,
    /// The length of the prefix of the network, in bits.
    pub prefix: u8,
    /// The router, if there is one.
    pub router: Option<Ipv4Addr>,
    /// The server.
    pub server: Ipv4Addr,
    /// The moments at which the client asks the server for more time, and any server, and at which
    /// the lease ends.
    pub times: [Duration; 3],
}

/// Something that a client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseAction {
    /// Send a message: to the server that it came from, or to everybody.
    Send {
        /// The message.
        message: DhcpMessage,
        /// The server; everybody if there is none.
        to: Option<Ipv4Addr>,
    },
    /// Use an address.
    Take(Held),
    /// Use an address no more.
    Drop(Held),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LeasePhase {
    Selecting,
    /// The address that was offered, and the server.
    Requesting(Ipv4Addr, Ipv4Addr),
    Bound(Held),
    Renewing(Held),
    Rebinding(Held),
}

/// A client of one interface.
#[derive(Clone, Debug)]
pub struct DhcpClient {
    mac: [u8; 6],
    hostname: String,
    xid: u32,
    phase: LeasePhase,
    tries: u32,
    /// The moment at which the client does something by itself.
    next: Duration,
}

impl DhcpClient {
    /// Returns a client that begins at once.
    pub fn new(mac: [u8; 6], hostname: &str) -> Self {
        let [a, b, c, d, e, f] = mac;
        Self {
            mac,
            hostname: hostname.to_owned(),
            // The MAC address tells the number apart from those of other hosts on the network.
            xid: u32::from_be_bytes([c, d, e, f]) ^ u32::from_be_bytes([a, b, 0, 1]),
            phase: LeasePhase::Selecting,
            tries: 0,
            next: Duration::ZERO,
        }
    }

    /// Begins anew, as on another network, and returns what the client had.
    pub fn restart(&mut self, now: Duration) -> Option<Held> {
        let held = self.held().cloned();
        self.begin(now);
        held
    }

    /// Returns what the client has.
    pub fn held(&self) -> Option<&Held> {
        match &self.phase {
            LeasePhase::Bound(held) | LeasePhase::Renewing(held) | LeasePhase::Rebinding(held) => {
                Some(held)
            }
            LeasePhase::Selecting | LeasePhase::Requesting(..) => None,
        }
    }

    /// Returns the moment at which [`step`](Self::step) is to be called.
    pub fn next(&self) -> Duration {
        self.next
    }

    /// Does what is due at a moment.
    pub fn step(&mut self, now: Duration) -> Vec<LeaseAction> {
        let mut actions = Vec::new();
        if now < self.next {
            return actions;
        }
        match self.phase.clone() {
            LeasePhase::Bound(held) => self.enter(LeasePhase::Renewing(held), now),
            LeasePhase::Renewing(held) if now >= held.times[1] => {
                self.enter(LeasePhase::Rebinding(held), now);
            }
            LeasePhase::Rebinding(held) if now >= held.times[2] => {
                actions.push(LeaseAction::Drop(held));
                self.begin(now);
            }
            LeasePhase::Requesting(..) if self.tries >= REQUESTS => self.begin(now),
            LeasePhase::Selecting
            | LeasePhase::Requesting(..)
            | LeasePhase::Renewing(_)
            | LeasePhase::Rebinding(_) => {}
        }
        let mut message = DhcpMessage::new(MessageKind::Request, self.xid, self.mac);
        message.hostname = Some(self.hostname.clone());
        // The phase after this one begins when its time has come, however long the pause is.
        let (to, end) = match &self.phase {
            LeasePhase::Selecting => {
                message.kind = MessageKind::Discover;
                (None, None)
            }
            LeasePhase::Requesting(address, server) => {
                message.requested = Some(*address);
                message.server = Some(*server);
                (None, None)
            }
            LeasePhase::Bound(held) | LeasePhase::Renewing(held) => {
                message.client = held.address;
                (Some(held.server), Some(held.times[1]))
            }
            LeasePhase::Rebinding(held) => {
                message.client = held.address;
                (None, Some(held.times[2]))
            }
        };
        actions.push(LeaseAction::Send { message, to });
        let pause = FIRST.saturating_mul(1 << self.tries.min(5)).min(LONGEST);
        self.tries += 1;
        self.next = now + pause;
        if let Some(end) = end {
            self.next = self.next.min(end).max(now + Duration::from_millis(1));
        }
        actions
    }

    /// Takes a message of a server.
    pub fn hear(&mut self, message: &DhcpMessage, now: Duration) -> Vec<LeaseAction> {
        let Some(server) = message.server.filter(|_| self.is_mine(message)) else {
            return Vec::new();
        };
        match (message.kind, self.phase.clone()) {
            (MessageKind::Offer, LeasePhase::Selecting) => {
                self.enter(LeasePhase::Requesting(message.yours, server), now);
                self.step(now)
            }
            (MessageKind::Ack, LeasePhase::Requesting(wanted, chosen)) => {
                if (message.yours, server) != (wanted, chosen) {
                    return Vec::new();
                }
                self.take(message, server, now)
            }
            (MessageKind::Ack, LeasePhase::Renewing(_) | LeasePhase::Rebinding(_)) => {
                self.take(message, server, now)
            }
            (
                MessageKind::Nak,
                LeasePhase::Requesting(..) | LeasePhase::Renewing(_) | LeasePhase::Rebinding(_),
            ) => {
                let dropped = self.held().cloned().map(LeaseAction::Drop);
                self.begin(now);
                dropped.into_iter().chain(self.step(now)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn is_mine(&self, message: &DhcpMessage) -> bool {
        message.kind.is_of_servers() && message.xid == self.xid && message.mac == self.mac
    }

    fn take(&mut self, message: &DhcpMessage, server: Ipv4Addr, now: Duration) -> Vec<LeaseAction> {
        let Some(lease) = message.times[0].filter(|it| *it > 0) else {
            return Vec::new();
        };
        let whole = Duration::from_secs(lease.into());
        // RFC 2131, section 4.4.5: T1 is before T2, and T2 before the end.
        let time = |asked: Option<u32>, eighths: u32, most: Duration| {
            let asked = asked.map(|it| Duration::from_secs(it.into()));
            let asked = asked.filter(|it| !it.is_zero() && *it <= most);
            asked.unwrap_or(whole * eighths / 8).min(most)
        };
        let rebind = time(message.times[2], 7, whole);
        let renew = time(message.times[1], 4, rebind);
        let held = Held {
            address: message.yours,
            // A server that says nothing means the class of the address; all are private here.
            prefix: message.prefix.unwrap_or(24),
            router: message.routers.first().copied(),
            server,
            times: [now + renew, now + rebind, now + whole],
        };
        let before = self.held().cloned();
        self.enter(LeasePhase::Bound(held.clone()), held.times[0]);
        let place = |it: &Held| (it.address, it.prefix, it.router);
        match before {
            Some(before) if place(&before) == place(&held) => Vec::new(),
            Some(before) => vec![LeaseAction::Drop(before), LeaseAction::Take(held)],
            None => vec![LeaseAction::Take(held)],
        }
    }

    fn begin(&mut self, now: Duration) {
        self.xid = self.xid.wrapping_add(1);
        self.enter(LeasePhase::Selecting, now);
    }

    /// Begins a phase, in which the client does something by itself from a moment on.
    fn enter(&mut self, phase: LeasePhase, next: Duration) {
        self.phase = phase;
        self.tries = 0;
        self.next = next;
    }
}
