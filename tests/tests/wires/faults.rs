//! Faults last as long as their guards.

use std::any::Any;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use snowglobe::impair::Cause;
use snowglobe::prelude::*;
use snowglobe::topology::{Engine, LinkId, NodeId};

use crate::{EARLY, MS, Pair, one_way};

/// Sends a datagram, and returns whether it came within that time. Datagrams that were on their way
/// before are thrown away first.
fn comes(to: &UdpSocket, from: &UdpSocket, within: Duration) -> TestResult<bool> {
    to.set_nonblocking(true)?;
    let mut heard = [0; 16];
    while to.recv(&mut heard).is_ok() {}
    to.set_nonblocking(false)?;
    to.set_read_timeout(Some(within))?;
    from.send(b"hello")?;
    match to.recv(&mut heard) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether a datagram comes, with as much time as it needs on a busy machine.
fn hears(to: &UdpSocket, from: &UdpSocket) -> TestResult<bool> {
    comes(to, from, Duration::from_secs(10))
}

/// Returns whether no datagram comes within a short time.
fn is_deaf(to: &UdpSocket, from: &UdpSocket) -> TestResult<bool> {
    Ok(!comes(to, from, 100 * MS)?)
}

#[snowglobe::test]
fn a_cut_swallows_and_heals_on_every_carrier() -> TestResult {
    for spec in [
        LinkSpec::new(),
        LinkSpec::new().engine(Engine::Wire),
        LinkSpec::new().engine(Engine::PacketSocket),
        LinkSpec::from(Impairment::delayed(MS)),
    ] {
        let pair = Pair::new(spec)?;
        let [a, b] = pair.sockets()?;
        assert!(hears(&b, &a)? && hears(&a, &b)?);
        let cut = pair.link().cut()?;
        assert!(is_deaf(&b, &a)? && is_deaf(&a, &b)?);
        let again = pair.link().cut_one_way(Direction::AToB)?;
        drop(cut);
        assert!(is_deaf(&b, &a)?, "it is cut by somebody else still");
        assert!(hears(&a, &b)?);
        let lost = pair.link().counters(Direction::AToB)?.lost;
        assert_eq!(lost.by(Cause::Cut).packets, 2, "{lost:?}");
        again.heal()?;
        assert!(hears(&b, &a)? && hears(&a, &b)?);
        let lost = pair.link().counters(Direction::AToB)?.lost;
        assert_eq!(lost.total().packets, 2, "{lost:?}");
    }
    Ok(())
}

#[snowglobe::test]
fn what_was_sent_before_a_connection_was_closed_outlasts_a_cut() -> TestResult {
    let pair = Pair::new(LinkSpec::new().engine(Engine::Wire))?;
    let [mut a, mut b] = pair.connection(80)?;
    let cut = pair.link().cut()?;
    a.write_all(b"farewell")?;
    drop(a);
    // The packet was sent so often that a kernel told to be impatient would have given up.
    pair.wait_for(Direction::AToB, |it| it.lost.by(Cause::Cut).packets >= 5)?;
    cut.heal()?;
    b.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut heard = String::new();
    b.read_to_string(&mut heard)?;
    assert_eq!(heard, "farewell");
    Ok(())
}

#[snowglobe::test]
fn a_cut_outlives_a_change_of_carrier() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let [a, b] = pair.sockets()?;
    let cut = pair.link().cut_one_way(Direction::BToA)?;
    pair.link().impair(Impairment::delayed(MS))?;
    assert!(hears(&b, &a)? && is_deaf(&a, &b)?);
    cut.heal()?;
    assert!(hears(&b, &a)? && hears(&a, &b)?);
    Ok(())
}

#[snowglobe::test]
fn what_is_under_way_when_the_link_is_cut_does_not_arrive() -> TestResult {
    let pair = Pair::new(Impairment::delayed(100 * MS))?;
    let [a, b] = pair.sockets()?;
    a.send(b"hello")?;
    pair.wait_for(Direction::AToB, |counters| counters.queued.packets == 1)?;
    let cut = pair.link().cut()?;
    pair.wait_for(Direction::AToB, |counters| counters.queued.packets == 0)?;
    drop(cut);
    b.set_read_timeout(Some(200 * MS))?;
    assert_eq!(
        b.recv(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let counters = pair.link().counters(Direction::AToB)?;
    assert_eq!(counters.lost.by(Cause::Cut).packets, 1);
    assert_eq!(counters.delivered.packets, 0);
    Ok(())
}

#[snowglobe::test]
fn a_flapping_link_is_whole_half_of_the_time_and_whole_at_the_end() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let [a, b] = pair.sockets()?;
    let zero = pair.link().flap(Duration::ZERO).unwrap_err().to_string();
    let refused = "link `alice–bob` cannot flap with a period of 0s; give 1ms at least";
    assert_eq!(zero, refused);
    let flap = pair.link().flap(40 * MS)?;
    b.set_nonblocking(true)?;
    let (mut was, mut turns) = (None, 0);
    pair.lab.wait_until(|| {
        let _ = a.send(b"hello");
        std::thread::sleep(2 * MS);
        let whole = b.recv(&mut [0; 8]).is_ok();
        turns += usize::from(was.is_some_and(|was| was != whole));
        was = Some(whole);
        turns >= 6
    })?;
    drop(flap);
    assert!(hears(&b, &a)? && hears(&a, &b)?);
    Ok(())
}

/// A router between two networks, and a listener in each node.
struct Net {
    lab: Lab,
    nodes: Vec<NodeId>,
    router: NodeId,
}

fn net() -> TestResult<Net> {
    let mut topology = Topology::new();
    let (left, right) = (topology.switch("left"), topology.switch("right"));
    let router = topology.node("router");
    topology.plug(router, left);
    topology.plug(router, right);
    let nodes = ["a", "b", "c", "d"].map(|name| topology.node(name));
    for (node, switch) in nodes.into_iter().zip([left, left, right, right]) {
        topology.plug(node, switch);
    }
    Ok(Net {
        lab: topology.start()?,
        nodes: nodes.to_vec(),
        router,
    })
}

impl Net {
    fn reaches(&self, from: NodeId, to: NodeId) -> TestResult<bool> {
        self.is_heard(from, to, Duration::from_secs(10))
    }

    fn is_parted(&self, from: NodeId, to: NodeId) -> TestResult<bool> {
        Ok(!self.is_heard(from, to, 100 * MS)?)
    }

    /// Returns whether a datagram reaches the other node, over IPv4 and IPv6 alike.
    fn is_heard(&self, from: NodeId, to: NodeId, within: Duration) -> TestResult<bool> {
        let (from, to) = (&self.lab[from], &self.lab[to]);
        let mut both = Vec::new();
        for v6 in [false, true] {
            let address = |node: &snowglobe::lab::Node| -> IpAddr {
                if v6 {
                    node.ipv6().expect("an address").into()
                } else {
                    node.ip()
                }
            };
            let there = to.run(|| UdpSocket::bind((address(to), 9)))?;
            let here = from.run(|| UdpSocket::bind((address(from), 9)))?;
            here.connect(there.local_addr()?)?;
            both.push(comes(&there, &here, within)?);
        }
        assert_eq!(both[0], both[1], "IPv4 and IPv6 differ");
        Ok(both[0])
    }
}

#[snowglobe::test(timeout = "120s")]
fn a_partition_parts_whole_nodes_over_routers_too() -> TestResult {
    let net = net()?;
    let [a, b, c, d] = net.nodes[..] else {
        panic!("four nodes")
    };
    let split = net.lab.partition(&[a, c], &[b])?;
    assert!(net.is_parted(a, b)? && net.is_parted(b, a)?, "neighbours");
    assert!(
        net.is_parted(c, b)? && net.is_parted(b, c)?,
        "over the router"
    );
    assert!(net.reaches(a, c)? && net.reaches(c, a)?, "the same side");
    assert!(
        net.reaches(d, b)? && net.reaches(b, net.router)?,
        "on no side"
    );
    // The second partition overlaps with the first, in one direction.
    let deaf = net.lab.partition_one_way(&[d], &[a])?;
    assert!(net.is_parted(d, a)? && net.reaches(a, d)?);
    split.heal()?;
    assert!(net.reaches(a, b)? && net.reaches(b, c)?);
    assert!(net.is_parted(d, a)?);
    drop(deaf);
    assert!(net.reaches(d, a)?);
    Ok(())
}

#[snowglobe::test]
fn who_is_behind_a_router_on_the_other_side_is_not_heard() -> TestResult {
    let net = net()?;
    let [a, _, c, _] = net.nodes[..] else {
        panic!("four nodes")
    };
    let split = net.lab.partition(&[a], &[net.router])?;
    assert!(net.is_parted(a, net.router)?);
    assert!(net.is_parted(a, c)?, "it was the only way");
    assert!(net.reaches(c, net.router)?);
    drop(split);
    assert!(net.reaches(a, c)?);
    let error = net.lab.partition(&[a, c], &[a]).unwrap_err().to_string();
    assert_eq!(error, "node `a` cannot be on both sides of a partition");
    Ok(())
}

#[snowglobe::test]
fn a_partition_outlives_a_change_of_carrier() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let [a, b] = pair.sockets()?;
    let split = pair.lab.partition(&[pair.alice], &[pair.bob])?;
    pair.link().impair(Impairment::delayed(5 * MS))?;
    assert!(is_deaf(&b, &a)? && is_deaf(&a, &b)?);
    split.heal()?;
    assert!(one_way(&a, &b, 3)? >= 5 * MS - EARLY);
    Ok(())
}

/// Sends datagrams both ways as fast as the machine can while `change` runs, and returns how many
/// arrived.
fn arrive_during(
    [a, b]: &[UdpSocket; 2],
    change: impl FnOnce() -> TestResult,
) -> TestResult<usize> {
    let (sent, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for socket in [a, b] {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = socket.send(b"hello");
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while sent.load(Ordering::Relaxed) < 100 {
            std::thread::yield_now();
        }
        let changed = change();
        done.store(true, Ordering::Relaxed);
        changed
    })?;
    let mut arrived = 0;
    for socket in [a, b] {
        socket.set_nonblocking(true)?;
        loop {
            match socket.recv(&mut [0; 16]) {
                Ok(_) => arrived += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // What the fault does to a send is an error of the next call (udp(7)).
                Err(_) => {}
            }
        }
    }
    Ok(arrived)
}

#[snowglobe::test(timeout = "120s")]
fn no_frame_passes_a_fault_while_the_carrier_changes() -> TestResult {
    /// Begins a fault between two nodes, or on the link, and returns its guard.
    type Begin = fn(&Lab, [NodeId; 2], LinkId) -> TestResult<Box<dyn Any>>;
    let faults: [Begin; 2] = [
        |lab, _, link| Ok(Box::new(lab[link].cut()?)),
        |lab, [a, b], _| Ok(Box::new(lab.partition(&[a], &[b])?)),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        for at_switch in [false, true] {
            let mut topology = Topology::new();
            let nodes = [topology.node("alice"), topology.node("bob")];
            let link = if at_switch {
                let lan = topology.switch("lan");
                topology.plug(nodes[1], lan);
                topology.plug(nodes[0], lan)
            } else {
                topology.link(nodes[0], nodes[1])
            };
            let lab = topology.start()?;
            let bind = |id: NodeId| lab[id].run(|| UdpSocket::bind((lab[id].ip(), 5000)));
            let sockets = [bind(nodes[0])?, bind(nodes[1])?];
            sockets[0].connect(sockets[1].local_addr()?)?;
            sockets[1].connect(sockets[0].local_addr()?)?;
            assert!(hears(&sockets[0], &sockets[1])? && hears(&sockets[1], &sockets[0])?);
            let guard = fault(&lab, nodes, link)?;
            let arrived = arrive_during(&sockets, || {
                lab[link].impair(Impairment::delayed(Duration::from_micros(100)))?;
                Ok(())
            })?;
            assert_eq!(arrived, 0, "fault {number}, at a switch: {at_switch}");
            drop(guard);
            assert!(hears(&sockets[0], &sockets[1])? && hears(&sockets[1], &sockets[0])?);
        }
    }
    Ok(())
}

#[snowglobe::test]
fn a_fault_outlives_a_change_of_carrier_at_renamed_interfaces() -> TestResult {
    const RENAME: &str = "PATH=$PATH:/usr/sbin:/sbin; \
        ip link set eth0 down && ip link set eth0 name wan0 && ip link set wan0 up";
    for is_cut in [true, false] {
        let pair = Pair::new(LinkSpec::new())?;
        let guard: Box<dyn Any> = match is_cut {
            true => Box::new(pair.link().cut()?),
            false => Box::new(pair.lab.partition(&[pair.alice], &[pair.bob])?),
        };
        for node in [pair.alice, pair.bob] {
            let renamed = pair.lab[node].command("sh").args(["-c", RENAME]).output()?;
            assert!(renamed.status.success(), "{renamed:?}");
        }
        pair.link().impair(Impairment::delayed(MS))?;
        let [a, b] = pair.sockets()?;
        assert!(is_deaf(&b, &a)? && is_deaf(&a, &b)?, "cut: {is_cut}");
        drop(guard);
        // What was sent during the fault may have left an error (udp(7)).
        let _ = (a.take_error()?, b.take_error()?);
        assert!(hears(&b, &a)? && hears(&a, &b)?, "cut: {is_cut}");
        if is_cut {
            let _cut = pair.link().cut()?;
            assert!(is_deaf(&b, &a)? && is_deaf(&a, &b)?);
        }
    }
    Ok(())
}

#[snowglobe::test]
fn guards_may_outlive_their_lab() -> TestResult {
    let pair = Pair::new(Impairment::delayed(MS))?;
    let guards = (
        pair.link().cut()?,
        pair.link().degrade(Impairment::delayed(MS))?,
        pair.link().flap(5 * MS)?,
        pair.lab.partition(&[pair.alice], &[pair.bob])?,
    );
    drop(pair);
    drop(guards);
    Ok(())
}
