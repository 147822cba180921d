//! A NAT, seen by packets: what goes in, and what comes out.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::*;
use crate::packet::build::PacketSpec;
use crate::packet::headers::Headers;
use crate::packet::testing::{MAC_A, MAC_B};
use crate::packet::transport::{Tcp, TcpFlags, Transport};

mod behaviours;
mod changes;
mod icmp;
mod ports;
mod size;
mod tcp;
mod values;

/// The external address.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// Two addresses inside.
const INSIDE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
const INSIDE_2: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 3);
/// Two remote addresses.
const REMOTE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const REMOTE_2: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 8);

fn at(address: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(address, port)
}

/// A NAT and a clock.
struct World {
    nat: Nat,
    now: u64,
}

/// A packet that passed, or what became of it.
type Passed = Result<[SocketAddrV4; 2], NatOutcome>;

impl World {
    fn new(spec: NatSpec) -> World {
        spec.validate().expect("possible behaviours");
        World {
            nat: Nat::new(spec, &[PUBLIC], MAC_B, 1),
            now: 1_000_000_000,
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds).as_nanos() as u64;
    }

    /// Sends a packet out, and returns its source and destination outside.
    ///
    /// What comes out is compared, to the last byte, with the same packet made anew.
    fn outbound(&mut self, from: SocketAddrV4, to: SocketAddrV4, transport: Transport) -> Passed {
        self.send(from, to, transport, Nat::outbound)
    }

    fn inbound(&mut self, from: SocketAddrV4, to: SocketAddrV4, transport: Transport) -> Passed {
        self.send(from, to, transport, Nat::inbound)
    }

    fn send(
        &mut self,
        from: SocketAddrV4,
        to: SocketAddrV4,
        transport: Transport,
        through: fn(&mut Nat, &mut [u8], Checksums, u64) -> NatOutcome,
    ) -> Passed {
        let mut frame = made([from, to], transport);
        let outcome = through(&mut self.nat, &mut frame, Checksums::Complete, self.now);
        let ends = ends(&frame);
        match outcome {
            NatOutcome::Pass => assert_eq!(frame, made(ends, transport), "checksums"),
            NatOutcome::Hairpin => {
                frame[..12].rotate_left(6);
                assert_eq!(frame, made(ends, transport), "checksums");
            }
            refused @ (NatOutcome::Drop(_) | NatOutcome::Answer { .. }) => return Err(refused),
        }
        Ok(ends)
    }

    /// Sends a datagram out, and returns the external address and port.
    fn udp(&mut self, from: SocketAddrV4, to: SocketAddrV4) -> SocketAddrV4 {
        let [source, destination] = self.outbound(from, to, UDP).expect("sent");
        assert_eq!(destination, to);
        source
    }

    /// Returns whether a datagram from outside comes in, and to where.
    fn udp_back(&mut self, from: SocketAddrV4, to: SocketAddrV4) -> Option<SocketAddrV4> {
        let [source, inside] = self.inbound(from, to, UDP).ok()?;
        assert_eq!(source, from);
        (inside != to).then_some(inside)
    }

    fn tcp(&mut self, from: SocketAddrV4, to: SocketAddrV4, flags: TcpFlags) -> Passed {
        self.outbound(from, to, segment(flags))
    }

    fn tcp_back(&mut self, from: SocketAddrV4, to: SocketAddrV4, flags: TcpFlags) -> Passed {
        self.inbound(from, to, segment(flags))
    }
}

const UDP: Transport = Transport::Udp {
    source: 0,
    destination: 0,
};

fn segment(flags: TcpFlags) -> Transport {
    Transport::Tcp(Tcp {
        source: 0,
        destination: 0,
        seq: 77,
        ack: 88,
        window: 1000,
        flags,
    })
}

/// Returns a frame with these ports.
fn made([from, to]: [SocketAddrV4; 2], transport: Transport) -> Vec<u8> {
    let transport = match transport {
        Transport::Udp { .. } => Transport::Udp {
            source: from.port(),
            destination: to.port(),
        },
        Transport::Tcp(tcp) => Transport::Tcp(Tcp {
            source: from.port(),
            destination: to.port(),
            ..tcp
        }),
        other @ (Transport::Icmp { .. } | Transport::Other) => other,
    };
    let spec = PacketSpec {
        ips: [(*from.ip()).into(), (*to.ip()).into()],
        transport,
        payload: b"payload",
    };
    spec.frame([MAC_A, MAC_B]).expect("a packet of IPv4")
}

/// Returns the source and the destination of a frame.
fn ends(frame: &[u8]) -> [SocketAddrV4; 2] {
    let headers = Headers::of(frame);
    let ports = match headers.transport {
        Transport::Udp {
            source,
            destination,
        } => [source, destination],
        Transport::Tcp(tcp) => [tcp.source, tcp.destination],
        Transport::Icmp { .. } | Transport::Other => [0, 0],
    };
    let ips = headers.ips.expect("addresses").map(|ip| match ip {
        std::net::IpAddr::V4(ip) => ip,
        std::net::IpAddr::V6(_) => panic!("no IPv4"),
    });
    [at(ips[0], ports[0]), at(ips[1], ports[1])]
}

fn dropped(why: NatDrop) -> Passed {
    Err(NatOutcome::Drop(why))
}
