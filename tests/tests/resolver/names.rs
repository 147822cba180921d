//! A name server knows the nodes of the lab, both ways round, and the zones given by hand.

use std::fs;
use std::net::ToSocketAddrs;

use simple_dns::rdata::RData;
use simple_dns::{Packet, PacketFlag, RCODE, TYPE};
use snowglobe::dns::{DnsOutcome, DnsSpec, RecordKind, Zone};
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::{Families, NodeId, TopologyErrorKind};

use crate::query::{ask, ask_by_tcp, message};

const SOON: Duration = Duration::from_secs(5);

/// Returns the addresses of a name, as the C library finds them in the node.
pub(crate) fn look(node: &Node, name: &str) -> std::io::Result<Vec<IpAddr>> {
    node.run(|| {
        let found = (name, 80).to_socket_addrs()?;
        let mut found: Vec<IpAddr> = found.map(|it| it.ip()).collect();
        found.sort();
        Ok(found)
    })
}

/// Returns a zone with a record of each kind.
pub(crate) fn zone() -> Zone {
    Zone::new("example.org")
        .record("www 60 A 192.0.2.80")
        .record("www AAAA 2001:db8::80")
        .record("*.dev CNAME www")
        .record("_http._tcp SRV 1 5 8080 www")
        .record("@ TXT \"v=spf1 -all\" second")
        .record("@ MX 10 mail")
}

/// Returns a lab of a name server and a client on a switch.
pub(crate) fn pair() -> TestResult<(Lab, NodeId, NodeId)> {
    let mut topology = Topology::new();
    let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new().zone(zone())));
    let client = topology.node(NodeSpec::new("client").alias("customer.example"));
    let lan = topology.switch("lan");
    topology.plug(names, lan);
    topology.plug(client, lan);
    Ok((topology.start()?, names, client))
}

#[snowglobe::test]
fn nodes_are_found_by_the_name_server_and_not_by_their_hosts_files() -> TestResult {
    let (lab, names, client) = pair()?;
    let hosts = lab[client].run(|| fs::read_to_string("/etc/hosts"))?;
    assert!(!hosts.contains("names"), "{hosts}");
    assert!(hosts.contains("client"), "its own name: {hosts}");
    let resolv_conf = lab[client].run(|| fs::read_to_string("/etc/resolv.conf"))?;
    let server = format!("nameserver {}\n", lab[names].ip());
    assert!(resolv_conf.starts_with(&server), "{resolv_conf}");

    let mut both = vec![
        IpAddr::from(lab[names].ipv4().unwrap()),
        IpAddr::from(lab[names].ipv6().unwrap()),
    ];
    both.sort();
    for name in ["names", "names.lab", "NAMES.Lab", "names.lab."] {
        assert_eq!(look(&lab[client], name)?, both, "{name}");
    }
    // The server's own node asks it as well.
    assert_eq!(look(&lab[names], "customer.example")?.len(), 2);
    let asked = lab.dns().queries();
    let said = |name: &str, kind| {
        let mut it = asked.iter().filter(|it| it.name == name && it.kind == kind);
        it.next().map(|it| (it.outcome, it.from.ip(), it.tcp))
    };
    let from = lab[client].ip();
    let answered = Some((DnsOutcome::Answered(1), from, false));
    assert_eq!(said("names.lab", RecordKind::A), answered, "{asked:?}");
    assert_eq!(said("names.lab", RecordKind::Aaaa), answered, "{asked:?}");
    Ok(())
}

#[snowglobe::test]
fn addresses_have_names() -> TestResult {
    let (lab, names, client) = pair()?;
    for address in [
        IpAddr::from(lab[names].ipv4().unwrap()),
        IpAddr::from(lab[names].ipv6().unwrap()),
    ] {
        let mut getent = lab[client].command("getent");
        let said = getent.args(["hosts", &address.to_string()]).output()?;
        assert!(said.stdout_str().contains("names.lab"), "{said:?}");
    }
    Ok(())
}

#[snowglobe::test]
fn what_nobody_has_does_not_exist() -> TestResult {
    let (lab, _, client) = pair()?;
    for name in ["nobody", "nobody.example.org", "www.example.com"] {
        let error = look(&lab[client], name).unwrap_err().to_string();
        // The C library says something else about a question that nobody answers (EAI_AGAIN).
        assert!(
            error.contains("Name or service not known"),
            "{name}: {error}"
        );
    }
    Ok(())
}

#[snowglobe::test]
fn zones_have_records_of_all_kinds_over_udp_and_tcp() -> TestResult {
    let (lab, names, client) = pair()?;
    let server = lab[names].ip();
    for tcp in [false, true] {
        let records = |name: &str, kind| -> TestResult<Vec<String>> {
            let message = message(name, kind);
            let said = if tcp {
                ask_by_tcp(&lab[client], server, &message)?
            } else {
                ask(&lab[client], server, &message, SOON)?.ok_or("no answer")?
            };
            let answer = Packet::parse(&said)?;
            assert_eq!(answer.rcode(), RCODE::NoError);
            let shown = answer.answers.iter().map(|it| match &it.rdata {
                RData::A(it) => Ipv4Addr::from(it.address).to_string(),
                RData::AAAA(it) => Ipv6Addr::from(it.address).to_string(),
                RData::CNAME(it) => it.0.to_string(),
                RData::MX(it) => format!("{} {}", it.preference, it.exchange),
                RData::SRV(it) => {
                    format!("{} {} {} {}", it.priority, it.weight, it.port, it.target)
                }
                RData::TXT(it) => String::try_from(it.clone()).unwrap(),
                other => format!("{other:?}"),
            });
            Ok(shown.collect())
        };
        let www = "www.example.org";
        assert_eq!(records(www, TYPE::A)?, ["192.0.2.80"]);
        assert_eq!(records(www, TYPE::AAAA)?, ["2001:db8::80"]);
        assert_eq!(records("x.dev.example.org", TYPE::A)?, [www, "192.0.2.80"]);
        let srv = records("_http._tcp.example.org", TYPE::SRV)?;
        assert_eq!(srv, ["1 5 8080 www.example.org"]);
        assert_eq!(records("example.org", TYPE::MX)?, ["10 mail.example.org"]);
        assert_eq!(records("example.org", TYPE::TXT)?, ["v=spf1 -allsecond"]);
        assert_eq!(records(www, TYPE::NS)?, [""; 0]);
    }
    Ok(())
}

#[snowglobe::test]
fn a_long_answer_comes_by_tcp() -> TestResult {
    let mut zone = Zone::new("example.org");
    for number in 0..200 {
        zone = zone.record(format!("many A 10.9.0.{number}"));
    }
    let mut topology = Topology::new();
    let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new().zone(zone)));
    let client = topology.node("client");
    topology.link(names, client);
    let lab = topology.start()?;
    assert_eq!(look(&lab[client], "many.example.org")?.len(), 200);
    let asked = lab.dns().queries();
    assert!(
        asked
            .iter()
            .any(|it| !it.tcp && it.outcome == DnsOutcome::Truncated)
    );
    assert!(
        asked
            .iter()
            .any(|it| it.tcp && it.outcome == DnsOutcome::Answered(200))
    );
    Ok(())
}

#[snowglobe::test]
fn a_server_on_several_networks_answers_from_the_address_that_was_asked() -> TestResult {
    let mut topology = Topology::new();
    let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new()));
    let near = topology.node("near");
    let far = topology.node("far");
    topology.link(names, near);
    topology.link(names, far);
    let lab = topology.start()?;
    // Each client asks the server at the address on its own network.
    for client in [near, far] {
        assert_eq!(look(&lab[client], "near")?.len(), 2);
        let own = look(&lab[client], "names")?;
        let plan = lab.plan();
        let here = plan[plan.stack(client).interfaces[0].segment]
            .subnets
            .clone();
        let is_here = |ip: &IpAddr| here.iter().any(|it| it.contains(*ip));
        assert!(own.iter().all(is_here), "{own:?} {here:?}");
    }
    // And over any other.
    for address in lab
        .plan()
        .stack(names)
        .interfaces
        .iter()
        .flat_map(|it| &it.addresses)
    {
        if matches!(address.ip, IpAddr::V6(it) if it.is_unicast_link_local()) {
            continue;
        }
        let said = ask(&lab[far], address.ip, &message("far", TYPE::A), SOON)?;
        assert!(said.is_some(), "{address}");
    }
    Ok(())
}

#[snowglobe::test]
fn a_lab_without_ipv4_asks_by_ipv6() -> TestResult {
    let mut topology = Topology::new();
    topology.families(Families::V6);
    let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new().zone(zone())));
    let client = topology.node("client");
    topology.link(names, client);
    let lab = topology.start()?;
    let found = look(&lab[client], "names")?;
    assert_eq!(found, [lab[names].ip()]);
    assert!(!look(&lab[client], "www.example.org")?.is_empty());
    Ok(())
}

#[snowglobe::test]
fn a_lab_that_grows_is_known_to_its_server() -> TestResult {
    let (mut lab, _, client) = pair()?;
    assert!(look(&lab[client], "late").is_err());
    let late = lab.grow(|topology| {
        let late = topology.node("late");
        let lan = topology.find_switch("lan").unwrap();
        topology.plug(late, lan);
        late
    })?;
    assert!(look(&lab[client], "late")?.contains(&lab[late].ip()));
    assert!(look(&lab[late], "client")?.contains(&lab[client].ip()));
    Ok(())
}

#[snowglobe::test]
fn a_server_that_comes_late_is_asked_from_then_on() -> TestResult {
    let mut lab = shape::pair().start()?;
    let id = |lab: &Lab, name: &str| lab.node(name).unwrap().id();
    let (alice, bob) = (id(&lab, "alice"), id(&lab, "bob"));
    assert!(look(&lab[alice], "www.example.org").is_err());
    lab.grow(|topology| {
        let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new().zone(zone())));
        topology.link(alice, names);
    })?;
    assert!(look(&lab[alice], "www.example.org").is_ok());
    // Over alice, who forwards.
    assert!(look(&lab[bob], "names").is_ok());
    Ok(())
}

#[snowglobe::test]
fn containers_are_known_by_their_names() -> TestResult {
    let mut topology = Topology::new();
    let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new()));
    let pod = topology.pod("web");
    let app = topology.container(pod, "app");
    topology.link(names, pod);
    let lab = topology.start()?;
    for name in ["web", "app.web", "app.web.lab", "app"] {
        assert!(look(&lab[names], name)?.contains(&lab[app].ip()), "{name}");
    }
    assert!(look(&lab[app], "names")?.contains(&lab[names].ip()));
    Ok(())
}

#[snowglobe::test]
fn hosts_files_keep_the_names_where_that_is_asked_for() -> TestResult {
    let mut topology = Topology::new();
    let names = topology.node(NodeSpec::new("names").dns(DnsSpec::new().keep_hosts_files()));
    let client = topology.node("client");
    topology.link(names, client);
    let lab = topology.start()?;
    assert!(look(&lab[client], "names").is_ok());
    assert_eq!(lab.dns().queries(), []);
    Ok(())
}

#[snowglobe::test]
fn a_topology_with_a_name_server_is_written_and_read() -> TestResult {
    let mut topology = Topology::new();
    let spec = DnsSpec::new().zone(zone()).ttl(5).keep_hosts_files();
    let names = topology.node(NodeSpec::new("names").dns(spec));
    let client = topology.node("client");
    topology.link(names, client);
    let text = topology.to_toml()?;
    assert_eq!(Topology::from_toml(&text)?, topology, "{text}");
    // A bad line is found where it is.
    let bad = text.replace("192.0.2.80", "192.0.2");
    let error = Topology::from_toml(&bad).unwrap_err();
    assert_eq!(error.kind(), TopologyErrorKind::Invalid);
    let said = error.to_string();
    assert!(
        said.contains("line") && said.contains("an IPv4 address should be"),
        "{said}"
    );
    Ok(())
}

#[snowglobe::test]
fn an_answer_says_that_it_is_one() -> TestResult {
    let (lab, names, client) = pair()?;
    let said = ask(
        &lab[client],
        lab[names].ip(),
        &message("client", TYPE::A),
        SOON,
    )?;
    let said = said.ok_or("no answer")?;
    let answer = Packet::parse(&said)?;
    let flags = PacketFlag::RESPONSE | PacketFlag::RECURSION_AVAILABLE;
    assert!(answer.has_flags(flags), "{answer:?}");
    assert_eq!(answer.id(), 0x1234);
    Ok(())
}
