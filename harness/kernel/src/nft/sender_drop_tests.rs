//! Frames of some senders, seen by datagrams whose fate is known before the next one is sent.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::*;
use crate::clock;
use crate::netlink::Netlink;
use crate::netlink::tests::{ETH0, next, pair, star, udp, v4, v6};
use crate::netns::Netns;
use crate::testing::{netns, sealed};

/// Sends a number, and returns when the receiver has the datagram or it was dropped: until then it
/// counts for the sender (`net/ipv4/udp.c`, `udp_ioctl`).
#[expect(unsafe_code, reason = "no wrapper has this ioctl")]
fn send(from: &UdpSocket, to: &UdpSocket, number: u8) {
    let to = to.local_addr().expect("an address");
    from.send_to(&[number], to).expect("sent");
    let mut queued: libc::c_int = 1;
    let deadline = Instant::now() + Duration::from_secs(10);
    while queued > 0 {
        assert!(Instant::now() < deadline, "the datagram stays where it is");
        // SAFETY: the ioctl writes an int to the place that it is given.
        let done = unsafe { libc::ioctl(from.as_raw_fd(), libc::TIOCOUTQ, &raw mut queued) };
        assert_eq!(done, 0);
    }
}

/// Sends a datagram that arrives: from now on nobody has to ask for hardware addresses.
fn acquaint(from: &UdpSocket, to: &UdpSocket) {
    send(from, to, 0);
    assert_eq!(next(to), 0);
}

fn mac(netns: &Netns) -> [u8; 6] {
    let interfaces = Netlink::open_in(netns.as_fd())
        .and_then(|mut inside| inside.interfaces())
        .expect("interfaces");
    let mac = interfaces[1].mac.clone().expect("a hardware address");
    let bytes = mac
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).expect("a byte"));
    let bytes: Vec<u8> = bytes.collect();
    bytes.try_into().expect("six bytes")
}

/// Checks that the third node hears all senders but those that are named.
fn expect_third_without_packets(nodes: &[Netns], make: &dyn Fn(&Senders) -> SenderDrop) {
    // With so many addresses the set takes several messages.
    let others = (0..3000).map(|at| Ipv4Addr::from_bits(0x0b00_0000 + at).into());
    let by_address = Senders {
        macs: Vec::new(),
        addresses: others.chain([v4(1), v6(1).into()]).collect(),
    };
    let by_mac = Senders {
        macs: vec![mac(&nodes[0])],
        addresses: Vec::new(),
    };
    for from in [by_mac, by_address] {
        for address in [v4, |node| v6(node).into()] {
            let [a, b, c] = [1, 2, 3].map(|n| udp(&nodes[usize::from(n) - 1], address(n)));
            acquaint(&a, &b);
            acquaint(&a, &c);
            acquaint(&b, &c);
            let mut drops = make(&from);
            drops.make().expect("rules");
            send(&a, &c, 1);
            assert_eq!(next(&c), 1, "rules that were made ahead drop nothing");
            drops.close(DropTime::Now).expect("closed");
            send(&a, &c, 2);
            send(&a, &b, 3);
            assert_eq!(next(&b), 3, "others hear the first node");
            send(&b, &c, 4);
            assert_eq!(next(&c), 4, "the third hears others");
            drops.remove().expect("removed");
            send(&a, &c, 5);
            assert_eq!(next(&c), 5);
        }
    }
}

#[test]
fn an_interface_does_not_hear_those_that_are_named() {
    sealed(|| {
        let (_hub, nodes) = star();
        expect_third_without_packets(&nodes, &|from| {
            SenderDrop::of_interfaces(nodes[2].as_fd(), &[ETH0.name], from).expect("prepared")
        });
    });
}

#[test]
fn a_bridge_forwards_nothing_of_those_that_are_named_to_a_port() {
    sealed(|| {
        let (_hub, nodes) = star();
        // The hub is the namespace of this thread.
        let hub = Netns::current().expect("procfs");
        expect_third_without_packets(&nodes, &|from| {
            let receiver = ReceiverPorts {
                ports: vec![crate::netlink::tests::ports()[2].index, 4711],
                from: from.clone(),
            };
            SenderDrop::of_ports(hub.as_fd(), &[receiver]).expect("prepared")
        });
    });
}

/// Rules that were told a time take effect at this time and at no other.
#[test]
fn a_time_of_day_is_the_instant_of_the_change() {
    sealed(|| {
        let [(alice, _near), (bob, _far)] = pair();
        let (a, b) = (udp(&alice, v4(1)), udp(&bob, v4(2)));
        acquaint(&a, &b);
        b.set_nonblocking(true).expect("set");
        let from = Senders {
            macs: vec![mac(&alice)],
            addresses: Vec::new(),
        };
        let mut drops =
            SenderDrop::of_interfaces(bob.as_fd(), &[ETH0.name], &from).expect("prepared");
        drops.make().expect("rules");
        for closes in [true, false, true] {
            let instant = clock::realtime() + 100_000_000;
            match closes {
                true => drops.close(DropTime::At(instant)),
                false => drops.open_gate(DropTime::At(instant)),
            }
            .expect("changed");
            let (mut before, mut after) = (0, 0);
            while after < 100 {
                let sent = clock::realtime();
                send(&a, &b, 1);
                let decided = clock::realtime();
                // A datagram whose fate is decided may be in the socket a moment later.
                let wait = Instant::now() + Duration::from_millis(1);
                let mut passed = b.recv(&mut [0]).is_ok();
                while !passed && Instant::now() < wait {
                    passed = b.recv(&mut [0]).is_ok();
                }
                if decided < instant {
                    assert_eq!(passed, closes, "before the instant");
                    before += 1;
                } else if sent >= instant {
                    assert_eq!(passed, !closes, "after the instant");
                    after += 1;
                }
            }
            assert!(before > 0, "the machine slept for 100 ms");
        }
    });
}

#[test]
fn interfaces_that_are_not_there_are_refused_by_name() {
    sealed(|| {
        let netns = netns();
        let error = SenderDrop::of_interfaces(netns.as_fd(), &[ETH0.name], &Senders::default())
            .expect_err("no eth0");
        assert_eq!(error.errno(), Some(Errno::ENODEV));
        assert!(error.to_string().contains("filter `eth0`"), "{error}");
    });
}
