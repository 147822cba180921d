//! Rules are about single packets.

use std::io::ErrorKind;
use std::time::Instant;

use snowglobe::impair::Cause;
use snowglobe::lab::Carrier;
use snowglobe::prelude::*;
use snowglobe::topology::Engine;

use crate::{EARLY, MS, Pair, one_way};

#[snowglobe::test]
fn a_handshake_whose_first_syn_ack_is_dropped_takes_a_retransmission_timeout() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    let rule = pair.link().rule(tcp().syn_ack().nth(1), Verdict::Drop)?;
    assert_ne!(pair.link().carrier(), Carrier::Veth);
    let second = pair.link().expect(tcp().syn_ack().nth(2))?;
    let start = Instant::now();
    let connection = pair.connection(80)?;
    let took = start.elapsed();
    assert!(took >= 900 * MS - EARLY, "{took:?}");
    assert_eq!(rule.hits(), 1);
    let lost = &rule.events()[0];
    let second = second.within(Duration::ZERO)?;
    assert!(second.at() - lost.at() >= 900 * MS, "{second} {lost}");
    assert_eq!(
        (lost.source_port(), lost.direction()),
        (Some(80), Direction::BToA)
    );
    let counters = pair.link().counters(Direction::BToA)?;
    assert_eq!(counters.lost.by(Cause::Rule).packets, 1);
    drop((rule, connection));
    // Without the rule a handshake comes about, and nothing more is lost.
    pair.connection(81)?;
    assert_eq!(
        pair.link().counters(Direction::BToA)?.lost.total().packets,
        1
    );
    Ok(())
}

#[snowglobe::test]
fn packets_are_held_and_released_in_order() -> TestResult {
    let pair = Pair::new(LinkSpec::new().engine(Engine::Wire))?;
    let [a, b] = pair.sockets()?;
    let rule = pair.link().rule(
        udp().to_port(5000).direction(Direction::AToB),
        Verdict::Hold,
    )?;
    for number in 0..5_u8 {
        a.send(&[number])?;
    }
    rule.wait_for_hits(5)?;
    b.set_read_timeout(Some(100 * MS))?;
    let mut heard = [0; 8];
    assert_eq!(
        b.recv(&mut heard).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(rule.release(), 5);
    b.set_read_timeout(Some(Duration::from_secs(20)))?;
    for number in 0..5 {
        b.recv(&mut heard)?;
        assert_eq!(heard[0], number);
    }
    a.send(&[5])?;
    rule.wait_for_hits(6)?;
    drop(rule);
    b.recv(&mut heard)?;
    assert_eq!(heard[0], 5);
    assert!(one_way(&a, &b, 3)? < 1000 * MS);
    Ok(())
}

#[snowglobe::test]
fn packets_are_duplicated_delayed_and_spoiled() -> TestResult {
    let pair = Pair::new(LinkSpec::new().engine(Engine::Wire))?;
    let [a, b] = pair.sockets()?;
    let mut heard = [0; 8];
    let twice = pair
        .link()
        .rule(udp().payload(|data| data == b"twice"), Verdict::Duplicate)?;
    a.send(b"twice")?;
    assert_eq!((b.recv(&mut heard)?, b.recv(&mut heard)?), (5, 5));
    drop(twice);

    let late = pair.link().rule(udp().first(1), Verdict::Delay(80 * MS))?;
    let start = Instant::now();
    a.send(b"late")?;
    a.send(b"early")?;
    b.recv(&mut heard)?;
    assert_eq!(&heard[..5], b"early");
    b.recv(&mut heard)?;
    assert_eq!(&heard[..4], b"late");
    assert!(start.elapsed() >= 80 * MS - EARLY);
    drop(late);

    let spoiled = pair.link().rule(udp().length(..100), Verdict::Corrupt)?;
    a.send(b"spoiled")?;
    spoiled.wait_for_hits(1)?;
    drop(spoiled);
    a.send(b"sound")?;
    b.recv(&mut heard)?;
    assert_eq!(
        &heard[..5],
        b"sound",
        "the checksum does not pass what is spoiled"
    );
    Ok(())
}

#[snowglobe::test]
fn a_connection_is_reset_at_both_ends() -> TestResult {
    let pair = Pair::new(LinkSpec::new().engine(Engine::Wire))?;
    let [mut a, mut b] = pair.connection(80)?;
    a.write_all(b"hello")?;
    b.read_exact(&mut [0; 5])?;
    let rule = pair
        .link()
        .rule(tcp().payload(|data| data == b"doomed"), Verdict::Reset)?;
    a.write_all(b"doomed")?;
    for stream in [&mut a, &mut b] {
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let error = stream.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(rule.hits(), 1);
    Ok(())
}

#[snowglobe::test]
fn what_was_expected_and_did_not_come_is_said_with_what_came() -> TestResult {
    let pair = Pair::new(LinkSpec::new().engine(Engine::Wire))?;
    let [a, b] = pair.sockets()?;
    let expected = pair.link().expect(tcp().port(80).syn())?;
    one_way(&a, &b, 1)?;
    let error = expected.within(50 * MS).unwrap_err().to_string();
    assert!(error.contains("on link `alice–bob`"), "{error}");
    assert!(
        error.contains("UDP 10.0.0.1:5000 → 10.0.0.2:5000"),
        "{error}"
    );
    Ok(())
}

#[snowglobe::test]
fn netem_knows_no_rules() -> TestResult {
    if Feature::Netem.probe().is_err() {
        return Ok(());
    }
    let pair = Pair::new(LinkSpec::from(Impairment::delayed(MS)).engine(Engine::Netem))?;
    let error = pair.link().rule(tcp(), Verdict::Drop).unwrap_err();
    assert!(error.to_string().contains("packet rules"), "{error}");
    Ok(())
}
