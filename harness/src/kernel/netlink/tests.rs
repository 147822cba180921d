//! The layer against the kernel, in network namespaces of the tests' own threads.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::kernel::netns::Netns;
use crate::kernel::sysctl;

const ETH0: Device<'static> = Device {
    index: 2,
    name: "eth0",
};
const BRIDGE: Bridge<'static> = Bridge {
    device: Device {
        index: 2,
        name: "br0",
    },
    mac: [2, 0xff, 0, 0, 0, 1],
};

/// Runs a test on a thread of its own in a network namespace of its own. An ordinary user gets it in a user
/// namespace, which needs a process of its own: the test binary runs itself again, for that one test.
fn sealed(test: fn()) {
    let outcome = std::thread::spawn(move || match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => {
            test();
            true
        }
        Err(Errno::EPERM) => false,
        Err(errno) => panic!("failed to unshare a network namespace: {errno}"),
    });
    match outcome.join() {
        Ok(true) => {}
        Ok(false) => run_again_in_a_user_namespace(),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn run_again_in_a_user_namespace() {
    let name = std::thread::current()
        .name()
        .expect("libtest names its threads")
        .to_owned();
    let mut command = Command::new(std::env::current_exe().expect("a test has an executable"));
    command.args(["--exact", &name, "--nocapture", "--test-threads=1"]);
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let (uid_map, gid_map) = (format!("0 {uid} 1"), format!("0 {gid} 1"));
    // SAFETY: between fork and exec only system calls are made; these short paths need no memory.
    unsafe {
        command.pre_exec(move || {
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
            std::fs::write("/proc/self/setgroups", "deny")?;
            std::fs::write("/proc/self/uid_map", &uid_map)?;
            std::fs::write("/proc/self/gid_map", &gid_map)
        });
    }
    assert!(
        command.status().expect("the test binary runs").success(),
        "{name} failed in its user namespace"
    );
}

fn netns() -> Netns {
    let made = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
        Netns::current().expect("procfs")
    });
    made.join().expect("a thread")
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn v4(node: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, node).into()
}

fn v6(node: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, node.into())
}

fn link_local(node: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, node.into())
}

fn address(batch: &mut Batch, node: u8) {
    batch.set_up(Device::LOOPBACK);
    batch.give_no_addresses(ETH0);
    batch.set_up(ETH0);
    batch.add_address(ETH0, v4(node), 24);
    batch.add_address(ETH0, v6(node).into(), 64);
    batch.add_address(ETH0, link_local(node).into(), 64);
}

/// Two namespaces and a cable between their `eth0`s.
fn pair() -> [(Netns, Netlink); 2] {
    let (alice, bob) = (netns(), netns());
    let mut near = Netlink::open_in(alice.as_fd()).expect("alice");
    let mut far = Netlink::open_in(bob.as_fd()).expect("bob");
    let mut batch = Batch::new();
    let end = |mac| End {
        mac: Some([2, 0, 0, 0, 0, mac]),
        mtu: Some(1400),
        ..End::new(ETH0)
    };
    batch.add_veth(&Veth {
        near: end(1),
        far: End {
            netns: Some(bob.as_fd()),
            ..end(2)
        },
    });
    near.execute(batch).expect("a cable");
    for (node, netlink) in [(1, &mut near), (2, &mut far)] {
        let mut batch = Batch::new();
        address(&mut batch, node);
        netlink.execute(batch).expect("addresses");
    }
    for (node, netlink) in [(1, &mut near), (2, &mut far)] {
        netlink.wait_until_up(&[ETH0], soon()).expect("up");
        netlink
            .wait_until_heard(ETH0, &[v6(node), link_local(node)], soon())
            .expect("heard");
    }
    [(alice, near), (bob, far)]
}

/// Three namespaces on one bridge in the current namespace.
fn star() -> (Netlink, Vec<Netns>) {
    let nodes: Vec<Netns> = (0..3).map(|_| netns()).collect();
    let mut hub = Netlink::open().expect("hub");
    let ports = ports();
    let mut batch = Batch::new();
    batch.add_bridge(&BRIDGE);
    for (node, port) in nodes.iter().zip(ports) {
        let near = End {
            master: Some(BRIDGE.device.index),
            ..End::new(port)
        };
        batch.add_veth(&Veth {
            near,
            far: End {
                netns: Some(node.as_fd()),
                ..End::new(ETH0)
            },
        });
        batch.give_no_addresses(port);
        batch.set_up(port);
    }
    hub.execute_reusing(&mut batch).expect("cables");
    for (at, node) in (1..).zip(&nodes) {
        let mut inside = Netlink::open_in(node.as_fd()).expect("a node");
        address(&mut batch, at);
        inside.execute_reusing(&mut batch).expect("addresses");
        inside
            .wait_until_heard(ETH0, &[v6(at), link_local(at)], soon())
            .expect("heard");
    }
    batch.start_bridge(&BRIDGE);
    for (at, port) in (1..).zip(ports) {
        batch.add_membership(BRIDGE.device, port, v6(at));
    }
    hub.execute(batch).expect("the bridge");
    hub.wait_until_ports_up(&ports, soon()).expect("ready");
    (hub, nodes)
}

fn ports() -> [Device<'static>; 3] {
    [(10, "p1"), (11, "p2"), (12, "p3")].map(|(index, name)| Device { index, name })
}

fn connect(from: &Netns, to: &Netns, address: SocketAddr) -> Duration {
    let home = Netns::current().expect("procfs");
    let bind = |port| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port));
    let _listener = home
        .excursion(to.as_fd(), || bind(address.port()))
        .expect("bob")
        .expect("a port");
    home.excursion(from.as_fd(), || {
        let start = Instant::now();
        TcpStream::connect_timeout(&address, Duration::from_secs(5)).expect("a connection");
        start.elapsed()
    })
    .expect("alice")
}

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
        let other = Bridge {
            device: Device {
                index: 3,
                name: "br1",
            },
            mac: [2, 0xff, 0, 0, 0, 2],
        };
        let mut batch = Batch::new();
        batch.add_bridge(&other);
        for (at, port) in (1..).zip(ports()).take(2) {
            batch.delete_membership(BRIDGE.device, port, v6(at));
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
fn a_refusal_names_operation_interface_errno_and_reason() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        batch.add_bridge(&Bridge {
            device: Device {
                index: 7,
                name: "twice",
            },
            mac: [2, 0, 0, 0, 0, 1],
        });
        batch.add_bridge(&Bridge {
            device: Device {
                index: 8,
                name: "twice",
            },
            mac: [2, 0, 0, 0, 0, 2],
        });
        batch.set_up(Device {
            index: 7,
            name: "twice",
        });
        let error = netlink.execute(batch).expect_err("the name is taken");
        assert_eq!(
            (error.operation(), error.subject()),
            ("create the bridge", "twice")
        );
        assert_eq!(error.errno(), Some(Errno::EEXIST));
        assert!(error.to_string().contains("already taken"), "{error}");
        let up = netlink
            .interfaces()
            .expect("interfaces")
            .into_iter()
            .any(|entry| entry.index == 7 && entry.up);
        assert!(up, "what came after the refused request was done");
    });
}

#[test]
fn the_kernels_own_words_are_passed_on() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        batch.add_bridge(&BRIDGE);
        batch.set_up(BRIDGE.device);
        batch.add_route(&Route::default_via(v4(1), ETH0));
        let error = netlink.execute(batch).expect_err("the gateway is nowhere");
        assert_eq!(error.errno(), Some(Errno::ENETUNREACH));
        assert!(
            error
                .to_string()
                .contains("the kernel says: Nexthop has invalid gateway"),
            "{error}"
        );
    });
}

#[test]
fn a_thousand_requests_in_one_batch_are_all_done() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        batch.add_bridge(&BRIDGE);
        for at in 0..1000u32 {
            batch.add_address(ETH0, Ipv4Addr::from_bits(0x0a00_0001 + at).into(), 32);
        }
        netlink.execute(batch).expect("addresses");
        assert_eq!(netlink.addresses().expect("addresses").len(), 1001);
    });
}

#[test]
fn many_refusals_at_once_report_the_first() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        let names: Vec<String> = (0..1000).map(|at| format!("none{at}")).collect();
        for name in &names {
            batch.set_up(Device { index: 99, name });
        }
        let error = netlink
            .execute(batch)
            .expect_err("there is no such interface");
        assert_eq!(
            (error.subject(), error.errno()),
            ("none0", Some(Errno::ENODEV))
        );
        netlink.interfaces().expect("the conversation goes on");
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
            near: End::new(left),
            far: End::new(right),
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
        let network = Route {
            destination: Ipv4Addr::new(192, 168, 0, 0).into(),
            prefix: 16,
            via: None,
            device: ETH0,
        };
        batch.add_route(&network);
        batch.add_route(&Route::default_via(v4(2), ETH0));
        batch.add_route(&Route::default_via(v6(2).into(), ETH0));
        batch.add_neighbour(&Neighbour {
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
            .map(|route| (route.prefix, route.via))
            .collect();
        assert_eq!(
            vias,
            [(0, Some(v4(2))), (16, None), (0, Some(v6(2).into()))]
        );
        let neighbours = near.neighbours().expect("neighbours");
        let mine = neighbours
            .iter()
            .find(|entry| entry.address == Some(v4(2)))
            .expect("the neighbour");
        assert_eq!(
            (mine.state.as_str(), mine.mac.as_deref()),
            ("permanent", Some("02:00:00:00:00:02"))
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

#[test]
fn a_setting_is_written_where_the_thread_is() {
    sealed(|| {
        let proc = std::fs::File::open("/proc").expect("procfs");
        let read =
            || std::fs::read_to_string("/proc/sys/net/ipv4/tcp_orphan_retries").expect("readable");
        let other = netns();
        let inside = Netns::visit(other.as_fd(), || {
            sysctl::set(proc.as_fd(), sysctl::ORPHANS_DIE_EARLY).expect("writable");
            read()
        });
        assert_eq!((inside.expect("a visit").trim(), read().trim()), ("1", "0"));
        let error =
            sysctl::set(proc.as_fd(), ("net/ipv4/no_such", "1")).expect_err("there is none");
        assert!(error.to_string().contains("`net/ipv4/no_such`"), "{error}");
    });
}
