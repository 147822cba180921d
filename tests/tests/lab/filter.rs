//! Nodes that drop what comes to some of their ports.

use std::net::{IpAddr, TcpListener, UdpSocket};

use snowglobe::prelude::*;
use snowglobe_tests::traffic::reaches;

use crate::PATIENCE;

const DROPPED: u16 = 22;
const OPEN: u16 = 80;
/// Time for which an answer is waited that does not come from the dropped port.
const WAIT: Duration = Duration::from_millis(500);

/// Returns whether a node can connect to the dropped port and to the open one.
fn reached(from: &snowglobe::lab::Node, ip: IpAddr) -> [bool; 2] {
    [(DROPPED, WAIT), (OPEN, PATIENCE)].map(|(port, limit)| reaches(from, ip, port, limit))
}

#[snowglobe::test]
fn a_node_drops_what_comes_to_some_ports_but_not_from_itself() -> TestResult {
    let mut topology = Topology::new();
    let client = topology.node("client");
    let server = NodeSpec::new("server")
        .drop_inbound_tcp([DROPPED])
        .drop_inbound_udp([53]);
    let server = topology.node(server);
    topology.link(client, server);
    let lab = topology.start()?;
    let listeners = lab[server].run(|| {
        [DROPPED, OPEN].map(|port| TcpListener::bind(("::", port)).expect("the port is free"))
    });
    let v6 = lab[server].ipv6().ok_or("the server has no IPv6 address")?;
    for ip in [lab[server].ip(), v6.into()] {
        assert_eq!(
            reached(&lab[client], ip),
            [false, true],
            "from outside, {ip}"
        );
        assert_eq!(reached(&lab[server], ip), [true, true], "from itself, {ip}");
    }
    drop(listeners);
    // Datagrams to port 53 are lost, those to port 54 are not.
    let sockets = lab[server].run(|| [53, 54].map(|port| UdpSocket::bind(("0.0.0.0", port))));
    let [dropped, open] = sockets;
    let (dropped, open) = (dropped?, open?);
    let ip = lab[server].ip();
    lab[client].run(|| -> std::io::Result<()> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.send_to(b"lost", (ip, 53))?;
        socket.send_to(b"heard", (ip, 54))?;
        Ok(())
    })?;
    let mut buffer = [0; 8];
    open.set_read_timeout(Some(Duration::from_secs(10)))?;
    let length = open.recv(&mut buffer)?;
    assert_eq!(&buffer[..length], b"heard");
    // The first datagram was sent before the second, over the same cable.
    dropped.set_nonblocking(true)?;
    assert!(dropped.recv(&mut buffer).is_err());
    Ok(())
}

#[snowglobe::test]
fn a_pod_drops_for_all_its_containers_and_so_does_a_node_that_comes_later() -> TestResult {
    let mut topology = Topology::new();
    let client = topology.node("client");
    let pod = topology.pod(PodSpec::new("pod").drop_inbound_tcp([DROPPED]));
    let app = topology.container(pod, "app");
    topology.link(client, pod);
    let mut lab = topology.start()?;
    let late = lab.grow(|topology| {
        let late = topology.node(NodeSpec::new("late").drop_inbound_tcp([DROPPED]));
        topology.link(client, late);
        late
    })?;
    for node in [app, late] {
        let _listeners = lab[node].run(|| {
            [DROPPED, OPEN].map(|port| TcpListener::bind(("::", port)).expect("the port is free"))
        });
        let ip = lab[node].ip();
        assert_eq!(
            reached(&lab[client], ip),
            [false, true],
            "{}",
            lab[node].name()
        );
    }
    Ok(())
}
