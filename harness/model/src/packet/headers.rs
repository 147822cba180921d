//! What the headers of a frame say: read once for each frame, then asked by many rules.
//!
//! Frames here may be cut off, corrupted on purpose, or longer than their headers admit (64 KB segments that a
//! network card would still have to cut), so everything is read as far as it goes and nothing is an error.

use std::fmt;
use std::net::IpAddr;

use etherparse::{
    LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice, TcpSlice, TransportSlice,
};

/// The header of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// The sender's port.
    pub source: u16,
    /// The receiver's port.
    pub destination: u16,
    /// The sequence number of the first byte.
    pub seq: u32,
    /// The acknowledgment number; of no meaning without the ACK flag.
    pub ack: u32,
    /// The receive window, not scaled.
    pub window: u16,
    /// SYN, ACK, FIN and the others.
    pub flags: TcpFlags,
}

/// The flags of a TCP segment, as they stand in its header.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgment number counts.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// The urgent pointer counts.
    pub const URG: TcpFlags = TcpFlags(0x20);
    /// Congestion was experienced.
    pub const ECE: TcpFlags = TcpFlags(0x40);
    /// The congestion window was reduced.
    pub const CWR: TcpFlags = TcpFlags(0x80);

    /// Whether all of `flags` are set.
    pub const fn contains(self, flags: TcpFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Whether any of `flags` is set.
    pub const fn intersects(self, flags: TcpFlags) -> bool {
        self.0 & flags.0 != 0
    }

    /// Both together.
    pub const fn union(self, flags: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | flags.0)
    }
}

/// `SYN ACK`, as Wireshark has it.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        let mut between = "";
        for (bit, name) in NAMES.iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{between}{name}")?;
                between = " ";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// What a packet carries above its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP segment.
    Tcp(Tcp),
    /// A UDP datagram.
    Udp {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
    },
    /// ICMP or ICMPv6.
    Icmp {
        /// Type of the message.
        kind: u8,
        /// Code of the message.
        code: u8,
    },
    /// Nothing that is known here, or a later fragment.
    Other,
}

/// What the headers of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Source and destination.
    pub macs: Option<[[u8; 6]; 2]>,
    /// Of what is carried, below VLAN tags; 0 where the frame has none.
    pub ethertype: u16,
    /// Number of the outermost VLAN.
    pub vlan: Option<u16>,
    /// Source and destination.
    pub ips: Option<[IpAddr; 2]>,
    /// Header of the transport protocol.
    pub transport: Transport,
    /// Where the IP header begins in the frame.
    pub network_at: usize,
    /// Where the transport header begins; the frame's end without one.
    pub transport_at: usize,
    /// Where the innermost known payload begins and ends.
    pub payload: [usize; 2],
}

/// Ethertype of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;

impl Headers {
    /// Reads the headers of a frame, as far as they make sense.
    pub fn of(frame: &[u8]) -> Headers {
        let mut headers = Headers {
            macs: None,
            ethertype: 0,
            vlan: None,
            ips: None,
            transport: Transport::Other,
            network_at: frame.len(),
            transport_at: frame.len(),
            payload: [frame.len(); 2],
        };
        if let Ok(sliced) = LaxSlicedPacket::from_ethernet(frame) {
            headers.read_link(frame, &sliced);
            headers.read_network(frame, &sliced);
            if let Some(transport) = &sliced.transport {
                headers.read_transport(frame, transport);
            }
        }
        headers
    }

    fn read_link(&mut self, frame: &[u8], sliced: &LaxSlicedPacket<'_>) {
        if let Some(LinkSlice::Ethernet2(ethernet)) = &sliced.link {
            self.macs = Some([ethernet.source(), ethernet.destination()]);
            self.ethertype = ethernet.ether_type().0;
        }
        for tag in &sliced.link_exts {
            if let LaxLinkExtSlice::Vlan(vlan) = tag {
                self.vlan.get_or_insert(vlan.vlan_identifier().value());
                self.ethertype = vlan.ether_type().0;
            }
        }
        if let Some(payload) = sliced.ether_payload() {
            let at = span(frame, payload.payload);
            self.network_at = at[0];
            self.payload = at;
        }
    }

    fn read_network(&mut self, frame: &[u8], sliced: &LaxSlicedPacket<'_>) {
        self.ips = match &sliced.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = ip.header();
                Some([
                    header.source_addr().into(),
                    header.destination_addr().into(),
                ])
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                let header = ip.header();
                Some([
                    header.source_addr().into(),
                    header.destination_addr().into(),
                ])
            }
            Some(LaxNetSlice::Arp(_)) | None => return,
        };
        if let Some(payload) = sliced.ip_payload() {
            let at = span(frame, payload.payload);
            self.transport_at = at[0];
            self.payload = at;
        }
    }

    fn read_transport(&mut self, frame: &[u8], transport: &TransportSlice<'_>) {
        let payload;
        (self.transport, payload) = match transport {
            TransportSlice::Tcp(tcp) => (Transport::Tcp(Tcp::of(tcp)), tcp.payload()),
            TransportSlice::Udp(udp) => (
                Transport::Udp {
                    source: udp.source_port(),
                    destination: udp.destination_port(),
                },
                udp.payload(),
            ),
            TransportSlice::Icmpv4(icmp) => (
                Transport::Icmp {
                    kind: icmp.type_u8(),
                    code: icmp.code_u8(),
                },
                icmp.payload(),
            ),
            TransportSlice::Icmpv6(icmp) => (
                Transport::Icmp {
                    kind: icmp.type_u8(),
                    code: icmp.code_u8(),
                },
                icmp.payload(),
            ),
            _ => return,
        };
        self.payload = span(frame, payload);
    }

    /// Returns the TCP header, if the frame has one.
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.transport {
            Transport::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }

    /// Source and destination.
    pub fn ports(&self) -> Option<[u16; 2]> {
        match self.transport {
            Transport::Tcp(tcp) => Some([tcp.source, tcp.destination]),
            Transport::Udp {
                source,
                destination,
            } => Some([source, destination]),
            _ => None,
        }
    }
}

impl Tcp {
    fn of(slice: &TcpSlice<'_>) -> Tcp {
        Tcp {
            source: slice.source_port(),
            destination: slice.destination_port(),
            seq: slice.sequence_number(),
            ack: slice.acknowledgment_number(),
            window: slice.window_size(),
            flags: TcpFlags(slice.header_slice()[13]),
        }
    }
}

/// Where `part`, a slice of `frame`, begins and ends in it.
fn span(frame: &[u8], part: &[u8]) -> [usize; 2] {
    let begin = (part.as_ptr() as usize)
        .saturating_sub(frame.as_ptr() as usize)
        .min(frame.len());
    [begin, (begin + part.len()).min(frame.len())]
}
