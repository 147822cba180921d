//! Feeds garbage to the reader of DHCPv6 messages, to a server, and to clients that have asked.

#![no_main]

use std::net::Ipv6Addr;
use std::time::Duration;

use snowglobe_model::dhcp6::Dhcp6Spec;
use snowglobe_model::dhcp6::client::{Dhcp6Action, Dhcp6Client};
use snowglobe_model::dhcp6::message::{AssociationKind, Dhcp6Kind, Dhcp6Message};
use snowglobe_model::dhcp6::network::Dhcp6Network;
use snowglobe_model::dhcp6::server::Dhcp6Server;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const VIA: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let host = |number| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number);
    let network = Dhcp6Network {
        subnet: "fd00::/64".parse().ok(),
        range: Some([host(2), host(4)]),
        taken: [host(3)].into(),
        dns: vec![host(53)],
        domain: "lab".into(),
    };
    let spec = Dhcp6Spec::new().delegate("2001:db8::/60", 62);
    let mut server = Dhcp6Server::new(MAC, &spec, vec![network]);
    // Several messages, a minute apart: each has its length in front.
    let (mut rest, mut now) = (bytes, Duration::ZERO);
    while let Some((&length, more)) = rest.split_first() {
        let (bytes, after) = more.split_at(more.len().min(usize::from(length) * 3));
        (rest, now) = (after, now + Duration::from_secs(60));
        let Some(message) = Dhcp6Message::decode(bytes) else {
            continue;
        };
        if let Some(answer) = server.hear(&message, 0, VIA, now) {
            assert!(matches!(
                answer.kind,
                Dhcp6Kind::Advertise | Dhcp6Kind::Reply
            ));
            assert_eq!((answer.xid, &answer.client), (message.xid, &message.client));
            assert_eq!(Dhcp6Message::decode(&answer.encode()), Some(answer));
        }
        // Nobody has what another has, and nobody has what is not given.
        let leases = server.leases(now);
        assert!(leases.windows(2).all(|two| two[0].range != two[1].range));
        assert!(leases.len() <= 2 + 4);
        for kind in [AssociationKind::Addresses, AssociationKind::Prefixes] {
            ask(kind, &message);
        }
    }
});

/// Hands a message to a client as the answer to its question, in two phases.
fn ask(kind: AssociationKind, message: &Dhcp6Message) {
    let mut client = Dhcp6Client::new(MAC, kind, 2);
    client.begin(Duration::ZERO);
    for now in [0, 1] {
        let now = Duration::from_secs(now);
        for action in client.step(now) {
            let Dhcp6Action::Send(question) = action else {
                continue;
            };
            let mut answer = message.clone();
            (answer.xid, answer.client) = (question.xid, question.client);
            for own in &mut answer.associations {
                own.id = 2;
            }
            client.hear(&answer, now);
        }
    }
    // What the client has ends some time, and it does something by then.
    let ends = client.held().iter().map(|it| it.ends[1]).min();
    assert!(ends.is_none_or(|end| client.next().is_some_and(|next| next <= end)));
}
