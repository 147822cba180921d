//! One mapping, and the remote hosts that it has talked to.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use super::allocate::WantedMapping;
use super::outcome::NatMapping;
use super::packet::NatProtocol;
use super::spec::{Dependence, NatTimeouts};
use crate::packet::transport::TcpFlags;

/// Phase of a TCP connection, as far as its timeout depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TcpState(u8);

impl TcpState {
    const SYN_OUT: u8 = 1;
    const SYN_IN: u8 = 2;
    const ESTABLISHED: u8 = 4;
    const FIN_OUT: u8 = 8;
    const FIN_IN: u8 = 16;
    const RESET: u8 = 32;

    /// A connection that was open before the NAT knew of it.
    const ADOPTED: TcpState = TcpState(Self::SYN_OUT | Self::SYN_IN | Self::ESTABLISHED);

    fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }

    /// Notes a segment.
    fn note(&mut self, flags: TcpFlags, outbound: bool) {
        let [syn, fin] = match outbound {
            true => [Self::SYN_OUT, Self::FIN_OUT],
            false => [Self::SYN_IN, Self::FIN_IN],
        };
        if flags.contains(TcpFlags::RST) {
            self.0 |= Self::RESET;
        } else if flags.contains(TcpFlags::SYN) {
            // A SYN begins another connection between the same ports.
            if self.is_closing() {
                self.0 = 0;
            }
            self.0 |= syn;
        } else {
            // Both ends have sent a SYN, and this segment is not a SYN: the handshake is over.
            if self.has(Self::SYN_OUT | Self::SYN_IN) {
                self.0 |= Self::ESTABLISHED;
            }
            if flags.contains(TcpFlags::FIN) {
                self.0 |= fin;
            }
        }
    }

    fn is_closing(self) -> bool {
        self.has(Self::RESET) || self.has(Self::FIN_OUT | Self::FIN_IN)
    }

    /// Returns whether the long timeout holds (RFC 5382, REQ-5).
    fn is_established(self) -> bool {
        self.has(Self::ESTABLISHED) && !self.is_closing()
    }
}

/// The traffic with one remote address and port.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemoteSession {
    remote: SocketAddrV4,
    tcp: TcpState,
    expires: u64,
}

/// The sessions of a mapping. Most mappings have one, which needs no memory of its own.
#[expect(
    clippy::box_collection,
    reason = "a map that is not boxed would make each mapping 32 bytes larger"
)]
#[derive(Clone, Debug, Default)]
enum Sessions {
    #[default]
    None,
    One(RemoteSession),
    Many(Box<HashMap<SocketAddrV4, RemoteSession>>),
}

/// A mapping between an address and port inside and an external one.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) inside: SocketAddrV4,
    pub(super) outside: SocketAddrV4,
    /// Part of the remote address and port on which the mapping depends.
    pub(super) remote: SocketAddrV4,
    pub(super) protocol: NatProtocol,
    pub(super) kind: MappingKind,
    pub(super) expires: u64,
    /// Time of the alarm of this mapping; earlier or later alarms are of former mappings.
    pub(super) alarm: u64,
    sessions: Sessions,
}

/// The origin of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MappingKind {
    /// A packet from inside made the mapping.
    Dynamic,
    /// The specification has the mapping: it never expires, and lets everyone in.
    Forward,
    /// A program has asked for the mapping: it lets everyone in until its time is over.
    Requested,
    /// A packet of the router itself made the mapping.
    Own,
    /// A packet from outside made the mapping, for the host that gets what nobody has asked for: it
    /// lets everyone in.
    Exposed,
}

/// A packet that passes a mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    pub(super) remote: SocketAddrV4,
    pub(super) flags: TcpFlags,
    pub(super) outbound: bool,
    pub(super) now: u64,
}

impl Mapping {
    pub(super) fn new(
        protocol: NatProtocol,
        inside: SocketAddrV4,
        outside: SocketAddrV4,
        remote: SocketAddrV4,
        kind: MappingKind,
    ) -> Mapping {
        Mapping {
            inside,
            outside,
            remote,
            protocol,
            kind,
            expires: match kind {
                MappingKind::Forward => u64::MAX,
                MappingKind::Dynamic
                | MappingKind::Own
                | MappingKind::Requested
                | MappingKind::Exposed => 0,
            },
            alarm: u64::MAX,
            sessions: Sessions::None,
        }
    }

    /// Returns what the mapping was made for.
    pub(super) fn wanted(&self) -> WantedMapping {
        WantedMapping {
            protocol: self.protocol,
            inside: self.inside,
        }
    }

    /// Returns whether packets from a remote address and port are let in.
    pub(super) fn admits(&self, remote: SocketAddrV4, filtering: Dependence, now: u64) -> bool {
        match self.kind {
            // The kernel of the router decides about packets for the router.
            MappingKind::Forward
            | MappingKind::Own
            | MappingKind::Requested
            | MappingKind::Exposed => return true,
            MappingKind::Dynamic => {}
        }
        match filtering {
            Dependence::EndpointIndependent => true,
            Dependence::AddressAndPortDependent => self.has_session(remote, now),
            Dependence::AddressDependent => {
                let of_host =
                    |it: &RemoteSession| it.remote.ip() == remote.ip() && it.expires > now;
                self.has_session(remote, now) || self.sessions().any(of_host)
            }
        }
    }

    /// Returns whether there is traffic with this remote address and port.
    pub(super) fn has_session(&self, remote: SocketAddrV4, now: u64) -> bool {
        self.living_session(remote, now).is_some()
    }

    /// Returns whether a connection of TCP with this remote address and port is open.
    pub(super) fn is_open(&self, remote: SocketAddrV4, now: u64) -> bool {
        let session = self.living_session(remote, now);
        session.is_some_and(|session| session.tcp.is_established())
    }

    fn living_session(&self, remote: SocketAddrV4, now: u64) -> Option<&RemoteSession> {
        let session = match &self.sessions {
            Sessions::None => None,
            Sessions::One(session) => (session.remote == remote).then_some(session),
            Sessions::Many(sessions) => sessions.get(&remote),
        };
        session.filter(|session| session.expires > now)
    }

    fn sessions(&self) -> impl Iterator<Item = &RemoteSession> {
        let (one, many) = match &self.sessions {
            Sessions::None => (None, None),
            Sessions::One(session) => (Some(session), None),
            Sessions::Many(sessions) => (None, Some(sessions.values())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Returns the remote addresses and ports of the sessions that have not expired, in order.
    pub(super) fn remotes(&self, now: u64) -> Vec<SocketAddrV4> {
        let living = self.sessions().filter(|session| session.expires > now);
        let mut remotes: Vec<_> = living.map(|session| session.remote).collect();
        remotes.sort_unstable();
        remotes
    }

    /// Returns the mapping as a value.
    pub(super) fn value(&self, now: u64) -> NatMapping {
        let left = || Duration::from_nanos(self.expires.saturating_sub(now));
        NatMapping {
            protocol: self.protocol,
            inside: self.inside,
            outside: self.outside,
            remote: self.remote,
            peers: self.remotes(now),
            expires_in: (self.expires != u64::MAX).then(left),
        }
    }

    /// Notes a packet, and puts off the time at which the mapping expires.
    ///
    /// An inbound packet makes a session for TCP only, which has a state; for UDP it prolongs what
    /// is there.
    pub(super) fn pass(&mut self, packet: &Passing, timeouts: &NatTimeouts, refreshes: bool) {
        let &Passing {
            remote,
            flags,
            outbound,
            now,
        } = packet;
        let is_tcp = self.protocol == NatProtocol::Tcp;
        if !outbound && !is_tcp && !refreshes {
            return;
        }
        let mut until = now.saturating_add(timeouts.nanoseconds(self.protocol, false));
        if outbound || is_tcp || self.has_session(remote, now) {
            let protocol = self.protocol;
            let session = self.session(remote, now);
            if is_tcp {
                if session.tcp == TcpState::default() && !flags.contains(TcpFlags::SYN) {
                    session.tcp = TcpState::ADOPTED;
                }
                session.tcp.note(flags, outbound);
                let established = session.tcp.is_established();
                until = now.saturating_add(timeouts.nanoseconds(protocol, established));
            }
            session.expires = until;
        }
        if self.kind == MappingKind::Forward || self.kind == MappingKind::Requested {
            return;
        }
        self.expires = if is_tcp {
            // A connection that closes brings the time forward.
            self.sessions()
                .map(|session| session.expires)
                .max()
                .unwrap_or(until)
        } else {
            self.expires.max(until)
        };
    }

    /// Returns the session with a remote address and port, made if there is none that lives.
    fn session(&mut self, remote: SocketAddrV4, now: u64) -> &mut RemoteSession {
        let fresh = RemoteSession {
            remote,
            tcp: TcpState::default(),
            expires: 0,
        };
        let one = match &self.sessions {
            Sessions::One(session) if session.remote != remote && session.expires > now => {
                Some(*session)
            }
            Sessions::One(_) | Sessions::None | Sessions::Many(_) => None,
        };
        if let Some(other) = one {
            let both = HashMap::from([(other.remote, other), (remote, fresh)]);
            self.sessions = Sessions::Many(Box::new(both));
        }
        let is_other = |session: &RemoteSession| session.remote != remote || session.expires <= now;
        match &mut self.sessions {
            it @ Sessions::None => *it = Sessions::One(fresh),
            Sessions::One(session) if is_other(session) => *session = fresh,
            Sessions::One(_) | Sessions::Many(_) => {}
        }
        match &mut self.sessions {
            Sessions::One(session) => session,
            Sessions::Many(sessions) => {
                let session = sessions.entry(remote).or_insert(fresh);
                if session.expires <= now {
                    *session = fresh;
                }
                session
            }
            Sessions::None => unreachable!("a session was put there"),
        }
    }

    /// Keeps the traffic with a remote address and port, and the mapping, until a time.
    pub(super) fn hold(&mut self, remote: SocketAddrV4, until: u64, now: u64) {
        let session = self.session(remote, now);
        session.expires = session.expires.max(until);
        self.expires = self.expires.max(until);
    }

    /// Forgets sessions that have expired.
    pub(super) fn tidy(&mut self, now: u64) {
        if let Sessions::Many(sessions) = &mut self.sessions {
            sessions.retain(|_, session| session.expires > now);
        }
    }
}
