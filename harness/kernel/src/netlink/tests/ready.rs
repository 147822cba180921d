//! Ready means ready.

use std::net::{IpAddr, SocketAddrV6, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_star_is_ready_when_it_says_so() {
    sealed(|| {
        let (mut hub, nodes) = star();
        let took = [
            connect(&nodes[0], &nodes[1], (v4(2), 80).into()),
            connect(&nodes[1], &nodes[2], (v6(3), 80).into()),
            connect(&nodes[2], &nodes[0], (v6(1), 80).into()),
        ];
        // A lost first packet costs a second; the rest is room for a busy machine.
        assert!(
            took.iter().all(|took| *took < Duration::from_millis(500)),
            "{took:?}"
        );
        let interfaces = hub.interfaces().expect("interfaces");
        assert!(
            interfaces
                .iter()
                .filter(|entry| entry.master == Some(2))
                .count()
                == 3,
            "{interfaces:?}"
        );
    });
}

#[test]
fn a_port_moves_to_another_bridge() {
    sealed(|| {
        let (mut hub, nodes) = star();
        let other = BridgeRequest {
            device: Device {
                index: 3,
                name: "br1",
            },
            mac: [2, 0xff, 0, 0, 0, 2],
            querier: Some(Querier::Quiet),
        };
        let mut batch = Batch::new();
        batch.add_bridge(&other);
        for port in ports().into_iter().take(2) {
            batch.set_master(port, Some(other.device.index));
        }
        batch.start_bridge(&other);
        for (at, port) in (1..).zip(ports()).take(2) {
            batch.add_membership(other.device, port, v6(at));
        }
        hub.execute(batch).expect("a move");
        hub.wait_until_ports_up(&ports(), soon()).expect("ready");
        connect(&nodes[0], &nodes[1], (v6(2), 80).into());
        let home = Netns::current().expect("procfs");
        let alone = home.excursion(nodes[0].as_fd(), || {
            TcpStream::connect_timeout(&(v4(3), 80).into(), Duration::from_millis(50))
        });
        assert!(
            alone.expect("alice").is_err(),
            "the third node is on the other segment"
        );
    });
}

#[test]
fn addresses_are_usable_at_once_and_no_others_appear() {
    sealed(|| {
        let [(alice, mut near), (bob, _far)] = pair();
        let addresses = near.addresses().expect("addresses");
        let on_eth0: Vec<IpAddr> = addresses
            .iter()
            .filter(|entry| entry.interface == 2)
            .map(|entry| entry.address)
            .collect();
        assert_eq!(on_eth0, [v4(1), v6(1).into(), link_local(1).into()]);
        assert!(
            addresses
                .iter()
                .all(|entry| entry.permanent && !entry.tentative),
            "{addresses:?}"
        );
        let scoped = SocketAddrV6::new(link_local(2), 82, 0, ETH0.index).into();
        for to in [(v4(2), 80).into(), (v6(2), 81).into(), scoped] {
            let took = connect(&alice, &bob, to);
            // A lost first packet costs a second; the rest is room for a busy machine.
            assert!(took < Duration::from_millis(500), "{to} took {took:?}");
        }
    });
}

#[test]
fn a_wait_in_vain_tells_the_last_state() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        let (left, right) = (
            Device {
                index: 5,
                name: "left",
            },
            Device {
                index: 6,
                name: "right",
            },
        );
        batch.add_veth(&Veth {
            near: VethEnd::new(left),
            far: VethEnd::new(right),
        });
        batch.set_up(left);
        netlink.execute(batch).expect("a cable");
        let deadline = Instant::now() + Duration::from_millis(30);
        let error = netlink
            .wait_until_up(&[left], deadline)
            .expect_err("the other end is down");
        assert!(error.is_timeout());
        assert!(
            error
                .to_string()
                .contains("`left` has no carrier (its other end is down)"),
            "{error}"
        );
    });
}
