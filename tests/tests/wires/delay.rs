//! Delays are measured here.

use snowglobe::lab::Carrier;
use snowglobe::prelude::*;
use snowglobe::topology::{Engine, NodeId};

use crate::{EARLY, MS, Pair, one_way};

/// Checks the delays of a link. The shortest of some is the link's; how much longer one takes
/// depends on the machine.
fn has_its_delays(pair: &Pair) -> TestResult {
    let [a, b] = pair.sockets()?;
    let (there, back) = (one_way(&a, &b, 10)?, one_way(&b, &a, 10)?);
    assert!((30 * MS - EARLY..45 * MS).contains(&there), "{there:?}");
    assert!((10 * MS - EARLY..25 * MS).contains(&back), "{back:?}");
    Ok(())
}

fn thirty_there_and_ten_back() -> LinkSpec {
    LinkSpec::from(Impairment::delayed(30 * MS))
        .impair_one_way(Direction::BToA, Impairment::delayed(10 * MS))
}

#[snowglobe::test]
fn each_direction_has_its_own_delay() -> TestResult {
    let pair = Pair::new(thirty_there_and_ten_back())?;
    assert_ne!(pair.link().carrier(), Carrier::Veth);
    has_its_delays(&pair)
}

#[snowglobe::test(requires(tun))]
fn over_tap_devices() -> TestResult {
    let pair = Pair::new(thirty_there_and_ten_back().engine(Engine::Tap))?;
    assert_eq!(pair.link().carrier(), Carrier::Tap);
    has_its_delays(&pair)
}

#[snowglobe::test]
fn over_packet_sockets() -> TestResult {
    let pair = Pair::new(thirty_there_and_ten_back().engine(Engine::PacketSocket))?;
    assert_eq!(pair.link().carrier(), Carrier::PacketSocket);
    has_its_delays(&pair)
}

#[snowglobe::test]
fn a_link_without_an_impairment_is_the_kernels_own() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    assert_eq!(pair.link().carrier(), Carrier::Veth);
    let [a, b] = pair.sockets()?;
    assert!(one_way(&a, &b, 20)? < 5 * MS);
    Ok(())
}

/// Everything comes together here: switches with impaired cables, and a node behind a router.
#[snowglobe::test]
fn a_cable_at_a_switch_is_slow_for_who_is_behind_it_and_for_nobody_else() -> TestResult {
    for engine in [Engine::Wire, Engine::PacketSocket] {
        let mut topology = Topology::new();
        let lan = topology.switch("lan");
        let (near, far, other) = (
            topology.node("near"),
            topology.node("far"),
            topology.node("other"),
        );
        topology.plug(near, lan);
        topology.plug(other, lan);
        let slow = LinkSpec::from(Impairment::delayed(20 * MS)).engine(engine);
        topology.plug_with(far, lan, slow);
        let lab = topology.start()?;
        let round_trip = |from: NodeId, to: NodeId| -> TestResult<Duration> {
            let (from, to) = (&lab[from], &lab[to]);
            let there = to.run(|| UdpSocket::bind((to.ip(), 7)))?;
            let here = from.run(|| UdpSocket::bind((from.ip(), 7)))?;
            here.connect(there.local_addr()?)?;
            there.connect(here.local_addr()?)?;
            Ok(one_way(&here, &there, 10)? + one_way(&there, &here, 10)?)
        };
        assert!(round_trip(near, other)? < 10 * MS);
        let slow = round_trip(near, far)?;
        assert!((40 * MS - EARLY..55 * MS).contains(&slow), "{slow:?}");
        let listener = lab[far].run(|| TcpListener::bind("[::]:80"))?;
        lab[near].run(|| TcpStream::connect("far:80"))?;
        listener.accept()?;
    }
    Ok(())
}

#[snowglobe::test(timeout = "120s")]
fn a_hundred_impaired_links_at_once() -> TestResult {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let centre = topology.node("centre");
    topology.plug(centre, lan);
    let nodes: Vec<NodeId> = (0..100)
        .map(|number| {
            let node = topology.node(format!("n{number}"));
            topology.plug_with(node, lan, Impairment::delayed(5 * MS));
            node
        })
        .collect();
    let lab = topology.start()?;
    let server = &lab[centre];
    let there = server.run(|| UdpSocket::bind((server.ip(), 7)))?;
    there.set_read_timeout(Some(Duration::from_secs(20)))?;
    let sockets: Vec<UdpSocket> = nodes
        .iter()
        .map(|id| lab[*id].run(|| UdpSocket::bind((lab[*id].ip(), 7))))
        .collect::<std::io::Result<_>>()?;
    let start = std::time::Instant::now();
    for socket in &sockets {
        socket.send_to(b"hello", there.local_addr()?)?;
    }
    let mut heard: Vec<SocketAddr> = Vec::new();
    for _ in &sockets {
        heard.push(there.recv_from(&mut [0; 8])?.1);
        assert!(start.elapsed() >= 5 * MS - EARLY);
    }
    let mut expected: Vec<SocketAddr> = nodes.iter().map(|id| (lab[*id].ip(), 7).into()).collect();
    heard.sort_unstable();
    expected.sort_unstable();
    assert_eq!(heard, expected);
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn sample_of_one_link_and_of_nine() -> TestResult {
    let spec = || LinkSpec::from(Impairment::delayed(MS)).engine(Engine::PacketSocket);
    Pair::new(spec())?;
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    for number in 1..=9 {
        let node = topology.node(format!("n{number}"));
        topology.plug_with(node, lan, spec());
    }
    topology.start()?;
    Ok(())
}

#[snowglobe::test(nested)]
fn the_report_says_who_carries_a_link() -> TestResult {
    let mut sample = snowglobe_tests::this_program();
    sample.args(["--exact", "delay::sample_of_one_link_and_of_nine"]);
    let output = sample.args(["--ignored", "--show-output"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let wire = "carried by the userspace wire over packet sockets";
    assert!(
        text.contains(&format!("link `alice–bob` is {wire}\n")),
        "{text}"
    );
    assert!(
        text.contains(&format!("9 links, `n1–lan` to `n9–lan`, are {wire}\n")),
        "{text}"
    );
    Ok(())
}
