//! A lab may have thousands of nodes.

use std::time::Instant;

use snowglobe::lab::Node;
use snowglobe::prelude::*;

pub(super) fn status(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap_or_default();
    line.trim().parse().unwrap_or(usize::MAX)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(usize::MAX, Iterator::count)
}

/// Listens on port 80 in all nodes, for both families.
fn listen(nodes: &[&Node]) -> TestResult<Vec<TcpListener>> {
    let listen = |node: &&Node| node.run(|| TcpListener::bind("[::]:80"));
    Ok(nodes.iter().map(listen).collect::<Result<_, _>>()?)
}

/// Connects from one node to others, one after the other, and by each family.
fn asks(from: &Node, others: &[&Node], listeners: &[TcpListener]) -> TestResult {
    let addresses = others
        .iter()
        .flat_map(|node| [Some(node.ip()), node.ipv6().map(IpAddr::from)]);
    let addresses: Vec<IpAddr> = addresses.flatten().collect();
    assert_eq!(addresses.len(), 2 * others.len());
    let connect =
        |ip: &IpAddr| TcpStream::connect_timeout(&(*ip, 80).into(), Duration::from_secs(30));
    let streams: Vec<TcpStream> =
        from.run(|| addresses.iter().map(connect).collect::<Result<_, _>>())?;
    for (listener, clients) in listeners.iter().zip(streams.chunks(2)) {
        // The two may come in any order, for the two families may use two of the kernel's queues.
        let accept = |_| Ok(listener.accept()?.1.port());
        let mut accepted: Vec<u16> = clients.iter().map(accept).collect::<TestResult<_>>()?;
        let port = |client: &TcpStream| Ok(client.local_addr()?.port());
        let mut connected: Vec<u16> = clients.iter().map(port).collect::<TestResult<_>>()?;
        accepted.sort_unstable();
        connected.sort_unstable();
        assert_eq!(accepted, connected);
    }
    Ok(())
}

/// Sends a datagram from one node to all, and counts the others that it reaches.
///
/// The kernel's queues belong to all programs of the machine, and others may have filled them, so
/// the datagram is sent up to three times.
fn all_hear(lab: &Lab, from: usize, length: usize) -> TestResult {
    let listen = |node: &Node| -> std::io::Result<UdpSocket> {
        let socket = node.run(|| UdpSocket::bind("0.0.0.0:9"))?;
        socket.set_broadcast(true)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let sockets: Vec<UdpSocket> = lab.nodes().map(listen).collect::<Result<_, _>>()?;
    let sender = lab.nodes().nth(from).ok_or("a sender")?;
    let address = lab.plan().stack(sender.id()).interfaces[0].addresses[0];
    let IpAddr::V4(ip) = address.ip else {
        return Err("the first address is IPv4".into());
    };
    let everybody = Ipv4Addr::from_bits(ip.to_bits() | u32::MAX >> address.prefix);
    let mut buffer = vec![0; length + 1];
    let mut deaf = sockets.len();
    for _ in 0..3 {
        sockets[from].send_to(&buffer[..length], (everybody, 9))?;
        let mut hear = |socket: &&UdpSocket| socket.recv(&mut buffer).is_ok_and(|n| n == length);
        let mut waiting: Vec<&UdpSocket> = sockets.iter().collect();
        let all = lab.wait_until(|| {
            waiting.retain(|socket| !hear(socket));
            waiting.is_empty()
        });
        if all.is_ok() {
            return Ok(());
        }
        deaf = deaf.min(waiting.len());
    }
    Err(format!("{deaf} did not hear {length} bytes from {}", sender.name()).into())
}

#[snowglobe::test(timeout = "180s", exclusive)]
fn everybody_answers_in_a_star_of_a_thousand() -> TestResult {
    const NODES: usize = 1000;
    let before = descriptors();
    let begin = Instant::now();
    let lab = shape::star(NODES).start()?;
    println!("start: {:?}", begin.elapsed());
    // There are at most three for each node, and a few for the lab as a whole.
    assert!(
        descriptors() <= before + 3 * NODES + 10,
        "{} descriptors",
        descriptors() - before
    );
    assert_eq!(
        status("Threads:"),
        1,
        "there are threads besides the test's own"
    );
    let nodes: Vec<&Node> = lab.nodes().collect();
    assert_eq!(nodes.len(), NODES);
    let listeners = listen(&nodes)?;
    let begin = Instant::now();
    asks(nodes[0], &nodes[1..], &listeners[1..])?;
    println!("all answered: {:?}", begin.elapsed());
    for node in &nodes[1..] {
        asks(node, &nodes[..1], &listeners[..1])?;
    }
    // Other nodes have to find each other first.
    for pair in [(1, 2), (999, 3), (500, 501)] {
        asks(nodes[pair.0], &[nodes[pair.1]], &listeners[pair.1..=pair.1])?;
    }
    for (from, length) in [(0, 10), (999, 4000), (500, 20_000)] {
        all_hear(&lab, from, length)?;
    }
    drop(nodes);
    let begin = Instant::now();
    drop(lab);
    println!("drop: {:?}", begin.elapsed());
    Ok(())
}

/// A bridge takes 1,023 ports; so this is two bridges, and packets cross both of them.
#[snowglobe::test(timeout = "180s", exclusive)]
fn a_switch_has_two_thousand_ports() -> TestResult {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    for number in 0..1000 {
        let node = topology.node(format!("n{number}"));
        topology.plug(node, lan);
        topology.plug(node, lan);
    }
    let lab = topology.start()?;
    let ports = lab.links().count();
    assert_eq!(ports, 2000);
    let nodes: Vec<&Node> = lab.nodes().collect();
    let listeners = listen(&nodes)?;
    for (from, to) in [(0, 999), (999, 0), (0, 499), (501, 2), (700, 300)] {
        asks(nodes[from], &[nodes[to]], &listeners[to..=to])?;
    }
    // Each node hears the datagram twice, on either of its ports.
    for (from, length) in [(0, 10), (999, 4000), (500, 20_000)] {
        all_hear(&lab, from, length)?;
    }
    Ok(())
}

/// A switch that gets crowded later is treated like one that is crowded from the start.
#[snowglobe::test(timeout = "120s", exclusive)]
fn a_switch_grows_until_it_is_crowded() -> TestResult {
    let mut topology = Topology::new();
    let lan = topology.switch(SwitchSpec::new("lan").subnet("10.9.0.0/16"));
    let fill = |topology: &mut Topology, up_to: usize| {
        for number in topology.nodes().len()..up_to {
            let node = topology.node(format!("n{number}"));
            topology.plug(node, lan);
        }
    };
    fill(&mut topology, 240);
    let mut lab = topology.start()?;
    lab.grow(|topology| fill(topology, 400))?;
    for (from, length) in [(0, 10), (399, 4000), (200, 20_000)] {
        all_hear(&lab, from, length)?;
    }
    let nodes: Vec<&Node> = lab.nodes().collect();
    let listeners = listen(&nodes)?;
    asks(nodes[0], &nodes[1..], &listeners[1..])
}
