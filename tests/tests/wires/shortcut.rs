//! Links that asked for a userspace wire and have nothing to do yet: the kernel carries them, and
//! the wire has them as soon as somebody looks at their packets.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc::channel;
use std::thread;

use snowglobe::impair::Counters;
use snowglobe::lab::Carrier;
use snowglobe::prelude::*;
use snowglobe::topology::nat::preset;
use snowglobe::topology::{Engine, NodeId};

use crate::Pair;

fn idle() -> TestResult<Pair> {
    Pair::new(LinkSpec::new().engine(Engine::PacketSocket))
}

/// Makes the wire carry the packets, and asks nothing else of it.
fn leave_to_the_wire(pair: &Pair) -> TestResult {
    Ok(pair.link().spin(false)?)
}

/// Returns how often the threads that carry wires have gone to sleep or were put aside.
fn turns_of_wires() -> TestResult<u64> {
    let mut turns = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() != "wires" {
            continue;
        }
        let status = std::fs::read_to_string(task.join("status"))?;
        let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
        for count in counts.filter_map(|line| line.split_whitespace().last()) {
            turns += count.parse::<u64>()?;
        }
    }
    Ok(turns)
}

/// Sends so many bytes from alice to bob, and returns when bob has them all.
fn send_stream(pair: &Pair, bytes: usize) -> TestResult {
    let [mut a, mut b] = pair.connection(80)?;
    let sender = thread::spawn(move || a.write_all(&vec![7; bytes]));
    let mut heard = Vec::new();
    b.read_to_end(&mut heard)?;
    sender.join().map_err(|_| "the sender panicked")??;
    assert_eq!(heard.len(), bytes);
    Ok(())
}

#[snowglobe::test]
fn the_kernel_carries_a_stream_past_an_idle_wire() -> TestResult {
    const BYTES: usize = 64 << 20;
    let pair = idle()?;
    assert_eq!(pair.link().carrier(), Carrier::PacketSocket);
    let before = turns_of_wires()?;
    send_stream(&pair, BYTES)?;
    let past = turns_of_wires()? - before;
    leave_to_the_wire(&pair)?;
    let before = turns_of_wires()?;
    send_stream(&pair, BYTES)?;
    let over = turns_of_wires()? - before;
    // The wire carries multicasts at any time.
    assert!(past < 10 && over > 10, "{past} turns, then {over}");
    Ok(())
}

#[snowglobe::test]
fn packets_count_the_same_past_a_wire_and_over_it() -> TestResult {
    let pair = idle()?;
    let counted = || -> TestResult<[Counters; 2]> {
        let [a, b] = pair.sockets()?;
        let before = Direction::BOTH.map(|direction| pair.link().counters(direction));
        let mut heard = [0; 1000];
        for length in 1..=200 {
            a.send(&vec![1; length])?;
            assert_eq!(b.recv(&mut heard)?, length);
            b.send(&heard[..length / 2])?;
            a.recv(&mut heard)?;
        }
        let [there, back] = before;
        let (there, back) = (there?, back?);
        pair.wait_for(Direction::BToA, |it| {
            it.delivered.packets >= back.delivered.packets + 200
        })?;
        let less = |before: Counters, direction| -> TestResult<Counters> {
            let mut now = pair.link().counters(direction)?;
            now.sent = now.sent - before.sent;
            now.delivered = now.delivered - before.delivered;
            Ok(now)
        };
        Ok([less(there, Direction::AToB)?, less(back, Direction::BToA)?])
    };
    let past = counted()?;
    leave_to_the_wire(&pair)?;
    let over = counted()?;
    for (past, over) in past.iter().zip(&over) {
        assert_eq!((past.sent, past.delivered), (over.sent, over.delivered));
        assert_eq!(past.sent.packets, 200);
    }
    // Headers of Ethernet, IPv4 and UDP: 42 bytes.
    assert_eq!(past[0].sent.bytes, (1..=200).sum::<u64>() + 200 * 42);
    Ok(())
}

#[snowglobe::test]
fn packets_of_a_stream_count_as_they_are_on_a_wire() -> TestResult {
    const BYTES: u64 = 8 << 20;
    let pair = idle()?;
    send_stream(&pair, BYTES as usize)?;
    let counters = pair.link().counters(Direction::AToB)?;
    let (packets, bytes) = (counters.sent.packets, counters.sent.bytes);
    // At most 1,460 bytes a packet, behind at least 54 bytes of headers.
    assert!(packets >= BYTES / 1460, "{counters:?}");
    assert!(bytes >= BYTES + packets * 54 && bytes <= packets * 1514);
    assert_eq!(counters.sent, counters.delivered);
    Ok(())
}

/// Sends numbered datagrams, with at most 32 of them unanswered, and has the wire take the link
/// over in the middle.
fn take_over_in_the_middle() -> TestResult {
    const ALL: u32 = 4000;
    let pair = idle()?;
    let [a, b] = pair.sockets()?;
    let (begun, is_under_way) = channel();
    let receiver = thread::spawn(move || -> std::io::Result<()> {
        let mut heard = [0; 8];
        for number in 0..ALL {
            b.recv(&mut heard)?;
            assert_eq!(heard[..4], number.to_be_bytes(), "each once, in order");
            b.send(&heard[..4])?;
            if number == ALL / 4 {
                let _ = begun.send(());
            }
        }
        b.set_read_timeout(Some(Duration::from_millis(20)))?;
        let more = b.recv(&mut heard).map_err(|error| error.kind());
        assert_eq!(more, Err(ErrorKind::WouldBlock), "the last one came twice");
        Ok(())
    });
    let sender = thread::spawn(move || -> std::io::Result<()> {
        let mut heard = [0; 8];
        for number in 0..ALL + 32 {
            if number < ALL {
                a.send(&number.to_be_bytes())?;
            }
            if number >= 32 {
                a.recv(&mut heard)?;
                assert_eq!(heard[..4], (number - 32).to_be_bytes(), "an answer");
            }
        }
        Ok(())
    });
    is_under_way.recv()?;
    leave_to_the_wire(&pair)?;
    receiver.join().map_err(|_| "the receiver panicked")??;
    sender.join().map_err(|_| "the sender panicked")??;
    for direction in Direction::BOTH {
        let counters = pair.link().counters(direction)?;
        assert_eq!(counters.sent.packets, u64::from(ALL), "{counters:?}");
        assert_eq!(counters.delivered, counters.sent, "{counters:?}");
    }
    Ok(())
}

#[snowglobe::test]
fn no_datagram_is_lost_doubled_or_late_when_the_wire_takes_over() -> TestResult {
    (0..10).try_for_each(|_| take_over_in_the_middle())
}

/// Returns whether the next datagram from alice comes to bob.
fn comes([a, b]: &[UdpSocket; 2]) -> TestResult<bool> {
    a.send(b"hello")?;
    b.set_read_timeout(Some(Duration::from_millis(100)))?;
    match b.recv(&mut [0; 8]) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[snowglobe::test]
fn whoever_has_a_say_in_packets_has_the_next_one() -> TestResult {
    let fresh = || -> TestResult<(Pair, [UdpSocket; 2])> {
        let pair = idle()?;
        let sockets = pair.sockets()?;
        assert!(comes(&sockets)?);
        Ok((pair, sockets))
    };
    let (pair, sockets) = fresh()?;
    pair.link().impair(Impairment {
        loss: Percent(100.0),
        ..Impairment::NONE
    })?;
    assert!(!comes(&sockets)?, "an impairment");

    let (pair, sockets) = fresh()?;
    let loss = pair.link().degrade(Impairment {
        loss: Percent(100.0),
        ..Impairment::NONE
    })?;
    assert!(!comes(&sockets)?, "a degradation");
    drop(loss);
    assert!(comes(&sockets)?);

    let (pair, sockets) = fresh()?;
    let cut = pair.link().cut_one_way(Direction::AToB)?;
    assert!(!comes(&sockets)?, "a cut");
    drop(cut);
    assert!(comes(&sockets)?);

    let (pair, sockets) = fresh()?;
    let rule = pair.link().rule(udp(), Verdict::Drop)?;
    assert!(!comes(&sockets)?, "a rule");
    assert_eq!(rule.hits(), 1);

    let (pair, sockets) = fresh()?;
    let expected = pair.link().expect(udp())?;
    assert!(comes(&sockets)?);
    expected.within(Duration::from_secs(20))?;

    let (pair, sockets) = fresh()?;
    let recording = pair.link().record()?;
    assert!(comes(&sockets)?);
    assert_eq!(recording.packets().len(), 1, "a listener");
    Ok(())
}

/// An inner end whose qdisc is not active yet drops what is forwarded over it.
#[snowglobe::test(timeout = "2m")]
fn the_first_packets_pass_an_idle_wire() -> TestResult {
    for _ in 0..50 {
        send_first_packets(&idle()?)?;
    }
    Ok(())
}

#[snowglobe::test]
fn a_new_translation_applies_to_the_next_packet() -> TestResult {
    let mut topology = Topology::new();
    let (client, router) = (topology.node("client"), topology.router("router"));
    let internet = topology.internet();
    topology.link(client, router);
    let idle = LinkSpec::new().engine(Engine::PacketSocket);
    topology.uplink_with(router, internet, idle);
    let mut lab = topology.start()?;
    let bind = |id: NodeId| lab[id].run(|| UdpSocket::bind("0.0.0.0:0"));
    let (a, b) = (bind(client)?, bind(internet)?);
    let to = (lab[internet].ip(), b.local_addr()?.port());
    b.set_read_timeout(Some(Duration::from_secs(20)))?;
    lab.change_router(router, |spec| spec.nat(preset::full_cone()))?;
    a.send_to(b"hello", to)?;
    let (_, from) = b.recv_from(&mut [0; 8])?;
    let mappings = lab.nat(router)?.mappings()?;
    assert_eq!(SocketAddr::from(mappings[0].outside), from);
    Ok(())
}

/// Fails if the first packet to bob does not come, or the answer to it.
fn send_first_packets(pair: &Pair) -> TestResult {
    let [a, b] = pair.sockets()?;
    let mut heard = [0];
    a.send(&[1])?;
    b.recv(&mut heard)?;
    b.send(&[2])?;
    a.recv(&mut heard)?;
    assert_eq!(heard, [2]);
    Ok(())
}

#[snowglobe::test]
fn the_first_packets_pass_an_idle_wire_that_was_down() -> TestResult {
    for _ in 0..10 {
        let pair = idle()?;
        pair.link().down()?;
        pair.link().up()?;
        send_first_packets(&pair)?;
    }
    Ok(())
}

#[snowglobe::test]
fn the_first_packets_pass_an_idle_wire_after_a_power_cut() -> TestResult {
    for _ in 0..10 {
        let pair = idle()?;
        pair.lab[pair.bob].crash()?;
        pair.lab[pair.bob].restart()?;
        send_first_packets(&pair)?;
    }
    Ok(())
}
