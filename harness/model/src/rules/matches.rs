//! Matches, which pick the packets that a rule or an expectation is about.
//!
//! A test says in words which packets it means, and reads the same words in a failure. So a match
//! is a chain of named conditions, and displays as such.

use std::fmt;
use std::net::IpAddr;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use crate::direction::Direction;
use crate::packet::ethernet::ETHERTYPE_ARP;
use crate::packet::{Packet, PacketView, TcpFlags, Transport};

/// A description of packets for a rule or an expectation: a protocol, narrowed step by step.
///
/// A packet matches if all conditions hold. Of the packets that match, [`nth`](Match::nth),
/// [`first`](Match::first) and [`every`](Match::every) then pick some, wherever in the chain they
/// stand.
///
/// ```
/// use snowglobe_model::rules::{tcp, udp};
///
/// let first_answer = tcp().syn_ack().from([10, 0, 0, 2]).nth(1);
/// let names_example = |bytes: &[u8]| bytes.windows(7).any(|part| part == b"example");
/// let queries_for_example = udp().port(53).payload(names_example);
/// assert_eq!(first_answer.to_string(), "tcp, syn-ack, from 10.0.0.2, number 1");
/// ```
#[derive(Clone)]
#[must_use = "a match does nothing until a rule or an expectation is made of it"]
pub struct Match {
    conditions: Vec<MatchCondition>,
    pick: Pick,
}

type OfBytes = dyn Fn(&[u8]) -> bool + Send + Sync;
type OfPacket = dyn Fn(&Packet) -> bool + Send + Sync;

#[derive(Clone)]
enum MatchCondition {
    Protocol(MatchProtocol),
    Flags {
        name: &'static str,
        set: TcpFlags,
        clear: TcpFlags,
    },
    Port(u16),
    FromPort(u16),
    ToPort(u16),
    From(IpAddr),
    To(IpAddr),
    Direction(Direction),
    Length(Bound<usize>, Bound<usize>),
    Payload(Arc<OfBytes>),
    Matching(Arc<OfPacket>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MatchProtocol {
    Any,
    Tcp,
    Udp,
    Icmp,
    Arp,
    Ip,
}

/// The packets that are picked of all that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pick {
    All,
    Nth(u64),
    First(u64),
    Every(u64),
}

/// Returns a match of every frame.
pub fn any() -> Match {
    Match::of(MatchProtocol::Any)
}

/// Returns a match of TCP segments, over IPv4 or IPv6.
pub fn tcp() -> Match {
    Match::of(MatchProtocol::Tcp)
}

/// Returns a match of UDP datagrams, over IPv4 or IPv6.
pub fn udp() -> Match {
    Match::of(MatchProtocol::Udp)
}

/// Returns a match of ICMP and ICMPv6 packets; the latter include neighbour discovery (RFC 4861).
pub fn icmp() -> Match {
    Match::of(MatchProtocol::Icmp)
}

/// Returns a match of ARP packets.
pub fn arp() -> Match {
    Match::of(MatchProtocol::Arp)
}

/// Returns a match of IPv4 and IPv6 packets, whatever they carry.
pub fn ip() -> Match {
    Match::of(MatchProtocol::Ip)
}

impl Match {
    fn of(protocol: MatchProtocol) -> Match {
        Match {
            conditions: vec![MatchCondition::Protocol(protocol)],
            pick: Pick::All,
        }
    }

    fn and(mut self, condition: MatchCondition) -> Match {
        self.conditions.push(condition);
        self
    }

    fn flags(self, name: &'static str, set: TcpFlags, clear: TcpFlags) -> Match {
        self.and(MatchCondition::Flags { name, set, clear })
    }

    /// Narrows to segments that ask for a connection: SYN without ACK.
    pub fn syn(self) -> Match {
        self.flags("syn", TcpFlags::SYN, TcpFlags::ACK)
    }

    /// Narrows to segments that accept a connection: SYN and ACK.
    pub fn syn_ack(self) -> Match {
        self.flags("syn-ack", TcpFlags::SYN.union(TcpFlags::ACK), TcpFlags(0))
    }

    /// Narrows to segments with FIN.
    pub fn fin(self) -> Match {
        self.flags("fin", TcpFlags::FIN, TcpFlags(0))
    }

    /// Narrows to segments with RST.
    pub fn rst(self) -> Match {
        self.flags("rst", TcpFlags::RST, TcpFlags(0))
    }

    /// Narrows to segments with ACK and without SYN, FIN and RST, as established connections
    /// exchange.
    pub fn ack(self) -> Match {
        let others = TcpFlags::SYN.union(TcpFlags::FIN).union(TcpFlags::RST);
        self.flags("ack", TcpFlags::ACK, others)
    }

    /// Narrows to packets from or to this port.
    pub fn port(self, port: u16) -> Match {
        self.and(MatchCondition::Port(port))
    }

    /// Narrows to packets from this port.
    pub fn from_port(self, port: u16) -> Match {
        self.and(MatchCondition::FromPort(port))
    }

    /// Narrows to packets to this port.
    pub fn to_port(self, port: u16) -> Match {
        self.and(MatchCondition::ToPort(port))
    }

    /// Narrows to packets from this address.
    pub fn from(self, ip: impl Into<IpAddr>) -> Match {
        self.and(MatchCondition::From(ip.into()))
    }

    /// Narrows to packets to this address.
    pub fn to(self, ip: impl Into<IpAddr>) -> Match {
        self.and(MatchCondition::To(ip.into()))
    }

    /// Narrows to packets that go in this direction over the link.
    pub fn direction(self, direction: Direction) -> Match {
        self.and(MatchCondition::Direction(direction))
    }

    /// Narrows to packets whose whole frame, Ethernet header included, has this length in bytes.
    ///
    /// ```
    /// # use snowglobe_model::rules::udp;
    /// let large = udp().length(1000..);
    /// ```
    pub fn length(self, bytes: impl RangeBounds<usize>) -> Match {
        let (from, to) = (bytes.start_bound().cloned(), bytes.end_bound().cloned());
        self.and(MatchCondition::Length(from, to))
    }

    /// Narrows to packets whose payload, as TCP, UDP or ICMP carries it, satisfies `predicate`.
    ///
    /// The predicate is called on the wire's own thread, so it should be quick; while it works, the
    /// link stands still.
    ///
    /// ```
    /// # use snowglobe_model::rules::tcp;
    /// let requests = tcp().port(80).payload(|bytes| bytes.starts_with(b"GET "));
    /// ```
    pub fn payload(self, predicate: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Match {
        self.and(MatchCondition::Payload(Arc::new(predicate)))
    }

    /// Narrows to packets that satisfy `predicate`, which sees the whole packet.
    ///
    /// The predicate is called on the wire's own thread, so it should be quick; while it works, the
    /// link stands still. A panic in it fails the trial, the rule is void from then on, and the
    /// packet passes.
    ///
    /// ```
    /// # use snowglobe_model::rules::tcp;
    /// let narrow =
    ///     tcp().matching(|packet| packet.tcp().is_some_and(|tcp| tcp.window < 1000));
    /// ```
    pub fn matching(self, predicate: impl Fn(&Packet) -> bool + Send + Sync + 'static) -> Match {
        self.and(MatchCondition::Matching(Arc::new(predicate)))
    }

    /// Picks only number `n` of the packets that match, counted from 1.
    pub fn nth(self, n: u64) -> Match {
        self.pick(Pick::Nth(n))
    }

    /// Picks only the first `n` of the packets that match.
    pub fn first(self, n: u64) -> Match {
        self.pick(Pick::First(n))
    }

    /// Picks only every `n`-th of the packets that match: for 3 the third, the sixth and so on.
    pub fn every(self, n: u64) -> Match {
        self.pick(Pick::Every(n))
    }

    fn pick(self, pick: Pick) -> Match {
        Match { pick, ..self }
    }

    /// Refuses a match that no packet can ever fit.
    ///
    /// # Errors
    /// Two conditions contradict each other, or packets are counted from 0.
    pub fn validate(&self) -> Result<(), InvalidMatch> {
        let impossible =
            |why: &str| Err(InvalidMatch(format!("no packet can match `{self}`: {why}")));
        if let Pick::Nth(0) | Pick::First(0) | Pick::Every(0) = self.pick {
            return impossible("packets are counted from 1");
        }
        let MatchCondition::Protocol(protocol) = self.conditions[0] else {
            return Ok(());
        };
        let contradiction = |condition: &MatchCondition| condition.contradicts(protocol);
        match self.conditions.iter().find_map(contradiction) {
            Some(why) => impossible(why),
            None => Ok(()),
        }
    }

    /// Returns whether all conditions hold for a packet.
    pub fn holds(&self, view: &PacketView<'_>) -> bool {
        self.conditions
            .iter()
            .all(|condition| condition.holds(view))
    }

    /// Returns whether the match picks the packet that is number `n` of all for which the
    /// conditions hold.
    pub fn picks(&self, n: u64) -> bool {
        match self.pick {
            Pick::All => true,
            Pick::Nth(nth) => n == nth,
            Pick::First(first) => n <= first,
            Pick::Every(every) => n.is_multiple_of(every),
        }
    }
}

impl MatchCondition {
    /// Returns why no packet of a protocol can fulfil this condition, if none can.
    fn contradicts(&self, protocol: MatchProtocol) -> Option<&'static str> {
        let unless = |possible: bool, why| (!possible).then_some(why);
        match self {
            MatchCondition::Flags { .. } => unless(protocol.has_flags(), "only TCP has flags"),
            MatchCondition::Port(_) | MatchCondition::FromPort(_) | MatchCondition::ToPort(_) => {
                unless(protocol.has_ports(), "only TCP and UDP have ports")
            }
            MatchCondition::From(_) | MatchCondition::To(_) => unless(
                protocol.has_addresses(),
                "ARP is not carried by IP; look into its payload",
            ),
            MatchCondition::Protocol(_)
            | MatchCondition::Direction(_)
            | MatchCondition::Length(..)
            | MatchCondition::Payload(_)
            | MatchCondition::Matching(_) => None,
        }
    }

    fn holds(&self, view: &PacketView<'_>) -> bool {
        let headers = &view.headers;
        match self {
            MatchCondition::Protocol(protocol) => protocol.is_of(view),
            MatchCondition::Flags { set, clear, .. } => headers
                .tcp()
                .is_some_and(|tcp| tcp.flags.contains(*set) && !tcp.flags.intersects(*clear)),
            MatchCondition::Port(port) => headers.ports().is_some_and(|ports| ports.contains(port)),
            MatchCondition::FromPort(port) => {
                headers.ports().is_some_and(|ports| ports[0] == *port)
            }
            MatchCondition::ToPort(port) => headers.ports().is_some_and(|ports| ports[1] == *port),
            MatchCondition::From(ip) => headers.ips.is_some_and(|ips| ips[0] == *ip),
            MatchCondition::To(ip) => headers.ips.is_some_and(|ips| ips[1] == *ip),
            MatchCondition::Direction(direction) => view.direction == *direction,
            MatchCondition::Length(from, to) => (*from, *to).contains(&view.frame.len()),
            MatchCondition::Payload(predicate) => predicate(view.payload()),
            MatchCondition::Matching(predicate) => predicate(&view.to_packet()),
        }
    }
}

impl MatchProtocol {
    /// Returns whether packets of this protocol may have TCP flags.
    fn has_flags(self) -> bool {
        match self {
            MatchProtocol::Any | MatchProtocol::Ip | MatchProtocol::Tcp => true,
            MatchProtocol::Udp | MatchProtocol::Icmp | MatchProtocol::Arp => false,
        }
    }

    /// Returns whether packets of this protocol may have ports.
    fn has_ports(self) -> bool {
        match self {
            MatchProtocol::Any | MatchProtocol::Ip | MatchProtocol::Tcp | MatchProtocol::Udp => {
                true
            }
            MatchProtocol::Icmp | MatchProtocol::Arp => false,
        }
    }

    /// Returns whether packets of this protocol may have IP addresses.
    fn has_addresses(self) -> bool {
        match self {
            MatchProtocol::Any
            | MatchProtocol::Ip
            | MatchProtocol::Tcp
            | MatchProtocol::Udp
            | MatchProtocol::Icmp => true,
            MatchProtocol::Arp => false,
        }
    }

    fn is_of(self, view: &PacketView<'_>) -> bool {
        let headers = &view.headers;
        match self {
            MatchProtocol::Any => true,
            MatchProtocol::Tcp => matches!(headers.transport, Transport::Tcp(_)),
            MatchProtocol::Udp => matches!(headers.transport, Transport::Udp { .. }),
            MatchProtocol::Icmp => matches!(headers.transport, Transport::Icmp { .. }),
            MatchProtocol::Arp => headers.ethertype == ETHERTYPE_ARP,
            MatchProtocol::Ip => headers.ips.is_some(),
        }
    }
}

/// Writes the match in words: `tcp, syn-ack, port 80, number 1`.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for condition in &self.conditions {
            write!(f, "{between}{condition}")?;
            between = ", ";
        }
        match self.pick {
            Pick::All => Ok(()),
            Pick::Nth(n) => write!(f, ", number {n}"),
            Pick::First(n) => write!(f, ", the first {n}"),
            Pick::Every(n) => write!(f, ", one in {n}"),
        }
    }
}

impl fmt::Display for MatchCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MatchCondition::Protocol(protocol) => f.write_str(match protocol {
                MatchProtocol::Any => "any",
                MatchProtocol::Tcp => "tcp",
                MatchProtocol::Udp => "udp",
                MatchProtocol::Icmp => "icmp",
                MatchProtocol::Arp => "arp",
                MatchProtocol::Ip => "ip",
            }),
            MatchCondition::Flags { name, .. } => f.write_str(name),
            MatchCondition::Port(port) => write!(f, "port {port}"),
            MatchCondition::FromPort(port) => write!(f, "from port {port}"),
            MatchCondition::ToPort(port) => write!(f, "to port {port}"),
            MatchCondition::From(ip) => write!(f, "from {ip}"),
            MatchCondition::To(ip) => write!(f, "to {ip}"),
            MatchCondition::Direction(direction) => write!(f, "{direction}"),
            MatchCondition::Length(from, to) => {
                f.write_str("length ")?;
                match from {
                    Bound::Included(from) => write!(f, "{from}..")?,
                    Bound::Excluded(from) => write!(f, "{}..", from + 1)?,
                    Bound::Unbounded => f.write_str("..")?,
                }
                match to {
                    Bound::Included(to) => write!(f, "={to}"),
                    Bound::Excluded(to) => write!(f, "{to}"),
                    Bound::Unbounded => Ok(()),
                }
            }
            MatchCondition::Payload(_) => f.write_str("a payload that satisfies a closure"),
            MatchCondition::Matching(_) => f.write_str("satisfying a closure"),
        }
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Match({self})")
    }
}

/// A match that no packet can ever fit, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidMatch(String);

impl fmt::Display for InvalidMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidMatch {}
