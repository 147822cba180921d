//! Large labs.

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

/// The kernel's neighbour table has room for 1,024 that were learned, of all namespaces together, and a pair takes two; so the
/// one who asks is told who the others are.
#[snowglobe::test(timeout = "120s", exclusive)]
fn everybody_answers_in_a_star_of_a_thousand() -> TestResult {
    const NODES: usize = 1000;
    let before = descriptors();
    let begin = Instant::now();
    let lab = shape::star(NODES).start()?;
    println!("start: {:?}", begin.elapsed());
    // At most three for each node, and a few for the lab as a whole.
    assert!(
        descriptors() <= before + 3 * NODES + 10,
        "{} descriptors",
        descriptors() - before
    );
    assert_eq!(
        status("Threads:"),
        2,
        "there are threads besides the test's own and the first"
    );
    let nodes: Vec<&Node> = lab.nodes().collect();
    assert_eq!(nodes.len(), NODES);
    let begin = Instant::now();
    for pair in nodes.chunks(2).take(250).chain(nodes.chunks(2).skip(490)) {
        let listener = pair[0].run(|| TcpListener::bind("0.0.0.0:80"))?;
        let to = (pair[0].ip(), 80).into();
        pair[1].run(|| TcpStream::connect_timeout(&to, Duration::from_secs(5)))?;
        assert_eq!(listener.accept()?.1.ip(), pair[1].ip());
    }
    println!("520 of them: {:?}", begin.elapsed());
    drop(nodes);
    let begin = Instant::now();
    drop(lab);
    println!("drop: {:?}", begin.elapsed());
    Ok(())
}

/// A bridge takes 1,023; so this is two, and packets cross both of them.
///
/// The kernel queues a thousand packets a core (`net.core.netdev_max_backlog`, which is the host's), and a broadcast to two
/// thousand ports is two thousand at once: some asking for addresses is lost, and repeated.
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
    lab.set_patience(Duration::from_secs(60));
    let ports = lab.links().count();
    assert_eq!(ports, 2000);
    let nodes: Vec<&Node> = lab.nodes().collect();
    for (from, to) in [(0, 999), (999, 0), (0, 499), (501, 2), (700, 300)] {
        let listener = nodes[to].run(|| TcpListener::bind("[::]:80"))?;
        for ip in [
            nodes[to].ipv4().map(IpAddr::from),
            nodes[to].ipv6().map(IpAddr::from),
        ] {
            let to = (ip.ok_or("an address")?, 80).into();
            let connect = || TcpStream::connect_timeout(&to, Duration::from_secs(5));
            lab.wait_until(|| nodes[from].run(connect))?;
            listener.accept()?;
        }
    }
    Ok(())
}
