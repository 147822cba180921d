//! Tests of zones, answers and messages.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, TYPE};

use super::catalog::Catalog;
use super::lab_names::LabNames;
use super::message::{ParsedMessage, Reply, hear};
use super::query::DnsOutcome;
use super::{DnsFault, DnsSpec, RecordKind, Zone};
use crate::random;
use crate::topology::{NodeSpec, Topology, TopologyErrorKind};

const ASKER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

fn zone() -> Zone {
    Zone::new("example.org").text(
        r#"
        @       300 IN TXT "v=spf1 -all" "a;b\"c\\"   ; a comment
        www     60 A 192.0.2.80
        www     AAAA 2001:db8::80
        *.dev   CNAME www
        a.b.dev A 192.0.2.7
        _http._tcp SRV 0 5 8080 www
        loop    CNAME loop
        gone    CNAME nowhere.test.
        "#,
    )
}

fn catalog(records: usize) -> Catalog {
    let many = (0..records).map(|it| format!("many A 192.0.2.{it}"));
    let zone = many.fold(zone(), Zone::record);
    let mut topology = Topology::new();
    let spec = DnsSpec::new().zone(zone);
    let names = topology.node(NodeSpec::new("names").dns(spec.clone()));
    let bob = topology.node(NodeSpec::new("bob").alias("www.bob.example"));
    topology.link(names, bob);
    let plan = topology.plan().unwrap();
    Catalog::new(&spec, "lab", LabNames::of(&plan))
}

fn query(name: &str, kind: RecordKind) -> Vec<u8> {
    let mut packet = Packet::new_query(7);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new_unchecked(name);
    let question = simple_dns::Question::new(name, QTYPE::TYPE(TYPE::A), CLASS::IN.into(), false);
    packet.questions.push(question);
    let mut bytes = packet.build_bytes_vec().unwrap();
    let at = bytes.len() - 4;
    bytes[at..at + 2].copy_from_slice(&kind.number().to_be_bytes());
    bytes
}

fn reply(bytes: &[u8], faults: &[DnsFault], tcp: bool) -> Reply {
    let faults: Vec<_> = faults.iter().map(|it| it.parse().unwrap()).collect();
    let ParsedMessage::Question(question) = hear(bytes) else {
        panic!("no question: {bytes:?}");
    };
    question.reply(&catalog(40), &faults, ASKER, tcp)
}

fn outcome(name: &str, kind: RecordKind) -> DnsOutcome {
    reply(&query(name, kind), &[], false).outcome
}

#[test]
fn names_have_the_records_that_they_were_given() {
    use DnsOutcome::{Answered, NoData, NoName};
    for (name, kind, expected) in [
        ("www.example.org", RecordKind::A, Answered(1)),
        ("WWW.Example.ORG", RecordKind::A, Answered(1)),
        ("www.example.org", RecordKind::Any, Answered(2)),
        ("www.example.org", RecordKind::Mx, NoData),
        ("www.example.org", RecordKind::Other(65), NoData),
        ("example.org", RecordKind::Txt, Answered(1)),
        ("_tcp.example.org", RecordKind::A, NoData),
        ("x.dev.example.org", RecordKind::A, Answered(2)),
        ("x.y.dev.example.org", RecordKind::Aaaa, Answered(2)),
        // RFC 4592, section 2.2.1: a name that is there hides the wildcard from those below it.
        ("c.b.dev.example.org", RecordKind::A, NoName),
        ("b.dev.example.org", RecordKind::A, NoData),
        ("loop.example.org", RecordKind::A, NoData),
        ("gone.example.org", RecordKind::A, NoName),
        ("no.example.org", RecordKind::A, NoName),
        ("example.com", RecordKind::A, NoName),
        ("badexample.org", RecordKind::A, NoName),
        ("", RecordKind::Ns, NoData),
        ("bob", RecordKind::A, Answered(1)),
        ("bob.lab", RecordKind::Aaaa, Answered(1)),
        ("bob.lab", RecordKind::Txt, NoData),
        ("www.bob.example", RecordKind::A, Answered(1)),
        ("2.0.0.10.in-addr.arpa", RecordKind::Ptr, Answered(1)),
        ("3.0.0.10.in-addr.arpa", RecordKind::Ptr, NoName),
    ] {
        let said = outcome(name, kind);
        assert_eq!(said, expected, "{name} {kind}");
    }
}

#[test]
fn an_answer_has_the_question_as_it_was_asked() {
    let bytes = query("wWw.eXample.org", RecordKind::A);
    let said = reply(&bytes, &[], false).bytes.unwrap();
    let answer = Packet::parse(&said).unwrap();
    assert_eq!(answer.id(), 7);
    assert!(answer.has_flags(PacketFlag::RESPONSE | PacketFlag::RECURSION_DESIRED));
    assert_eq!(answer.questions[0].qname.to_string(), "wWw.eXample.org");
    assert_eq!(answer.answers[0].name.to_string(), "wWw.eXample.org");
    assert_eq!(answer.answers[0].ttl, 60);
    // The type is what was asked for, also one that the crate has no name for.
    let said = reply(&query("bob", RecordKind::Other(65_000)), &[], false)
        .bytes
        .unwrap();
    assert_eq!(said[12..][5..9], [0xfd, 0xe8, 0, 1]);
}

#[test]
fn no_data_is_no_error_and_has_a_start_of_authority() {
    let said = reply(&query("bob", RecordKind::Txt), &[], false)
        .bytes
        .unwrap();
    let answer = Packet::parse(&said).unwrap();
    assert_eq!(answer.rcode(), RCODE::NoError);
    assert!(answer.answers.is_empty());
    assert_eq!(answer.name_servers.len(), 1);
}

#[test]
fn edns_has_its_version_and_flags_where_rfc_6891_says() {
    let ask = |flags: [u8; 4]| {
        let mut bytes = query("www.example.org", RecordKind::A);
        bytes[11] = 1;
        // The root, OPT, 1232 bytes, the flags, and no options.
        bytes.extend([0, 0, 41, 4, 208]);
        bytes.extend(flags);
        bytes.extend([0, 0]);
        let reply = reply(&bytes, &[], false);
        let said = reply.bytes.unwrap();
        let at = said.len() - 11;
        assert_eq!(said[at..at + 5], [0, 0, 41, 4, 208]);
        let code = said[3] & 0xf;
        (reply.outcome, code, said[at + 5..].to_vec())
    };
    let answered = DnsOutcome::Answered(1);
    assert_eq!(ask([0; 4]), (answered, 0, vec![0; 6]));
    // The flag DO, which is repeated.
    let dnssec = vec![0, 0, 0x80, 0, 0, 0];
    assert_eq!(ask([0, 0, 0x80, 0]), (answered, 0, dnssec));
    // A version that nobody knows: BADVERS is 16, whose upper bits are in the OPT record.
    let bad = vec![1, 0, 0, 0, 0, 0];
    assert_eq!(ask([0, 5, 0, 0]), (DnsOutcome::BadVersion, 0, bad));
}

#[test]
fn a_zone_has_a_start_of_authority() {
    let said = reply(&query("example.org", RecordKind::Soa), &[], false);
    assert_eq!(said.outcome, DnsOutcome::Answered(1));
    let said = said.bytes.unwrap();
    let answer = Packet::parse(&said).unwrap();
    assert_eq!((answer.answers.len(), answer.name_servers.len()), (1, 0));
    for (name, outcome) in [
        ("lab", DnsOutcome::Answered(1)),
        ("www.example.org", DnsOutcome::NoData),
        ("loop.example.org", DnsOutcome::NoData),
        ("no.example.org", DnsOutcome::NoName),
    ] {
        assert_eq!(self::outcome(name, RecordKind::Soa), outcome, "{name}");
    }
}

#[test]
fn a_long_answer_is_cut_by_udp_and_whole_by_tcp() {
    let bytes = query("many.example.org", RecordKind::A);
    let short = reply(&bytes, &[], false);
    assert_eq!(short.outcome, DnsOutcome::Truncated);
    let short = short.bytes.unwrap();
    assert!(short.len() <= 512, "{}", short.len());
    assert!(
        Packet::parse(&short)
            .unwrap()
            .has_flags(PacketFlag::TRUNCATION)
    );
    assert_eq!(reply(&bytes, &[], true).outcome, DnsOutcome::Answered(40));
    // 40 addresses of 16 bytes each fit into what EDNS permits.
    let mut wide = Packet::parse(&bytes).unwrap();
    *wide.opt_mut() = Some(simple_dns::rdata::OPT {
        opt_codes: Vec::new(),
        udp_packet_size: 4096,
        version: 0,
    });
    let wide = wide.build_bytes_vec().unwrap();
    let said = reply(&wide, &[], false);
    assert_eq!(said.outcome, DnsOutcome::Answered(40));
    assert!(Packet::parse(&said.bytes.unwrap()).unwrap().opt().is_some());
}

#[test]
fn faults_change_what_they_are_about() {
    let of = |fault: &DnsFault, name: &str, tcp| {
        reply(
            &query(name, RecordKind::A),
            std::slice::from_ref(fault),
            tcp,
        )
    };
    let gone = DnsFault::nxdomain().of_name("*.example.org");
    assert_eq!(
        of(&gone, "www.example.org", false).outcome,
        DnsOutcome::NoName
    );
    assert_eq!(of(&gone, "bob", false).outcome, DnsOutcome::Answered(1));
    assert_eq!(of(&gone, "example.org", false).outcome, DnsOutcome::NoData);
    let failed = DnsFault::servfail().of_kind(RecordKind::Aaaa);
    assert_eq!(of(&failed, "bob", false).outcome, DnsOutcome::Answered(1));
    let silent = of(&DnsFault::silence(), "bob", false);
    assert_eq!((silent.outcome, silent.bytes), (DnsOutcome::Silence, None));
    let cut = DnsFault::truncate();
    assert_eq!(of(&cut, "bob", false).outcome, DnsOutcome::Truncated);
    assert_eq!(of(&cut, "bob", true).outcome, DnsOutcome::Answered(1));
    let moved = DnsFault::answer(["5 A 192.0.2.9", "AAAA ::1"]).of_name("bob");
    let said = of(&moved, "bob", false);
    assert_eq!(said.outcome, DnsOutcome::Answered(1));
    assert_eq!(
        Packet::parse(&said.bytes.unwrap()).unwrap().answers[0].ttl,
        5
    );
    for (given, asked) in [
        ("bob", "bob.lab"),
        ("bob.lab", "bob"),
        ("*.lab", "bob"),
        ("bob.lab.", "bob.lab"),
        ("*", "www.example.org"),
        ("*", "."),
        ("*.", "bob"),
        ("carol.lab", "carol"),
    ] {
        let failed = DnsFault::servfail().of_name(given);
        let said = of(&failed, asked, false).outcome;
        assert_eq!(said, DnsOutcome::Failed, "{asked} for {given}");
    }
    for (given, asked) in [
        ("bob.", "bob.lab"),
        ("bob.lab.", "bob"),
        ("*.lab", "www.example.org"),
    ] {
        let failed = DnsFault::servfail().of_name(given);
        let said = of(&failed, asked, false).outcome;
        assert_eq!(said, DnsOutcome::Answered(1), "{asked} for {given}");
    }
    // The root is not below itself (RFC 4592, section 2.2.2), and neither a name that nobody has
    // nor one of a zone is below the domain of the lab.
    for (given, asked, expected) in [
        ("*.", ".", DnsOutcome::NoData),
        ("*.lab", "com", DnsOutcome::NoName),
        ("*.lab", "org", DnsOutcome::NoData),
        ("org.lab", "org", DnsOutcome::NoData),
    ] {
        let failed = DnsFault::servfail().of_name(given);
        let said = of(&failed, asked, false).outcome;
        assert_eq!(said, expected, "{asked} for {given}");
    }
    let late = DnsFault::delay(Duration::from_millis(300));
    let both = reply(&query("bob", RecordKind::A), &[late.clone(), late], false);
    assert_eq!(both.delay, Duration::from_millis(600));
    assert!(DnsFault::answer(["A nonsense"]).parse().is_err());
}

#[test]
fn what_is_no_question_is_told_so() {
    let good = query("bob", RecordKind::A);
    let code = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        match hear(&bytes) {
            ParsedMessage::Unfit(said) => Some(said[3] & 15),
            ParsedMessage::Nothing => None,
            ParsedMessage::Question(question) => {
                let said = question.reply(&catalog(0), [], ASKER, false);
                Some(said.bytes.unwrap()[3] & 15)
            }
        }
    };
    assert_eq!(code(&|_| {}), Some(0));
    assert_eq!(code(&|it| it.truncate(11)), None);
    assert_eq!(code(&|it| it[2] |= 0x80), None, "an answer");
    assert_eq!(code(&|it| it[2] |= 0x28), Some(4), "an update");
    assert_eq!(code(&|it| it[5] = 0), Some(1), "no question");
    assert_eq!(code(&|it| it.truncate(20)), Some(1), "half a question");
    assert_eq!(code(&|it| it[12] = 0xc0), Some(1), "a pointer");
    assert_eq!(
        code(&|it| *it.last_mut().unwrap() = 3),
        Some(5),
        "class CHAOS"
    );
    assert_eq!(code(&|it| it[3] |= 0x70), Some(0), "reserved bits");
}

/// A message that is broken in any way is answered or not, and nothing panics.
#[test]
fn no_message_makes_the_server_panic() {
    let catalog = catalog(40);
    let good = query("x.dev.example.org", RecordKind::A);
    let mut state = random::seed_for(14, "messages");
    let mut next = move || random::splitmix(&mut state);
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..next() % 8 {
            let at = (next() as usize) % bytes.len();
            bytes[at] = next() as u8;
        }
        bytes.truncate((next() as usize) % (bytes.len() + 1));
        bytes.extend((0..next() % 24).map(|it| (it * 37) as u8));
        if let ParsedMessage::Question(question) = hear(&bytes) {
            let said = question.reply(&catalog, [], ASKER, next() % 2 == 0);
            assert!(said.bytes.is_some(), "{bytes:?}");
        }
    }
}

#[test]
fn wrong_zones_are_refused_before_anything_starts() {
    let refused = |zones: &[Zone]| {
        let mut topology = Topology::new();
        let spec = zones.iter().cloned().fold(DnsSpec::new(), DnsSpec::zone);
        let names = topology.node(NodeSpec::new("names").dns(spec));
        let bob = topology.node("bob");
        topology.link(names, bob);
        let error = topology.validate().unwrap_err();
        (error.kind(), error.to_string())
    };
    let line = |line: &str| refused(&[Zone::new("example.org").record(line)]);
    for (text, expected) in [
        ("www A", "has 0 words after A; write `A 192.0.2.1`"),
        ("www A 1.2.3", "has `1.2.3` where an IPv4 address should be"),
        ("www", "has no type, such as A"),
        ("www B 1", "there is no record type `B`"),
        ("www HINFO x y", "there is no record type `HINFO`"),
        ("www SOA x", "has the type SOA"),
        ("www 99999999999 A 192.0.2.1", "where its seconds should be"),
        ("_x._tcp SRV 0 0 70000 www", "where a port should be"),
        ("w.*.w A 192.0.2.1", "has a `*` that is not its first label"),
        ("a..b A 192.0.2.1", "has an empty label"),
        ("www.example.com. A 192.0.2.1", "which is not in the zone"),
        ("www TXT \"open", "has a quote that is not closed"),
        ("www A (192.0.2.1)", "has a parenthesis"),
    ] {
        let (kind, said) = line(text);
        assert_eq!(kind, TopologyErrorKind::Invalid, "{text}: {said}");
        assert!(said.contains(expected), "{text}: {said}");
    }
    let zone = || Zone::new("example.org").record("www A 192.0.2.1");
    for (zones, expected) in [
        (
            vec![zone().record("WWW 5 A 192.0.2.1")],
            "has record `WWW 5 A 192.0.2.1` twice",
        ),
        (
            vec![zone(), Zone::new("example.org.")],
            "has zone `example.org.` twice",
        ),
        (
            vec![zone().record("www CNAME other")],
            "is an alias (CNAME), and has another record",
        ),
        (
            vec![Zone::new("lab").record("bob A 192.0.2.1")],
            "`bob.lab`, which is a node of the lab",
        ),
    ] {
        let (kind, said) = refused(&zones);
        assert_eq!(kind, TopologyErrorKind::Conflict, "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
