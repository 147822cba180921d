//! Packet sockets on real cables, in namespaces of the tests' own.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::*;
use crate::frames::VNET_HEADER;
use crate::netlink::{Batch, Device, NeighbourRequest, Netlink, Veth, VethEnd};
use crate::testing::{netns, sealed};

const ALICE: Device<'static> = Device {
    index: 2,
    name: "eth0",
};
const MIDDLE: Device<'static> = Device {
    index: 2,
    name: "m0",
};
const ALICE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const BOB_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const ALICE_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const BOB_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// Makes Alice's interface, whose other end lies in the middle; she believes that Bob is there.
fn cable() -> (Netns, Netns) {
    let (alice, middle) = (netns(), netns());
    let mut netlink = Netlink::open_in(middle.as_fd()).expect("netlink");
    let mut batch = Batch::new();
    batch.add_veth(&Veth {
        near: VethEnd::new(MIDDLE),
        far: VethEnd {
            mac: Some(ALICE_MAC),
            netns: Some(alice.as_fd()),
            ..VethEnd::new(ALICE)
        },
    });
    batch.disable_address_generation(MIDDLE);
    batch.set_up(MIDDLE);
    netlink.execute(batch).expect("a cable");
    let mut netlink = Netlink::open_in(alice.as_fd()).expect("netlink");
    let mut batch = Batch::new();
    batch.disable_address_generation(ALICE);
    batch.set_up(ALICE);
    batch.add_address(ALICE, ALICE_IP.into(), 24);
    batch.add_neighbour(&NeighbourRequest {
        device: ALICE,
        address: BOB_IP.into(),
        mac: BOB_MAC,
    });
    netlink.execute(batch).expect("addresses");
    let deadline = Instant::now() + Duration::from_secs(10);
    netlink.wait_until_up(&[ALICE], deadline).expect("up");
    (alice, middle)
}

fn udp(netns: &Netns, port: u16) -> UdpSocket {
    let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port));
    Netns::visit(netns.as_fd(), bind)
        .expect("a visit")
        .expect("a port")
}

/// Receives until there are so many frames, each with what is known of it.
fn receive(socket: &PacketSocket, wanted: usize) -> Vec<(Vec<u8>, Option<u64>, bool)> {
    let mut inbox = Inbox::new(4);
    let mut all = Vec::new();
    while all.len() < wanted {
        let mut polled = [nix::poll::PollFd::new(
            socket.as_fd(),
            nix::poll::PollFlags::POLLIN,
        )];
        let ready = nix::poll::poll(&mut polled, 10_000u16).expect("poll");
        assert_eq!(ready, 1, "{} of {wanted} frames came", all.len());
        socket.receive(&mut inbox).expect("frames");
        all.extend(
            inbox
                .received()
                .iter()
                .map(|slot| (slot.buffer.whole().to_vec(), slot.time, slot.outgoing)),
        );
    }
    all
}

#[test]
fn frames_come_out_of_one_interface_and_go_back_in() {
    sealed(|| {
        let (alice, middle) = cable();
        let wire = PacketSocket::for_wire(middle.as_fd(), MIDDLE.index).expect("a socket");
        let socket = udp(&alice, 7);
        for number in 0..40u8 {
            let payload = vec![number; usize::from(number) * 30];
            socket.send_to(&payload, (BOB_IP, 9)).expect("sent");
        }
        let frames = receive(&wire, 40);
        for (number, (whole, _, outgoing)) in (0u8..).zip(&frames) {
            let frame = &whole[VNET_HEADER..];
            assert_eq!((&frame[..6], &frame[6..12]), (&BOB_MAC[..], &ALICE_MAC[..]));
            assert_eq!(frame.len(), 42 + usize::from(number) * 30);
            assert!(frame[42..].iter().all(|byte| *byte == number));
            assert!(!outgoing);
        }
        // Bob echoes: the same frames with everything the other way round, checksums being
        // symmetric.
        let echoes: Vec<Vec<u8>> = frames.into_iter().map(|(whole, ..)| echo(whole)).collect();
        let echoes: Vec<&[u8]> = echoes.iter().map(Vec::as_slice).collect();
        let sent = wire.send(&echoes).expect("sent");
        assert_eq!(sent, BATCH);
        assert_eq!(wire.send(&echoes[sent..]).expect("sent"), 40 - BATCH);
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a time limit");
        for number in 0..40u8 {
            let mut heard = [0; 2000];
            let (length, from) = socket.recv_from(&mut heard).expect("an echo");
            assert_eq!(from, SocketAddr::from((BOB_IP, 9)));
            assert_eq!(length, usize::from(number) * 30);
        }
        // What we have sent is not ours to receive.
        assert_eq!(wire.receive(&mut Inbox::new(4)), Ok(0));
    });
}

fn echo(mut whole: Vec<u8>) -> Vec<u8> {
    let frame = &mut whole[VNET_HEADER..];
    let (to, from) = frame.split_at_mut(6);
    to.swap_with_slice(&mut from[..6]);
    let (source, destination) = frame[26..34].split_at_mut(4);
    source.swap_with_slice(destination);
    let (source, destination) = frame[34..38].split_at_mut(2);
    source.swap_with_slice(destination);
    whole
}

#[test]
fn a_capture_sees_both_directions_and_when() {
    sealed(|| {
        let (alice, middle) = cable();
        let capture = PacketSocket::for_capture(alice.as_fd(), ALICE.index).expect("a socket");
        let wire = PacketSocket::for_wire(middle.as_fd(), MIDDLE.index).expect("a socket");
        let begin = SystemTime::now();
        udp(&alice, 7).send_to(b"hello", (BOB_IP, 9)).expect("sent");
        let (whole, ..) = receive(&wire, 1).remove(0);
        wire.send(&[&echo(whole)]).expect("sent");
        let seen = receive(&capture, 2);
        let end = SystemTime::now();
        assert_eq!((seen[0].2, seen[1].2), (true, false));
        for (_, time, _) in seen {
            let time = UNIX_EPOCH + Duration::from_nanos(time.expect("a time"));
            assert!(begin <= time && time <= end, "{begin:?} {time:?} {end:?}");
        }
    });
}

#[test]
fn an_interface_that_is_down_has_nothing_until_it_is_up() {
    sealed(|| {
        let (alice, middle) = cable();
        let wire = PacketSocket::for_wire(middle.as_fd(), MIDDLE.index).expect("a socket");
        let mut netlink = Netlink::open_in(middle.as_fd()).expect("netlink");
        let mut inbox = Inbox::new(1);
        for _ in 0..2 {
            let mut batch = Batch::new();
            batch.set_down(MIDDLE);
            netlink.execute(batch).expect("down");
            assert_eq!(wire.receive(&mut inbox), Ok(0));
            assert_eq!(wire.send(&[&[0; 100]]), Err(Errno::ENETDOWN));
            let mut batch = Batch::new();
            batch.set_up(MIDDLE);
            netlink.execute(batch).expect("up");
            let mut near = Netlink::open_in(alice.as_fd()).expect("netlink");
            let deadline = Instant::now() + Duration::from_secs(10);
            near.wait_until_up(&[ALICE], deadline).expect("up");
            udp(&alice, 7).send_to(b"hello", (BOB_IP, 9)).expect("sent");
            receive(&wire, 1);
        }
    });
}

#[test]
fn a_full_buffer_loses_frames_and_counts_them() {
    sealed(|| {
        let (alice, middle) = cable();
        let wire = PacketSocket::for_wire(middle.as_fd(), MIDDLE.index).expect("a socket");
        setsockopt(&wire.fd, sockopt::RcvBuf, &4096).expect("a small buffer");
        let socket = udp(&alice, 7);
        for _ in 0..100 {
            socket.send_to(&[0; 1400], (BOB_IP, 9)).expect("sent");
        }
        let mut inbox = Inbox::new(BATCH);
        let mut received = 0;
        loop {
            match wire.receive(&mut inbox).expect("frames") {
                0 => break,
                some => received += some as u64,
            }
        }
        assert_eq!(received + wire.take_lost().expect("a count"), 100);
        assert!((1..100).contains(&received), "{received}");
        assert_eq!(wire.take_lost(), Ok(0));
    });
}

#[test]
fn no_such_interface_is_an_error_that_names_it() {
    sealed(|| {
        let error = PacketSocket::for_wire(netns().as_fd(), 77).expect_err("no interface");
        assert!(
            error
                .to_string()
                .contains("bind a packet socket on interface 77"),
            "{error}"
        );
        assert!(error.to_string().contains("ENODEV"), "{error}");
    });
}
