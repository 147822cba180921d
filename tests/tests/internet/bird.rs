//! Routing daemons in routers: BIRD finds the ways, and others when a link is cut.

use std::path::Path;

use snowglobe::lab::wait_until;
use snowglobe::prelude::*;
use snowglobe::topology::{NodeId, RouteSpec, Routing};

use crate::traffic::{IMPATIENCE, echo, seen_as, way};

/// How often a router says hello, and after how many seconds of silence a neighbour is gone.
const OSPF: &str = "hello 1; dead 4; retransmit 2; wait 2;";
/// Two elections of designated routers and a dead neighbour take seconds, or more if it is busy.
const CONVERGENCE: Duration = Duration::from_secs(60);

/// Writes the configuration of a router: OSPF over all its interfaces, and the kernel's table.
fn configuration(number: usize) -> String {
    format!(
        "router id 192.0.2.{number};\n\
         protocol device {{ scan time 1; }}\n\
         protocol kernel {{ ipv4 {{ import none; export all; }}; }}\n\
         protocol ospf v2 {{\n\
           ipv4 {{ import all; export none; }};\n\
           area 0 {{ interface \"eth*\" {{ type ptp; {OSPF} }}; }};\n\
         }}\n"
    )
}

/// Starts BIRD in a router.
fn start(node: &snowglobe::lab::Node, conf: &Path, number: usize) -> TestResult {
    let name = format!("bird{number}.conf");
    std::fs::write(conf.join(&name), configuration(number))?;
    let path = format!("/conf/{name}");
    let control = format!("/run/bird{number}.ctl");
    // In the foreground, so that the lab sees it die.
    node.command("bird")
        .args(["-f", "-c", &path, "-s", &control])
        .spawn()?;
    Ok(())
}

#[snowglobe::test(fixtures("bird"), timeout = "120s")]
fn ospf_finds_another_way_when_a_link_is_cut() -> TestResult {
    let mut topology = Topology::new();
    // The plan makes no routes: they are the daemons' work.
    topology.routing(Routing::None);
    let bird = Fixture::find("bird")?;
    let routers: Vec<NodeId> = (1..=5)
        .map(|number| {
            let node = RouterSpec::new(format!("r{number}"));
            topology
                .router(node.node(|node| node.rootfs(&bird).volume("/conf", Volume::named("conf"))))
        })
        .collect();
    // A ring: from r1 to r3 over r2, or the long way over r5 and r4.
    let ring: Vec<_> = (0..5)
        .map(|at| topology.link(routers[at], routers[(at + 1) % 5]))
        .collect();
    let default = |via| RouteSpec::new("0.0.0.0/0", via);
    let near = topology.node(NodeSpec::new("near").route(default("r1")));
    let far = topology.node(NodeSpec::new("far").route(default("r3")));
    topology.link(near, routers[0]);
    topology.link(far, routers[2]);
    let lab = topology.start()?;
    let conf = lab.volume("conf")?;
    for (router, number) in routers.iter().zip(1..) {
        start(&lab[*router], &conf, number)?;
    }
    echo(&lab[far]);
    let to = lab[far].ipv4().ok_or("no address")?;
    let reached = || seen_as(&lab[near], to.into(), IMPATIENCE).is_some();
    let hops = || way(&lab[near], to).map(|way| way.len());
    wait_until(CONVERGENCE, || reached() && hops() == Some(3))?;
    // Nobody is told of a cut: the routers notice that their neighbour is silent.
    let cut = lab[ring[0]].cut()?;
    wait_until(CONVERGENCE, reached)?;
    assert_eq!(hops(), Some(4), "r1, r5, r4, r3");
    cut.heal()?;
    wait_until(CONVERGENCE, || hops() == Some(3))?;
    Ok(())
}
