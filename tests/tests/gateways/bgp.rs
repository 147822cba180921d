//! Two autonomous systems, one in each of two regions, whose routers run BIRD: BGP finds the ways,
//! and others when a link is cut.

use std::fmt::Write;

use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::{LinkId, NodeId, RegionMap, Regions, RouteSpec, Routing};

use crate::probe::{echo, round_trip, way};

/// Sessions come up by timers of seconds, and are lost by a hold time of seconds, or more on a busy
/// machine.
const CONVERGENCE: Duration = Duration::from_secs(90);
/// One-way time of the short link between the regions.
const SHORT: Duration = Duration::from_millis(20);
/// Time by which a round trip may be shorter: a wire may deliver 0.1 ms too early.
const EARLY: Duration = Duration::from_millis(1);
/// One-way time of the other link between the regions.
const LONG: Duration = Duration::from_millis(60);

/// What a region has: its border with the short way, its border with the long one, and a router
/// before its host. All are on the switch of the region.
struct System {
    number: u32,
    routers: [NodeId; 3],
    host: NodeId,
}

struct World {
    lab: Lab,
    map: RegionMap,
    long: LinkId,
    systems: [System; 2],
}

/// Adds what stands in a region, whose own router is the border with the short way.
fn system(topology: &mut Topology, map: &RegionMap, name: &str, number: u32) -> TestResult<System> {
    let bird = Fixture::find("bird")?;
    let with_bird = |node: NodeSpec| {
        let conf = Volume::named("conf");
        node.rootfs(&bird).volume("/conf", conf)
    };
    topology.edit_node(map.router(name), with_bird);
    let [second, third] = ["b", "c"].map(|letter| {
        let router = RouterSpec::new(format!("{name}-{letter}")).node(with_bird);
        let router = topology.router(router);
        topology.plug(router, map.switch(name));
        router
    });
    let default = RouteSpec::new("0.0.0.0/0", format!("{name}-c"));
    let host = topology.node(NodeSpec::new(format!("{name}-host")).route(default));
    topology.link(host, third);
    Ok(System {
        number,
        routers: [map.router(name), second, third],
        host,
    })
}

/// A session of BGP with a neighbour.
struct Session {
    to: Ipv4Addr,
    system: u32,
    preference: u32,
}

/// Writes the configuration of a router. Addresses of its own links go to all neighbours, and so
/// does what it has heard from others, as BGP permits.
fn configuration(router_id: usize, own: u32, sessions: &[Session]) -> TestResult<String> {
    let mut text = format!(
        "router id 192.0.2.{router_id};
        protocol device {{ scan time 1; }}
        protocol direct {{ ipv4; interface \"eth*\"; }}
        protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}
        template bgp neighbour {{
            local as {own};
            hold time 3; keepalive time 1;
            connect delay time 1; connect retry time 1; error wait time 1, 1;
            direct;
            ipv4 {{ import all; export all; next hop self; }};
        }}\n"
    );
    for (at, session) in sessions.iter().enumerate() {
        let Session {
            to,
            system,
            preference,
        } = session;
        write!(
            text,
            "protocol bgp n{at} from neighbour {{ neighbor {to} as {system};"
        )?;
        // A preference is told within a system by the border itself.
        if *system != own {
            write!(
                text,
                " ipv4 {{ import filter {{ bgp_local_pref = {preference}; accept; }};
                    export all; }};"
            )?;
        }
        text.push_str(" }\n");
    }
    Ok(text)
}

impl World {
    fn new() -> TestResult<World> {
        let mut topology = Topology::new();
        // The plan makes no routes: they are the daemons' work.
        topology.routing(Routing::None);
        let regions = Regions::new().empty_region("eu").empty_region("us");
        let map = topology.regions(&regions.latency("eu", "us", SHORT))?;
        let eu = system(&mut topology, &map, "eu", 65001)?;
        let us = system(&mut topology, &map, "us", 65002)?;
        let spec = LinkSpec::from(Impairment::delayed(LONG));
        let long = topology.link_with(eu.routers[1], us.routers[1], spec);
        let world = World {
            lab: topology.start()?,
            map,
            long,
            systems: [eu, us],
        };
        world.lab.set_patience(CONVERGENCE);
        for side in 0..2 {
            world.run_bird(side)?;
        }
        Ok(world)
    }

    /// Returns the address of a node on a link, or on its first one.
    fn address(&self, node: NodeId, link: Option<LinkId>) -> TestResult<Ipv4Addr> {
        let mut interfaces = self.lab.plan().stack(node).interfaces.iter();
        let interface = interfaces.find(|it| link.is_none_or(|link| it.link == link));
        let v4 = interface.ok_or("no such link")?.v4().next();
        v4.ok_or_else(|| "no IPv4".into())
    }

    /// Starts BIRD in the routers of a region: each knows the two others, and the borders know
    /// those of the other region.
    fn run_bird(&self, side: usize) -> TestResult {
        let [own, other] = [&self.systems[side], &self.systems[1 - side]];
        let conf = self.lab.volume("conf")?;
        let borders = [(self.map.link("eu", "us"), 200), (self.long, 100)];
        for (at, router) in own.routers.iter().enumerate() {
            let mut sessions = Vec::new();
            for inner in own.routers.iter().filter(|it| *it != router) {
                sessions.push(Session {
                    to: self.address(*inner, None)?,
                    system: own.number,
                    preference: 100,
                });
            }
            if let Some((link, preference)) = borders.get(at) {
                sessions.push(Session {
                    to: self.address(other.routers[at], Some(*link))?,
                    system: other.number,
                    preference: *preference,
                });
            }
            let number = side * 3 + at + 1;
            let text = configuration(number, own.number, &sessions)?;
            std::fs::write(conf.join(format!("bird{number}.conf")), text)?;
            let path = format!("/conf/bird{number}.conf");
            // In the foreground, so that the lab sees it die.
            self.lab[*router]
                .command("bird")
                .args(["-f", "-c", &path, "-s", "/run/bird.ctl"])
                .spawn()?;
        }
        Ok(())
    }

    fn host(&self, side: usize) -> &Node {
        &self.lab[self.systems[side].host]
    }

    /// Returns which border of the first region a packet passes on its way to the other host: that
    /// with the short way, or that with the long one. Nothing if there is no way now.
    fn border(&self) -> TestResult<Option<usize>> {
        let to = self.host(1).ipv4().ok_or("no IPv4")?;
        let routers = way(self.host(0), to).unwrap_or_default();
        for (at, router) in self.systems[0].routers[..2].iter().enumerate() {
            if routers.contains(&self.address(*router, None)?) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn wait_for_border(&self, expected: usize) -> TestResult {
        self.lab.wait_until(|| match self.border() {
            Ok(Some(border)) if border == expected => Ok(()),
            Ok(other) => Err(format!("border {other:?}, not {expected}")),
            Err(error) => Err(format!("{error:?}")),
        })?;
        Ok(())
    }

    fn round_trip(&self) -> TestResult<Duration> {
        let to = self.host(1).ipv4().ok_or("no IPv4")?;
        Ok(self.lab.wait_until(|| round_trip(self.host(0), to))?)
    }

    /// Gives an order to the BIRD of a router.
    fn birdc(&self, router: NodeId, order: &[&str]) -> TestResult {
        let mut command = self.lab[router].command("birdc");
        let output = command.args(["-s", "/run/bird.ctl"]).args(order).output()?;
        assert!(output.status.success(), "{}", output.stdout_str());
        Ok(())
    }
}

#[snowglobe::test(fixtures("bird"), timeout = "5m")]
fn bgp_finds_the_other_way_between_two_regions_when_a_link_is_cut() -> TestResult {
    let world = World::new()?;
    echo(world.host(1))?;
    world.wait_for_border(0)?;
    assert!(world.round_trip()? >= 2 * SHORT - EARLY);
    let cut = world.lab.inject(Fault::cut("eu–us"))?;
    world.wait_for_border(1)?;
    // The way back changes by itself: the other region has lost its session as well.
    world
        .lab
        .wait_until(|| world.round_trip().is_ok_and(|it| it >= 2 * LONG - EARLY))?;
    cut.heal()?;
    world.wait_for_border(0)?;
    Ok(())
}

#[snowglobe::test(fixtures("bird"), timeout = "5m")]
fn a_degraded_link_keeps_its_traffic_until_its_border_is_drained() -> TestResult {
    let world = World::new()?;
    echo(world.host(1))?;
    world.wait_for_border(0)?;
    let more = Duration::from_millis(200);
    let link = &world.lab[world.map.link("eu", "us")];
    let degraded = link.degrade(Impairment::delayed(more))?;
    // BGP knows nothing of delays, so that packets go on taking the slow way.
    assert!(world.round_trip()? >= 2 * more - EARLY);
    assert_eq!(world.border()?, Some(0));
    // The third session of the border is that with the other region.
    world.birdc(world.systems[0].routers[0], &["disable", "n2"])?;
    world.wait_for_border(1)?;
    let drained = |time: Duration| time >= 2 * LONG - EARLY && time < 2 * more - EARLY;
    world
        .lab
        .wait_until(|| world.round_trip().is_ok_and(drained))?;
    drop(degraded);
    world.birdc(world.systems[0].routers[0], &["enable", "n2"])?;
    world.wait_for_border(0)?;
    Ok(())
}
