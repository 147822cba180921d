//! Two hosts, and between them two interfaces with a packet socket each: a frame is carried or
//! received, never both.

use std::os::fd::AsFd;

use super::*;
use crate::frames::{BATCH, Inbox, PacketSocket};
use crate::netlink::tests::*;
use crate::netlink::{Netlink, Veth, VethEnd};
use crate::netns::Netns;
use crate::testing::{netns, sealed};

const INNER: [Device<'static>; 2] = [
    Device {
        index: 12,
        name: "m1",
    },
    Device {
        index: 13,
        name: "m2",
    },
];

fn mac(node: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, node]
}

/// Makes a host with a cable into the middle.
fn host(middle: &mut Netlink, node: u8) -> Netns {
    let (host, inner) = (netns(), INNER[usize::from(node - 1)]);
    let mut batch = Batch::new();
    batch.add_veth(&Veth {
        near: VethEnd::new(inner),
        far: VethEnd {
            mac: Some(mac(node)),
            netns: Some(host.as_fd()),
            ..VethEnd::new(ETH0)
        },
    });
    batch.disable_address_generation(inner);
    batch.count_packets(inner);
    batch.set_up(inner);
    middle.execute(batch).expect("a cable");
    let mut netlink = Netlink::open_in(host.as_fd()).expect("a host");
    let mut batch = Batch::new();
    address(&mut batch, node);
    batch.add_neighbour(&crate::netlink::NeighbourRequest {
        device: ETH0,
        address: v4(3 - node),
        mac: mac(3 - node),
    });
    netlink.execute(batch).expect("addresses");
    netlink.wait_until_up(&[ETH0], soon()).expect("up");
    host
}

#[test]
fn a_frame_is_carried_or_received_and_counts_once() {
    sealed(|| {
        let middle = netns();
        let mut netlink = Netlink::open_in(middle.as_fd()).expect("the middle");
        let [alice, bob] = [1, 2].map(|node| host(&mut netlink, node));
        // An interface drops what is sent over it until its qdisc is active, which comes after the
        // carrier (net/core/link_watch.c, linkwatch_do_dev).
        netlink
            .wait_until_up(&INNER, soon())
            .expect("inner ends up");
        FilterConversation::default()
            .forward_between(middle.as_fd(), "shortcut", INNER)
            .expect("rules that forward");
        let sockets = INNER.map(|inner| {
            PacketSocket::beside_shortcut(middle.as_fd(), inner.index).expect("a socket")
        });
        // Hosts tell the groups that they have joined; those frames are not carried.
        let mut inbox = Inbox::new(BATCH);
        let mut datagrams = || {
            let count = sockets[0].receive(&mut inbox).expect("frames");
            let received = inbox.received()[..count].iter();
            received
                .filter(|it| it.buffer.frame()[..6] == mac(2))
                .count()
        };
        let (a, b) = (udp(&alice, v4(1)), udp(&bob, v4(2)));
        let to = b.local_addr().expect("an address");
        let counted = |netlink: &mut Netlink| {
            let entry = netlink.qdisc(INNER[1], QdiscPosition::ROOT);
            entry.expect("counters").statistics.packets
        };

        let mut batch = Batch::new();
        batch.take_shortcut(INNER[0], mac(2));
        batch.take_shortcut(INNER[1], mac(1));
        netlink.execute(batch).expect("taken");
        let before = counted(&mut netlink);
        for number in 0..10 {
            a.send_to(&[number], to).expect("sent");
            assert_eq!(next(&b), number);
        }
        assert_eq!(counted(&mut netlink) - before, 10);
        assert_eq!(datagrams(), 0, "what is carried is not received");

        let mut batch = Batch::new();
        batch.leave_shortcut(INNER[0], mac(2));
        netlink.execute(batch).expect("left");
        a.send_to(&[11], to).expect("sent");
        let deadline = soon();
        while datagrams() == 0 {
            assert!(std::time::Instant::now() < deadline, "nobody received it");
        }
        assert_eq!(counted(&mut netlink) - before, 10, "nor is it carried");
    });
}
