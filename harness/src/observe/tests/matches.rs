//! Matches pick the packets that they describe, and no others.

use std::net::Ipv4Addr;

use etherparse::PacketBuilder;

use super::*;
use crate::model::rules::RuleBook;
use crate::model::rules::{any, arp as arp_match, icmp, ip, tcp, udp};
use crate::observe::{Match, RuleGuard, Verdict};
use crate::trial::patience::Patience;

fn holds(matching: Match, frame: &[u8]) -> bool {
    let link: Arc<str> = "alice–bob".into();
    let view = PacketView {
        link: &link,
        direction: Direction::AToB,
        at: std::time::Duration::ZERO,
        headers: Headers::of(frame),
        frame,
    };
    matching.holds(&view)
}

#[test]
fn protocols_are_told_apart() {
    let frames = [syn(), udp_from(1, b""), arp()];
    let which = |matching: fn() -> Match| frames.each_ref().map(|frame| holds(matching(), frame));
    assert_eq!(which(any), [true, true, true]);
    assert_eq!(which(tcp), [true, false, false]);
    assert_eq!(which(udp), [false, true, false]);
    assert_eq!(which(arp_match), [false, false, true]);
    assert_eq!(which(ip), [true, true, false]);
    assert_eq!(which(icmp), [false, false, false]);
    let mut ping = Vec::new();
    PacketBuilder::ethernet2(MAC_A, MAC_B)
        .ipv4(CLIENT, SERVER, 64)
        .icmpv4_echo_request(1, 1)
        .write(&mut ping, b"ping")
        .unwrap();
    assert!(holds(icmp(), &ping));
    assert!(holds(icmp().payload(|bytes| bytes == b"ping"), &ping));
}

#[test]
fn a_syn_ack_is_no_syn() {
    assert!(holds(tcp().syn(), &syn()));
    assert!(!holds(tcp().syn(), &syn_ack()));
    assert!(holds(tcp().syn_ack(), &syn_ack()));
    assert!(!holds(tcp().syn_ack(), &syn()));
    let fin = tcp_to_server(TcpFlags::FIN.union(TcpFlags::ACK), 1, 1, b"");
    assert!(holds(tcp().fin(), &fin) && !holds(tcp().ack(), &fin) && !holds(tcp().rst(), &fin));
    assert!(holds(tcp().ack(), &tcp_to_server(TcpFlags::ACK, 1, 1, b"")));
}

#[test]
fn addresses_and_ports_have_a_side() {
    let (client, server) = (Ipv4Addr::from(CLIENT), Ipv4Addr::from(SERVER));
    assert!(holds(tcp().from(client).to(server), &syn()));
    assert!(!holds(tcp().from(server), &syn()) && !holds(tcp().to(client), &syn()));
    assert!(holds(tcp().port(80), &syn()) && holds(tcp().port(80), &syn_ack()));
    assert!(holds(tcp().to_port(80), &syn()) && !holds(tcp().to_port(80), &syn_ack()));
    assert!(holds(tcp().from_port(80), &syn_ack()) && !holds(tcp().from_port(80), &syn()));
    assert!(!holds(tcp().port(81), &syn()));
    assert!(!holds(tcp().direction(Direction::BToA), &syn()));
    assert!(holds(tcp().direction(Direction::AToB), &syn()));
}

#[test]
fn lengths_payloads_and_closures() {
    let frame = tcp_to_server(TcpFlags::ACK, 1, 1, b"GET / HTTP/1.1");
    assert!(holds(tcp().length(..=68), &frame) && !holds(tcp().length(..68), &frame));
    assert!(holds(tcp().length(68..), &frame) && !holds(tcp().length(69..), &frame));
    assert!(holds(
        tcp().payload(|bytes| bytes.starts_with(b"GET ")),
        &frame
    ));
    assert!(!holds(tcp().payload(|bytes| bytes.is_empty()), &frame));
    assert!(holds(
        any().matching(|packet| packet.source_port() == Some(40000)),
        &frame
    ));
}

#[test]
fn what_can_never_match_is_refused_by_name() {
    let refused = |matching: Match| {
        let book = RuleBook::new("alice–bob", 0);
        RuleGuard::new(
            &book,
            matching,
            Verdict::Drop,
            Patience::of(std::time::Duration::ZERO),
        )
        .expect_err("it can never match")
        .to_string()
    };
    assert_eq!(
        refused(tcp().syn().nth(0)),
        "no packet can match `tcp, syn, number 0`: packets are counted from 1"
    );
    assert!(refused(tcp().first(0)).contains("counted from 1"));
    assert!(refused(any().every(0)).contains("counted from 1"));
    assert!(refused(udp().syn()).contains("only TCP has flags"));
    assert!(refused(icmp().port(80)).contains("only TCP and UDP have ports"));
    assert!(refused(arp_match().from(Ipv4Addr::LOCALHOST)).contains("not carried by IP"));
}

#[test]
fn a_match_says_what_it_is() {
    let all = tcp()
        .port(80)
        .from([10, 0, 0, 1])
        .direction(Direction::AToB)
        .length(60..=100)
        .payload(|_| true)
        .every(3);
    assert_eq!(
        all.to_string(),
        "tcp, port 80, from 10.0.0.1, a→b, length 60..=100, a payload that satisfies a closure, one in 3"
    );
}
