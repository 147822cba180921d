//! UDP hole punching between each pair of presets, written as a program would do it.
//!
//! Two hosts learn from a server how the other one is seen, send to that address and port, and
//! answer to wherever a packet comes from (RFC 5128, section 3.3; the peer-reflexive candidates of
//! RFC 8445). Ford, Srisuresh and Kegel ("Peer-to-Peer Communication Across Network Address
//! Translators", 2005) explain when that works: a symmetric NAT is beaten by a cone that does not
//! look at ports, and by nothing else.

use std::collections::BTreeSet;

use snowglobe::prelude::*;
use snowglobe::topology::NodeId;
use snowglobe::topology::nat::{Dependence, NatSpec, PortAssignment, preset};
use snowglobe_tests::traffic::answer_each;

use crate::world::{SERVER, add_server, socket};

/// The UDP port at which the server tells whom it sees.
const RENDEZVOUS: u16 = 9000;
/// Attempts of a pair. One is enough to open the ways, and one more to answer.
const ROUNDS: u8 = 4;

/// The classes of the literature.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Class {
    /// One port for all remote hosts, whose filter does not look at ports.
    OpenCone,
    /// One port for all remote hosts, whose filter looks at ports.
    PortRestricted,
    /// Another port for each remote host.
    Symmetric,
}

impl Class {
    pub(crate) fn of(nat: &NatSpec) -> Class {
        let keeps_port = nat.mapping == Dependence::EndpointIndependent
            || nat.ports == PortAssignment::Overloading;
        match (keeps_port, nat.filtering) {
            (false, _) => Class::Symmetric,
            (true, Dependence::AddressAndPortDependent) => Class::PortRestricted,
            (true, _) => Class::OpenCone,
        }
    }

    /// Returns whether the literature predicts that a hole is punched.
    pub(crate) fn meets(self, other: Class) -> bool {
        !matches!(
            (self, other),
            (Class::Symmetric, Class::Symmetric | Class::PortRestricted)
                | (Class::PortRestricted, Class::Symmetric)
        )
    }
}

/// Returns how the server sees a socket. Whatever the socket receives meanwhile goes to `heard`.
///
/// The answer comes after all packets that were on their way to the socket before the question.
fn seen(socket: &UdpSocket, heard: &mut BTreeSet<SocketAddr>) -> SocketAddr {
    socket
        .send_to(b"who am I?", (SERVER[0], RENDEZVOUS))
        .expect("sent");
    let mut buffer = [0; 100];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).expect("the server answers");
        if from == SocketAddr::new(SERVER[0].into(), RENDEZVOUS) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            return text.parse().expect("an address");
        }
        heard.insert(from);
    }
}

/// Tries to connect two sockets, and returns whether both have heard of the other one.
fn punch(sockets: [&UdpSocket; 2]) -> bool {
    let mut heard = [BTreeSet::new(), BTreeSet::new()];
    let mut seen_as = [0, 1].map(|one| seen(sockets[one], &mut heard[one]));
    seen_as.reverse();
    let mut answered = [false; 2];
    for round in 0..ROUNDS {
        for one in [0, 1] {
            let to: BTreeSet<SocketAddr> =
                heard[one].iter().copied().chain([seen_as[one]]).collect();
            for to in to {
                // A full queue or an ICMP error is a lost packet, as any other.
                let _ = sockets[one].send_to(&[round], to);
            }
        }
        // Twice: when the second answer comes, the packets of both have met both NATs.
        for one in [0, 1, 0, 1] {
            seen(sockets[one], &mut heard[one]);
        }
        answered = [0, 1].map(|one: usize| !heard[one].is_empty());
    }
    answered == [true; 2]
}

/// Hosts behind routers of all presets.
pub(crate) struct Peers {
    pub(crate) names: Vec<&'static str>,
    pub(crate) specs: Vec<NatSpec>,
    /// A host on the left and one on the right behind a router of each preset.
    pub(crate) hosts: Vec<[NodeId; 2]>,
}

pub(crate) fn peers(topology: &mut Topology, internet: NodeId) -> Peers {
    let mut peers = Peers {
        names: Vec::new(),
        specs: Vec::new(),
        hosts: Vec::new(),
    };
    for (name, preset) in preset::ALL {
        let hosts = ["left", "right"].map(|side| {
            let short = name.replace('_', "-");
            let router = RouterSpec::new(format!("{short}-{side}")).nat(preset());
            let router = topology.router(router);
            topology.uplink(router, internet);
            let host = topology.node(format!("{short}-{side}-host"));
            topology.link(host, router);
            host
        });
        peers.names.push(name);
        peers.specs.push(preset());
        peers.hosts.push(hosts);
    }
    peers
}

#[snowglobe::test(timeout = "5m")]
fn holes_are_punched_between_the_presets_for_which_it_is_predicted() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let peers = peers(&mut topology, internet);
    let server = add_server(&mut topology, internet, NodeSpec::new("server"));
    let lab = topology.start()?;
    let rendezvous = socket(&lab[server], SERVER[0], RENDEZVOUS);
    rendezvous.set_read_timeout(None)?;
    answer_each(rendezvous, |_, from| from.to_string().into_bytes());
    let count = peers.names.len();
    let mut table = String::new();
    let mut wrong = Vec::new();
    for (a, name) in peers.names.iter().enumerate() {
        table.push_str(&format!("{name:>26}"));
        for b in 0..count {
            let open = |host| socket(&lab[host], Ipv4Addr::UNSPECIFIED, 0);
            let (left, right) = (open(peers.hosts[a][0]), open(peers.hosts[b][1]));
            let works = punch([&left, &right]);
            table.push_str(if works { "  yes" } else { "   no" });
            let classes = [a, b].map(|one| Class::of(&peers.specs[one]));
            if works != classes[0].meets(classes[1]) {
                wrong.push(format!("{name} and {}: {works}", peers.names[b]));
            }
        }
        table.push('\n');
    }
    println!("columns in the order of the rows\n{table}");
    assert!(wrong.is_empty(), "not as predicted: {wrong:?}");
    Ok(())
}
