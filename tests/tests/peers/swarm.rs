//! Swarms of libp2p, each driven by a task in its node: relays, and peers that use one.

use std::sync::{Arc, Mutex};

use libp2p::futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, SwarmBuilder, dcutr, identify, noise, ping, relay, tcp, yamux};
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The protocol's name, of which the crates make nothing.
const PROTOCOL: &str = "/snowglobe/1";
/// The TCP port of the relay.
const RELAY: u16 = 4001;
/// Connections without a stream stay open for this time.
const IDLE: Duration = Duration::from_secs(120);

#[derive(NetworkBehaviour)]
struct RelayBehaviour {
    relay: relay::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

#[derive(NetworkBehaviour)]
struct PeerBehaviour {
    relay: relay::client::Behaviour,
    dcutr: dcutr::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// An event of a peer, as a test hears of it.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// The peer listens at an address.
    Listening,
    /// The peer knows by which address the relay sees it.
    Observed,
    /// The relay takes connections for the peer.
    Reserved,
    /// There is a connection with another peer: by the relay, or by itself.
    Connected {
        with: PeerId,
        by_relay: bool,
        remote: Multiaddr,
    },
    /// An attempt to punch a hole is over: with a direct connection, or without.
    Punched(Result<(), String>),
    /// A peer or the relay has answered a ping.
    Pong(PeerId),
}

/// A peer, as a test sees and directs it.
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    heard: UnboundedReceiver<Heard>,
    orders: UnboundedSender<Order>,
    /// The events so far, for messages.
    log: Arc<Mutex<Vec<String>>>,
}

/// An order to a peer.
enum Order {
    /// Listen at an address, also at that of a relay.
    Listen(Multiaddr),
    /// Connect to an address.
    Dial(Multiaddr),
}

/// Starts a relay in a node with a public address, and returns the address of the relay.
pub(crate) fn start_relay(node: &Node) -> TestResult<Multiaddr> {
    let ip = node.ipv4().ok_or("no IPv4")?;
    let (told, tells) = std::sync::mpsc::channel();
    node.spawn(async move {
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(
                tcp::Config::default(),
                noise::Config::new,
                yamux::Config::default,
            )
            .expect("TCP")
            .with_behaviour(|keys| RelayBehaviour {
                relay: relay::Behaviour::new(keys.public().to_peer_id(), relay::Config::default()),
                identify: identify::Behaviour::new(identify::Config::new(
                    PROTOCOL.into(),
                    keys.public(),
                )),
                ping: ping::Behaviour::default(),
            })
            .expect("a behaviour")
            .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
            .build();
        let address: Multiaddr = format!("/ip4/{ip}/tcp/{RELAY}")
            .parse()
            .expect("an address");
        swarm.listen_on(address.clone()).expect("the port is free");
        // A relay that knows no address of its own gives none to its clients.
        swarm.add_external_address(address.clone());
        let id = *swarm.local_peer_id();
        // A test that is over needs no answer.
        let _ = told.send(address.with_p2p(id).expect("no id yet"));
        loop {
            swarm.select_next_some().await;
        }
    });
    Ok(tells.recv()?)
}

impl Peer {
    /// Starts a peer in a node.
    pub(crate) fn start(node: &Node) -> TestResult<Peer> {
        let (tell, heard) = unbounded_channel();
        let (orders, mut ordered) = unbounded_channel();
        let (told, tells) = std::sync::mpsc::channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&log);
        node.spawn(async move {
            let mut swarm = build();
            // A test that is over needs no answer, here and below.
            let _ = told.send(*swarm.local_peer_id());
            loop {
                tokio::select! {
                    event = swarm.select_next_some() => {
                        written.lock().expect("no panic").push(format!("{event:?}"));
                        if let Some(heard) = understood(event) {
                            let _ = tell.send(heard);
                        }
                    }
                    Some(order) = ordered.recv() => match order {
                        Order::Listen(address) => drop(swarm.listen_on(address).expect("an address")),
                        Order::Dial(address) => swarm.dial(address).expect("an address"),
                    },
                }
            }
        });
        Ok(Peer {
            id: tells.recv()?,
            heard,
            orders,
            log,
        })
    }

    /// Listens at an address, also at that of a relay.
    pub(crate) fn listen(&self, address: Multiaddr) -> TestResult {
        Ok(self
            .orders
            .send(Order::Listen(address))
            .map_err(|_| "the peer has ended")?)
    }

    /// Connects to an address.
    pub(crate) fn dial(&self, address: Multiaddr) -> TestResult {
        Ok(self
            .orders
            .send(Order::Dial(address))
            .map_err(|_| "the peer has ended")?)
    }

    /// Waits until something is heard that fits, and returns what `fits` makes of it.
    pub(crate) async fn hear<T>(
        &mut self,
        what: &str,
        mut fits: impl FnMut(Heard) -> Option<T>,
    ) -> TestResult<T> {
        let heard = async {
            while let Some(heard) = self.heard.recv().await {
                if let Some(found) = fits(heard) {
                    return Some(found);
                }
            }
            None
        };
        let heard = tokio::time::timeout(Duration::from_secs(60), heard).await;
        if let Ok(Some(found)) = heard {
            return Ok(found);
        }
        let log = self.log.lock().expect("no panic").join("\n");
        Err(format!("{what} has not come; the peer has heard\n{log}").into())
    }

    /// Forgets what was heard until now.
    pub(crate) fn forget(&mut self) {
        while self.heard.try_recv().is_ok() {}
    }
}

fn build() -> Swarm<PeerBehaviour> {
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .expect("TCP")
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .expect("a relay")
        .with_behaviour(|keys, relay| PeerBehaviour {
            relay,
            dcutr: dcutr::Behaviour::new(keys.public().to_peer_id()),
            identify: identify::Behaviour::new(identify::Config::new(
                PROTOCOL.into(),
                keys.public(),
            )),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(Duration::from_millis(200)),
            ),
        })
        .expect("a behaviour")
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build()
}

/// Returns what an event says to a test.
fn understood(event: SwarmEvent<PeerBehaviourEvent>) -> Option<Heard> {
    use PeerBehaviourEvent::{Dcutr, Identify, Ping, Relay};
    match event {
        SwarmEvent::NewListenAddr { .. } => Some(Heard::Listening),
        SwarmEvent::ConnectionEstablished {
            peer_id, endpoint, ..
        } => Some(Heard::Connected {
            with: peer_id,
            by_relay: endpoint.is_relayed(),
            remote: endpoint.get_remote_address().clone(),
        }),
        SwarmEvent::Behaviour(Identify(identify::Event::Received { .. })) => Some(Heard::Observed),
        SwarmEvent::Behaviour(Relay(relay::client::Event::ReservationReqAccepted { .. })) => {
            Some(Heard::Reserved)
        }
        SwarmEvent::Behaviour(Dcutr(dcutr::Event { result, .. })) => {
            let result = result.map(drop).map_err(|error| error.to_string());
            Some(Heard::Punched(result))
        }
        SwarmEvent::Behaviour(Ping(ping::Event {
            peer,
            result: Ok(_),
            ..
        })) => Some(Heard::Pong(peer)),
        _ => None,
    }
}
