//! Names lead to the address on the asker's own network, and unknown names are not known.

use std::net::{ToSocketAddrs, UdpSocket};
use std::time::Instant;

use snowglobe::lab::{Lab, Node};
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

/// Returns the addresses that a name has in a node.
fn look_up(node: &Node, name: &str) -> std::io::Result<Vec<IpAddr>> {
    let found = node.run(|| (name, 80).to_socket_addrs())?;
    let mut ips: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    ips.sort();
    ips.dedup();
    Ok(ips)
}

/// Returns the addresses of a node's interface that are known by name.
fn addresses(lab: &Lab, node: NodeId, interface: usize) -> Vec<IpAddr> {
    let plan = &lab.plan().stack(node).interfaces[interface];
    let mut ips: Vec<IpAddr> = plan.addresses.iter().map(|address| address.ip).collect();
    ips.retain(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    ips.sort();
    ips
}

#[snowglobe::test]
fn a_node_on_two_networks_is_reached_on_the_askers_network() -> TestResult {
    let mut topology = Topology::new();
    let (front, back) = (topology.switch("front"), topology.switch("back"));
    let proxy = topology.node(NodeSpec::new("proxy").alias("www.example.org"));
    let [on_front, on_back, far] = ["on-front", "on-back", "far"].map(|name| topology.node(name));
    topology.plug(proxy, front);
    topology.plug(proxy, back);
    topology.plug(on_front, front);
    topology.plug(on_back, back);
    topology.link(far, on_back);
    let lab = topology.start()?;
    let server = lab[proxy].run(|| UdpSocket::bind("0.0.0.0:5300"))?;
    std::thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok((length, peer)) = server.recv_from(&mut buffer) {
            let _ = server.send_to(&buffer[..length], peer);
        }
    });
    for (asker, interface) in [(on_front, 0), (on_back, 1)] {
        let expected = addresses(&lab, proxy, interface);
        for name in ["proxy", "proxy.lab", "www.example.org"] {
            assert_eq!(look_up(&lab[asker], name)?, expected, "{name}");
        }
        // A connected socket takes answers from the address alone that it has asked.
        let client = lab[asker].run(|| UdpSocket::bind("0.0.0.0:0"))?;
        lab[asker].run(|| client.connect("proxy:5300"))?;
        client.set_read_timeout(Some(Duration::from_secs(10)))?;
        client.send(b"x")?;
        client.recv(&mut [0; 4])?;
    }
    // Whoever is on no network of the node asks for its first address.
    assert_eq!(look_up(&lab[far], "proxy")?, addresses(&lab, proxy, 0));
    // The node itself goes by its first address, as for `ip()`.
    assert_eq!(look_up(&lab[proxy], "proxy")?, addresses(&lab, proxy, 0));
    Ok(())
}

#[snowglobe::test]
fn neighbours_in_a_mesh_know_each_other_by_their_own_cable() -> TestResult {
    let mut topology = Topology::new();
    let nodes = ["a", "b", "c"].map(|name| topology.node(name));
    let pod = topology.pod("pod");
    topology.container(pod, "inside");
    let [a, b, c] = nodes;
    for (one, other) in [(a, b), (b, c), (a, c)] {
        topology.link(one, other);
    }
    topology.link(pod, a);
    topology.link(pod, b);
    let mut lab = topology.start()?;
    // By the order of the links: b has its cable to c second, and c the one to a.
    assert_eq!(look_up(&lab[c], "b")?, addresses(&lab, b, 1));
    assert_eq!(look_up(&lab[a], "c")?, addresses(&lab, c, 1));
    assert_eq!(look_up(&lab[b], "c")?, addresses(&lab, c, 0));
    assert_eq!(look_up(&lab[a], "b")?, addresses(&lab, b, 0));
    let inside = lab.node("pod/inside").ok_or("a container")?;
    assert_eq!(look_up(inside, "b")?, addresses(&lab, b, 2));
    let pod_at_b = &lab.plan().stack(inside.id()).interfaces[1].addresses;
    assert!(look_up(&lab[b], "pod")?.contains(&pod_at_b[0].ip));
    // A new way to a node that was known by another.
    let late = lab.grow(|topology| {
        let late = topology.node("late");
        topology.link(late, b);
        topology.link(late, c);
        late
    })?;
    assert_eq!(look_up(&lab[late], "c")?, addresses(&lab, c, 2));
    assert_eq!(look_up(&lab[c], "late")?, addresses(&lab, late, 1));
    // The cable over which a name led is gone.
    let links: Vec<_> = lab
        .links()
        .map(|link| (link.id(), link.name().to_owned()))
        .collect();
    let gone = links
        .iter()
        .find(|(_, name)| name == "late–c")
        .ok_or("a link")?;
    lab.remove_link(gone.0)?;
    assert_eq!(look_up(&lab[late], "c")?, addresses(&lab, c, 0));
    Ok(())
}

#[snowglobe::test(fixtures("redis"))]
fn an_unknown_name_is_not_known_at_once() -> TestResult {
    let mut lab = shape::pair().start()?;
    // Packages that were unpacked and not installed have no /etc/nsswitch.conf.
    let rooted = NodeSpec::new("rooted").rootfs(&Fixture::find("redis")?);
    let alone = lab.grow(|topology| {
        topology.node(rooted);
        topology.node("alone")
    })?;
    for node in ["alice", "bob", "alone", "rooted"] {
        let node = lab.node(node).ok_or("a node")?;
        for name in ["nobody", "nobody.example.org", "nobody.lab"] {
            // A resolver that waits for a server waits at least a second each time. A busy machine
            // may take as long for some.
            let mut asked = (0..30).map(|_| {
                let asked = Instant::now();
                let error = look_up(node, name).unwrap_err().to_string();
                assert!(
                    error.contains("Name or service not known"),
                    "{name}: {error}"
                );
                asked.elapsed()
            });
            let is_at_once = asked.any(|took| took < Duration::from_millis(900));
            assert!(is_at_once, "{name} takes a second or more each time");
        }
    }
    assert!(lab[alone].run(|| TcpStream::connect("alone:80")).is_err());
    Ok(())
}

/// A name server in the node itself is asked as before, and its word is final.
#[snowglobe::test]
fn a_name_server_is_asked_where_there_is_one() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let server = alice.run(|| UdpSocket::bind("127.0.0.1:53"))?;
    std::thread::spawn(move || -> std::io::Result<()> {
        let mut question = [0; 512];
        loop {
            let (length, peer) = server.recv_from(&mut question)?;
            let question = &question[..length];
            // Answers by the first letter of the name: f is found, b is broken (SERVFAIL), and
            // others are not there (NXDOMAIN). Type A alone has an address.
            let (code, found) = match (question[13], question[length.saturating_sub(3)]) {
                (b'f', _) => (0, is_type_a(question)),
                (b'b', _) => (2, false),
                _ => (3, false),
            };
            let mut answer = question[..2].to_vec();
            answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(found), 0, 0, 0, 0]);
            answer.extend(&question[12..end_of_question(question)]);
            if found {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
            }
            server.send_to(&answer, peer)?;
        }
    });
    assert_eq!(
        look_up(alice, "found.example.org")?,
        [IpAddr::from([192, 0, 2, 7])]
    );
    let error = look_up(alice, "missing.example.org")
        .unwrap_err()
        .to_string();
    assert!(error.contains("Name or service not known"), "{error}");
    // Whoever tests what happens when a name server fails has it fail as on other hosts.
    alice.run(|| std::fs::write("/etc/nsswitch.conf", "hosts: files dns\n"))?;
    // glibc looks at the file again when it has changed.
    let error = look_up(alice, "broken.example.org")
        .unwrap_err()
        .to_string();
    assert!(error.contains("Temporary failure"), "{error}");
    let bob = lab.node("bob").ok_or("bob")?;
    let services = bob.run(|| std::fs::read_to_string("/etc/nsswitch.conf"))?;
    assert!(
        services.contains("hosts: files dns [NOTFOUND=return] files"),
        "{services}"
    );
    Ok(())
}

/// Returns where the question of a DNS message ends: after its name, type and class.
fn end_of_question(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += 1 + usize::from(message[at]);
    }
    at + 5
}

fn is_type_a(message: &[u8]) -> bool {
    message[end_of_question(message) - 3] == 1
}

#[snowglobe::test]
fn a_name_stands_for_an_address_that_the_node_has_when_a_link_is_removed() -> TestResult {
    for dns in [false, true] {
        let mut topology = Topology::new();
        let far = topology.node("far");
        let middle = topology.node("middle");
        let phone = topology.node("phone");
        let mut names = NodeSpec::new("names");
        if dns {
            names = names.dns(snowglobe::dns::DnsSpec::new());
        }
        let names = topology.node(names);
        topology.link(far, middle);
        topology.link(names, middle);
        let links = [0, 1].map(|_| topology.link(phone, middle));
        let mut lab = topology.start()?;
        // Lines of the user stay.
        lab[far].run(|| {
            let mut hosts = std::fs::OpenOptions::new()
                .append(true)
                .open("/etc/hosts")?;
            writeln!(hosts, "192.0.2.1 by-hand")
        })?;
        for (interface, gone) in [(0, links[0]), (1, links[1])] {
            let expected = addresses(&lab, phone, interface);
            assert!(expected.contains(&lab[phone].ip()), "{:?}", lab[phone].ip());
            assert_eq!(look_up(&lab[far], "phone")?, expected, "dns: {dns}");
            assert_eq!(
                look_up(&lab[far], "by-hand")?,
                ["192.0.2.1".parse::<IpAddr>()?]
            );
            lab[far].run(|| TcpStream::connect("phone:80")).unwrap_err();
            lab.remove_link(gone)?;
        }
        // Nobody is left there, and the name stands for the last address.
        assert_eq!(look_up(&lab[far], "phone")?, addresses(&lab, phone, 0));
    }
    Ok(())
}
