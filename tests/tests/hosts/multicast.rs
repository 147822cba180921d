//! Multicast and broadcast work from the first datagram on.

use std::net::{SocketAddrV6, UdpSocket};
use std::time::Instant;

use snowglobe::lab::{Lab, wait_until};
use snowglobe::prelude::*;
use snowglobe::topology::{NodeId, Routing};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x1234);
/// Longer than any machine takes for a datagram that is not lost.
const LONG: Duration = Duration::from_secs(10);

/// Returns the index of a node's first interface.
fn index(lab: &Lab, node: NodeId) -> u32 {
    lab.plan().stack(node).interfaces[0].index
}

/// Opens a socket in a node that has joined the group of a family.
fn member(lab: &Lab, node: NodeId, v6: bool) -> std::io::Result<UdpSocket> {
    let index = index(lab, node);
    lab[node].run(|| {
        let socket = UdpSocket::bind(if v6 { "[::]:5000" } else { "0.0.0.0:5000" })?;
        match v6 {
            true => socket.join_multicast_v6(&GROUP_V6, index)?,
            false => socket.join_multicast_v4(&GROUP, &Ipv4Addr::UNSPECIFIED)?,
        }
        socket.set_read_timeout(Some(LONG))?;
        Ok(socket)
    })
}

/// Sends a datagram to the group of a family, as a program does that knows of no interfaces.
fn send(lab: &Lab, node: NodeId, v6: bool) -> std::io::Result<usize> {
    let index = index(lab, node);
    lab[node].run(|| match v6 {
        true => {
            UdpSocket::bind("[::]:0")?.send_to(b"x", SocketAddrV6::new(GROUP_V6, 5000, 0, index))
        }
        false => UdpSocket::bind("0.0.0.0:0")?.send_to(b"x", (GROUP, 5000)),
    })
}

#[snowglobe::test(timeout = "120s")]
fn a_member_hears_the_first_datagram_at_any_time_after_the_start() -> TestResult {
    // Nodes report their groups at the start, and a switch asks for groups, from the first
    // milliseconds on and for about a second.
    for pause in [0, 1, 2, 4, 8, 100, 1100] {
        for v6 in [false, true] {
            let mut topology = Topology::new();
            let lan = topology.switch("lan");
            let nodes = ["a", "b", "c"].map(|name| topology.node(name));
            for node in nodes {
                topology.plug(node, lan);
            }
            let lab = topology.start()?;
            let started = Instant::now();
            // The test is about this moment and waits for nothing.
            std::thread::sleep(Duration::from_millis(pause));
            let [a, b, c] = nodes;
            let members = [member(&lab, b, v6)?, member(&lab, c, v6)?];
            send(&lab, a, v6)?;
            for member in members {
                let heard = member.recv(&mut [0; 9]);
                heard.map_err(|e| format!("v6 {v6}, {:?}: {e}", started.elapsed()))?;
            }
        }
    }
    Ok(())
}

#[snowglobe::test]
fn datagrams_to_local_groups_and_to_everybody_need_no_interface() -> TestResult {
    let lab = shape::star(3).start()?;
    let ids: Vec<NodeId> = lab.nodes().map(|node| node.id()).collect();
    let pair = shape::pair().start()?;
    let pair_ids: Vec<NodeId> = pair.nodes().map(|node| node.id()).collect();
    for (lab, ids) in [(&lab, ids), (&pair, pair_ids)] {
        for to in [Ipv4Addr::new(224, 0, 0, 251), Ipv4Addr::BROADCAST] {
            let open = |node: NodeId| -> std::io::Result<UdpSocket> {
                lab[node].run(|| {
                    let socket = UdpSocket::bind("0.0.0.0:5353")?;
                    if to.is_multicast() {
                        socket.join_multicast_v4(&to, &Ipv4Addr::UNSPECIFIED)?;
                    }
                    socket.set_broadcast(true)?;
                    socket.set_multicast_loop_v4(false)?;
                    socket.set_read_timeout(Some(LONG))?;
                    Ok(socket)
                })
            };
            let sockets: Vec<UdpSocket> = ids
                .iter()
                .map(|node| open(*node))
                .collect::<Result<_, _>>()?;
            sockets[0].send_to(b"who is there?", (to, 5353))?;
            for socket in &sockets[1..] {
                let (_, from) = socket.recv_from(&mut [0; 20])?;
                assert_eq!(from.ip(), lab[ids[0]].ip(), "{to}");
            }
        }
    }
    Ok(())
}

/// Programs leave the choice to the kernel by an index of 0.
#[snowglobe::test]
fn ipv6_groups_need_no_interface_either() -> TestResult {
    let lab = shape::star(2).start()?;
    let nodes: Vec<_> = lab.nodes().collect();
    for group in [GROUP_V6, Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0xfb)] {
        let member = nodes[0].run(|| -> std::io::Result<UdpSocket> {
            let socket = UdpSocket::bind("[::]:5000")?;
            socket.join_multicast_v6(&group, 0)?;
            socket.set_read_timeout(Some(LONG))?;
            Ok(socket)
        })?;
        nodes[1].run(|| UdpSocket::bind("[::]:0")?.send_to(b"x", (group, 5000)))?;
        member.recv(&mut [0; 9])?;
    }
    Ok(())
}

#[snowglobe::test(fixtures("iproute2"))]
fn of_several_networks_the_first_one_has_the_groups() -> TestResult {
    let mut topology = Topology::new();
    topology.routing(Routing::None);
    let (front, back) = (topology.switch("front"), topology.switch("back"));
    let [middle, a, b] = ["middle", "a", "b"].map(|name| topology.node(name));
    let first = topology.plug(middle, front);
    topology.plug(middle, back);
    topology.plug(a, front);
    topology.plug(b, back);
    let mut lab = topology.start()?;
    let (at_a, at_b) = (member(&lab, a, false)?, member(&lab, b, false)?);
    send(&lab, middle, false)?;
    at_a.recv(&mut [0; 9])?;
    at_b.set_nonblocking(true)?;
    assert!(
        at_b.recv(&mut [0; 9]).is_err(),
        "the second network heard it"
    );
    // A script that gives groups a way of its own is not in the way.
    let ip = Fixture::find("iproute2")?.command("ip")?;
    let route = |verb: &str| -> TestResult {
        let line = ["route", verb, "224.0.0.0/4", "dev", "eth1"];
        let output = lab[middle].command_like(&ip).args(line).output()?;
        assert!(output.status.success(), "{}", output.stderr_str());
        Ok(())
    };
    route("add")?;
    at_b.set_nonblocking(false)?;
    send(&lab, middle, false)?;
    at_b.recv(&mut [0; 9])?;
    route("del")?;
    // The other direction, by a join that names no interface.
    let joined = member(&lab, middle, false)?;
    send(&lab, a, false)?;
    joined.recv(&mut [0; 9])?;
    drop(joined);
    // Without the first cable the second one has them.
    lab.remove_link(first)?;
    send(&lab, middle, false)?;
    at_b.recv(&mut [0; 9])?;
    Ok(())
}

#[snowglobe::test]
fn groups_keep_working_when_a_link_gets_another_carrier() -> TestResult {
    let lab = shape::pair().start()?;
    let ids: Vec<NodeId> = lab.nodes().map(|node| node.id()).collect();
    let link = lab.links().next().ok_or("a link")?;
    link.impair(Impairment::delayed(Duration::from_millis(1)))?;
    let member = member(&lab, ids[1], false)?;
    send(&lab, ids[0], false)?;
    member.recv(&mut [0; 9])?;
    Ok(())
}

#[snowglobe::test]
fn a_snooping_switch_keeps_groups_from_those_who_have_not_joined() -> TestResult {
    for v6 in [false, true] {
        let mut topology = Topology::new();
        let lan = topology.switch(SwitchSpec::new("lan").snooping(true));
        let [a, b, c] = ["a", "b", "c"].map(|name| topology.node(name));
        topology.plug(a, lan);
        topology.plug(b, lan);
        let to_c = topology.plug(c, lan);
        let lab = topology.start()?;
        let member = member(&lab, b, v6)?;
        let stranger = lab[to_c].record()?;
        member.set_read_timeout(Some(Duration::from_millis(20)))?;
        // The report of the member is under way, and the switch learns of all members first.
        let mut seen = 0;
        wait_until(LONG, || {
            send(&lab, a, v6)?;
            let heard = member.recv(&mut [0; 9]).is_ok();
            let before = std::mem::replace(&mut seen, count_datagrams(&stranger));
            match heard && seen == before {
                true => Ok(()),
                false => Err(std::io::Error::other(format!(
                    "heard: {heard}; seen: {seen}"
                ))),
            }
        })?;
    }
    Ok(())
}

fn count_datagrams(recording: &snowglobe::observe::Recording) -> usize {
    let packets = recording.packets();
    let to_group = |port: Option<u16>| port == Some(5000);
    packets
        .iter()
        .filter(|packet| to_group(packet.destination_port()))
        .count()
}

/// With the last address of an interface, the kernel removes all its routes.
#[snowglobe::test]
fn groups_keep_working_in_another_network() -> TestResult {
    let mut topology = Topology::new();
    let (lan, wan) = (topology.switch("lan"), topology.switch("wan"));
    let (a, b) = (topology.node("a"), topology.node("b"));
    topology.plug(a, wan);
    let cable = topology.plug(b, lan);
    let mut lab = topology.start()?;
    lab.move_link(cable, wan)?;
    for v6 in [false, true] {
        let heard = member(&lab, b, v6)?;
        send(&lab, a, v6)?;
        heard.recv(&mut [0; 9])?;
        send(&lab, b, v6)?;
    }
    lab.move_link(cable, lan)?;
    member(&lab, b, false)?;
    Ok(())
}
