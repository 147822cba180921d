//! A test can look at the packets of a link as values.

use snowglobe::observe::TcpFlags;
use snowglobe::prelude::*;

use crate::plain::exchange;

#[snowglobe::test]
fn the_packets_of_a_connection_are_there_in_order() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let link = lab.links().next().ok_or("a link")?;
    let recording = link.record()?;
    exchange(&lab, alice.id(), bob.id(), 80)?;
    let packets = recording.packets();
    let tcp: Vec<_> = packets
        .iter()
        .filter(|packet| packet.tcp().is_some())
        .collect();
    assert!(tcp[0].is_syn() && tcp[1].is_syn_ack(), "{packets:#?}");
    assert_eq!(tcp[0].source(), Some(alice.ip()));
    assert_eq!(tcp[0].destination(), Some(bob.ip()));
    assert_eq!(tcp[0].direction().reverse(), tcp[1].direction());
    let said: Vec<_> = tcp
        .iter()
        .filter(|packet| !packet.payload().is_empty())
        .collect();
    assert_eq!(
        said.iter()
            .map(|packet| packet.payload())
            .collect::<Vec<_>>(),
        [&b"question"[..], b"answer"]
    );
    assert!(tcp.iter().any(|packet| {
        packet
            .tcp()
            .is_some_and(|tcp| tcp.flags.contains(TcpFlags::FIN))
    }));
    assert!(
        packets.is_sorted_by_key(|packet| packet.at()),
        "{packets:#?}"
    );
    assert!(
        packets
            .iter()
            .all(|packet| packet.link() == "alice–bob" && packet.lost().is_none())
    );
    assert_eq!(recording.left_out(), 0);
    Ok(())
}

#[snowglobe::test]
fn a_recording_begins_when_it_is_made() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let link = lab.links().next().ok_or("a link")?;
    exchange(&lab, alice.id(), bob.id(), 80)?;
    let recordings = [link.record()?, link.record()?];
    exchange(&lab, alice.id(), bob.id(), 81)?;
    for recording in recordings {
        let ports: Vec<u16> = recording
            .packets()
            .iter()
            .filter(|packet| packet.is_syn())
            .filter_map(|packet| packet.destination_port())
            .collect();
        assert_eq!(ports, [81]);
    }
    Ok(())
}

#[snowglobe::test]
fn a_link_that_is_gone_cannot_be_recorded() -> TestResult {
    let mut lab = shape::pair().start()?;
    let link = lab.links().next().ok_or("a link")?.id();
    lab.remove_link(link)?;
    let error = lab[link].record().expect_err("it is gone");
    assert!(error.to_string().contains("link `alice–bob`"), "{error}");
    Ok(())
}
