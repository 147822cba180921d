//! Tests of messages, a server and clients.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::client::{Dhcp6Action, Dhcp6Client};
use super::message::{
    Association, AssociationKind, Dhcp6Kind, Dhcp6Message, Dhcp6Status, LeasedRange, single,
};
use super::network::Dhcp6Network;
use super::server::Dhcp6Server;
use super::{Dhcp6Spec, delegated};
use crate::dhcp::AddressSource;
use crate::ndp::AdvertiseSpec;
use crate::random;
use crate::topology::{NodeSpec, RouterSpec, Subnet, Topology, TopologyErrorKind as Kind};

const SERVER: [u8; 6] = [2, 0, 0, 0, 0, 1];
const HOME: [u8; 6] = [2, 0, 0, 0, 0, 7];
const VIA: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn subnet(text: &str) -> Subnet {
    text.parse().unwrap()
}

fn spec() -> Dhcp6Spec {
    Dhcp6Spec::new()
        .lease(seconds(100))
        .delegate("2001:db8:100::/40", 56)
}

fn network() -> Dhcp6Network {
    let address = |host| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host);
    Dhcp6Network {
        subnet: Some(subnet("fd00::/64")),
        range: Some([address(0x1000), address(0x1001)]),
        taken: [address(1)].into(),
        dns: vec![address(53)],
        domain: "lab.example".into(),
    }
}

fn server(spec: &Dhcp6Spec) -> Dhcp6Server {
    Dhcp6Server::new(SERVER, spec, vec![network()])
}

fn client(mac: [u8; 6], kind: AssociationKind) -> Dhcp6Client {
    let mut client = Dhcp6Client::new(mac, kind, 2);
    client.begin(Duration::ZERO);
    client
}

/// Carries messages to and fro until nobody says anything, and returns what the client did and the
/// kinds of all messages.
fn talk(
    client: &mut Dhcp6Client,
    server: &mut Dhcp6Server,
    now: Duration,
) -> (Vec<Dhcp6Action>, Vec<Dhcp6Kind>) {
    let (mut done, mut said) = (Vec::new(), Vec::new());
    let mut actions = client.step(now);
    while !actions.is_empty() {
        let action = actions.remove(0);
        if let Dhcp6Action::Send(message) = &action {
            let message = Dhcp6Message::decode(&message.encode()).expect("a message");
            said.push(message.kind);
            if let Some(answer) = server.hear(&message, 0, VIA, now) {
                let answer = Dhcp6Message::decode(&answer.encode()).expect("an answer");
                said.push(answer.kind);
                actions.extend(client.hear(&answer, now));
            }
        } else {
            done.push(action);
        }
    }
    (done, said)
}

fn held(client: &Dhcp6Client) -> Vec<String> {
    client
        .held()
        .iter()
        .map(|it| it.range.to_string())
        .collect()
}

#[test]
fn a_message_is_read_as_it_was_written() {
    let mut message = Dhcp6Message::new(Dhcp6Kind::Reply, 0x12_34_56);
    message.client = Some(vec![0, 3, 0, 1, 2, 0, 0, 0, 0, 7]);
    message.server = Some(vec![0, 2, 9]);
    message.status = Some(Dhcp6Status::UseMulticast);
    message.rapid_commit = true;
    message.elapsed = Some(700);
    message.wanted = vec![23, 24];
    message.dns = vec!["2001:db8::53".parse().unwrap()];
    message.domains = vec!["lab.example".into(), "example.org".into()];
    for (kind, range) in [
        (AssociationKind::Addresses, "2001:db8::7/128"),
        (AssociationKind::Prefixes, "2001:db8:100::/56"),
    ] {
        let mut own = Association::new(kind, 9);
        own.times = [50, 80];
        own.status = Some(Dhcp6Status::Other(77));
        own.leased.push(LeasedRange {
            range: subnet(range),
            preferred: 100,
            valid: 200,
        });
        message.associations.push(own);
    }
    let bytes = message.encode();
    // The kind and the number come first (RFC 8415, section 8), then the client's name (21.2).
    assert_eq!(bytes[..8], [7, 0x12, 0x34, 0x56, 0, 1, 0, 10]);
    assert_eq!(Dhcp6Message::decode(&bytes), Some(message));
    assert_eq!(Dhcp6Message::decode(&bytes[..bytes.len() - 1]), None);
    for wrong in [
        &[][..],
        &[12, 0, 0, 0],
        &[0, 0, 0, 0],
        &[1, 0, 0, 0, 0, 1, 0],
    ] {
        assert_eq!(Dhcp6Message::decode(wrong), None, "{wrong:?}");
    }
}

#[test]
fn garbage_is_answered_rightly_or_not_at_all() {
    let mut home = client(HOME, AssociationKind::Prefixes);
    let mut templates = Vec::new();
    let mut healthy = server(&spec().rapid_commit(false));
    for at in [0, 60, 200] {
        for action in home.step(seconds(at)) {
            if let Dhcp6Action::Send(message) = action {
                templates.push(message.encode());
                if let Some(answer) = healthy.hear(&message, 0, VIA, seconds(at)) {
                    home.hear(&answer, seconds(at));
                }
            }
        }
    }
    let mut state = 7;
    let mut below = |end: usize| (random::splitmix(&mut state) % end as u64) as usize;
    let mut server = server(&spec());
    let mut answers = 0;
    for _ in 0..20_000 {
        let mut bytes = templates[below(templates.len())].clone();
        for _ in 0..=below(4) {
            let at = below(bytes.len());
            bytes[at] = below(256) as u8;
        }
        bytes.truncate(bytes.len() - below(8));
        let Some(message) = Dhcp6Message::decode(&bytes) else {
            continue;
        };
        if let Some(answer) = server.hear(&message, 0, VIA, Duration::ZERO) {
            answers += 1;
            assert_eq!(answer.client, message.client);
            assert_eq!(answer.xid, message.xid);
            assert_eq!(Dhcp6Message::decode(&answer.encode()), Some(answer));
        }
    }
    assert!(answers > 100, "{answers}");
    // Nobody has what somebody else has.
    let mut ranges: Vec<Subnet> = server
        .leases(Duration::ZERO)
        .iter()
        .map(|it| it.range)
        .collect();
    let count = ranges.len();
    ranges.dedup();
    assert_eq!(ranges.len(), count);
}

#[test]
fn two_messages_do_where_both_sides_want_so_and_four_elsewhere() {
    for (rapid, expected) in [
        (true, &[Dhcp6Kind::Solicit, Dhcp6Kind::Reply][..]),
        (
            false,
            &[
                Dhcp6Kind::Solicit,
                Dhcp6Kind::Advertise,
                Dhcp6Kind::Request,
                Dhcp6Kind::Reply,
            ],
        ),
    ] {
        let mut server = server(&spec().rapid_commit(rapid));
        let mut home = client(HOME, AssociationKind::Prefixes);
        let (_, said) = talk(&mut home, &mut server, Duration::ZERO);
        assert_eq!(said, expected);
        assert_eq!(held(&home), ["2001:db8:100::/56"]);
        let routes = server.routes(Duration::ZERO);
        assert!(routes.contains(&(subnet("2001:db8:100::/56"), 0, VIA)));
        // Another router gets another one, and a host an address of the network.
        let mut other = client([2, 0, 0, 0, 0, 8], AssociationKind::Prefixes);
        talk(&mut other, &mut server, Duration::ZERO);
        assert_eq!(held(&other), ["2001:db8:100:100::/56"]);
        let mut host = client([2, 0, 0, 0, 0, 9], AssociationKind::Addresses);
        talk(&mut host, &mut server, Duration::ZERO);
        assert_eq!(held(&host), ["fd00::1000/128"]);
        assert_eq!(server.leases(Duration::ZERO).len(), 3);
    }
}

#[test]
fn a_lease_is_renewed_rebound_and_lost() {
    let mut server = server(&spec());
    let mut home = client(HOME, AssociationKind::Prefixes);
    talk(&mut home, &mut server, Duration::ZERO);
    assert_eq!(home.next(), Some(seconds(50)));
    let (done, said) = talk(&mut home, &mut server, seconds(50));
    assert_eq!(said, [Dhcp6Kind::Renew, Dhcp6Kind::Reply]);
    assert!(matches!(done[..], [Dhcp6Action::Hold(held)] if held.ends[1] == seconds(150)));
    // Nobody answers any more.
    let mut kinds = Vec::new();
    let mut lost = None;
    while let (Some(next), None) = (home.next(), lost) {
        for action in home.step(next) {
            match action {
                Dhcp6Action::Send(message) => kinds.push(message.kind),
                Dhcp6Action::Lose(range) => lost = Some((next, range)),
                Dhcp6Action::Hold(_) => panic!("of nobody"),
            }
        }
    }
    assert_eq!(lost, Some((seconds(150), subnet("2001:db8:100::/56"))));
    kinds.dedup();
    let expected = [Dhcp6Kind::Renew, Dhcp6Kind::Rebind, Dhcp6Kind::Solicit];
    assert_eq!(kinds, expected);
    assert!(server.routes(seconds(151)).is_empty());
}

#[test]
fn another_prefix_takes_the_place_of_one_that_is_given_no_more() {
    let mut server = server(&spec());
    let mut home = client(HOME, AssociationKind::Prefixes);
    talk(&mut home, &mut server, Duration::ZERO);
    server.change(&spec().delegate("2001:db8:200::/40", 60), vec![network()]);
    let (done, _) = talk(&mut home, &mut server, seconds(50));
    let [Dhcp6Action::Lose(old), Dhcp6Action::Hold(new)] = done[..] else {
        panic!("{done:?}");
    };
    assert_eq!(old, subnet("2001:db8:100::/56"));
    assert_eq!(new.range, subnet("2001:db8:200::/60"));
    assert_eq!(server.routes(seconds(50)).len(), 1);
    // A server that has lost its leases is asked anew, and gives the same again.
    server.forget();
    let (_, said) = talk(&mut home, &mut server, seconds(100));
    let expected = [
        Dhcp6Kind::Renew,
        Dhcp6Kind::Reply,
        Dhcp6Kind::Request,
        Dhcp6Kind::Reply,
    ];
    assert_eq!(said, expected);
    assert_eq!(held(&home), ["2001:db8:200::/60"]);
}

#[test]
fn a_server_says_why_it_gives_nothing() {
    let mut server = server(&Dhcp6Spec::new().lease(seconds(100)));
    let ask = |server: &mut Dhcp6Server, kind, of: AssociationKind, named: bool| {
        let mut message = Dhcp6Message::new(kind, 5);
        message.client = Some(vec![0, 3, 0, 1, 9]);
        message.server = named.then(|| super::message::duid(SERVER));
        let mut own = Association::new(of, 1);
        own.leased.push(LeasedRange {
            range: single("fd77::1".parse().unwrap()),
            preferred: 0,
            valid: 0,
        });
        message.associations.push(own);
        server.hear(&message, 0, VIA, Duration::ZERO)
    };
    let status = |answer: Option<Dhcp6Message>| answer.and_then(|it| it.associations[0].status);
    let (na, pd) = (AssociationKind::Addresses, AssociationKind::Prefixes);
    let answer = ask(&mut server, Dhcp6Kind::Solicit, pd, false);
    assert_eq!(status(answer), Some(Dhcp6Status::NoPrefixAvail));
    for kind in [Dhcp6Kind::Renew, Dhcp6Kind::Release, Dhcp6Kind::Decline] {
        let answer = ask(&mut server, kind, na, true);
        assert_eq!(status(answer), Some(Dhcp6Status::NoBinding), "{kind:?}");
    }
    let answer = ask(&mut server, Dhcp6Kind::Confirm, na, false);
    assert_eq!(
        answer.and_then(|it| it.status),
        Some(Dhcp6Status::NotOnLink)
    );
    // Messages that name no server where they should, or one where they should not (section 16).
    assert_eq!(ask(&mut server, Dhcp6Kind::Solicit, na, true), None);
    assert_eq!(ask(&mut server, Dhcp6Kind::Request, na, false), None);
    // What is declined is given to nobody, until all are gone.
    let mut gone = 0;
    loop {
        let answer = ask(&mut server, Dhcp6Kind::Request, na, true).expect("an answer");
        if answer.associations[0].status == Some(Dhcp6Status::NoAddrsAvail) {
            break;
        }
        ask(&mut server, Dhcp6Kind::Decline, na, true);
        gone += 1;
    }
    assert_eq!(gone, 2);
}

#[test]
fn what_else_there_is_to_know_is_told_without_a_lease() {
    let mut server = server(&spec());
    let mut message = Dhcp6Message::new(Dhcp6Kind::InformationRequest, 5);
    message.wanted = vec![23, 24];
    let answer = server
        .hear(&message, 0, VIA, Duration::ZERO)
        .expect("an answer");
    assert_eq!(answer.dns, network().dns);
    assert_eq!(answer.domains, ["lab.example"]);
    assert!(server.leases(Duration::ZERO).is_empty());
}

#[test]
fn networks_are_numbered_out_of_a_prefix_as_far_as_it_goes() {
    let of = |text, number| delegated::network(subnet(text), number).map(|it| it.to_string());
    assert_eq!(of("2001:db8::/56", 0).as_deref(), Some("2001:db8::/64"));
    assert_eq!(
        of("2001:db8::/56", 255).as_deref(),
        Some("2001:db8:0:ff::/64")
    );
    assert_eq!(of("2001:db8::/56", 256), None);
    assert_eq!(of("2001:db8::/64", 1), None);
    assert_eq!(of("2001:db8::/72", 0), None);
}

/// Returns a provider, homes with so many networks, and a host in the first network of each.
fn homes(server: Option<Dhcp6Spec>, homes: usize, networks: usize) -> Topology {
    let mut topology = Topology::new();
    let lan = topology.switch("access");
    let isp = RouterSpec::new("isp").node(|node| match server {
        Some(spec) => node.dhcp6(spec),
        None => node,
    });
    let isp = topology.router(isp);
    topology.plug(isp, lan);
    for home in 0..homes {
        let advertise = AdvertiseSpec::new().delegated();
        let router = RouterSpec::new(format!("home{home}"));
        let router = topology.router(router.node(|node| node.advertise(advertise)));
        topology.uplink(router, lan);
        for network in 0..networks {
            let host = NodeSpec::new(format!("host{home}-{network}")).autoconfigure();
            let host = topology.node(host);
            topology.link(host, router);
        }
    }
    topology
}

fn delegate(prefix: &str, length: u8) -> Option<Dhcp6Spec> {
    Some(Dhcp6Spec::new().delegate(prefix, length))
}

#[track_caller]
fn refuses(server: Option<Dhcp6Spec>, [number, networks]: [usize; 2], kind: Kind, text: &str) {
    let error = homes(server, number, networks).validate().unwrap_err();
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!(error.kind(), kind, "{error}");
}

#[test]
fn a_prefix_too_short_to_delegate_is_refused_before_anything_starts() {
    homes(delegate("2001:db8:100::/40", 56), 3, 2)
        .validate()
        .unwrap();
    let networks = "numbers 2 networks, a /64 each, out of the /64 that node `isp` delegates to it, which is too small; delegate a /63 or a shorter prefix";
    refuses(
        delegate("2001:db8::/56", 64),
        [1, 2],
        Kind::TooLarge,
        networks,
    );
    let routers = "by 2 routers, and `2001:db8::/56` is too small to delegate a /56 to each";
    refuses(
        delegate("2001:db8::/56", 56),
        [2, 1],
        Kind::TooLarge,
        routers,
    );
    let smaller = "which is smaller";
    refuses(
        delegate("2001:db8::/56", 48),
        [1, 1],
        Kind::Invalid,
        smaller,
    );
    let short = "are too short for a network";
    refuses(delegate("2001:db8::/56", 72), [1, 1], Kind::Invalid, short);
}

#[test]
fn wrong_servers_are_refused_before_anything_starts() {
    let spec = || Dhcp6Spec::new().delegate("2001:db8:100::/40", 56);
    let one = [1, 1];
    let nobody = "no DHCPv6 server delegates any there";
    refuses(None, one, Kind::Missing, nobody);
    refuses(Some(Dhcp6Spec::new()), one, Kind::Missing, nobody);
    let v4 = "is no prefix of IPv6";
    refuses(delegate("10.0.0.0/8", 56), one, Kind::Invalid, v4);
    refuses(
        delegate("nonsense", 56),
        one,
        Kind::Invalid,
        "is not a subnet",
    );
    let overlaps = "overlaps network";
    refuses(
        delegate("fd73:6e6f::/32", 56),
        one,
        Kind::Conflict,
        overlaps,
    );
    let pool = spec().pool("fd00::9-fd00::1");
    refuses(Some(pool), one, Kind::Invalid, "ends before it begins");
    let lease = spec().lease(Duration::from_millis(1500));
    refuses(Some(lease), one, Kind::Invalid, "a lease is whole seconds");
}

#[test]
fn hosts_that_are_to_ask_need_a_server_and_an_uplink_is_needed_to_ask_by() {
    let refused = |router: NodeSpec| {
        let mut topology = Topology::new();
        let router = topology.router(RouterSpec::from(router));
        let host = NodeSpec::new("host").addresses_v6(AddressSource::Dhcp);
        let host = topology.node(host);
        topology.link(host, router);
        let error = topology.validate().unwrap_err();
        (error.kind(), error.to_string())
    };
    let router = || NodeSpec::new("router");
    let (kind, said) = refused(router().advertise(AdvertiseSpec::new().managed()));
    assert!(said.contains("no server gives any there"), "{said}");
    assert_eq!(kind, Kind::Missing);
    let (kind, said) = refused(router().advertise(AdvertiseSpec::new().other()));
    assert!(said.contains("no server is there"), "{said}");
    assert_eq!(kind, Kind::Missing);
    let (kind, said) = refused(router());
    assert!(
        said.contains("no router advertises one on its network"),
        "{said}"
    );
    assert_eq!(kind, Kind::Missing);
    let (kind, said) = refused(router().advertise(AdvertiseSpec::new().delegated()));
    assert!(said.contains("has no uplink with IPv6"), "{said}");
    assert_eq!(kind, Kind::Missing);
    let both = AdvertiseSpec::new().delegated().prefix("2001:db8::/64");
    let (kind, said) = refused(router().advertise(both));
    assert!(said.contains("choose one of the two"), "{said}");
    assert_eq!(kind, Kind::Conflict);
}
