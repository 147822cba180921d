//! Feeds garbage to a router that serves NAT-PMP and PCP.

#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};

use snowglobe_model::nat::{Nat, preset};
use snowglobe_model::portmap::PortMappingSpec;
use snowglobe_model::portmap::book::LeaseBook;
use snowglobe_model::portmap::datagram::hear;
use snowglobe_model::portmap::engine::NatNow;

const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let public = Ipv4Addr::new(203, 0, 113, 1);
    let mut nat = Nat::new(preset::port_restricted_cone(), &[public], [2; 6], 1);
    let mut book = LeaseBook::new(PortMappingSpec::all(), 0);
    // Several datagrams, a minute apart: each has its length in front.
    let (mut rest, mut now) = (bytes, 0);
    while let Some((&length, more)) = rest.split_first() {
        let (datagram, after) = more.split_at(more.len().min(usize::from(length) * 5));
        (rest, now) = (after, now + 60_000_000_000);
        let mut engine = NatNow { nat: &mut nat, now };
        let from = SocketAddrV4::new(HOST, 1000);
        let Some(answer) = hear(&mut book, &mut engine, datagram, from, now) else {
            continue;
        };
        assert_eq!(answer[1], datagram[1] | 128);
        match answer[0] {
            0 => assert!([8, 12, 16].contains(&answer.len())),
            2 => assert!((24..=1100).contains(&answer.len()) && answer.len() % 4 == 0),
            other => panic!("version {other}"),
        }
        // Whatever was asked, leases are of the asker, and the NAT has them.
        for lease in book.leases(now) {
            assert_eq!(*lease.inside.ip(), HOST);
            let at = SocketAddrV4::new(public, lease.port);
            let mut mappings = nat.mappings(now).into_iter();
            assert!(mappings.any(|it| it.inside == lease.inside && it.outside == at));
        }
    }
});
