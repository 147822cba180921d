//! keepalived: two load balancers share a virtual address, and one takes it over from the other.
//!
//! The neighbours learn of that by gratuitous ARP (RFC 5798, section 6.4.2), for their entry of the
//! address would stay as it is for half a minute otherwise.

use std::path::Path;
use std::time::Instant;

use snowglobe::prelude::*;
use snowglobe::topology::{LinkId, NodeId, StartCommand};

use crate::probe::{PATIENCE, get, page_with_its_name};

/// The address that moves.
const VIRTUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 168, 9, 100)), 80);
/// The time in which it has to be somewhere else.
const TWO_SECONDS: Duration = Duration::from_secs(2);
/// Number of moves of which one has to take less than two seconds: a busy machine only adds to the
/// time.
const TRIES: usize = 5;
/// Long enough for an answer of somebody who is there, and short beside [`TWO_SECONDS`].
const SOON: Duration = Duration::from_millis(200);

/// Writes the configuration of a load balancer. A backup takes over after three announcements of
/// the master that are missing, and a part of a fourth: after a second (RFC 5798, section 6.1).
fn configuration(name: &str, priority: u8) -> String {
    format!(
        "global_defs {{
            router_id {name}
            vrrp_version 3
        }}
        vrrp_instance web {{
            state BACKUP
            interface eth0
            virtual_router_id 51
            priority {priority}
            advert_int 0.3
            virtual_ipaddress {{ {}/24 }}
        }}
        ",
        VIRTUAL.ip()
    )
}

/// Returns a load balancer that runs keepalived, and a page with its name.
fn balancer(name: &str, priority: u8, dir: &Path) -> TestResult<NodeSpec> {
    let conf = dir.join(format!("{name}-conf"));
    std::fs::create_dir(&conf)?;
    std::fs::write(conf.join("keepalived.conf"), configuration(name, priority))?;
    let keepalived = StartCommand::new("keepalived")
        .args(["--dont-fork", "--log-console", "--no-syslog", "--vrrp"])
        .args(["-f", "/run/conf/keepalived.conf"])
        .args(["-p", "/run/keepalived.pid", "-r", "/run/vrrp.pid"]);
    let spec = NodeSpec::new(name)
        .rootfs(&Fixture::find("keepalived")?)
        .bind_read_only("/run/conf", conf);
    Ok(page_with_its_name(spec, dir, 80)?.command(keepalived))
}

struct World {
    lab: Lab,
    client: NodeId,
    /// Another client, and its cable.
    deaf: NodeId,
    deaf_cable: LinkId,
    master: NodeId,
    cable: LinkId,
    _dir: tempfile::TempDir,
}

impl World {
    /// Starts the lab, and waits until `one` has the address.
    fn new() -> TestResult<World> {
        let dir = snowglobe_tests::shared_dir();
        let mut topology = Topology::new();
        let lan = topology.switch(SwitchSpec::new("lan").subnet("192.168.9.0/24"));
        let client = topology.node("client");
        topology.plug(client, lan);
        let deaf = topology.node("deaf");
        let deaf_cable = topology.plug(deaf, lan);
        let master = topology.node(balancer("one", 150, dir.path())?);
        let cable = topology.plug(master, lan);
        let backup = topology.node(balancer("two", 100, dir.path())?);
        topology.plug(backup, lan);
        let world = World {
            lab: topology.start()?,
            client,
            deaf,
            deaf_cable,
            master,
            cable,
            _dir: dir,
        };
        world.lab.set_patience(PATIENCE);
        world.wait_for(client, "one")?;
        Ok(world)
    }

    fn answers(&self, client: NodeId) -> Result<String, String> {
        get(&self.lab[client], VIRTUAL, SOON)
    }

    /// Waits until this load balancer answers a client at the virtual address.
    fn wait_for(&self, client: NodeId, name: &str) -> TestResult {
        self.lab.wait_until(|| match self.answers(client) {
            Ok(page) if page == name => Ok(()),
            other => Err(format!("not {name}: {other:?}")),
        })?;
        Ok(())
    }

    /// Waits until the backup answers the client.
    fn moves(&self) -> TestResult {
        self.wait_for(self.client, "two")
    }

    /// Makes the master go and come back until the address has moved in less than two seconds, and
    /// fails the test if none of some moves was as fast.
    fn moves_within_two_seconds<T>(
        &self,
        go: impl Fn() -> TestResult<T>,
        come_back: impl Fn(T) -> TestResult,
    ) -> TestResult {
        let mut times = Vec::new();
        for _ in 0..TRIES {
            let gone = go()?;
            let begin = Instant::now();
            self.moves()?;
            let took = begin.elapsed();
            come_back(gone)?;
            self.wait_for(self.client, "one")?;
            if took < TWO_SECONDS {
                return Ok(());
            }
            times.push(took);
        }
        Err(format!("{times:?}").into())
    }
}

#[snowglobe::test(fixtures("keepalived"), threads = 2, timeout = "240s")]
fn the_address_moves_within_two_seconds_when_the_master_is_cut_off_and_comes_back() -> TestResult {
    let world = World::new()?;
    // The master notices nothing, and goes on announcing itself where nobody hears it.
    let cut = || Ok(world.lab[world.cable].cut()?);
    world.moves_within_two_seconds(cut, |cut| Ok(cut.heal()?))
}

#[snowglobe::test(fixtures("keepalived"), threads = 2, timeout = "240s")]
fn the_address_moves_within_two_seconds_when_the_master_crashes_and_comes_back() -> TestResult {
    let world = World::new()?;
    let master = &world.lab[world.master];
    world.moves_within_two_seconds(|| Ok(master.crash()?), |()| Ok(master.restart()?))
}

#[snowglobe::test(fixtures("keepalived"), threads = 2, timeout = "120s")]
fn who_hears_no_gratuitous_arp_goes_on_asking_the_old_master() -> TestResult {
    let world = World::new()?;
    world.wait_for(world.deaf, "one")?;
    let cable = &world.lab[world.deaf_cable];
    let silence = cable.rule(arp(), Verdict::Drop)?;
    world.lab[world.master].crash()?;
    world.moves()?;
    let answer = world.answers(world.deaf);
    assert!(answer.is_err(), "{answer:?}");
    assert!(!silence.events().is_empty(), "nothing was announced");
    Ok(())
}
