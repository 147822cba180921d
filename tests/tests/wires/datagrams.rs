//! Many datagrams are sent at once, and each must arrive as it was sent.

use std::net::IpAddr;

use snowglobe::prelude::*;
use snowglobe::topology::{Engine, NodeId};

use crate::MS;

/// Returns datagrams that a wire may carry several of at a time, and others between them: of two
/// lengths, to two receivers.
fn datagrams() -> Vec<(usize, Vec<u8>)> {
    let lengths = [18, 18, 18, 18, 7, 18, 18, 300, 300, 1472, 1472, 1, 1, 1, 64];
    let numbers = 0u8..180;
    let datagram = |number: u8| {
        let length = lengths[usize::from(number) % lengths.len()];
        let receiver = usize::from((number / 16).is_multiple_of(3));
        (receiver, vec![number; length])
    };
    numbers.map(datagram).collect()
}

/// Checks that all datagrams arrive from alice at bob, within the delay of the link between them.
fn arrive_as_sent(engine: Engine, is_connected: bool) -> TestResult {
    let mut topology = Topology::new();
    let (alice, bob) = (topology.node("alice"), topology.node("bob"));
    topology.link_with(
        alice,
        bob,
        LinkSpec::from(Impairment::delayed(20 * MS)).engine(engine),
    );
    let lab = topology.start()?;
    let bind = |id: NodeId, at: IpAddr| lab[id].run(|| UdpSocket::bind((at, 0)));
    let addresses = |id: NodeId| {
        let (v4, v6) = (lab[id].ipv4(), lab[id].ipv6());
        let of_both = [v4.map(IpAddr::V4), v6.map(IpAddr::V6)];
        of_both.map(|address| address.expect("one of each family"))
    };
    for (from, to) in addresses(alice).into_iter().zip(addresses(bob)) {
        let sender = bind(alice, from)?;
        let receivers = [bind(bob, to)?, bind(bob, to)?];
        let sent = datagrams();
        for (receiver, datagram) in &sent {
            let to = receivers[*receiver].local_addr()?;
            if is_connected {
                sender.connect(to)?;
                sender.send(datagram)?;
            } else {
                sender.send_to(datagram, to)?;
            }
        }
        for (number, receiver) in receivers.iter().enumerate() {
            receiver.set_read_timeout(Some(Duration::from_secs(10)))?;
            for (_, datagram) in sent.iter().filter(|(to, _)| *to == number) {
                let mut heard = [0; 2000];
                let length = receiver.recv(&mut heard)?;
                assert_eq!(heard[..length], datagram[..], "to {to}");
            }
        }
    }
    Ok(())
}

#[snowglobe::test(requires(tun))]
fn over_tap_devices() -> TestResult {
    arrive_as_sent(Engine::Tap, true)?;
    arrive_as_sent(Engine::Tap, false)
}

#[snowglobe::test]
fn over_packet_sockets() -> TestResult {
    arrive_as_sent(Engine::PacketSocket, true)?;
    arrive_as_sent(Engine::PacketSocket, false)
}
