//! TAP devices in namespaces of the tests' own; nothing to try where `/dev/net/tun` may not be
//! opened.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};

use super::*;
use crate::frames::VNET_HEADER;
use crate::netlink::{Batch, Device, NeighbourRequest, Netlink};
use crate::netns::Netns;
use crate::testing::{netns, sealed};

const ETH0: Device<'static> = Device {
    index: 7,
    name: "eth0",
};

fn made_in(netns: &Netns) -> Option<TapDevice> {
    if !TapDevice::is_available() {
        return None;
    }
    let create = || TapDevice::create(ETH0.name, ETH0.index);
    Some(
        Netns::visit(netns.as_fd(), create)
            .expect("a visit")
            .expect("a device"),
    )
}

fn bring_up(netns: &Netns, node: u8) {
    let mut netlink = Netlink::open_in(netns.as_fd()).expect("netlink");
    let mut batch = Batch::new();
    batch.set_mac(ETH0, [2, 0, 0, 0, 0, node]);
    batch.disable_address_generation(ETH0);
    batch.set_up(ETH0);
    batch.add_address(ETH0, Ipv4Addr::new(10, 0, 0, node).into(), 24);
    batch.add_neighbour(&NeighbourRequest {
        device: ETH0,
        address: Ipv4Addr::new(10, 0, 0, 3 - node).into(),
        mac: [2, 0, 0, 0, 0, 3 - node],
    });
    netlink.execute(batch).expect("addresses");
    let deadline = Instant::now() + Duration::from_secs(10);
    netlink.wait_until_up(&[ETH0], deadline).expect("up");
}

#[test]
fn frames_pass_from_device_to_device_and_super_frames_whole() {
    sealed(|| {
        let (alice, bob) = (netns(), netns());
        let (Some(near), Some(far)) = (made_in(&alice), made_in(&bob)) else {
            return;
        };
        bring_up(&alice, 1);
        bring_up(&bob, 2);
        let udp = |netns: &Netns| {
            let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 9));
            Netns::visit(netns.as_fd(), bind)
                .expect("a visit")
                .expect("a port")
        };
        let (from, to) = (udp(&alice), udp(&bob));
        to.set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a time limit");
        // The kernel cuts this datagram if nobody takes it whole: a promise that older kernels know
        // nothing of.
        let segment = nix::sys::socket::sockopt::UdpGsoSegment;
        nix::sys::socket::setsockopt(&from, segment, &1000).expect("segmentation");
        from.send_to(&[7; 20_000], (Ipv4Addr::new(10, 0, 0, 2), 9))
            .expect("sent");
        let mut inbox = Inbox::new(32);
        let mut polled = [PollFd::new(near.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut polled, 10_000u16), Ok(1));
        near.receive(&mut inbox).expect("frames");
        let frames: Vec<&[u8]> = inbox
            .received()
            .iter()
            .map(|slot| slot.buffer.whole())
            .collect();
        assert!(!frames.is_empty());
        // Linux before 6.2 has cut it by now.
        if frames.len() < 20 {
            assert_eq!(frames[0].len(), VNET_HEADER + 14 + 20 + 8 + 20_000);
        }
        assert_eq!(far.send(&frames), Ok(frames.len()));
        for _ in 0..20 {
            let mut heard = [0; 2000];
            let length = to.recv(&mut heard).expect("a datagram");
            assert_eq!((length, heard[999]), (1000, 7));
        }
    });
}

#[test]
fn an_interface_that_is_down_takes_nothing_and_gives_nothing() {
    sealed(|| {
        let Some(tap) = made_in(&netns()) else { return };
        assert_eq!(tap.receive(&mut Inbox::new(1)), Ok(0));
        assert_eq!(tap.send(&[&[0; 74]]), Err(Errno::EIO));
    });
}

#[test]
fn what_is_no_frame_is_refused_and_the_next_one_is_not() {
    sealed(|| {
        let bob = netns();
        let Some(tap) = made_in(&bob) else { return };
        bring_up(&bob, 2);
        for runt in [0, 5, 10, 23] {
            assert_eq!(tap.send(&[&[0; 23][..runt]]), Err(Errno::EINVAL), "{runt}");
        }
        assert_eq!(tap.send(&[&[0; 74], &[0; 74]]), Ok(2));
    });
}

#[test]
fn without_a_carrier_nothing_can_be_sent() {
    sealed(|| {
        let alice = netns();
        let Some(tap) = made_in(&alice) else { return };
        bring_up(&alice, 1);
        tap.set_carrier(false).expect("unplugged");
        let mut netlink = Netlink::open_in(alice.as_fd()).expect("netlink");
        let carrier = |netlink: &mut Netlink| {
            let entries = netlink.interfaces().expect("interfaces");
            entries
                .iter()
                .any(|entry| entry.name == "eth0" && entry.carrier)
        };
        assert!(!carrier(&mut netlink));
        tap.set_carrier(true).expect("plugged");
        assert!(carrier(&mut netlink));
        let deadline = Instant::now() + Duration::from_secs(10);
        netlink.wait_until_up(&[ETH0], deadline).expect("up");
    });
}
