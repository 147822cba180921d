//! Views show the same interfaces, addresses and routes that were made.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use super::*;

#[test]
fn a_cable_has_both_ends_where_they_belong() {
    sealed(|| {
        let [(_alice, mut near), (_bob, mut far)] = pair();
        for (node, netlink) in [(1u8, &mut near), (2, &mut far)] {
            let interfaces = netlink.interfaces().expect("interfaces");
            let names: Vec<&str> = interfaces
                .iter()
                .map(|interface| interface.name.as_str())
                .collect();
            assert_eq!(names, ["lo", "eth0"]);
            let eth0 = &interfaces[1];
            assert_eq!(
                (eth0.index, eth0.mtu, eth0.up, eth0.carrier),
                (2, 1400, true, true)
            );
            assert_eq!(
                (eth0.kind.as_deref(), eth0.state.as_str(), eth0.peer),
                (Some("veth"), "up", Some(2))
            );
            assert_eq!(eth0.mac, Some(format!("02:00:00:00:00:0{node}")));
        }
        let own = Netlink::open()
            .and_then(|mut own| own.interfaces())
            .expect("interfaces");
        assert_eq!(
            own.len(),
            1,
            "the test's own namespace was only passed through"
        );
    });
}

#[test]
fn names_hardware_addresses_and_mtu_change_and_links_go() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        batch.add_bridge(&BRIDGE);
        batch.add_altname(ETH0, "a-name-that-is-longer-than-fifteen-bytes");
        batch.set_mac(ETH0, [2, 0, 0, 0, 0, 9]);
        batch.set_mtu(ETH0, 9000);
        batch.set_up(ETH0);
        batch.set_down(ETH0);
        netlink.execute(batch).expect("changes");
        let eth0 = netlink.interfaces().expect("interfaces").remove(1);
        assert_eq!(eth0.altnames, ["a-name-that-is-longer-than-fifteen-bytes"]);
        assert_eq!(
            (eth0.mac.as_deref(), eth0.mtu, eth0.up),
            (Some("02:00:00:00:00:09"), 9000, false)
        );
        let mut batch = Batch::new();
        batch.delete_link(BRIDGE.device);
        netlink.execute(batch).expect("a deletion");
        assert_eq!(netlink.interfaces().expect("interfaces").len(), 1);
    });
}

#[test]
fn routes_and_neighbours_are_seen_as_they_were_given() {
    sealed(|| {
        let [(_alice, mut near), _bob] = pair();
        let mut batch = Batch::new();
        let network = RouteRequest {
            destination: Ipv4Addr::new(192, 168, 0, 0).into(),
            prefix: 16,
            via: None,
            device: ETH0,
            metric: None,
            table: None,
        };
        batch.add_route(&network);
        batch.add_route(&default_via(v4(2)));
        batch.add_route(&default_via(v6(2).into()));
        batch.add_neighbour(&NeighbourRequest {
            address: v4(2),
            mac: [2, 0, 0, 0, 0, 2],
            device: ETH0,
        });
        near.execute(batch).expect("routes");
        let routes = near.routes().expect("routes");
        let main = |route: &&RouteEntry| route.table == 254 && route.protocol == "static";
        let vias: Vec<_> = routes
            .iter()
            .filter(main)
            .map(|route| (route.family, route.prefix, route.via))
            .collect();
        assert_eq!(
            vias,
            [
                (IpFamily::V4, 0, Some(v4(2))),
                (IpFamily::V4, 16, None),
                (IpFamily::V6, 0, Some(v6(2).into()))
            ]
        );
        let neighbours = near.neighbours().expect("neighbours");
        let mine = neighbours
            .iter()
            .find(|entry| entry.address == Some(v4(2)))
            .expect("the neighbour");
        assert_eq!(
            (mine.state.as_str(), mine.mac.as_deref()),
            ("reachable", Some("02:00:00:00:00:02"))
        );
    });
}

#[test]
fn sockets_are_seen_with_their_states() {
    sealed(|| {
        let [(alice, _), (bob, _)] = pair();
        let home = Netns::current().expect("procfs");
        let listener = home
            .excursion(bob.as_fd(), || TcpListener::bind((v4(2), 80)))
            .expect("bob")
            .expect("a port");
        let client = home
            .excursion(alice.as_fd(), || TcpStream::connect((v4(2), 80)))
            .expect("alice")
            .expect("bob");
        let states = |netns: &Netns| -> Vec<(&'static str, SocketAddr, Option<SocketAddr>)> {
            let tcp = sockets(netns.as_fd())
                .expect("sockets")
                .into_iter()
                .filter_map(|socket| match socket {
                    SocketEntry::Inet {
                        protocol: "tcp",
                        state,
                        local,
                        peer,
                        ..
                    } => Some((state, local, peer)),
                    _ => None,
                });
            tcp.collect()
        };
        let (own, peer) = (
            client.local_addr().expect("an address"),
            listener.local_addr().expect("an address"),
        );
        assert_eq!(states(&alice), [("established", own, Some(peer))]);
        assert!(states(&bob).contains(&("listen", peer, None)));
        assert!(states(&bob).contains(&("established", peer, Some(own))));
    });
}
