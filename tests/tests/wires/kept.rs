//! What a test or a daemon has done to an interface is there after the first impairment, rule or
//! expectation on its link.
//!
//! At a switch the interface is never touched. Between two nodes one of the two interfaces is kept,
//! and the other is made anew with what stood on it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt,
};
use snowglobe::lab::{Carrier, LabErrorKind, Link, Node};
use snowglobe::prelude::*;
use snowglobe::topology::{Engine, LinkId, NodeId};

use crate::MS;

/// Two nodes, joined by a plain cable or by a switch.
struct World {
    lab: Lab,
    /// The node at whose interface something stands, and the other one.
    nodes: [NodeId; 2],
    link: LinkId,
}

/// A way in which the nodes are joined, and the end of the link at which the first node is.
#[derive(Clone, Copy, Debug)]
enum Way {
    FirstEnd,
    SecondEnd,
    Switch,
}

const WAYS: [Way; 3] = [Way::FirstEnd, Way::SecondEnd, Way::Switch];

impl World {
    fn new(way: Way) -> TestResult<Self> {
        let mut topology = Topology::new();
        let nodes = [topology.node("one"), topology.node("two")];
        let link = match way {
            Way::FirstEnd => topology.link(nodes[0], nodes[1]),
            Way::SecondEnd => topology.link(nodes[1], nodes[0]),
            Way::Switch => {
                let lan = topology.switch("lan");
                topology.plug(nodes[1], lan);
                topology.plug(nodes[0], lan)
            }
        };
        let lab = topology.start()?;
        Ok(Self { lab, nodes, link })
    }

    fn one(&self) -> &Node {
        &self.lab[self.nodes[0]]
    }

    fn two(&self) -> &Node {
        &self.lab[self.nodes[1]]
    }

    fn link(&self) -> &Link {
        &self.lab[self.link]
    }

    /// Sends a datagram to a port of the first node, from the second.
    fn send(&self, to: impl std::net::ToSocketAddrs) -> TestResult {
        let two = self.two();
        let socket = two.run(|| UdpSocket::bind("0.0.0.0:0"))?;
        socket.send_to(b"x", to)?;
        Ok(())
    }

    fn assert_connects(&self, what: &str) -> TestResult {
        for (from, to) in [(self.one(), self.two()), (self.two(), self.one())] {
            for ip in [to.ip(), to.ipv6().ok_or("an IPv6 address")?.into()] {
                let listener = to.run(|| TcpListener::bind((ip, 80)))?;
                from.run(|| TcpStream::connect((ip, 80)))
                    .map_err(|e| format!("{what}, {ip}: {e}"))?;
                listener.accept()?;
            }
        }
        Ok(())
    }
}

/// A first use of a link that a plain cable cannot serve. Returns what keeps it in force.
type FirstUse = fn(&Link) -> TestResult<Box<dyn std::any::Any>>;

const USES: [(&str, FirstUse); 4] = [
    ("impair", |link| {
        link.impair(Impairment::delayed(MS))?;
        Ok(Box::new(()))
    }),
    ("rule", |link| {
        Ok(Box::new(link.rule(udp().to_port(1), Verdict::Drop)?))
    }),
    ("expect", |link| {
        Ok(Box::new(link.expect(udp().to_port(1))?))
    }),
    ("degrade", |link| {
        Ok(Box::new(link.degrade(Impairment::delayed(MS))?))
    }),
];

/// Settings of every kind, and some of the plan taken away.
const SETTINGS: &str = "PATH=$PATH:/usr/sbin:/sbin
    ip addr add 10.0.0.50/24 dev eth0 label eth0:vip
    ip addr add 10.7.0.1 peer 10.7.0.2 dev eth0
    ip -6 addr add fd00::5/64 dev eth0 nodad
    ip route add 192.0.2.0/24 via 10.0.0.2 proto bgp metric 20
    ip route add default dev eth0 src 10.0.0.50
    ip route add 198.51.100.0/24 via 10.0.0.2 dev eth0 table 77 mtu 1300
    ip route add 203.0.113.0/24 nexthop via 10.0.0.2 weight 2 nexthop via 10.0.0.3
    ip -6 route add 2001:db8::/32 via fd00::99 proto ospf
    ip -6 route add default via fd00::99 metric 77
    ip link set eth0 mtu 1400
    ip link set eth0 txqueuelen 77
    ip link set eth0 alias uplink
    ip link property add dev eth0 altname wan0
    ip link set eth0 multicast on promisc on
    ip neigh add 10.0.0.99 lladdr 02:00:00:00:00:99 dev eth0
    ip neigh add proxy 10.0.0.98 dev eth0
    ip neigh add 10.0.0.97 lladdr 02:00:00:00:00:97 nud stale dev eth0
    tc qdisc add dev eth0 root tbf rate 50mbit burst 50kb latency 50ms
    cd /proc/sys/net
    echo 1 > ipv4/conf/eth0/rp_filter
    echo 2 > ipv4/conf/eth0/arp_announce
    echo 33 > ipv6/conf/eth0/hop_limit
    echo 12345 > ipv4/neigh/eth0/base_reachable_time_ms";

/// What shows these settings, without counters and what tells of the other end of the cable.
const SEEN: &str = "PATH=$PATH:/usr/sbin:/sbin; ip -o link show dev eth0; ip -o addr show dev eth0; ip route show table all; ip -6 route show table all; \
    tc qdisc show dev eth0; tc class show dev eth0; ip neigh show nud permanent; ip neigh show nud stale; ip neigh show proxy; \
    cd /proc/sys/net; grep -r . ipv4/conf/eth0 ipv6/conf/eth0 ipv4/neigh/eth0 ipv6/neigh/eth0 2>/dev/null";

fn settings(node: &Node) -> TestResult<Vec<String>> {
    let seen = node.command("sh").args(["-c", SEEN]).output()?;
    let text = seen.stdout_str();
    let peerless = |line: &str| {
        let mut kept = String::new();
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            // These are the number of the other end's namespace, and what is left of a lifetime.
            if word.starts_with("link-netns") {
                words.next();
            } else if !word.contains("sec") {
                kept += word.split_once("@if").map_or(word, |(name, _)| name);
                kept += " ";
            }
        }
        kept
    };
    let mut lines: Vec<String> = text.lines().map(peerless).collect();
    lines.sort();
    Ok(lines)
}

#[snowglobe::test(timeout = "120s")]
fn settings_are_there_after_the_first_use_of_a_link() -> TestResult {
    for way in WAYS {
        for (name, first_use) in USES {
            let world = World::new(way)?;
            let what = format!("{name}, {way:?}");
            let done = world.one().command("sh").args(["-ec", SETTINGS]).output()?;
            assert!(done.status.success(), "{}", done.stderr_str());
            // The kernel makes the host route of an IPv6 address in a work item of its own.
            let is_there = |text: &str| {
                let seen = settings(world.one()).unwrap_or_default();
                seen.iter().any(|line| line.contains(text))
            };
            world.lab.wait_until(|| is_there("local fd00::5 dev"))?;
            let before = settings(world.one())?;
            assert!(is_there("tbf"), "{before:#?}");
            let of_two = settings(world.two())?;
            let _in_force = first_use(world.link())?;
            assert_ne!(world.link().carrier(), Carrier::Veth);
            let after = settings(world.one())?;
            let (lost, new): (Vec<_>, Vec<_>) = (
                before.iter().filter(|it| !after.contains(it)).collect(),
                after.iter().filter(|it| !before.contains(it)).collect(),
            );
            assert!(
                lost.is_empty() && new.is_empty(),
                "{what}: lost {lost:#?}, new {new:#?}"
            );
            assert_eq!(settings(world.two())?, of_two, "{what}");
            world.assert_connects(&what)?;
        }
    }
    Ok(())
}

#[snowglobe::test]
fn what_was_taken_away_stays_away() -> TestResult {
    for way in WAYS {
        let world = World::new(way)?;
        let v6 = world.one().ipv6().ok_or("an IPv6 address")?;
        let script = format!("ip -6 addr del {v6}/64 dev eth0; ip link set eth0 mtu 1280");
        let done = world.one().command("sh").args(["-c", &script]).output()?;
        assert!(done.status.success(), "{}", done.stderr_str());
        let before = settings(world.one())?;
        world.link().impair(Impairment::delayed(MS))?;
        assert!(settings(world.one())? == before, "{way:?}");
    }
    Ok(())
}

#[snowglobe::test]
fn sockets_hear_what_they_heard_before() -> TestResult {
    for way in WAYS {
        let world = World::new(way)?;
        let one = world.one();
        let v4 = one.ipv4().ok_or("an IPv4 address")?;
        let (member, member6, bound) = one.run(|| -> TestResult<_> {
            let member = UdpSocket::bind("0.0.0.0:5000")?;
            member.join_multicast_v4(&GROUP.parse()?, &v4)?;
            let member6 = UdpSocket::bind("[::]:5006")?;
            let index = nix::net::if_::if_nametoindex("eth0")?;
            member6.join_multicast_v6(&GROUP6.parse()?, index)?;
            let bound = UdpSocket::bind("0.0.0.0:6000")?;
            setsockopt(&bound, sockopt::BindToDevice, &"eth0".into())?;
            Ok((member, member6, bound))
        })?;
        let all = [&member, &member6, &bound];
        for socket in all {
            socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        }
        let two = world.two();
        let from = two.run(|| UdpSocket::bind((two.ip(), 0)))?;
        let from6 = two.run(|| UdpSocket::bind("[::]:0"))?;
        let index = two.run(|| nix::net::if_::if_nametoindex("eth0"))?;
        let to6 = std::net::SocketAddrV6::new(GROUP6.parse()?, 5006, 0, index);
        let to: [SocketAddr; 3] = [
            (GROUP.parse::<Ipv4Addr>()?, 5000).into(),
            to6.into(),
            (one.ip(), 6000).into(),
        ];
        // Sent again until it is heard: a switch learns of a new member by a report, which takes a
        // moment. Without a report it would learn by the answer to a query, minutes later.
        let hear = |what: &str| -> TestResult {
            for (socket, to) in all.into_iter().zip(to) {
                let from = if to.is_ipv4() { &from } else { &from6 };
                let heard = || -> std::io::Result<usize> {
                    from.send_to(b"x", to)?;
                    socket.recv(&mut [0; 8])
                };
                world
                    .lab
                    .wait_until(|| heard().is_ok())
                    .map_err(|e| format!("{what}, {way:?}, {to}: {e}"))?;
            }
            Ok(())
        };
        hear("before")?;
        world.link().impair(Impairment::delayed(MS))?;
        hear("after")?;
        // The membership is the socket's still: it goes when the socket leaves.
        let groups = || -> TestResult<String> {
            let command = "cat /proc/net/igmp /proc/net/igmp6";
            let groups = one.command("sh").args(["-c", command]).output()?;
            Ok(groups.stdout_str())
        };
        assert!(groups()?.contains("4D0000E0"), "{}", groups()?);
        member.leave_multicast_v4(&GROUP.parse()?, &v4)?;
        assert!(!groups()?.contains("4D0000E0"), "{}", groups()?);
    }
    Ok(())
}

const GROUP: &str = "224.0.0.77";
const GROUP6: &str = "ff02::77";

/// Opens a packet socket at an interface, as tcpdump does.
#[expect(unsafe_code, reason = "no crate here binds a packet socket")]
fn packet_socket(node: &Node) -> TestResult<OwnedFd> {
    let fd = node.run(|| {
        let protocol = SockProtocol::EthAll;
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, protocol)?;
        // SAFETY: all-zero is a valid value of this plain structure.
        let mut at: nix::libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        at.sll_family = nix::libc::AF_PACKET as u16;
        at.sll_protocol = (nix::libc::ETH_P_ALL as u16).to_be();
        at.sll_ifindex = nix::net::if_::if_nametoindex("eth0")?.cast_signed();
        // SAFETY: the address lives across the call, and the length is its own.
        let bound = unsafe {
            let address = (&raw const at).cast();
            nix::libc::bind(fd.as_raw_fd(), address, size_of_val(&at) as u32)
        };
        nix::errno::Errno::result(bound)?;
        let limit = nix::sys::time::TimeVal::new(10, 0);
        setsockopt(&fd, sockopt::ReceiveTimeout, &limit)?;
        nix::Result::Ok(fd)
    })?;
    Ok(fd)
}

/// Receives frames until one has this text.
fn await_frame(socket: &impl AsFd, text: &[u8]) -> TestResult {
    loop {
        let mut frame = [0; 2048];
        let length = recv(socket.as_fd().as_raw_fd(), &mut frame, MsgFlags::empty())?;
        if frame[..length].windows(text.len()).any(|it| it == text) {
            return Ok(());
        }
    }
}

#[snowglobe::test]
fn a_packet_socket_and_a_macvlan_go_on() -> TestResult {
    for way in WAYS {
        let world = World::new(way)?;
        let one = world.one();
        let script = "ip link add m0 link eth0 type macvlan mode bridge; ip addr add 10.0.0.51/24 dev m0; ip link set m0 up";
        let made = one.command("sh").args(["-c", script]).output()?;
        assert!(made.status.success(), "{}", made.stderr_str());
        let sniffer = packet_socket(one)?;
        let events = one
            .command("ip")
            .args(["monitor", "link", "address", "route"])
            .spawn()?;
        let _rule = world.link().rule(udp().to_port(1), Verdict::Drop)?;
        // What arrives, and what leaves.
        let receiver = one.run(|| UdpSocket::bind("10.0.0.51:7000"))?;
        receiver.set_read_timeout(Some(Duration::from_secs(10)))?;
        world.send("10.0.0.51:7000")?;
        receiver
            .recv(&mut [0; 8])
            .map_err(|e| format!("{way:?}: {e}"))?;
        let text = b"what leaves and arrives";
        let from = one.run(|| UdpSocket::bind("0.0.0.0:0"))?;
        from.send_to(text, (world.two().ip(), 7001))?;
        await_frame(&sniffer, text).map_err(|e| format!("{way:?}: {e}"))?;
        if matches!(way, Way::Switch) {
            drop(from);
            let said: Vec<String> = events.log().iter().map(|it| it.text.clone()).collect();
            let of_eth0 = said
                .iter()
                .filter(|line| line.contains("eth0:") || line.contains("eth0@"));
            assert_eq!(of_eth0.count(), 0, "no program hears of a change: {said:?}");
        }
    }
    Ok(())
}

#[snowglobe::test]
fn what_cannot_be_kept_at_both_ends_is_an_error_that_leaves_the_link() -> TestResult {
    let world = World::new(Way::FirstEnd)?;
    let sniffers = [packet_socket(world.one())?, packet_socket(world.two())?];
    // Captures of the lab are no obstacle.
    let _captures = [world.one().capture("eth0")?, world.two().capture("eth0")?];
    let error = world.link().impair(Impairment::delayed(MS)).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotSupported);
    let text = error.to_string();
    for part in ["`one`", "`two`", "packet socket", "Engine::Wire"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(world.link().carrier(), Carrier::Veth);
    world.assert_connects("after the refusal")?;
    drop(sniffers);
    world.link().impair(Impairment::delayed(MS))?;
    world.assert_connects("when they are gone")?;

    let mut topology = Topology::new();
    let nodes = [topology.node("one"), topology.node("two")];
    let wire = LinkSpec::new().engine(Engine::Wire);
    let link = topology.link_with(nodes[0], nodes[1], wire);
    let lab = topology.start()?;
    let sniffers = nodes.map(|node| packet_socket(&lab[node]));
    lab[link].impair(Impairment::delayed(MS))?;
    let from = lab[nodes[0]].run(|| UdpSocket::bind("0.0.0.0:0"))?;
    from.send_to(b"seen at both ends", (lab[nodes[1]].ip(), 7001))?;
    for sniffer in sniffers {
        await_frame(&sniffer?, b"seen at both ends")?;
    }
    Ok(())
}

#[snowglobe::test]
fn a_link_at_a_switch_is_pulled_moved_and_removed_as_before() -> TestResult {
    let mut topology = Topology::new();
    let nodes = ["n1", "n2", "n3"].map(|name| topology.node(name));
    let (lan, other) = (topology.switch("lan"), topology.switch("other"));
    let cables = nodes.map(|node| topology.plug(node, lan));
    let third = topology.node("n4");
    topology.plug(third, other);
    let mut lab = topology.start()?;
    let carrier = |lab: &Lab| -> TestResult<bool> {
        let seen = lab.inspect(nodes[0])?;
        let eth0 = seen.interfaces.iter().find(|it| it.name == "eth0");
        Ok(eth0.ok_or("eth0")?.carrier)
    };
    let cut = lab[cables[0]].cut()?;
    lab[cables[0]].impair(Impairment::delayed(MS))?;
    let try_to_connect = |lab: &Lab, from: NodeId, to: NodeId| {
        let to = SocketAddr::new(lab[to].ip(), 80);
        lab[from].run(|| TcpStream::connect_timeout(&to, Duration::from_millis(200)))
    };
    let connect = |lab: &Lab, from: NodeId| {
        let to = SocketAddr::new(lab[nodes[0]].ip(), 80);
        lab[from].run(|| TcpStream::connect_timeout(&to, Duration::from_secs(20)))
    };
    let listener = lab[nodes[0]].run(|| TcpListener::bind("0.0.0.0:80"))?;
    let through = try_to_connect(&lab, nodes[1], nodes[0]);
    assert!(through.is_err(), "the cut outlives the change");
    cut.heal()?;
    connect(&lab, nodes[1])?;
    lab[cables[0]].down()?;
    lab.wait_until(|| carrier(&lab).is_ok_and(|carrier| !carrier))?;
    lab[cables[0]].up()?;
    lab.wait_until(|| carrier(&lab).is_ok_and(|carrier| carrier))?;
    connect(&lab, nodes[2])?;
    lab.move_link(cables[0], other)?;
    let to = (lab[nodes[0]].ip(), 80);
    lab[third].run(|| TcpStream::connect(to))?;
    lab.move_link(cables[0], lan)?;
    connect(&lab, nodes[1])?;
    drop(listener);

    // A link that is down when it is used for the first time stays down.
    lab[cables[1]].down()?;
    let _rule = lab[cables[1]].rule(udp().to_port(1), Verdict::Drop)?;
    let listener = lab[nodes[2]].run(|| TcpListener::bind("0.0.0.0:80"))?;
    assert!(try_to_connect(&lab, nodes[1], nodes[2]).is_err());
    lab[cables[1]].up()?;
    let to = (lab[nodes[2]].ip(), 80);
    lab[nodes[1]].run(|| TcpStream::connect(to))?;
    drop(listener);
    lab.remove_link(cables[0])?;
    lab.remove_node(nodes[1])?;
    Ok(())
}
