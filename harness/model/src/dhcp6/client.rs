//! A DHCPv6 client: when it asks, and what it makes of the answers (RFC 8415, section 18.2).

use std::time::Duration;

use crate::dhcp6::codec::{DNS, DOMAINS};
use crate::dhcp6::message::{
    Association, AssociationKind, Dhcp6Kind, Dhcp6Message, Dhcp6Status, LeasedRange, duid,
};
use crate::order::sort_by_key;
use crate::topology::Subnet;

/// Time until a question is asked again; it doubles each time. RFC 8415 begins with one second and
/// goes up to an hour, which is for networks larger than a lab.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(16);

/// The bits of the number of a question.
const XIDS: u32 = 0x00ff_ffff;

/// Number of times that an offer is asked for before the client begins anew.
const REQUESTS: u32 = 4;

/// An address or a prefix that a client has from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRange {
    /// The prefix, or the address as a prefix of 128 bits.
    pub range: Subnet,
    /// The moments at which it is preferred no more, and valid no more.
    pub ends: [Duration; 2],
}

/// Something that a client of DHCPv6 does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dhcp6Action {
    /// Send a message to all servers.
    Send(Dhcp6Message),
    /// Use an address or prefix, or use it for longer.
    Hold(HeldRange),
    /// Use an address or prefix no more.
    Lose(Subnet),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum AskPhase {
    /// Nobody has said that there is something to ask for.
    Idle,
    Soliciting,
    /// The server that has offered.
    Requesting(Vec<u8>),
    Bound(Vec<u8>),
    Renewing(Vec<u8>),
    Rebinding,
}

/// A client on one interface, of addresses or of prefixes.
#[derive(Clone, Debug)]
pub struct Dhcp6Client {
    duid: Vec<u8>,
    kind: AssociationKind,
    id: u32,
    xid: u32,
    phase: AskPhase,
    held: Vec<HeldRange>,
    /// The moments at which the client asks its server for more time, and any server.
    times: [Duration; 2],
    /// The moment at which the client began to ask.
    began: Duration,
    tries: u32,
    /// The moment at which the client does something by itself.
    next: Option<Duration>,
}

impl Dhcp6Client {
    /// Returns a client that does nothing until it is told to begin. `mac` names the host, and `id`
    /// the interface.
    pub fn new(mac: [u8; 6], kind: AssociationKind, id: u32) -> Self {
        let [.., d, e, f] = mac;
        Self {
            duid: duid(mac),
            kind,
            id,
            // The MAC address tells the number apart from those of other hosts on the network.
            xid: (u32::from_be_bytes([0, d, e, f]) ^ (id << 12) ^ ((kind as u32) << 20)) & XIDS,
            phase: AskPhase::Idle,
            held: Vec::new(),
            times: [Duration::ZERO; 2],
            began: Duration::ZERO,
            tries: 0,
            next: None,
        }
    }

    /// Begins to look for a server, unless the client has begun.
    pub fn begin(&mut self, now: Duration) {
        if self.phase == AskPhase::Idle {
            self.solicit(now);
        }
    }

    /// Forgets what the client has, as on another network, and waits until it is told to begin.
    pub fn restart(&mut self) -> Vec<Dhcp6Action> {
        self.phase = AskPhase::Idle;
        self.next = None;
        let held = self.held.drain(..);
        held.map(|it| Dhcp6Action::Lose(it.range)).collect()
    }

    /// Returns whether the client asks for addresses or for prefixes.
    pub fn kind(&self) -> AssociationKind {
        self.kind
    }

    /// Returns what the client has.
    pub fn held(&self) -> &[HeldRange] {
        &self.held
    }

    /// Returns the moment at which [`step`](Self::step) is to be called, if there is one.
    pub fn next(&self) -> Option<Duration> {
        let ends = self.held.iter().map(|it| it.ends[1]);
        self.next.into_iter().chain(ends).min()
    }

    /// Does what is due at a moment.
    pub fn step(&mut self, now: Duration) -> Vec<Dhcp6Action> {
        let mut actions = self.expire(now);
        if self.next.is_none_or(|next| now < next) {
            return actions;
        }
        match &self.phase {
            AskPhase::Bound(server) => self.enter(AskPhase::Renewing(server.clone()), now),
            AskPhase::Renewing(_) if now >= self.times[1] => self.enter(AskPhase::Rebinding, now),
            AskPhase::Requesting(_) if self.tries >= REQUESTS => self.solicit(now),
            AskPhase::Idle
            | AskPhase::Soliciting
            | AskPhase::Requesting(_)
            | AskPhase::Renewing(_)
            | AskPhase::Rebinding => {}
        }
        let (kind, server) = match &self.phase {
            AskPhase::Soliciting => (Dhcp6Kind::Solicit, None),
            AskPhase::Requesting(server) => (Dhcp6Kind::Request, Some(server.clone())),
            AskPhase::Renewing(server) => (Dhcp6Kind::Renew, Some(server.clone())),
            AskPhase::Rebinding => (Dhcp6Kind::Rebind, None),
            AskPhase::Idle | AskPhase::Bound(_) => return actions,
        };
        actions.push(Dhcp6Action::Send(self.question(kind, server, now)));
        let pause = (FIRST * 2u32.saturating_pow(self.tries)).min(LONGEST);
        self.tries = (self.tries + 1).min(16);
        // The phase after this one begins when its time has come, however long the pause is.
        let end = matches!(self.phase, AskPhase::Renewing(_)).then_some(self.times[1]);
        self.next = Some(end.map_or(now + pause, |end| end.min(now + pause)));
        actions
    }

    /// Takes a message of a server.
    pub fn hear(&mut self, message: &Dhcp6Message, now: Duration) -> Vec<Dhcp6Action> {
        let for_me = message.xid == self.xid && message.client.as_ref() == Some(&self.duid);
        let (Some(server), true) = (&message.server, for_me) else {
            return Vec::new();
        };
        let own = message.associations.iter();
        let mut own = own.filter(|it| it.kind == self.kind && it.id == self.id);
        let own = own.next();
        let something = own.is_some_and(|it| it.leased.iter().any(|it| it.valid > 0));
        match (&self.phase, message.kind) {
            (AskPhase::Soliciting, Dhcp6Kind::Advertise) if something => {
                self.xid = next_xid(self.xid);
                self.enter(AskPhase::Requesting(server.clone()), now);
                self.step(now)
            }
            (AskPhase::Soliciting, Dhcp6Kind::Reply) if message.rapid_commit && something => {
                self.accept(server, own, now)
            }
            (AskPhase::Requesting(_), Dhcp6Kind::Reply) if !something => {
                // Section 18.2.10.1: the server gives nothing after all. The client does not ask at
                // once, since the server may refuse again.
                self.solicit(now + FIRST);
                Vec::new()
            }
            (AskPhase::Renewing(_) | AskPhase::Rebinding, Dhcp6Kind::Reply)
                if own.is_some_and(|it| it.status == Some(Dhcp6Status::NoBinding)) =>
            {
                // Section 18.2.10.1: the server has lost the lease, and may give it anew.
                self.xid = next_xid(self.xid);
                self.enter(AskPhase::Requesting(server.clone()), now);
                self.step(now)
            }
            (
                AskPhase::Requesting(_) | AskPhase::Renewing(_) | AskPhase::Rebinding,
                Dhcp6Kind::Reply,
            ) if own.is_some_and(|it| !it.leased.is_empty()) => self.accept(server, own, now),
            _ => Vec::new(),
        }
    }

    /// Loses what is over. A client that has nothing left looks for a server.
    fn expire(&mut self, now: Duration) -> Vec<Dhcp6Action> {
        let (over, held) = self.held.iter().partition(|it| it.ends[1] <= now);
        self.held = held;
        let over: Vec<HeldRange> = over;
        if !over.is_empty() && self.held.is_empty() {
            self.solicit(now);
        }
        let lose = |it: HeldRange| Dhcp6Action::Lose(it.range);
        over.into_iter().map(lose).collect()
    }

    /// Takes over what a server has given.
    fn accept(
        &mut self,
        server: &[u8],
        own: Option<&Association>,
        now: Duration,
    ) -> Vec<Dhcp6Action> {
        let mut actions = Vec::new();
        let Some(own) = own else {
            return actions;
        };
        let seconds = |number: u32| now + Duration::from_secs(number.into());
        for LeasedRange {
            range,
            preferred,
            valid,
        } in &own.leased
        {
            let before = self.held.len();
            self.held.retain(|it| it.range != *range);
            // Section 21.6: times that contradict each other are not believed.
            if *valid > 0 && preferred <= valid {
                let held = HeldRange {
                    range: *range,
                    ends: [seconds(*preferred), seconds(*valid)],
                };
                self.held.push(held);
                actions.push(Dhcp6Action::Hold(held));
            } else if self.held.len() < before {
                actions.push(Dhcp6Action::Lose(*range));
            }
        }
        // Lost ranges come first, since a range that is held now may take the place of one.
        sort_by_key(&mut actions, |it| !matches!(it, Dhcp6Action::Lose(_)));
        let Some(preferred) = self.held.iter().map(|it| it.ends[0]).min() else {
            self.solicit(now + FIRST);
            return actions;
        };
        let left = preferred.saturating_sub(now);
        let said = own.times.map(|it| (it > 0).then(|| seconds(it)));
        // Section 14.2: the client chooses the times that the server leaves open.
        self.times = [
            said[0].unwrap_or(now + left / 2),
            said[1].unwrap_or(now + left * 4 / 5),
        ];
        self.times[1] = self.times[1].max(self.times[0]);
        self.xid = next_xid(self.xid);
        self.enter(AskPhase::Bound(server.to_vec()), self.times[0]);
        actions
    }

    fn question(&self, kind: Dhcp6Kind, server: Option<Vec<u8>>, now: Duration) -> Dhcp6Message {
        let mut message = Dhcp6Message::new(kind, self.xid);
        message.client = Some(self.duid.clone());
        message.server = server;
        message.rapid_commit = kind == Dhcp6Kind::Solicit;
        message.wanted = vec![DNS, DOMAINS];
        let hundredths = now.saturating_sub(self.began).as_millis() / 10;
        message.elapsed = Some(u16::try_from(hundredths).unwrap_or(u16::MAX));
        let mut own = Association::new(self.kind, self.id);
        // Times are the server's (section 21.4 and 21.6).
        own.leased = self
            .held
            .iter()
            .map(|it| LeasedRange {
                range: it.range,
                preferred: 0,
                valid: 0,
            })
            .collect();
        message.associations.push(own);
        message
    }

    fn solicit(&mut self, from: Duration) {
        self.xid = next_xid(self.xid);
        self.enter(AskPhase::Soliciting, from);
    }

    /// Begins a phase, in which the client does something by itself from a moment on.
    fn enter(&mut self, phase: AskPhase, next: Duration) {
        self.phase = phase;
        self.tries = 0;
        self.began = next;
        self.next = Some(next);
    }
}

/// Returns the next number of a question, of 24 bits.
fn next_xid(xid: u32) -> u32 {
    (xid + 1) & XIDS
}
