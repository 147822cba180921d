//! Leases in a NAT that nftables carries.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::site::KernelNat;
use crate::kernel::clock::monotonic;
use crate::kernel::netlink::NetlinkError;
use crate::kernel::nft::conntrack::{
    FlowTuple, TrackedFlow, begin_flow, find_flow, forget_flow, hold_flow, tracked_flows,
};
use crate::lab::packet_filter::netfilter::number_of;
use crate::model::nat::{NatProtocol, RequestedPort};
use crate::model::portmap::PortLease;
use crate::model::portmap::engine::{LeaseEngine, LeaseRefusal};

/// The ports of a NAT that hosts may get where they may get any (RFC 4787, REQ-3a).
const PORTS: std::ops::RangeInclusive<u16> = 1024..=u16::MAX;

/// The kernel's NAT while a request is answered. The rules of leases are put in place afterwards.
pub(super) struct KernelEngine<'s> {
    pub(super) nat: &'s KernelNat,
    pub(super) netns: BorrowedFd<'s>,
    /// The external ports that are leased.
    pub(super) taken: Vec<(NatProtocol, u16, SocketAddrV4)>,
    /// Leases that have ended meanwhile.
    pub(super) ended: Vec<PortLease>,
}

impl KernelEngine<'_> {
    fn is_free(&self, wanted: &RequestedPort, port: u16) -> bool {
        let is_other = |(protocol, other, inside): &(NatProtocol, u16, SocketAddrV4)| {
            (*protocol, *other) == (wanted.protocol, port) && *inside != wanted.inside
        };
        let mut forwards = self.nat.forwards.iter();
        !self.taken.iter().any(is_other)
            && !forwards.any(|it| (it.protocol, it.port) == (wanted.protocol, port))
    }

    /// Makes the kernel forget the connections of leases that have ended.
    pub(super) fn forget_connections(&self) -> Result<(), NetlinkError> {
        if self.ended.is_empty() {
            return Ok(());
        }
        // The kernel finds flows by both ends, and remote ends are known to it alone.
        for flow in tracked_flows(self.netns)? {
            let is_of = |lease: &PortLease| {
                let at = SocketAddrV4::new(self.nat.external, lease.port);
                number_of(lease.protocol) == Some(flow.protocol)
                    && flow.destination_is_translated()
                    && (flow.original.destination, flow.reply.source) == (at, lease.inside)
            };
            if self.ended.iter().any(is_of) {
                forget_flow(self.netns, &flow)?;
            }
        }
        Ok(())
    }

    /// Keeps the flow between two ends, which is begun where there is none, and returns its
    /// external end.
    fn keep(
        &self,
        protocol: u8,
        ends: [SocketAddrV4; 2],
        time: Duration,
    ) -> Result<Option<SocketAddrV4>, NetlinkError> {
        let [source, destination] = ends;
        let packets = FlowTuple {
            source,
            destination,
        };
        let find = || -> Result<Option<TrackedFlow>, NetlinkError> {
            let flow = find_flow(self.netns, protocol, &packets, None)?;
            Ok(flow.filter(|it| it.original == packets))
        };
        match find()? {
            // A lifetime of 0 leaves the flow to its traffic (RFC 6887, section 12.3).
            Some(flow) if time.is_zero() => return Ok(Some(flow.reply.destination)),
            Some(flow) => hold_flow(self.netns, &flow, time)?,
            None => {
                let time = time.max(Duration::from_secs(1));
                begin_flow(self.netns, protocol, ends, self.nat.external, time)?;
            }
        }
        // The kernel has chosen the port.
        Ok(find()?.map(|flow| flow.reply.destination))
    }
}

impl LeaseEngine for KernelEngine<'_> {
    fn external(&self) -> Option<Ipv4Addr> {
        Some(self.nat.external)
    }

    fn make(&mut self, wanted: &RequestedPort) -> Result<u16, LeaseRefusal> {
        if wanted.exact {
            let is_free = self.is_free(wanted, wanted.port);
            return is_free.then_some(wanted.port).ok_or(LeaseRefusal::Taken);
        }
        // Near what was asked for, or else the port inside (RFC 6886, section 3.3).
        let wishes = [wanted.port, wanted.inside.port()];
        let first = wishes.into_iter().find(|port| PORTS.contains(port));
        let first = first.unwrap_or(*PORTS.start());
        let mut ports = (first..=*PORTS.end()).chain(*PORTS.start()..first);
        let free = ports.find(|port| self.is_free(wanted, *port));
        free.ok_or(LeaseRefusal::Exhausted)
    }

    fn remove(&mut self, lease: &PortLease) {
        let key = (lease.protocol, lease.port, lease.inside);
        self.taken.retain(|taken| *taken != key);
        self.ended.push(lease.clone());
    }

    fn hold(
        &mut self,
        wanted: &RequestedPort,
        remote: SocketAddrV4,
    ) -> Result<SocketAddrV4, LeaseRefusal> {
        let protocol = number_of(wanted.protocol).ok_or(LeaseRefusal::Exhausted)?;
        let left = Duration::from_nanos(wanted.until.saturating_sub(monotonic()));
        // A clock that has gone on for less than a second is not to take a second away.
        let time = Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0));
        match self.keep(protocol, [wanted.inside, remote], time) {
            Ok(Some(outside)) => Ok(outside),
            Ok(None) | Err(_) => Err(LeaseRefusal::Exhausted),
        }
    }
}
