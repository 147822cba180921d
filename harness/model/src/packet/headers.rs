//! All headers of a frame at once: read once for each frame, then asked by many rules.
//!
//! Frames here may be cut off, corrupted on purpose, or longer than their headers admit (64 KB
//! segments that a network card would still have to cut). So each header is read as far as it makes
//! sense, and nothing is an error.

use std::net::IpAddr;

use super::ethernet::{self, EthernetHeader};
use super::ip::{Fragment, IpHeader};
use super::transport::{Tcp, Transport};

/// The headers of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// MAC addresses of the sender and of the receiver.
    pub macs: Option<[[u8; 6]; 2]>,
    /// Ethertype of the payload, below VLAN tags; 0 where the frame has none.
    pub ethertype: u16,
    /// Number of the outermost VLAN.
    pub vlan: Option<u16>,
    /// IP addresses of the sender and of the receiver.
    pub ips: Option<[IpAddr; 2]>,
    /// Header of the transport protocol.
    pub transport: Transport,
    /// Index in the frame at which the IP header begins.
    pub network_at: usize,
    /// Index at which the transport header begins; the frame's length without one.
    pub transport_at: usize,
    /// Indices at which the innermost known payload begins and ends.
    pub payload: [usize; 2],
}

impl Headers {
    /// Reads the headers of a frame, as far as they make sense.
    pub fn of(frame: &[u8]) -> Headers {
        let mut headers = Headers::unknown(frame);
        if let Some(ethernet) = EthernetHeader::read(frame) {
            headers.macs = ethernet::macs(frame);
            headers.ethertype = ethernet.ethertype;
            headers.vlan = ethernet.vlan;
            headers.network_at = ethernet.length;
            headers.payload[0] = ethernet.length;
            if let Some(ip) = IpHeader::read(frame, &ethernet) {
                headers.read_ip(frame, &ip);
            }
        }
        headers
    }

    /// Reads the headers of a packet without an Ethernet header, behind an IP header that was read.
    pub fn of_packet(packet: &[u8], ip: &IpHeader) -> Headers {
        let mut headers = Headers::unknown(packet);
        headers.network_at = ip.at;
        headers.read_ip(packet, ip);
        headers
    }

    fn unknown(frame: &[u8]) -> Headers {
        Headers {
            macs: None,
            ethertype: 0,
            vlan: None,
            ips: None,
            transport: Transport::Other,
            network_at: frame.len(),
            transport_at: frame.len(),
            payload: [frame.len(); 2],
        }
    }

    fn read_ip(&mut self, frame: &[u8], ip: &IpHeader) {
        let end = ip.end(frame);
        self.ips = Some(ip.addresses(frame));
        self.transport_at = ip.payload_at;
        self.payload = [ip.payload_at, end];
        match ip.fragment {
            Fragment::Whole => {
                let bytes = &frame[ip.payload_at..end];
                let (transport, payload) = Transport::read(ip.protocol, bytes);
                self.transport = transport;
                self.payload = payload.map(|at| ip.payload_at + at);
            }
            // The payload of a fragment is not that of a datagram, so no rule may take it for one.
            Fragment::First | Fragment::Later => {}
        }
    }

    /// Returns the TCP header, if the frame has one.
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.transport {
            Transport::Tcp(tcp) => Some(tcp),
            Transport::Udp { .. } | Transport::Icmp { .. } | Transport::Other => None,
        }
    }

    /// Returns the ports of the sender and of the receiver, of TCP or UDP.
    pub fn ports(&self) -> Option<[u16; 2]> {
        match self.transport {
            Transport::Tcp(tcp) => Some([tcp.source, tcp.destination]),
            Transport::Udp {
                source,
                destination,
            } => Some([source, destination]),
            Transport::Icmp { .. } | Transport::Other => None,
        }
    }
}
