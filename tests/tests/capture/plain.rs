//! Links that the kernel carries are captured, and so are nodes' interfaces.

use std::net::UdpSocket;

use snowglobe::Lab;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

use crate::tshark::{read, read_with};

/// Makes one connection from `from` to `to`, with a word in each direction, and ends it.
pub(crate) fn exchange(lab: &Lab, from: NodeId, to: NodeId, port: u16) -> TestResult {
    let listener = lab[to].run(|| TcpListener::bind(("0.0.0.0", port)))?;
    let address = (lab[to].ip(), port);
    let mut client = lab[from].run(|| TcpStream::connect(address))?;
    let mut server = listener.accept()?.0;
    client.write_all(b"question")?;
    server.read_exact(&mut [0; 8])?;
    server.write_all(b"answer")?;
    client.read_exact(&mut [0; 6])?;
    drop(client);
    assert_eq!(server.read(&mut [0; 1])?, 0);
    Ok(())
}

#[snowglobe::test(requires(fixture("tshark")))]
fn all_links_are_in_one_file_each_under_its_name() -> TestResult {
    let mut topology = Topology::new();
    let (alice, router, bob) = (
        topology.node("alice"),
        topology.node("router"),
        topology.node("bob"),
    );
    topology.link(alice, router);
    topology.link(router, bob);
    let lab = topology.start()?;
    let capture = lab.capture_all()?;
    exchange(&lab, alice, bob, 80)?;
    let file = capture.flush()?;
    let fields = [
        "frame.interface_name",
        "frame.interface_description",
        "frame.packet_flags_direction",
    ];
    for link in ["alice–router", "router–bob"] {
        let syns = read(
            &file,
            &format!("tcp.flags.syn == 1 && frame.interface_name == \"{link}\""),
            &fields,
        )?;
        let description = format!("link {link}, from its first end");
        // The SYN goes from the first end to the second, which is outbound; the answer comes back.
        let expected = ["0x00000002", "0x00000001"]
            .map(|direction| vec![link.to_owned(), description.clone(), direction.to_owned()]);
        assert_eq!(syns, expected);
    }
    let words = read(
        &file,
        "tcp.len > 0",
        &["frame.interface_name", "tcp.payload"],
    )?;
    let hex = |word: &str| word.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    let expected = [
        ("alice–router", "question"),
        ("router–bob", "question"),
        ("router–bob", "answer"),
        ("alice–router", "answer"),
    ];
    // The packets stand in the order in which they passed, for all are on one clock.
    assert_eq!(
        words,
        expected.map(|(link, word)| vec![link.to_owned(), hex(word)])
    );
    Ok(())
}

#[snowglobe::test(requires(fixture("tshark")))]
fn an_interface_of_a_node_is_captured_also_the_one_to_itself() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let captures = [
        bob.capture("eth0")?,
        bob.capture("lo")?,
        bob.capture("to-alice")?,
    ];
    exchange(&lab, alice.id(), bob.id(), 80)?;
    exchange(&lab, bob.id(), bob.id(), 81)?;
    let file = captures[0].flush()?;
    let fields = [
        "frame.interface_name",
        "tcp.dstport",
        "frame.packet_flags_direction",
    ];
    // Each stands once, though `lo` sees the packets that it sends again, and `eth0` has two names.
    let syns = read(&file, "tcp.flags.syn == 1 && tcp.flags.ack == 0", &fields)?;
    assert_eq!(
        syns,
        [
            ["bob/eth0", "80", "0x00000001"],
            ["bob/lo", "81", "0x00000001"]
        ]
    );
    let error = bob.capture("eth7").expect_err("no such interface");
    assert!(
        error
            .to_string()
            .contains("find interface `eth7` of node `bob`"),
        "{error}"
    );
    Ok(())
}

#[snowglobe::test(requires(fixture("tshark")))]
fn a_capture_ends_with_its_guard_and_can_begin_again() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let link = lab.links().next().ok_or("a link")?;
    let exchange = |port| exchange(&lab, alice.id(), bob.id(), port);
    let (first, second) = (link.capture()?, link.capture()?);
    exchange(80)?;
    drop(first);
    exchange(81)?;
    drop(second);
    exchange(82)?;
    let third = link.capture()?;
    exchange(83)?;
    let file = third.flush()?;
    let syns = read(
        &file,
        "tcp.flags.syn == 1 && tcp.flags.ack == 0",
        &["frame.interface_id", "tcp.dstport"],
    )?;
    assert_eq!(syns, [["0", "80"], ["0", "81"], ["0", "83"]]);
    Ok(())
}

#[snowglobe::test(requires(fixture("tshark")))]
fn frames_that_a_network_card_would_have_to_cut_are_captured_whole() -> TestResult {
    const LENGTH: usize = 64_000;
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let capture = lab.capture_all()?;
    let listener = bob.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let mut client = alice.run(|| TcpStream::connect("bob:80"))?;
    let mut server = listener.accept()?.0;
    for _ in 0..20 {
        client.write_all(&[7; LENGTH])?;
        server.read_exact(&mut [0; LENGTH])?;
        // However busy the host is, no more packets wait for the capture than it has room for.
        capture.flush()?;
    }
    let file = capture.flush()?;
    let lengths = read(
        &file,
        "tcp.len > 0 && !tcp.analysis.retransmission",
        &["tcp.len"],
    )?;
    let lengths: Vec<usize> = lengths
        .iter()
        .map(|line| line[0].parse())
        .collect::<Result<_, _>>()?;
    assert_eq!(lengths.iter().sum::<usize>(), 20 * LENGTH, "{lengths:?}");
    assert!(lengths.iter().any(|length| *length > 10_000), "{lengths:?}");
    Ok(())
}

/// The kernel leaves checksums to the network card, and a veth has none that would complete them.
#[snowglobe::test(requires(fixture("tshark")))]
fn checksums_of_what_the_kernel_carries_are_right() -> TestResult {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let [alice, bob, router] = ["alice", "bob", "router"].map(|name| topology.node(name));
    topology.plug(alice, lan);
    topology.plug(router, lan);
    topology.link(router, bob);
    let lab = topology.start()?;
    let guards = [lab.capture_all()?, lab[bob].capture("lo")?];
    let recording = lab.links().next().ok_or("a link")?.record()?;
    for (from, to) in [(alice, bob), (bob, bob)] {
        exchange(&lab, from, to, 80)?;
        for ip in [
            lab[to].ipv4().map(IpAddr::from),
            lab[to].ipv6().map(IpAddr::from),
        ] {
            let ip = ip.ok_or("an address")?;
            let server = lab[to].run(|| UdpSocket::bind((ip, 5000)))?;
            let client = lab[from].run(|| UdpSocket::bind((IpAddr::from([0; 16]), 0)))?;
            // Lengths that are odd, short, and of several fragments.
            for length in [0, 1, 7, 1400, 4001] {
                let ip = match ip {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
                    v6 => v6,
                };
                client.send_to(&vec![7; length], (ip, 5000))?;
                server.recv(&mut [0; 5000])?;
            }
            let listener = lab[to].run(|| TcpListener::bind((ip, 81)))?;
            let mut client = lab[from].run(|| TcpStream::connect((ip, 81)))?;
            let mut server = listener.accept()?.0;
            client.write_all(&[7; 30_001])?;
            server.read_exact(&mut [0; 30_001])?;
        }
    }
    let file = guards[0].flush()?;
    let options = [
        "tcp.check_checksum:TRUE",
        "udp.check_checksum:TRUE",
        "ip.check_checksum:TRUE",
    ]
    .map(|option| ["-o", option]);
    let options = options.concat();
    let names = ["tcp", "udp", "ip", "icmpv6"];
    for name in names {
        let packets = |status: u8| {
            let filter = format!("{name}.checksum.status == {status}");
            read_with(&options, &file, &filter, &["frame.number", "_ws.col.Info"])
        };
        // 0 is bad and 1 is good (Wireshark's epan/proto.h, PROTO_CHECKSUM_E_BAD and _GOOD).
        assert_eq!(packets(0)?, Vec::<Vec<String>>::new(), "{name}");
        assert!(name == "icmpv6" || packets(1)?.len() > 10, "{name}");
    }
    // Recordings are of the same frames.
    let recorded = recording.packets();
    assert!(
        recorded
            .iter()
            .any(|packet| packet.destination_port() == Some(81))
    );
    Ok(())
}
