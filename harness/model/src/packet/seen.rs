//! A packet that was seen on a link, as a test looks at it.
//!
//! A failed assertion about packets has to say which ones there were, so a packet displays as a
//! line.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::ethernet::ETHERTYPE_ARP;
use super::headers::Headers;
use super::transport::{Tcp, TcpFlags, Transport};
use crate::direction::Direction;

/// A packet that was seen on a link: where, when, its headers and its bytes.
///
/// A packet displays as one line, for messages:
///
/// ```text
/// +1.204312s a→b TCP 10.0.0.1:40000 → 10.0.0.2:80 [SYN] seq 2917, 74 bytes
/// ```
///
/// ```
/// # fn t(packets: Vec<snowglobe_model::packet::Packet>) {
/// let opened = packets.iter().filter(|packet| packet.is_syn()).count();
/// assert_eq!(opened, 1, "one connection was enough");
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    link: Arc<str>,
    direction: Direction,
    /// Time from the start of the trial to the arrival of the packet.
    at: Duration,
    headers: Headers,
    frame: Arc<[u8]>,
    lost: Option<Arc<str>>,
}

impl Packet {
    /// Returns the name of the link.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Returns the direction in which the packet went.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Returns the time from the start of the trial to the arrival of the packet.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// Returns why the link lost the packet on arrival, if it did: `loss`, `queue`, or the rule
    /// that dropped it.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Returns the MAC address of the sender.
    pub fn source_mac(&self) -> Option<[u8; 6]> {
        self.headers.macs.map(|macs| macs[0])
    }

    /// Returns the MAC address of the receiver.
    pub fn destination_mac(&self) -> Option<[u8; 6]> {
        self.headers.macs.map(|macs| macs[1])
    }

    /// Returns the type of the payload, below VLAN tags: 0x0800 is IPv4, 0x86dd IPv6, 0x0806 ARP.
    pub fn ethertype(&self) -> u16 {
        self.headers.ethertype
    }

    /// Returns the number of the outermost VLAN.
    pub fn vlan(&self) -> Option<u16> {
        self.headers.vlan
    }

    /// Returns the sender's address.
    pub fn source(&self) -> Option<IpAddr> {
        self.headers.ips.map(|ips| ips[0])
    }

    /// Returns the receiver's address.
    pub fn destination(&self) -> Option<IpAddr> {
        self.headers.ips.map(|ips| ips[1])
    }

    /// Returns the sender's port, of TCP or UDP.
    pub fn source_port(&self) -> Option<u16> {
        self.headers.ports().map(|ports| ports[0])
    }

    /// Returns the receiver's port, of TCP or UDP.
    pub fn destination_port(&self) -> Option<u16> {
        self.headers.ports().map(|ports| ports[1])
    }

    /// Returns the TCP header, if the packet is a TCP segment.
    pub fn tcp(&self) -> Option<&Tcp> {
        self.headers.tcp()
    }

    /// Returns whether the packet is a UDP datagram.
    pub fn is_udp(&self) -> bool {
        matches!(self.headers.transport, Transport::Udp { .. })
    }

    /// Returns whether the packet is one of ARP.
    pub fn is_arp(&self) -> bool {
        self.ethertype() == ETHERTYPE_ARP
    }

    /// Returns type and code, if the packet is one of ICMP or ICMPv6.
    pub fn icmp(&self) -> Option<(u8, u8)> {
        match self.headers.transport {
            Transport::Icmp { kind, code } => Some((kind, code)),
            Transport::Tcp(_) | Transport::Udp { .. } | Transport::Other => None,
        }
    }

    /// Returns whether the packet asks for a TCP connection: SYN without ACK.
    pub fn is_syn(&self) -> bool {
        self.flags_are(TcpFlags::SYN, TcpFlags::ACK)
    }

    /// Returns whether the packet accepts a TCP connection: SYN and ACK.
    pub fn is_syn_ack(&self) -> bool {
        let both = TcpFlags::SYN.union(TcpFlags::ACK);
        self.flags_are(both, TcpFlags::default())
    }

    /// Returns whether the packet resets a TCP connection.
    pub fn is_rst(&self) -> bool {
        self.flags_are(TcpFlags::RST, TcpFlags::default())
    }

    fn flags_are(&self, set: TcpFlags, clear: TcpFlags) -> bool {
        self.tcp()
            .is_some_and(|tcp| tcp.flags.contains(set) && !tcp.flags.intersects(clear))
    }

    /// Returns the bytes that the innermost known protocol carries; of a TCP segment its data.
    pub fn payload(&self) -> &[u8] {
        let [begin, end] = self.headers.payload;
        &self.frame[begin..end]
    }

    /// Returns the whole frame, from the Ethernet header on.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Returns the length of the frame in bytes, Ethernet header included.
    #[expect(clippy::len_without_is_empty, reason = "a frame has at least a header")]
    pub fn len(&self) -> usize {
        self.frame.len()
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at().as_secs_f64();
        write!(f, "+{at:.6}s {} ", self.direction)?;
        self.describe(f)?;
        write!(f, ", {} bytes", self.frame.len())?;
        match &self.lost {
            Some(cause) => write!(f, ", lost: {cause}"),
            None => Ok(()),
        }
    }
}

impl Packet {
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some([from, to]) = self.headers.ips else {
            return if self.is_arp() {
                f.write_str("ARP")
            } else {
                write!(f, "ethertype {:#06x}", self.headers.ethertype)
            };
        };
        match self.headers.transport {
            Transport::Tcp(tcp) => {
                let (from, to) = (
                    SocketAddr::new(from, tcp.source),
                    SocketAddr::new(to, tcp.destination),
                );
                write!(f, "TCP {from} → {to} [{}] seq {}", tcp.flags, tcp.seq)?;
                if tcp.flags.contains(TcpFlags::ACK) {
                    write!(f, " ack {}", tcp.ack)?;
                }
                Ok(())
            }
            Transport::Udp {
                source,
                destination,
            } => {
                let (from, to) = (
                    SocketAddr::new(from, source),
                    SocketAddr::new(to, destination),
                );
                write!(f, "UDP {from} → {to}")
            }
            Transport::Icmp { kind, code } => {
                write!(f, "ICMP {from} → {to} type {kind} code {code}")
            }
            Transport::Other => write!(f, "IP {from} → {to}"),
        }
    }
}

/// Writes the same line as `Display`, so that a failed assertion about packets can be read.
impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A packet that rules look at while it passes, and that is not kept.
#[derive(Clone, Copy, Debug)]
pub struct PacketView<'a> {
    /// Name of the link.
    pub link: &'a Arc<str>,
    /// Direction in which the packet travels.
    pub direction: Direction,
    /// Time from the start of the trial to the arrival of the packet.
    pub at: Duration,
    /// Headers of the frame.
    pub headers: Headers,
    /// The frame, from its Ethernet header on.
    pub frame: &'a [u8],
}

impl PacketView<'_> {
    /// Returns the bytes that the innermost known protocol carries.
    pub fn payload(&self) -> &[u8] {
        let [begin, end] = self.headers.payload;
        &self.frame[begin..end]
    }

    /// Returns a copy that can be kept.
    pub fn to_packet(self) -> Packet {
        Packet {
            link: Arc::clone(self.link),
            direction: self.direction,
            at: self.at,
            headers: self.headers,
            frame: self.frame.into(),
            lost: None,
        }
    }

    /// Returns a copy that can be kept, of a packet that the link lost.
    pub fn to_lost_packet(self, cause: impl fmt::Display) -> Packet {
        Packet {
            lost: Some(cause.to_string().into()),
            ..self.to_packet()
        }
    }
}
