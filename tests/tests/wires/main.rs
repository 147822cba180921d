//! Links can be slow, lossy, cut, and watched packet by packet.

mod datagrams;
mod delay;
mod events;
mod fate;
mod faults;
mod kept;
mod kept_beyond;
mod kept_on_both;
mod live;
mod netem;
mod quic;
mod real;
mod refused;
mod rules;
mod shortcut;

use std::time::Instant;

use snowglobe::impair::Counters;
use snowglobe::prelude::*;
use snowglobe::topology::{Families, LinkId, NodeId};

snowglobe::main!();

/// Two nodes with a link between them, without any packet that the test did not ask for.
struct Pair {
    lab: Lab,
    alice: NodeId,
    bob: NodeId,
    link: LinkId,
}

impl Pair {
    fn new(spec: impl Into<LinkSpec>) -> TestResult<Self> {
        let mut topology = Topology::new();
        let (alice, bob) = (topology.node("alice"), topology.node("bob"));
        let link = topology.link_with(alice, bob, spec.into().families(Families::V4));
        let lab = topology.start()?;
        Ok(Self {
            lab,
            alice,
            bob,
            link,
        })
    }

    fn link(&self) -> &snowglobe::lab::Link {
        &self.lab[self.link]
    }

    /// Waits until the counters of a direction satisfy the condition.
    fn wait_for(&self, direction: Direction, says: impl Fn(&Counters) -> bool) -> TestResult {
        let counters = || self.link().counters(direction);
        let seen = self.lab.wait_until(|| counters().is_ok_and(|it| says(&it)));
        seen.map_err(|error| format!("{error}: {:?}", counters()).into())
    }

    /// Makes a UDP socket in each node, alice's connected to bob's and the other way round.
    fn sockets(&self) -> TestResult<[UdpSocket; 2]> {
        let bind = |id: NodeId| {
            let node = &self.lab[id];
            let socket = node.run(|| UdpSocket::bind((node.ip(), 5000)))?;
            socket.set_read_timeout(Some(Duration::from_secs(20)))?;
            std::io::Result::Ok(socket)
        };
        let (a, b) = (bind(self.alice)?, bind(self.bob)?);
        a.connect(b.local_addr()?)?;
        b.connect(a.local_addr()?)?;
        Ok([a, b])
    }

    /// Makes a TCP connection from alice to bob.
    fn connection(&self, port: u16) -> TestResult<[TcpStream; 2]> {
        let bob = self.lab[self.bob].ip();
        let listener = self.lab[self.bob].run(|| TcpListener::bind((bob, port)))?;
        let a = self.lab[self.alice].run(|| TcpStream::connect((bob, port)))?;
        Ok([a, listener.accept()?.0])
    }
}

/// Returns how long a datagram takes from one node to the other, the shortest of some.
fn one_way(from: &UdpSocket, to: &UdpSocket, tries: usize) -> TestResult<Duration> {
    let mut shortest = Duration::MAX;
    for number in 0..tries {
        let sent = Instant::now();
        from.send(&number.to_be_bytes())?;
        let mut heard = [0; 8];
        to.recv(&mut heard)?;
        shortest = shortest.min(sent.elapsed());
        assert_eq!(heard, number.to_be_bytes());
    }
    Ok(shortest)
}

const MS: Duration = Duration::from_millis(1);

/// Most time by which the userspace wire may deliver too early.
const EARLY: Duration = Duration::from_micros(100);
