//! IngressDrop cables, seen by datagrams: what is sent during a cut never arrives, what is sent
//! after it does.
//!
//! A datagram may wait in the kernel for a while before the receiving device has it, so a cut is
//! only healed when it has counted what it had to drop.

use std::net::UdpSocket;

use nix::errno::Errno;

use super::*;
use crate::netlink::tests::*;
use crate::netns::Netns;
use crate::testing::{netns, sealed};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A bound socket of that namespace, which waits long enough for any datagram that is under way.
fn udp(netns: &Netns, address: IpAddr) -> UdpSocket {
    let socket = Netns::visit(netns.as_fd(), || UdpSocket::bind((address, 0)));
    let socket = socket.expect("a namespace").expect("a socket");
    let timeout = Some(Duration::from_secs(10));
    socket.set_read_timeout(timeout).expect("a timeout");
    socket
}

fn send(from: &UdpSocket, to: &UdpSocket, what: u8) {
    let to = to.local_addr().expect("an address");
    from.send_to(&[what; LENGTH], to).expect("sent");
}

/// A datagram that arrives: from now on nobody has to ask for hardware addresses.
fn acquaint(from: &UdpSocket, to: &UdpSocket) {
    send(from, to, 0);
    assert_eq!(next(to), 0);
}

/// So long that nothing else in these networks is, and its loss shows in the counters.
const LENGTH: usize = 1000;

fn wait_until_dropped(cut: &mut IngressDrop, datagrams: u64) {
    let deadline = soon();
    while cut.dropped().expect("counters").1 < datagrams * LENGTH as u64 {
        assert!(Instant::now() < deadline, "not dropped: {cut:?}");
        std::thread::yield_now();
    }
}

/// The next datagram.
fn next(socket: &UdpSocket) -> u8 {
    let mut byte = [0];
    socket.recv(&mut byte).expect("a datagram");
    byte[0]
}

fn cut(netns: &Netns, from: &DropFrom) -> IngressDrop {
    IngressDrop::make(netns.as_fd(), ETH0, from).expect("a cut")
}

#[test]
fn a_cut_stops_one_direction_until_it_is_dropped() {
    sealed(|| {
        let [(alice, _near), (bob, _far)] = pair();
        for address in [v4, |node| v6(node).into()] {
            let (a, b) = (udp(&alice, address(1)), udp(&bob, address(2)));
            acquaint(&a, &b);
            let mut cut = cut(&bob, &DropFrom::Anyone);
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
        let all = cut(&bob, &DropFrom::Anyone);
        let mac = cut(&bob, &DropFrom::Macs(vec![[2, 0, 0, 0, 0, 1]]));
        let address = cut(&bob, &DropFrom::Addresses(vec![v4(1)]));
        // The one that was made last is asked first, and what it drops the others never see.
        for (sent, mut cut) in [(1, address), (2, mac), (3, all)] {
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
fn only_those_that_are_named_are_cut_off() {
    sealed(|| {
        let (hub, nodes) = star();
        let interfaces = Netlink::open_in(nodes[0].as_fd())
            .and_then(|mut inside| inside.interfaces())
            .expect("interfaces");
        let mac = interfaces[1].mac.clone().expect("a hardware address");
        let mac: Vec<u8> = mac
            .split(':')
            .map(|byte| u8::from_str_radix(byte, 16).expect("a byte"))
            .collect();
        let mac = <[u8; 6]>::try_from(mac).expect("six bytes");
        // So many that the set takes several messages.
        let others = (0..3000).map(|at| Ipv4Addr::from_bits(0x0b00_0000 + at).into());
        let named = others.chain([v4(1), v6(1).into()]).collect();
        for from in [DropFrom::Macs(vec![mac]), DropFrom::Addresses(named)] {
            for address in [v4, |node| v6(node).into()] {
                let [one, two, three] = [1, 2, 3].map(|node| (node, &nodes[usize::from(node) - 1]));
                let [a, b, c] = [one, two, three].map(|(node, netns)| udp(netns, address(node)));
                acquaint(&a, &b);
                acquaint(&a, &c);
                acquaint(&b, &c);
                let mut cut = cut(&nodes[2], &from);
                send(&a, &c, 1);
                send(&a, &b, 2);
                assert_eq!(next(&b), 2, "others hear the first node");
                send(&b, &c, 3);
                assert_eq!(next(&c), 3, "the third hears others");
                wait_until_dropped(&mut cut, 1);
                drop(cut);
                send(&a, &c, 4);
                assert_eq!(next(&c), 4);
            }
        }
        drop(hub);
    });
}

#[test]
fn a_firewall_that_flushes_its_rules_does_not_heal_a_cut() {
    sealed(|| {
        let [(alice, _near), (bob, _far)] = pair();
        let (a, b) = (udp(&alice, v4(1)), udp(&bob, v4(2)));
        acquaint(&a, &b);
        let mut cut = cut(&bob, &DropFrom::Anyone);
        let socket = Netns::visit(bob.as_fd(), || {
            NetlinkSocket::open(NetlinkProtocol::Netfilter)
        });
        let socket = socket.expect("a namespace").expect("a socket");
        let mut firewall = Netlink::from_socket(socket);
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
        let error = IngressDrop::make(netns.as_fd(), ETH0, &DropFrom::Anyone).expect_err("no eth0");
        assert_eq!(error.errno(), Some(Errno::ENODEV));
        assert!(error.to_string().contains("cut `eth0`"), "{error}");
    });
}
