//! Two peers of libp2p behind routers of their own meet by a relay (Circuit Relay v2), and then
//! directly (DCUtR: both dial at the same time).

use libp2p::multiaddr::Protocol;
use snowglobe::prelude::*;
use snowglobe::topology::nat::{NatSpec, preset};
use snowglobe::topology::{Families, NodeId};

use crate::swarm::{Heard, Peer, start_relay};

/// Two homes with a host each, and a server on the Internet.
struct World {
    lab: Lab,
    hosts: [NodeId; 2],
    server: NodeId,
}

impl World {
    fn new(nat: NatSpec) -> TestResult<World> {
        let mut topology = Topology::new();
        topology.families(Families::V4);
        let internet = topology.internet();
        let server = topology.node("server");
        topology.link(server, internet);
        let hosts = ["left", "right"].map(|side| {
            let home = RouterSpec::home(format!("{side}-home")).nat(nat.clone());
            let home = topology.router(home);
            topology.uplink(home, internet);
            let host = topology.node(side);
            topology.link(host, home);
            host
        });
        Ok(World {
            lab: topology.start()?,
            hosts,
            server,
        })
    }

    /// Starts a relay and the two peers, which know of the relay and are seen by it. One has a
    /// reservation there, and the other one connects to it by the relay.
    async fn meet(&self) -> TestResult<[Peer; 2]> {
        let relay = start_relay(&self.lab[self.server])?;
        let mut peers = Vec::new();
        for host in self.hosts {
            let mut peer = Peer::start(&self.lab[host])?;
            // Connections leave by the port at which the peer listens, so that it listens first.
            peer.listen(format!("/ip4/{}/tcp/0", self.lab[host].ip()).parse()?)?;
            let listening = |heard| matches!(heard, Heard::Listening).then_some(());
            peer.hear("a port", listening).await?;
            peer.dial(relay.clone())?;
            let observed = |heard| matches!(heard, Heard::Observed).then_some(());
            peer.hear("the relay", observed).await?;
            peers.push(peer);
        }
        let [left, right] = &mut peers[..] else {
            return Err("two hosts".into());
        };
        let circuit = relay.with(Protocol::P2pCircuit);
        left.listen(circuit.clone())?;
        let reserved = |heard| matches!(heard, Heard::Reserved).then_some(());
        left.hear("a reservation", reserved).await?;
        right.dial(circuit.with(Protocol::P2p(left.id)))?;
        for peer in &mut peers {
            let by_relay =
                |heard| matches!(heard, Heard::Connected { by_relay: true, .. }).then_some(());
            peer.hear("a connection by the relay", by_relay).await?;
        }
        peers.try_into().map_err(|_| "two hosts".into())
    }
}

/// Waits until each peer has an answer to some pings from the other one.
async fn ping_each_other(peers: &mut [Peer; 2]) -> TestResult {
    let [left, right] = [peers[0].id, peers[1].id];
    for (peer, other) in peers.iter_mut().zip([right, left]) {
        peer.forget();
        // The first answer may have come before the call.
        for _ in 0..3 {
            let pong = |heard| matches!(heard, Heard::Pong(from) if from == other).then_some(());
            peer.hear("an answer to a ping", pong).await?;
        }
    }
    Ok(())
}

#[snowglobe::test(timeout = "5m")]
async fn two_peers_at_home_meet_by_a_relay_and_then_directly() -> TestResult {
    let world = World::new(preset::home())?;
    let mut peers = world.meet().await?;
    let [left, right] = [peers[0].id, peers[1].id];
    for (peer, other) in peers.iter_mut().zip([right, left]) {
        let direct = |heard| match heard {
            Heard::Connected {
                with,
                by_relay: false,
                remote,
            } => (with == other).then_some(remote),
            _ => None,
        };
        let remote = peer.hear("a direct connection", direct).await?;
        // The address of the other home: nobody outside knows those behind it.
        let Some(Protocol::Ip4(ip)) = remote.iter().next() else {
            return Err(format!("not IPv4: {remote}").into());
        };
        assert!(!ip.is_private(), "{ip}");
    }
    // The relay is no longer needed.
    world.lab[world.server].crash()?;
    ping_each_other(&mut peers).await
}

#[snowglobe::test(timeout = "5m")]
async fn two_peers_behind_symmetric_routers_keep_to_the_relay() -> TestResult {
    let world = World::new(preset::symmetric())?;
    let mut peers = world.meet().await?;
    let punched = |heard| match heard {
        Heard::Punched(result) => Some(result),
        _ => None,
    };
    // Who was connected to begins (the specification of DCUtR), and tells how it has ended.
    let result = peers[0].hear("the end of the attempts", punched).await?;
    assert!(result.is_err(), "{result:?}");
    ping_each_other(&mut peers).await
}
