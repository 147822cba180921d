//! The work of a NAT for leases.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::lease::PortLease;
use crate::nat::{Nat, NatProtocol, RequestedPort};

/// A reason why a host gets no port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseRefusal {
    /// The lease belongs to somebody else, or was made by another protocol.
    NotAuthorized,
    /// The external port that has to be this one belongs to somebody else.
    Taken,
    /// No port is left.
    Exhausted,
    /// The router has no external address.
    NoAddress,
}

/// A NAT that gives ports to hosts.
pub trait LeaseEngine {
    /// Returns the external address of leases.
    fn external(&self) -> Option<Ipv4Addr>;

    /// Makes or prolongs a mapping, and returns its external port.
    ///
    /// # Errors
    /// The port is taken that it has to be, none is left, or there is no external address.
    fn make(&mut self, wanted: &RequestedPort) -> Result<u16, LeaseRefusal>;

    /// Removes the mapping of a lease.
    fn remove(&mut self, lease: &PortLease);

    /// Makes or prolongs the mapping for traffic with one remote host (RFC 6887, section 12), and
    /// returns its external address and port.
    ///
    /// # Errors
    /// No port is left, or there is no external address.
    fn hold(
        &mut self,
        wanted: &RequestedPort,
        remote: SocketAddrV4,
    ) -> Result<SocketAddrV4, LeaseRefusal>;
}

/// The NAT of snowglobe at a moment.
#[derive(Debug)]
pub struct NatNow<'n> {
    /// The NAT.
    pub nat: &'n mut Nat,
    /// The time, in nanoseconds of the clock of the NAT.
    pub now: u64,
}

impl LeaseEngine for NatNow<'_> {
    fn external(&self) -> Option<Ipv4Addr> {
        self.nat.addresses().first().copied()
    }

    fn make(&mut self, wanted: &RequestedPort) -> Result<u16, LeaseRefusal> {
        self.external().ok_or(LeaseRefusal::NoAddress)?;
        let made = self.nat.request(wanted, self.now);
        made.map(|outside| outside.port())
            .ok_or(match wanted.exact {
                true => LeaseRefusal::Taken,
                false => LeaseRefusal::Exhausted,
            })
    }

    fn remove(&mut self, lease: &PortLease) {
        self.nat.withdraw(lease.protocol, lease.inside);
    }

    fn hold(
        &mut self,
        wanted: &RequestedPort,
        remote: SocketAddrV4,
    ) -> Result<SocketAddrV4, LeaseRefusal> {
        self.external().ok_or(LeaseRefusal::NoAddress)?;
        let RequestedPort {
            protocol,
            inside,
            until,
            ..
        } = *wanted;
        let held = self.nat.hold(protocol, inside, remote, until, self.now);
        held.ok_or(LeaseRefusal::Exhausted)
    }
}

/// Returns whether leases are of this protocol.
pub(super) fn has_ports(number: u8) -> Option<NatProtocol> {
    match NatProtocol::of_number(number) {
        Some(protocol @ (NatProtocol::Udp | NatProtocol::Tcp)) => Some(protocol),
        Some(NatProtocol::Icmp) | None => None,
    }
}
