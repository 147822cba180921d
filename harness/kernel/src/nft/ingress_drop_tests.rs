//! Cuts of cables, observed by datagrams: one that is sent during a cut never arrives, one that is
//! sent after the cut does.
//!
//! A datagram may wait in the kernel for a while before the receiving device has it, so a cut is
//! only healed when it has counted what it had to drop.

use std::net::UdpSocket;

use nix::errno::Errno;

use super::*;
use crate::netlink::tests::*;
use crate::netlink::{Batch, Netlink};
use crate::netns::Netns;
use crate::testing::{netns, sealed};
use std::os::fd::AsFd;
use std::time::Instant;

fn send(from: &UdpSocket, to: &UdpSocket, what: u8) {
    let to = to.local_addr().expect("an address");
    from.send_to(&[what; LENGTH], to).expect("sent");
}

/// Sends a datagram that arrives: from now on nobody has to ask for hardware addresses.
fn acquaint(from: &UdpSocket, to: &UdpSocket) {
    send(from, to, 0);
    assert_eq!(next(to), 0);
}

/// A length that nothing else in these networks is, and its loss shows in the counters.
const LENGTH: usize = 1000;

fn wait_until_dropped(cut: &mut IngressDrop, datagrams: u64) {
    let deadline = soon();
    while cut.dropped().expect("counters").1 < datagrams * LENGTH as u64 {
        assert!(Instant::now() < deadline, "not dropped: {cut:?}");
        std::thread::yield_now();
    }
}

fn cut(netns: &Netns) -> IngressDrop {
    IngressDrop::make(netns.as_fd(), ETH0).expect("a cut")
}

#[test]
fn a_cut_stops_one_direction_until_it_is_dropped() {
    sealed(|| {
        let [(alice, _near), (bob, _far)] = pair();
        for address in [v4, |node| v6(node).into()] {
            let (a, b) = (udp(&alice, address(1)), udp(&bob, address(2)));
            acquaint(&a, &b);
            let mut cut = cut(&bob);
            send(&a, &b, 2);
            send(&b, &a, 3);
            assert_eq!(next(&a), 3, "the other direction is as it was");
            wait_until_dropped(&mut cut, 1);
            drop(cut);
            send(&a, &b, 4);
            assert_eq!(next(&b), 4, "2 was sent during the cut");
        }
    });
}

#[test]
fn cuts_compose() {
    sealed(|| {
        let [(alice, _near), (bob, _far)] = pair();
        let (a, b) = (udp(&alice, v4(1)), udp(&bob, v4(2)));
        acquaint(&a, &b);
        let all = cut(&bob);
        let [again, last] = [cut(&bob), cut(&bob)];
        // The one that was made last is asked first, and what it drops the others never see.
        for (sent, mut cut) in [(1, last), (2, again), (3, all)] {
            send(&a, &b, sent);
            wait_until_dropped(&mut cut, 1);
            cut.heal().expect("healed");
        }
        send(&a, &b, 4);
        assert_eq!(
            next(&b),
            4,
            "while one of the three was there nothing arrived"
        );
    });
}

#[test]
fn a_firewall_that_flushes_its_rules_does_not_heal_a_cut() {
    sealed(|| {
        let [(alice, _near), (bob, _far)] = pair();
        let (a, b) = (udp(&alice, v4(1)), udp(&bob, v4(2)));
        acquaint(&a, &b);
        let mut cut = cut(&bob);
        let mut firewall = Netlink::of_packet_filter(bob.as_fd()).expect("a socket");
        let mut flush = Batch::new();
        // A deletion that names no table is one of all tables.
        flush.push("flush", "everything", 0xa02, 0, &[0; 4]);
        firewall.commit(flush).expect("nobody's business");
        send(&a, &b, 1);
        wait_until_dropped(&mut cut, 1);
        cut.heal().expect("it is still there");
        send(&a, &b, 2);
        assert_eq!(next(&b), 2);
    });
}

#[test]
fn a_cut_of_a_device_that_is_not_there_is_refused_by_name() {
    sealed(|| {
        let netns = netns();
        let error = IngressDrop::make(netns.as_fd(), ETH0).expect_err("no eth0");
        assert_eq!(error.errno(), Some(Errno::ENODEV));
        assert!(error.to_string().contains("cut `eth0`"), "{error}");
    });
}
