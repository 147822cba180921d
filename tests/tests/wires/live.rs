//! Links may change while they are used.

use std::thread;

use snowglobe::lab::Carrier;
use snowglobe::prelude::*;
use snowglobe::topology::{Engine, NodeId};

use crate::{EARLY, MS, Pair, one_way};

/// Sends some megabytes over a connection, and calls `meanwhile` when the first of them have
/// arrived.
fn transfer(streams: [TcpStream; 2], meanwhile: impl FnOnce() -> TestResult) -> TestResult {
    const LENGTH: usize = 8 << 20;
    let [mut from, mut to] = streams;
    let byte = |at: usize| (at % 251) as u8;
    let sender = thread::spawn(move || {
        let data: Vec<u8> = (0..LENGTH).map(byte).collect();
        from.write_all(&data)
    });
    let mut heard = vec![0; 1 << 20];
    to.read_exact(&mut heard)?;
    meanwhile()?;
    to.read_to_end(&mut heard)?;
    sender.join().expect("the sender does not panic")?;
    assert_eq!(heard.len(), LENGTH);
    assert!(heard.iter().enumerate().all(|(at, one)| *one == byte(at)));
    Ok(())
}

#[snowglobe::test]
fn a_connection_outlives_the_first_impairment_of_a_plain_link() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let link = pair.link();
    transfer(pair.connection(80)?, || {
        link.impair(Impairment::delayed(25 * MS))?;
        assert_ne!(link.carrier(), Carrier::Veth);
        let [a, b] = pair.sockets()?;
        assert!(one_way(&a, &b, 3)? >= 25 * MS - EARLY);
        link.impair(Impairment::NONE)?;
        assert!(one_way(&b, &a, 20)? < 15 * MS);
        Ok(())
    })
}

#[snowglobe::test]
fn a_link_that_gets_another_carrier_keeps_all_that_it_had() -> TestResult {
    for (shape, name) in [
        (shape::pair(), "alice–bob"),
        (shape::line(3), "n1–n2"),
        (shape::star(3), "n1–lan"),
    ] {
        let lab = shape.start()?;
        let link = lab
            .links()
            .find(|link| link.name() == name)
            .unwrap_or_else(|| {
                let names: Vec<_> = lab.links().map(|link| link.name()).collect();
                panic!("no {name} in {names:?}")
            });
        let seen = || -> TestResult<String> {
            let mut text = String::new();
            for node in lab.nodes() {
                let mut inspection = lab.inspect(node.id())?;
                for interface in &mut inspection.interfaces {
                    interface.traffic = Default::default();
                    interface.kind = None;
                    interface.peer = None;
                }
                text += &format!(
                    "{}: {:#?} {:#?} {:#?} {:#?}\n",
                    node.name(),
                    inspection.interfaces,
                    inspection.addresses,
                    inspection.routes,
                    inspection
                        .neighbours
                        .iter()
                        .filter(|entry| entry.state == "reachable")
                        .collect::<Vec<_>>(),
                );
            }
            Ok(text)
        };
        let before = seen()?;
        link.impair(Impairment::delayed(5 * MS))?;
        let after = seen()?;
        let differs = before.lines().zip(after.lines()).find(|(a, b)| a != b);
        assert_eq!(before, after, "{name}: {differs:?}");
        let ids: Vec<_> = lab.nodes().map(|node| node.id()).collect();
        for from in &ids {
            for to in ids.iter().filter(|to| *to != from) {
                let listener = lab[*to].run(|| TcpListener::bind("[::]:80"))?;
                let v6 = lab[*to].ipv6().ok_or("no IPv6 address")?.to_string();
                for to in [lab[*to].name(), &v6] {
                    lab[*from].run(|| TcpStream::connect((to, 80)))?;
                    listener.accept()?;
                }
            }
        }
    }
    Ok(())
}

#[snowglobe::test]
fn what_is_under_way_arrives_as_it_was_decided() -> TestResult {
    // So long that a busy machine takes the impairment off before the first packet has come.
    let pair = Pair::new(Impairment::delayed(1000 * MS))?;
    let [a, b] = pair.sockets()?;
    let sent = std::time::Instant::now();
    a.send(b"slow")?;
    pair.wait_for(Direction::AToB, |counters| counters.queued.packets == 1)?;
    pair.link().impair(Impairment::NONE)?;
    a.send(b"quick")?;
    let mut heard = [0; 8];
    let length = b.recv(&mut heard)?;
    assert_eq!(&heard[..length], b"quick");
    let length = b.recv(&mut heard)?;
    assert_eq!(&heard[..length], b"slow");
    assert!(sent.elapsed() >= 1000 * MS - EARLY);
    Ok(())
}

#[snowglobe::test]
fn degradations_add_up_and_go_one_by_one() -> TestResult {
    let pair = Pair::new(Impairment::delayed(10 * MS))?;
    let link = pair.link();
    let [a, b] = pair.sockets()?;
    let first = link.degrade(Impairment::delayed(20 * MS))?;
    let second = link.degrade(Impairment::delayed(40 * MS))?;
    assert_eq!(link.impairment(Direction::AToB).delay, 70 * MS);
    assert!(one_way(&a, &b, 3)? >= 70 * MS - EARLY);
    drop(first);
    assert!((50 * MS - EARLY..70 * MS).contains(&one_way(&a, &b, 10)?));
    second.heal()?;
    assert!((10 * MS - EARLY..25 * MS).contains(&one_way(&b, &a, 10)?));
    Ok(())
}

#[snowglobe::test]
fn a_link_that_is_down_stays_down_when_it_is_impaired() -> TestResult {
    for spec in [
        LinkSpec::new(),
        LinkSpec::new().engine(Engine::PacketSocket),
        LinkSpec::new().engine(Engine::Wire),
    ] {
        let pair = Pair::new(spec)?;
        let [a, b] = pair.sockets()?;
        let link = pair.link();
        link.down()?;
        link.impair(Impairment::delayed(5 * MS))?;
        assert!(link.is_down());
        assert!(a.send(b"lost").is_err(), "there is no way to bob");
        link.up()?;
        assert!(one_way(&a, &b, 3)? >= 5 * MS - EARLY);
    }
    Ok(())
}

#[snowglobe::test]
fn who_is_behind_a_wire_at_a_switch_sees_that_the_cable_was_pulled() -> TestResult {
    for engine in [Engine::Auto, Engine::Wire, Engine::PacketSocket] {
        let mut topology = Topology::new();
        let lan = topology.switch("lan");
        let (alice, bob) = (topology.node("alice"), topology.node("bob"));
        topology.plug(bob, lan);
        let cable = topology.plug_with(alice, lan, LinkSpec::new().engine(engine));
        let lab = topology.start()?;
        let carrier = || carrier_of_eth0(&lab, alice);
        assert!(carrier()?);
        lab[cable].down()?;
        lab.wait_until(|| carrier().is_ok_and(|carrier| !carrier))?;
        lab[cable].up()?;
        lab.wait_until(|| carrier().is_ok_and(|carrier| carrier))?;
        let listener = lab[bob].run(|| TcpListener::bind("0.0.0.0:80"))?;
        lab[alice].run(|| TcpStream::connect("bob:80"))?;
        listener.accept()?;
    }
    Ok(())
}

/// Returns whether the interface `eth0` of a node has a carrier.
fn carrier_of_eth0(lab: &Lab, node: NodeId) -> TestResult<bool> {
    let interfaces = lab.inspect(node)?.interfaces;
    let eth0 = interfaces.iter().find(|it| it.name == "eth0");
    Ok(eth0.ok_or("no eth0")?.carrier)
}

#[snowglobe::test]
fn a_pulled_cable_at_a_switch_stays_pulled_when_the_link_is_impaired() -> TestResult {
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let (alice, bob) = (topology.node("alice"), topology.node("bob"));
    topology.plug(bob, lan);
    let cable = topology.plug(alice, lan);
    let lab = topology.start()?;
    let carrier = || carrier_of_eth0(&lab, alice);
    lab[cable].down()?;
    lab.wait_until(|| carrier().is_ok_and(|carrier| !carrier))?;
    lab[cable].impair(Impairment::delayed(5 * MS))?;
    assert_ne!(lab[cable].carrier(), Carrier::Veth);
    lab.wait_until(|| carrier().is_ok_and(|carrier| !carrier))?;
    lab[cable].up()?;
    lab.wait_until(|| carrier().is_ok_and(|carrier| carrier))?;
    let listener = lab[bob].run(|| TcpListener::bind("0.0.0.0:80"))?;
    lab[alice].run(|| TcpStream::connect("bob:80"))?;
    listener.accept()?;
    Ok(())
}

#[snowglobe::test]
fn labs_with_wires_grow_and_shrink() -> TestResult {
    let mut topology = Topology::new();
    let (lan, wan) = (topology.switch("lan"), topology.switch("wan"));
    let alice = topology.node("alice");
    let slow = LinkSpec::from(Impairment::delayed(5 * MS));
    let cable = topology.plug_with(alice, lan, slow.clone());
    let mut lab = topology.start()?;
    let (bob, link) = lab.grow(|topology| {
        let bob = topology.node("bob");
        (bob, topology.plug_with(bob, wan, slow))
    })?;
    assert_ne!(lab[link].carrier(), Carrier::Veth);
    lab.move_link(cable, wan)?;
    let listener = lab[bob].run(|| TcpListener::bind("0.0.0.0:80"))?;
    lab[alice].run(|| TcpStream::connect("bob:80"))?;
    listener.accept()?;
    lab.remove_link(link)?;
    assert_eq!(lab[link].carrier(), Carrier::Nobody);
    let error = lab[link].impair(Impairment::NONE).unwrap_err().to_string();
    assert_eq!(error, "link `bob–wan` was removed");
    assert!(
        lab[alice]
            .run(|| TcpStream::connect_timeout(&(lab[bob].ip(), 80).into(), 200 * MS))
            .is_err()
    );
    lab.remove_node(alice)?;
    Ok(())
}

#[snowglobe::test]
fn a_cable_between_two_switches_gets_another_carrier_below_a_connection() -> TestResult {
    for engine in [Engine::Auto, Engine::Wire, Engine::PacketSocket] {
        let mut topology = Topology::new();
        let (left, right) = (topology.switch("left"), topology.switch("right"));
        let cable = topology.plug_with(left, right, LinkSpec::new().engine(engine));
        let (alice, bob) = (topology.node("alice"), topology.node("bob"));
        topology.plug(alice, left);
        topology.plug(bob, right);
        let lab = topology.start()?;
        let listener = lab[bob].run(|| TcpListener::bind("0.0.0.0:80"))?;
        let mut client = lab[alice].run(|| TcpStream::connect("bob:80"))?;
        let (mut server, _) = listener.accept()?;
        client.write_all(b"before")?;
        lab[cable].impair(Impairment::delayed(5 * MS))?;
        assert_ne!(lab[cable].carrier(), Carrier::Veth, "{engine:?}");
        client.write_all(b" and after")?;
        let mut heard = [0; 16];
        server.read_exact(&mut heard)?;
        assert_eq!(&heard, b"before and after", "{engine:?}");
        let began = std::time::Instant::now();
        lab[alice]
            .run(|| TcpStream::connect((lab[bob].ipv6().expect("an address"), 80)))
            .expect_err("nothing listens on IPv6");
        assert!(began.elapsed() >= 10 * MS - 2 * EARLY, "{engine:?}");
    }
    Ok(())
}

#[snowglobe::test]
fn a_cable_between_two_switches_that_is_down_stays_down_under_another_carrier() -> TestResult {
    let mut topology = Topology::new();
    let (left, right) = (topology.switch("left"), topology.switch("right"));
    let cable = topology.plug(left, right);
    let (alice, bob) = (topology.node("alice"), topology.node("bob"));
    topology.plug(alice, left);
    topology.plug(bob, right);
    let lab = topology.start()?;
    let listener = lab[bob].run(|| TcpListener::bind("0.0.0.0:80"))?;
    lab[cable].down()?;
    lab[cable].impair(Impairment::delayed(5 * MS))?;
    let connect =
        |within| lab[alice].run(|| TcpStream::connect_timeout(&(lab[bob].ip(), 80).into(), within));
    assert!(connect(100 * MS).is_err());
    lab[cable].up()?;
    lab[alice].run(|| TcpStream::connect("bob:80"))?;
    listener.accept()?;
    Ok(())
}
