//! A router that gives ports, seen by its messages.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::book::LeaseBook;
use super::datagram::{announcements, hear};
use super::engine::NatNow;
use super::{LeaseOrigin, PortMappingSpec};
use crate::nat::{Nat, NatProtocol, NatSpec, preset};

mod datagrams;
mod garbage;
mod upnp;

const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 3);
const SECOND: u64 = 1_000_000_000;

/// A router with the NAT of this crate, and a clock.
struct Router {
    book: LeaseBook,
    nat: Nat,
    now: u64,
}

impl Router {
    fn new(spec: PortMappingSpec) -> Router {
        Self::with_nat(spec, preset::port_restricted_cone())
    }

    fn with_nat(spec: PortMappingSpec, nat: NatSpec) -> Router {
        let now = 5 * SECOND;
        Router {
            book: LeaseBook::new(spec, now),
            nat: Nat::new(nat, &[PUBLIC], [2, 0, 0, 0, 0, 1], 1),
            now,
        }
    }

    fn hear(&mut self, from: Ipv4Addr, datagram: &[u8]) -> Option<Vec<u8>> {
        let Router { book, nat, now } = self;
        let mut engine = NatNow { nat, now: *now };
        let from = SocketAddrV4::new(from, 40_000);
        hear(book, &mut engine, datagram, from, *now)
    }

    fn wait(&mut self, seconds: u64) {
        self.now += seconds * SECOND;
        let Router { book, nat, now } = self;
        let mut engine = NatNow { nat, now: *now };
        book.expire(&mut engine, *now);
    }

    /// Returns the leases, which the NAT has to have as well.
    fn leases(&self) -> Vec<(NatProtocol, SocketAddrV4, u16)> {
        let leases = self.book.leases(self.now);
        let mut leases: Vec<_> = leases.map(|it| (it.protocol, it.inside, it.port)).collect();
        let mappings = self.nat.mappings(self.now);
        let mapped = mappings
            .iter()
            .map(|it| (it.protocol, it.inside, it.outside.port()));
        leases.sort_unstable();
        assert_eq!(leases, mapped.collect::<Vec<_>>());
        leases
    }
}

#[test]
fn a_value_is_checked() {
    let spec = |shortest, longest| PortMappingSpec {
        shortest: std::time::Duration::from_millis(shortest),
        longest: std::time::Duration::from_millis(longest),
        ..PortMappingSpec::all()
    };
    assert_eq!(spec(1000, 1000).validate(), Ok(()));
    for wrong in [
        spec(0, 1000),
        spec(2000, 1000),
        spec(1500, 3000),
        spec(1000, u64::MAX),
    ] {
        let error = wrong.validate().expect_err("no such lease").to_string();
        assert!(error.contains("whole seconds"), "{error}");
    }
}
