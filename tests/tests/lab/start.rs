//! A test may rely on the whole lab when `start()` returns.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use snowglobe::prelude::*;
use snowglobe::topology::Families;
use snowglobe_tests::traffic::retransmitted;

#[snowglobe::test]
fn bob_answers_alice_by_name() -> TestResult {
    let mut topology = Topology::new();
    let (alice, bob) = (topology.node("alice"), topology.node("bob"));
    topology.link(alice, bob);
    let lab = topology.start()?;
    let listener = lab[bob].run(|| TcpListener::bind("0.0.0.0:80"))?;
    let _client = lab[alice].run(|| TcpStream::connect("bob:80"))?;
    let (_, peer) = listener.accept()?;
    assert_eq!(peer.ip(), lab[alice].ip());
    let _client = lab[alice].run(|| TcpStream::connect("bob.lab:80"))?;
    Ok(())
}

#[snowglobe::test]
fn both_families_work_from_the_first_packet_in_a_star() -> TestResult {
    let lab = shape::star(10).start()?;
    let nodes: Vec<_> = lab.nodes().collect();
    let listeners: Vec<_> = nodes
        .iter()
        .map(|node| node.run(|| TcpListener::bind("[::]:80")))
        .collect::<Result<_, _>>()?;
    // A closed connection would have a segment more, which a busy machine may send again after 200
    // ms.
    let mut open = Vec::new();
    for (from, to) in (0..10)
        .flat_map(|a| (0..10).map(move |b| (a, b)))
        .filter(|(a, b)| a != b)
    {
        for ip in [
            nodes[to].ipv4().map(IpAddr::from),
            nodes[to].ipv6().map(IpAddr::from),
        ] {
            let ip = ip.ok_or("an address is missing")?;
            let client = nodes[from].run(|| TcpStream::connect((ip, 80)))?;
            open.push((client, listeners[to].accept()?));
            // A lost first packet would be sent again after a second.
            assert_eq!(retransmitted(nodes[from]), 0, "{from} to {ip}");
        }
    }
    Ok(())
}

#[snowglobe::test]
fn every_node_has_its_own_name_files_and_localhost() -> TestResult {
    let lab = shape::pair().start()?;
    let [a, b] = [lab.node("alice"), lab.node("bob")].map(|node| node.ok_or("a node is missing"));
    let (a, b) = (a?, b?);
    for node in [a, b] {
        assert_eq!(
            node.run(|| std::fs::read_to_string("/proc/sys/kernel/hostname"))?
                .trim(),
            node.name()
        );
        node.run(|| std::fs::write("/tmp/mine", node.name()))?;
    }
    assert_eq!(a.run(|| std::fs::read_to_string("/tmp/mine"))?, "alice");
    assert_eq!(b.run(|| std::fs::read_to_string("/tmp/mine"))?, "bob");
    assert!(
        !std::path::Path::new("/tmp/mine").exists(),
        "a node wrote into the trial's /tmp"
    );
    let _own = a.run(|| TcpListener::bind("127.0.0.1:80"))?;
    assert!(a.run(|| TcpStream::connect("localhost:80")).is_ok());
    assert!(b.run(|| TcpStream::connect("localhost:80")).is_err());
    Ok(())
}

#[snowglobe::test]
fn threads_in_nodes_borrow_and_their_panics_are_the_tests() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let mut seen = Vec::new();
    a.run(|| seen.push(1));
    assert_eq!(seen, [1]);
    let caught =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| a.run(|| panic!("boom"))));
    let message = caught
        .err()
        .and_then(|panic| panic.downcast_ref::<&str>().map(|text| text.to_string()));
    assert_eq!(message.as_deref(), Some("boom"));
    Ok(())
}

#[snowglobe::test]
fn parallel_links_are_interfaces_of_their_own() -> TestResult {
    let mut topology = Topology::new();
    let (a, b) = (topology.node("a"), topology.node("b"));
    for mtu in [1400, 9000] {
        topology.link_with(a, b, LinkSpec::new().mtu(mtu));
    }
    let lab = topology.start()?;
    let seen = lab.inspect(b)?;
    let mtus: Vec<_> = ["eth0", "eth1"]
        .map(|name| seen.interface(name).map(|interface| interface.mtu))
        .into();
    assert_eq!(mtus, [Some(1400), Some(9000)]);
    assert!(seen.interface("to-a").is_some(), "{:#?}", seen.interfaces);
    assert!(
        seen.interfaces
            .iter()
            .filter(|interface| interface.name != "lo")
            .all(|interface| interface.state == "up")
    );
    assert!(seen.addresses.iter().all(|address| !address.tentative));
    let second = lab.plan().stack(b).interfaces[1].addresses[0].ip;
    let server = lab[b].run(|| UdpSocket::bind((second, 9)))?;
    let client = lab[a].run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
    client.send_to(b"hello", server.local_addr()?)?;
    let mut buffer = [0; 9];
    let (n, from) = server.recv_from(&mut buffer)?;
    assert_eq!(&buffer[..n], b"hello");
    assert_eq!(from.ip(), lab.plan().stack(a).interfaces[1].addresses[0].ip);
    Ok(())
}

#[snowglobe::test]
fn packets_find_their_way_over_a_line_of_nodes() -> TestResult {
    let lab = shape::line(5).start()?;
    let nodes: Vec<_> = lab.nodes().collect();
    let (first, last) = (nodes[0], nodes[4]);
    let listener = last.run(|| TcpListener::bind("[::]:80"))?;
    for ip in [last.ipv4().map(IpAddr::from), last.ipv6().map(IpAddr::from)]
        .into_iter()
        .flatten()
    {
        first.run(|| TcpStream::connect((ip, 80)))?;
        let (_, peer) = listener.accept()?;
        let seen = peer.ip().to_canonical();
        assert!(
            [
                first.ipv4().map(IpAddr::from),
                first.ipv6().map(IpAddr::from)
            ]
            .contains(&Some(seen)),
            "{seen}"
        );
    }
    Ok(())
}

#[snowglobe::test]
fn a_node_that_nobody_is_linked_to_is_alone() -> TestResult {
    let mut topology = Topology::new();
    let (hermit, other) = (topology.node("hermit"), topology.node("other"));
    let lan = topology.switch("lan");
    topology.plug(other, lan);
    let lab = topology.start()?;
    let to = SocketAddr::new(lab[other].ip(), 80);
    assert!(lab[hermit].run(|| TcpStream::connect(to)).is_err());
    assert!(lab[hermit].run(|| TcpListener::bind("hermit:80")).is_ok());
    Ok(())
}

#[snowglobe::test]
fn a_wrong_topology_is_refused_before_anything_starts() -> TestResult {
    let error = Topology::new().start().map(drop).unwrap_err().to_string();
    assert!(error.contains("no nodes"), "{error}");
    let error = shape::star(20_000)
        .start()
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("at most 10000 nodes"), "{error}");
    assert!(std::fs::read_dir("/run/snowglobe").map_or(0, |entries| entries.count()) == 0);
    Ok(())
}

/// The kernel refuses half-way what only it can know, and nothing is left.
#[snowglobe::test]
fn what_the_kernel_refuses_is_named_with_its_node() -> TestResult {
    for (spec, expected) in [
        (
            NodeSpec::new("bob").sysctl("net.ipv4.no_such_thing", 1),
            "failed to make node `bob`: set sysctl `net/ipv4/no_such_thing` to 1: ENOENT",
        ),
        (
            NodeSpec::new("bob").sysctl("net.ipv4.ip_forward", "many"),
            "failed to make node `bob`: set sysctl `net/ipv4/ip_forward` to many: EINVAL",
        ),
        (
            NodeSpec::new("bob").volume("/etc/passwd/place", Volume::named("data")),
            "failed to make node `bob`: make mount point `/etc/passwd/place`: ENOTDIR",
        ),
    ] {
        let mut topology = Topology::new();
        let (alice, bob) = (topology.node("alice"), topology.node(spec));
        topology.link(alice, bob);
        let error = topology.start().map(drop).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(std::fs::read_dir("/run/snowglobe")?.count(), 0);
    }
    Ok(())
}

#[snowglobe::test]
fn one_family_can_be_left_out() -> TestResult {
    let mut topology = shape::pair();
    topology.families(Families::V6);
    let lab = topology.start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let b = lab.node("bob").ok_or("bob")?;
    assert_eq!(a.ipv4(), None);
    let _listener = a.run(|| TcpListener::bind("[::]:80"))?;
    b.run(|| TcpStream::connect("alice:80"))?;
    Ok(())
}

#[snowglobe::test]
fn several_labs_do_not_see_each_other() -> TestResult {
    let (one, two) = (shape::pair().start()?, shape::pair().start()?);
    let ip = one.node("alice").ok_or("alice")?.ip();
    assert_eq!(two.node("alice").ok_or("alice")?.ip(), ip);
    let _listener = one
        .node("alice")
        .ok_or("alice")?
        .run(|| TcpListener::bind("0.0.0.0:80"))?;
    assert!(
        one.node("bob")
            .ok_or("bob")?
            .run(|| TcpStream::connect((ip, 80)))
            .is_ok()
    );
    assert!(
        two.node("bob")
            .ok_or("bob")?
            .run(|| TcpStream::connect((ip, 80)))
            .is_err()
    );
    Ok(())
}

#[snowglobe::test]
fn dropping_a_lab_leaves_no_process_and_no_file() -> TestResult {
    let lab = shape::star(3).start()?;
    let pids: Vec<_> = lab.nodes().filter_map(|node| node.pid()).collect();
    assert_eq!(pids.len(), 3);
    drop(lab);
    let alive = || {
        let alive = pids
            .iter()
            .filter(|pid| std::fs::exists(format!("/proc/{pid}/exe")).unwrap_or(false));
        alive.count()
    };
    snowglobe::lab::wait_until(Duration::from_secs(5), || {
        if alive() == 0 {
            Ok(())
        } else {
            Err(format!("{} alive", alive()))
        }
    })?;
    assert_eq!(std::fs::read_dir("/run/snowglobe")?.count(), 0);
    Ok(())
}
