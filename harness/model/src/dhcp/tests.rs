//! Tests of messages, a server and a client.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::client::{DhcpClient, Held, LeaseAction};
use super::frame;
use super::message::{DhcpMessage, MessageKind};
use super::pool::LeasePool;
use super::server::DhcpServer;
use super::{AddressSource, DhcpSpec};
use crate::random;
use crate::topology::{NodeSpec, Topology, TopologyErrorKind};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];
const LEASE: u32 = 800;

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn pool(first: u8, last: u8) -> LeasePool {
    let address = |host| Ipv4Addr::new(10, 0, 0, host);
    LeasePool {
        server: address(1),
        prefix: 24,
        range: [first, last].map(address),
        taken: [address(1)].into(),
        router: Some(address(1)),
        dns: vec![address(53)],
        domain: "lab".into(),
        lease: LEASE,
        renew_after: LEASE / 2,
    }
}

/// Carries messages to and fro until nobody says anything, and returns what the client did.
fn talk(
    client: &mut DhcpClient,
    server: Option<&mut DhcpServer>,
    now: Duration,
) -> Vec<LeaseAction> {
    let mut done = Vec::new();
    let mut actions = client.step(now);
    let mut server = server;
    while let Some(action) = actions.pop() {
        if let (LeaseAction::Send { message, .. }, Some(server)) = (&action, server.as_deref_mut())
        {
            let message = DhcpMessage::decode(&message.encode()).expect("a message");
            if let Some(answer) = server.hear(&message, now) {
                let answer = DhcpMessage::decode(&answer.encode()).expect("an answer");
                actions.extend(client.hear(&answer, now));
            }
        }
        done.push(action);
    }
    done
}

#[test]
fn what_a_relay_passes_on_gets_no_address_of_this_network() {
    let mut server = DhcpServer::new(pool(100, 110));
    let mut message = DhcpMessage::new(MessageKind::Discover, 1, MAC);
    message.relay = Ipv4Addr::new(10, 9, 0, 1);
    assert_eq!(server.hear(&message, seconds(0)), None);
    message.relay = Ipv4Addr::UNSPECIFIED;
    assert!(server.hear(&message, seconds(0)).is_some());
}

fn taken(actions: &[LeaseAction]) -> Option<&Held> {
    actions.iter().find_map(|it| match it {
        LeaseAction::Take(held) => Some(held),
        LeaseAction::Send { .. } | LeaseAction::Drop(_) => None,
    })
}

fn dropped(actions: &[LeaseAction]) -> bool {
    actions.iter().any(|it| matches!(it, LeaseAction::Drop(_)))
}

#[test]
fn a_message_is_read_as_it_was_written() {
    let mut message = DhcpMessage::new(MessageKind::Ack, 0xdead_beef, MAC);
    message.secs = 3;
    message.broadcast = true;
    message.yours = Ipv4Addr::new(10, 0, 0, 9);
    message.server = Some(Ipv4Addr::new(10, 0, 0, 1));
    message.times = [Some(800), Some(400), Some(700)];
    message.prefix = Some(24);
    message.routers = vec![Ipv4Addr::new(10, 0, 0, 1)];
    message.dns = vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
    message.domain = Some("lab".into());
    message.hostname = Some("bob".into());
    message.identity = Some(vec![1, 2, 3]);
    let bytes = message.encode();
    assert!(bytes.len() >= 300);
    assert_eq!(DhcpMessage::decode(&bytes), Some(message));
    let ips = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST];
    let framed = frame::wrap([MAC, frame::EVERYBODY], ips, [68, 67], &bytes).unwrap();
    assert_eq!(frame::unwrap(&framed), Some((MAC, &bytes[..])));
}

#[test]
fn no_message_makes_the_server_panic() {
    let good = DhcpMessage::new(MessageKind::Discover, 1, MAC).encode();
    let framed = frame::wrap([MAC; 2], [Ipv4Addr::UNSPECIFIED; 2], [68, 67], &good).unwrap();
    let mut server = DhcpServer::new(pool(100, 199));
    let mut client = DhcpClient::new(MAC, "bob");
    let mut state = random::seed_for(14, "dhcp");
    let mut next = move || random::splitmix(&mut state) as usize;
    for _ in 0..20_000 {
        let mut bytes = framed.clone();
        for _ in 0..next() % 12 {
            let at = next() % bytes.len();
            bytes[at] = next() as u8;
        }
        bytes.truncate(next() % (bytes.len() + 1));
        let message = frame::unwrap(&bytes).and_then(|(_, it)| DhcpMessage::decode(it));
        if let Some(message) = message {
            server.hear(&message, seconds(1));
            client.hear(&message, seconds(1));
        }
    }
}

#[test]
fn a_client_gets_renews_and_keeps_its_address() {
    let mut server = DhcpServer::new(pool(100, 199));
    let mut client = DhcpClient::new(MAC, "bob");
    let done = talk(&mut client, Some(&mut server), seconds(0));
    let held = taken(&done).expect("an address").clone();
    assert_eq!(held.address, Ipv4Addr::new(10, 0, 0, 100));
    assert_eq!(
        (held.prefix, held.router),
        (24, Some(Ipv4Addr::new(10, 0, 0, 1)))
    );
    assert_eq!(held.times, [seconds(400), seconds(700), seconds(800)]);
    assert_eq!(client.next(), seconds(400));
    assert!(client.step(seconds(399)).is_empty());
    // Renewed by the server alone, and nothing changes.
    let done = talk(&mut client, Some(&mut server), seconds(400));
    assert!(
        matches!(&done[..], [LeaseAction::Send { to: Some(_), .. }]),
        "{done:?}"
    );
    assert_eq!(client.next(), seconds(800));
    let leases = server.leases(seconds(1100));
    assert_eq!((leases.len(), leases[0].until), (1, seconds(1200)));
    assert_eq!(leases[0].hostname.as_deref(), Some("bob"));
    assert_eq!(server.leases(seconds(1200)), []);
}

#[test]
fn a_client_asks_everybody_before_it_gives_up() {
    let mut server = DhcpServer::new(pool(100, 199));
    let mut client = DhcpClient::new(MAC, "bob");
    talk(&mut client, Some(&mut server), seconds(0));
    let (mut asked, mut at) = ([0, 0], seconds(0));
    loop {
        let next = client.next();
        assert!(next > at, "time goes on: {next:?}");
        at = next;
        let done = talk(&mut client, None, at);
        if dropped(&done) {
            break;
        }
        for action in &done {
            if let LeaseAction::Send { message, to } = action {
                assert_eq!(message.kind, MessageKind::Request);
                asked[usize::from(to.is_none())] += 1;
            }
        }
    }
    assert_eq!(at, seconds(800));
    assert!(asked[0] > 3 && asked[1] > 3, "{asked:?}");
    assert_eq!(client.held(), None);
    // A server that is back gives an address to whoever looks for one.
    let at = client.next();
    let done = talk(&mut client, Some(&mut server), at);
    assert!(taken(&done).is_some());
}

#[test]
fn a_refused_client_gets_another_address() {
    let mut server = DhcpServer::new(pool(100, 199));
    let mut client = DhcpClient::new(MAC, "bob");
    talk(&mut client, Some(&mut server), seconds(0));
    server.set_pool(pool(50, 60));
    let done = talk(&mut client, Some(&mut server), seconds(400));
    assert!(dropped(&done));
    assert_eq!(taken(&done).unwrap().address, Ipv4Addr::new(10, 0, 0, 50));
}

#[test]
fn a_server_that_has_forgotten_gives_the_same_address_if_it_is_free() {
    let mut server = DhcpServer::new(pool(100, 199));
    let mut client = DhcpClient::new(MAC, "bob");
    talk(&mut client, Some(&mut server), seconds(0));
    server.forget();
    let done = talk(&mut client, Some(&mut server), seconds(400));
    assert!(!dropped(&done), "{done:?}");
    // Where another has it by now, the client hears that it is lost.
    server.forget();
    let mut other = DhcpClient::new([9; 6], "eve");
    talk(&mut other, Some(&mut server), seconds(500));
    let done = talk(&mut client, Some(&mut server), seconds(800));
    assert!(dropped(&done));
    assert_eq!(taken(&done).unwrap().address, Ipv4Addr::new(10, 0, 0, 101));
}

#[test]
fn a_pool_that_is_empty_offers_nothing() {
    let mut server = DhcpServer::new(pool(100, 100));
    let mut clients = [[1; 6], [2; 6]].map(|mac| DhcpClient::new(mac, "x"));
    assert!(taken(&talk(&mut clients[0], Some(&mut server), seconds(0))).is_some());
    assert!(taken(&talk(&mut clients[1], Some(&mut server), seconds(0))).is_none());
    // An address that was given back is free.
    let mut message = DhcpMessage::new(MessageKind::Release, 1, [1; 6]);
    message.client = clients[0].held().expect("an address").address;
    assert_eq!(server.hear(&message, seconds(1)), None);
    let at = clients[1].next();
    assert!(taken(&talk(&mut clients[1], Some(&mut server), at)).is_some());
}

#[test]
fn wrong_servers_are_refused_before_anything_starts() {
    let refused = |dhcp: Option<DhcpSpec>| {
        let mut topology = Topology::new();
        let server = match dhcp {
            Some(dhcp) => topology.node(NodeSpec::new("server").dhcp(dhcp)),
            None => topology.node("server"),
        };
        let client = NodeSpec::new("client").addresses(AddressSource::Dhcp);
        let client = topology.node(client);
        topology.link(server, client);
        let error = topology.validate().unwrap_err();
        (error.kind(), error.to_string())
    };
    use TopologyErrorKind::{Invalid, Missing};
    let spec = DhcpSpec::new;
    for (dhcp, kind, text) in [
        (None, Missing, "there is no server on its network"),
        (
            Some(spec().lease(seconds(0))),
            Invalid,
            "a lease is whole seconds, at least one",
        ),
        (
            Some(spec().lease(Duration::from_millis(1500))),
            Invalid,
            "leases of 1.5s",
        ),
        (
            Some(spec().pool("10.0.0.9")),
            Invalid,
            "is no range of addresses",
        ),
        (
            Some(spec().pool("10.0.0.9-10.0.0.2")),
            Invalid,
            "ends before it begins",
        ),
        (
            Some(spec().pool("10.9.0.1-10.9.0.2")),
            Invalid,
            "has no free address on any",
        ),
        (
            Some(spec().pool("10.0.0.1-10.0.0.1")),
            Invalid,
            "has no free address on any",
        ),
    ] {
        let (found, said) = refused(dhcp);
        assert!(said.contains(text), "{said}");
        assert_eq!(found, kind, "{said}");
    }
}
