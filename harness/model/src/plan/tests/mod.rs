//! Tests of whole plans, and a generator of topologies.

mod addresses;
mod bad;
mod diffs;
mod plans;
mod problems;
#[cfg(feature = "toml")]
mod router_text;
mod routes;
#[cfg(feature = "toml")]
mod text;

use std::net::IpAddr;

use crate::impair::{Direction, preset};
use crate::plan::Plan;
use crate::topology::shape::Dice;
use crate::topology::{
    EndSpec, Endpoint, Engine, Families, LinkSpec, NodeId, NodeSpec, PodSpec, Size, StartCommand,
    SwitchSpec, Topology, Users, Volume,
};

/// Returns any topology that is not wrong: all that a generator can think of, always the same for
/// the same seed.
pub(crate) fn any(seed: u64) -> Topology {
    let mut dice = Dice(seed);
    let mut topology = Topology::new();
    let mut ends: Vec<Endpoint> = Vec::new();
    let switches: Vec<_> = (0..dice.below(4))
        .map(|n| {
            let mut spec = SwitchSpec::new(format!("lan{n}"));
            if n == 1 {
                spec = spec.snooping(dice.below(2) == 0);
            }
            if dice.below(3) == 0 {
                spec = spec.subnet(format!("10.0.{}.0/24", 3 * n)).mtu(9000);
            }
            if dice.below(4) == 0 {
                spec = spec.subnet(format!("fd73:6e6f:77:{n}::/64"));
            }
            topology.switch(spec)
        })
        .collect();
    for n in 0..dice.below(3) {
        let pod =
            topology.pod(PodSpec::new(format!("pod{n}")).alias(format!("pod{n}.example.org")));
        topology.container(pod, "app");
        topology.container(
            pod,
            NodeSpec::new("sidecar").volume("/data", Volume::named("site")),
        );
        ends.push(pod.into());
    }
    for n in 0..2 + dice.below(12) {
        ends.push(topology.node(any_node(n, &mut dice)).into());
    }
    for n in 0..dice.below(3 * ends.len()) {
        let a = dice.below(ends.len());
        if !switches.is_empty() && dice.below(2) == 0 {
            topology.plug(ends[a], switches[dice.below(switches.len())]);
        } else {
            let b = (a + 1 + dice.below(ends.len() - 1)) % ends.len();
            topology.link_with(ends[a], ends[b], any_link(n, &mut dice));
        }
    }
    topology
}

fn any_node(n: usize, dice: &mut Dice) -> NodeSpec {
    let spec = NodeSpec::new(format!("n{n}"));
    match dice.below(9) {
        0 => spec.forward(dice.below(2) == 0).users(Users::Range(65_536)),
        1 => spec
            .volume("/scratch", Volume::tmpfs(Size::mib(64)))
            .bind_read_only("/logs", "logs")
            .drop_inbound_udp([53]),
        2 => spec
            .alias(format!("www{n}.example.org"))
            .sysctl("net.ipv4.tcp_syncookies", 0),
        3 => spec.command(
            StartCommand::new("nginx")
                .arg("-g")
                .env("TZ", "UTC")
                .dir("/")
                .ready_port(80)
                .ready_udp_port(443)
                .ready_socket("/run/nginx.sock")
                .ready_log("start worker processes")
                .ready_notify(),
        ),
        4 => spec
            .rootfs("images/nginx")
            .host("203.0.113.7", "elsewhere.example.org")
            .users(Users::One),
        _ => spec,
    }
}

fn any_link(n: usize, dice: &mut Dice) -> LinkSpec {
    match dice.below(6) {
        0 => LinkSpec::new().mtu(1300).name(format!("cable{n}")),
        1 => LinkSpec::new().subnet(format!("192.168.{n}.0/30")),
        2 => LinkSpec::new().addresses(format!("10.{n}.0.1/16"), format!("10.{n}.0.2")),
        3 => LinkSpec::new().families([Families::V4, Families::V6, Families::None][dice.below(3)]),
        4 => LinkSpec::new().a(EndSpec::new()
            .name(format!("a-rather-long-name-{n}"))
            .mac(format!("02:00:00:00:00:{n:02x}"))),
        5 => LinkSpec::from(preset::lte()).engine(Engine::Wire),
        6 => LinkSpec::from(preset::lossy_cafe()),
        7 => LinkSpec::new().impair_one_way(Direction::BToA, preset::wifi()),
        _ => LinkSpec::new(),
    }
}

/// Returns the first IPv4 address of a node.
fn v4(plan: &Plan, node: NodeId) -> String {
    let first: Vec<IpAddr> = plan.stack(node).primary().collect();
    first[0].to_string()
}

/// Returns the error of a topology that is wrong.
fn complaint(topology: &Topology) -> String {
    topology.validate().unwrap_err().to_string()
}
