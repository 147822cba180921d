//! A port that was given to a host.

use std::net::SocketAddrV4;

use crate::nat::NatProtocol;

/// The protocol by which a host has asked for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseOrigin {
    /// NAT-PMP.
    NatPmp,
    /// PCP, with the nonce by which the host proves later that the lease is its own.
    Pcp([u8; 12]),
    /// UPnP.
    Upnp,
}

/// An external port that leads to a host which asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortLease {
    /// The protocol: UDP or TCP.
    pub protocol: NatProtocol,
    /// The address and port inside.
    pub inside: SocketAddrV4,
    /// The external port, at the first external address.
    pub port: u16,
    /// The time at which the lease ends, in nanoseconds of the clock of the NAT; `u64::MAX` for
    /// never.
    pub until: u64,
    /// The protocol by which the host asked.
    pub origin: LeaseOrigin,
    /// The description that the host gave, by UPnP.
    pub description: String,
}

impl PortLease {
    /// Returns the whole seconds that are left, none for a lease that never ends.
    pub fn seconds_left(&self, now: u64) -> Option<u32> {
        let left = (self.until != u64::MAX).then(|| self.until.saturating_sub(now))?;
        // The time is rounded up: 0 would tell the host "deleted".
        Some(u32::try_from(left.div_ceil(1_000_000_000)).unwrap_or(u32::MAX))
    }
}

/// The traffic of a host with one remote host, which is kept until a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldPeer {
    /// The protocol: UDP or TCP.
    pub protocol: NatProtocol,
    /// The address and port inside.
    pub inside: SocketAddrV4,
    /// The remote address and port.
    pub remote: SocketAddrV4,
    /// The time at which the traffic is no longer kept, in nanoseconds of the clock of the NAT.
    pub until: u64,
}
