//! Links that are impaired and judged packet by packet are captured as well.

use std::time::Instant;

use snowglobe::impair::Direction;
use snowglobe::prelude::*;
use snowglobe::topology::Engine;

use crate::plain::exchange;
use crate::tshark::read;

#[snowglobe::test(requires(fixture("tshark")))]
fn a_syn_ack_that_was_dropped_is_there_with_the_reason_and_a_timeout_later_again() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let link = lab.links().next().ok_or("a link")?;
    let capture = link.capture()?;
    let recording = link.record()?;
    // From here on the userspace wire carries the link: the capture goes along.
    let rule = link.rule(tcp().syn_ack().nth(1), Verdict::Drop)?;
    let begin = Instant::now();
    exchange(&lab, alice.id(), bob.id(), 80)?;
    let took = begin.elapsed().as_secs_f64();
    assert_eq!(rule.hits(), 1);

    let file = capture.flush()?;
    let fields = [
        "frame.time_relative",
        "frame.comment",
        "frame.packet_flags_direction",
    ];
    let answers = read(&file, "tcp.flags.syn == 1 && tcp.flags.ack == 1", &fields)?;
    // Alice asks again when the server answers again, and gets one more answer.
    let [first, second, ..] = &answers[..] else {
        return Err(format!("{answers:?}").into());
    };
    assert_eq!(first[1], "lost: drop by rule: tcp, syn-ack, number 1");
    assert_eq!(
        [&second[1], &first[2], &second[2]],
        ["", "0x00000001", "0x00000001"]
    );
    let after = second[0].parse::<f64>()? - first[0].parse::<f64>()?;
    // The initial retransmission timeout is a second (RFC 6298), and the connection waited for
    // nothing else.
    assert!(after > 0.95 && after <= took, "{after} s of {took} s");

    let answers: Vec<_> = recording.packets();
    let answers: Vec<_> = answers
        .iter()
        .filter(|packet| packet.is_syn_ack())
        .collect();
    let lost: Vec<_> = answers.iter().map(|packet| packet.lost()).collect();
    assert_eq!(
        &lost[..2],
        [Some("drop by rule: tcp, syn-ack, number 1"), None]
    );
    assert_eq!(recording.left_out(), 0);
    Ok(())
}

/// Returns how many packets from alice to bob the link has delivered or lost.
fn handled(link: &snowglobe::lab::Link) -> Result<u64, snowglobe::LabError> {
    let counters = link.counters(Direction::AToB)?;
    Ok(counters.lost.total().packets + counters.delivered.packets)
}

#[snowglobe::test(requires(fixture("tshark")))]
fn what_a_link_does_to_packets_is_in_the_comments() -> TestResult {
    let mut topology = Topology::new();
    let (alice, bob) = (topology.node("alice"), topology.node("bob"));
    let link = topology.link_with(alice, bob, LinkSpec::new().engine(Engine::Wire));
    let lab = topology.start()?;
    let (capture, link) = (lab.capture_all()?, &lab[link]);
    let socket = lab[alice].run(|| UdpSocket::bind("0.0.0.0:9"))?;
    let _receiver = lab[bob].run(|| UdpSocket::bind("0.0.0.0:9"))?;
    let say = |word: &str| -> TestResult {
        let before = handled(link)?;
        socket.send_to(word.as_bytes(), (lab[bob].ip(), 9))?;
        lab.wait_until(|| handled(link).is_ok_and(|after| after > before))?;
        Ok(())
    };
    let sure = Percent(100.0);
    say("plain")?;
    link.impair(Impairment {
        duplicate: sure,
        ..Impairment::NONE
    })?;
    say("twice")?;
    link.impair(Impairment {
        corrupt: sure,
        ..Impairment::NONE
    })?;
    say("spoilt")?;
    link.impair(Impairment {
        loss: sure,
        ..Impairment::NONE
    })?;
    say("lost")?;
    link.impair(Impairment::NONE)?;
    let cut = link.cut()?;
    say("cut")?;
    cut.heal()?;
    let late = udp().payload(|payload| payload == b"late");
    let _rule = link.rule(late, Verdict::Delay(Duration::from_millis(20)))?;
    say("late")?;

    // The flipped bit may be one of those by which the filter knows datagrams.
    let filter = "udp.dstport == 9 || (eth.type == 0x0800 && frame.comment contains \"flipped\")";
    let seen = read(&capture.flush()?, filter, &["frame.comment"])?;
    let mut comments: Vec<&str> = seen.iter().map(|values| values[0].as_str()).collect();
    assert!(
        comments[4].starts_with("bit flipped in byte "),
        "{comments:#?}"
    );
    comments.remove(4);
    let delayed = "delay by 20ms by rule: udp, a payload that satisfies a closure";
    let expected = [
        "",
        "",
        "duplicate",
        "",
        "lost: loss",
        "lost: link cut",
        delayed,
    ];
    assert_eq!(comments, expected);
    Ok(())
}

#[snowglobe::test(requires(fixture("tshark")))]
fn a_capture_of_a_node_goes_on_when_its_link_is_carried_by_somebody_else() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let link = lab.links().next().ok_or("a link")?;
    let captures = [bob.capture("eth0")?, link.capture()?];
    exchange(&lab, alice.id(), bob.id(), 80)?;
    link.impair(Impairment::delayed(Duration::from_millis(20)))?;
    exchange(&lab, alice.id(), bob.id(), 81)?;
    let file = captures[0].flush()?;
    let fields = ["frame.interface_name", "tcp.dstport", "frame.time_epoch"];
    let syns = read(&file, "tcp.flags.syn == 1 && tcp.flags.ack == 0", &fields)?;
    let place = |at: usize| [syns[at][0].as_str(), &syns[at][1]];
    assert_eq!(syns.len(), 4, "{syns:?}");
    assert_eq!(
        [place(0), place(1)],
        [["alice–bob", "80"], ["bob/eth0", "80"]]
    );
    assert_eq!(
        [place(2), place(3)],
        [["alice–bob", "81"], ["bob/eth0", "81"]]
    );
    // Both times are on one clock: the packet came to bob as much later as the delay of the link.
    let (sent, arrived) = (syns[2][2].parse::<f64>()?, syns[3][2].parse::<f64>()?);
    assert!(arrived - sent > 0.0199, "{syns:?}");
    Ok(())
}
