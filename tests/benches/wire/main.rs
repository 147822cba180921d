//! Measures what wires cost, and how true they are: each trial prints its figures, one a line, as
//! `name value`.
//!
//! `WIRE` names the carrier of the link: `veth`, `tap`, `packet`, `netem`, or `wire` for the
//! library's choice of a wire. With `IDLE=1` the kernel may carry the frames of a wire that has
//! nothing to do; otherwise its thread does. Other variables belong to single trials.

mod flood;
mod punctual;
mod true_to_word;

use std::fmt::Display;
use std::str::FromStr;

use nix::time::ClockId;
use snowglobe::lab::Carrier;
use snowglobe::prelude::*;
use snowglobe::topology::{Engine, Families, LinkId, NodeId};

snowglobe::main!();

/// Two nodes, and the link that is measured.
struct MeasuredLink {
    lab: Lab,
    nodes: [NodeId; 2],
    link: LinkId,
}

impl MeasuredLink {
    fn new(impairment: Impairment) -> TestResult<Self> {
        let mut topology = Topology::new();
        let nodes = [topology.node("alice"), topology.node("bob")];
        let spec = carried(impairment).families(Families::V4);
        let link = topology.link_with(nodes[0], nodes[1], spec);
        let lab = topology.start()?;
        if asked("IDLE", 0) == 0 && lab[link].carrier() == Carrier::PacketSocket {
            // Whatever is asked of the wire ends the shortcut past its thread.
            lab[link].spin(false)?;
        }
        Ok(Self { lab, nodes, link })
    }

    fn link(&self) -> &snowglobe::lab::Link {
        &self.lab[self.link]
    }

    /// Returns Alice's and Bob's socket, connected to each other.
    fn udp(&self) -> TestResult<[UdpSocket; 2]> {
        let [a, b] = self.nodes.map(|id| {
            let node = &self.lab[id];
            node.run(|| UdpSocket::bind((node.ip(), 5000)))
        });
        let (a, b) = (a?, b?);
        a.connect(b.local_addr()?)?;
        b.connect(a.local_addr()?)?;
        b.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok([a, b])
    }
}

/// Returns a link with this impairment and the carrier that `WIRE` names.
fn carried(impairment: Impairment) -> LinkSpec {
    let engine = match std::env::var("WIRE").as_deref() {
        Ok("tap") => Engine::Tap,
        Ok("packet") => Engine::PacketSocket,
        Ok("netem") => Engine::Netem,
        Ok("wire") => Engine::Wire,
        _ => Engine::Auto,
    };
    LinkSpec::from(impairment).engine(engine)
}

/// Returns the value of a variable, or `otherwise` if it is not set.
fn asked<T: FromStr>(name: &str, otherwise: T) -> T {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn tell(name: &str, value: impl Display) {
    println!("{name} {value}");
}

/// Returns the value below which that share of all values lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted[at.min(sorted.len() - 1)]
}

/// Returns the nanoseconds of a clock that all nodes share.
fn now() -> u64 {
    clock(ClockId::CLOCK_MONOTONIC)
}

/// Returns the nanoseconds of a clock.
fn clock(id: ClockId) -> u64 {
    let time = nix::time::clock_gettime(id);
    Duration::from(time.expect("every Linux has that clock")).as_nanos() as u64
}
