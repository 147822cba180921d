//! Interfaces, bridges, neighbours and settings of plans.

use std::collections::HashSet;
use std::time::Duration;

use super::any;
use crate::impair::Impairment;
use crate::nat::preset;
use crate::plan::{BRIDGE_PORTS, GroupForwarding, NetnsId, Plan, StackId, StackOp};
use crate::topology::{
    EndSpec, Engine, Families, LinkSpec, Neighbours, NodeSpec, RouterSettings, SwitchSpec,
    Topology, Volume, shape,
};

fn names(plan: &Plan, stack: usize) -> Vec<(String, Vec<String>)> {
    plan.stacks[stack]
        .interfaces
        .iter()
        .map(|interface| (interface.name.clone(), interface.altnames.clone()))
        .collect()
}

#[test]
fn interfaces_are_numbered_and_named_after_their_peers() {
    let mut topology = Topology::new();
    let (alice, bob) = (topology.node("alice"), topology.node("bob"));
    let lan = topology.switch("lan");
    topology.link(alice, bob);
    topology.link(bob, alice);
    topology.link_with(
        alice,
        bob,
        LinkSpec::new().names("eth1", "an-uplink-of-some-length"),
    );
    topology.plug(alice, lan);
    let plan = topology.plan().unwrap();
    let expected = [
        ("eth0", vec!["to-bob"]),
        ("eth2", vec!["to-bob-2"]),
        ("eth1", vec!["to-bob-3"]),
        ("eth3", vec!["to-lan"]),
    ];
    assert_eq!(
        names(&plan, 0),
        expected.map(|(name, alt)| (
            name.to_string(),
            alt.iter().map(|a| a.to_string()).collect()
        ))
    );
    assert_eq!(
        names(&plan, 1)[2].1,
        ["an-uplink-of-some-length", "to-alice-3"]
    );
}

#[test]
fn no_name_is_longer_than_the_kernel_takes() {
    let mut topology = Topology::new();
    let long = |c: char| c.to_string().repeat(63);
    let (a, b) = (topology.node(long('a')), topology.node(long('b')));
    let lan = topology.switch(long('c'));
    for _ in 0..3 {
        topology.link(a, b);
        topology.plug(a, lan);
    }
    let plan = topology.plan().unwrap();
    let bridges = plan.switches.iter().flat_map(|switch| &switch.bridges);
    assert!(
        bridges
            .clone()
            .all(|bridge| bridge.interface.name.len() <= 15
                && bridge.altname.as_ref().is_none_or(|name| name.len() <= 127))
    );
    for end in plan.cables.iter().flat_map(|cable| &cable.ends) {
        assert!(end.name.len() <= 15, "{}", end.name);
    }
    let altnames = plan
        .stacks
        .iter()
        .flat_map(|stack| &stack.interfaces)
        .flat_map(|interface| &interface.altnames);
    assert!(altnames.clone().count() == 9 && altnames.clone().all(|name| name.len() <= 127));
}

#[test]
fn a_large_switch_is_several_bridges() {
    let plan = shape::star(5000).plan().unwrap();
    let switch = &plan.switches[0];
    let trunks = switch.trunks.iter().flat_map(|trunk| &trunk.ends);
    let cables = plan.cables.iter().flat_map(|cable| &cable.ends);
    let ends: Vec<_> = trunks
        .chain(cables)
        .filter(|end| end.netns == NetnsId::Hub)
        .collect();
    for bridge in &switch.bridges {
        let ports = ends
            .iter()
            .filter(|end| end.bridge.as_ref() == Some(&bridge.interface))
            .count();
        assert!(
            (1..=BRIDGE_PORTS).contains(&ports),
            "{} has {ports} ports",
            bridge.interface.name
        );
    }
    assert_eq!((switch.bridges.len(), ends.len()), (5, 5000 + 2 * 4));
    let mut names: Vec<_> = ends.iter().map(|end| &end.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(
        names.len(),
        ends.len(),
        "two ports in the hub have one name"
    );
}

#[test]
fn a_star_of_a_thousand_is_planned_at_once() {
    let topology = shape::star(1000);
    let plan = topology.plan().unwrap();
    let ops = plan.stacks.iter().map(|stack| stack.ops().len());
    // An altname, an MTU, an interface that is up, has the groups and trusts its neighbours, three
    // addresses; and the neighbours that the first is to the others, and they to it.
    assert_eq!(ops.sum::<usize>(), 1000 * (1 + 1 + 3 + 3) + 2 * 999 * 3);
    let made = plan.stacks.len() + plan.cables.len() + plan.nodes.len();
    assert_eq!(made + plan.switches[0].bridges.len(), 3 * 1000 + 1);
    // Nothing is quadratic: a million lines of hosts files, say.
    assert!(plan.hosts.len() < 100 * 1000);
}

#[test]
fn ops_come_in_an_order_that_works() {
    for seed in 0..50 {
        let Ok(plan) = any(seed).plan() else { continue };
        for stack in &plan.stacks {
            let rank = |op: &StackOp<'_>| match op {
                StackOp::Sysctl(_) | StackOp::PacketFilter(_) | StackOp::Netfilter(_) => 0,
                StackOp::Altname(..) | StackOp::Mtu(..) => 1,
                StackOp::Up(_) => 2,
                StackOp::Address(..) => 3,
                StackOp::KnownNeighbours(_) | StackOp::Neighbour(..) => 4,
                StackOp::Route(..)
                | StackOp::GroupRoutes(_)
                | StackOp::SourceRule(_)
                | StackOp::Diversion(_) => 5,
                StackOp::InterfaceSysctl(..) => 6,
            };
            let ranks: Vec<u8> = stack.ops().iter().map(rank).collect();
            assert!(ranks.is_sorted(), "seed {seed}: {ranks:?}");
        }
    }
}

#[test]
fn interfaces_that_meet_in_a_namespace_have_different_indices() {
    for seed in 0..50 {
        let Ok(plan) = any(seed).plan() else { continue };
        let mut seen = HashSet::new();
        let trunks = plan.switches.iter().flat_map(|switch| &switch.trunks);
        for end in trunks.chain(&plan.cables).flat_map(|cable| &cable.ends) {
            assert!(seen.insert((end.netns, end.index)), "seed {seed}: {end:?}");
        }
        for bridge in plan.switches.iter().flat_map(|switch| &switch.bridges) {
            assert!(
                seen.insert((NetnsId::Hub, bridge.interface.index)),
                "seed {seed}"
            );
        }
        for cable in &plan.cables {
            let [a, b] = &cable.ends;
            assert_ne!(a.index, b.index, "seed {seed}: the ends of {}", cable.name);
        }
    }
}

#[test]
fn neighbours_are_known_on_cables_and_learned_on_switches() {
    let mut topology = shape::star(3);
    let nodes: Vec<_> = topology.nodes().collect();
    topology.link(nodes[0], nodes[1]);
    let counts = |topology: &Topology| -> Vec<usize> {
        topology
            .plan()
            .unwrap()
            .stacks
            .iter()
            .map(|stack| stack.neighbours().count())
            .collect()
    };
    assert_eq!(counts(&topology), [3, 3, 0]); // IPv4, IPv6 and link-local
    assert_eq!(counts(topology.neighbours(Neighbours::Fixed)), [9, 9, 6]);
    assert_eq!(counts(topology.neighbours(Neighbours::Learned)), [0, 0, 0]);
    let plan = shape::pair().plan().unwrap();
    assert_eq!(
        plan.stacks[0].interfaces[0].neighbours[0].mac,
        plan.stacks[1].interfaces[0].mac
    );
}

/// The kernel learns 1,024 neighbours at a time for all labs of the host together.
#[test]
fn many_neighbours_on_a_switch_are_known_from_the_start() {
    let counts = |topology: &Topology| -> Vec<usize> {
        let plan = topology.plan().unwrap();
        let counts = plan.stacks.iter().map(|stack| stack.neighbours().count());
        counts.collect()
    };
    assert_eq!(counts(&shape::star(4)), [0; 4]);
    assert_eq!(counts(&shape::star(5)), [4 * 3; 5]);
    assert_eq!(counts(&shape::star(32)), [31 * 3; 32]);
    assert_eq!(counts(&shape::star(33)), [0; 33]);
    assert_eq!(
        counts(shape::star(8).neighbours(Neighbours::Learned)),
        [0; 8]
    );
    // Three small switches come to more than sixteen together.
    let mut topology = Topology::new();
    for switch in 0..3 {
        let lan = topology.switch(format!("lan{switch}"));
        for node in 0..3 {
            let node = topology.node(format!("n{switch}{node}"));
            topology.plug(node, lan);
        }
    }
    assert_eq!(counts(&topology), [2 * 3; 9]);
}

#[test]
fn in_a_crowd_everybody_knows_the_first_and_the_first_knows_everybody() {
    let counts = |nodes: usize| -> (bool, Vec<usize>) {
        let plan = shape::star(nodes).plan().unwrap();
        let counts = plan.stacks.iter().map(|stack| stack.neighbours().count());
        (plan.switches[0].crowded, counts.collect())
    };
    assert_eq!(counts(250), (false, vec![0; 250]));
    let expected = [vec![250 * 3], vec![3; 250]].concat();
    assert_eq!(counts(251), (true, expected));
}

#[test]
fn containers_live_in_the_stack_of_their_pod() {
    let mut topology = Topology::new();
    let pod = topology.pod("web");
    let (app, sidecar) = (
        topology.container(pod, "app"),
        topology.container(pod, "sidecar"),
    );
    let client = topology.node("client");
    topology.link(client, app);
    let plan = topology.plan().unwrap();
    assert_eq!(
        plan.nodes[app.index()].stack,
        plan.nodes[sidecar.index()].stack
    );
    assert_eq!(plan.stack(app).hostname, "web");
    let line = plan
        .hosts
        .lines()
        .find(|line| line.starts_with("10.0.0.2"))
        .unwrap();
    let expected = "10.0.0.2\tweb web.lab app.web app.web.lab app app.lab sidecar.web sidecar.web.lab sidecar sidecar.lab";
    assert_eq!(line, expected);
}

#[test]
fn an_uplink_of_a_container_has_the_translation_of_its_pod() {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let pod = topology.pod("gateway");
    let app = topology.container(pod, "app");
    let settings = RouterSettings {
        nat: Some(preset::full_cone()),
        ..RouterSettings::default()
    };
    topology.pods[pod.index()].network.router = Some(settings);
    let uplink = topology.uplink(app, internet);
    let plan = topology.plan().unwrap();
    assert_eq!(plan[uplink].nat.as_deref(), Some(&preset::full_cone()));
}

#[test]
fn a_name_that_two_containers_have_is_nobodys() {
    let mut topology = Topology::new();
    let client = topology.node("client");
    for name in ["one", "two"] {
        let pod = topology.pod(name);
        topology.container(pod, "app");
        topology.link(client, pod);
    }
    let hosts = topology.plan().unwrap().hosts;
    assert!(
        hosts.contains("app.one.lab") && !hosts.contains(" app "),
        "{hosts}"
    );
}

#[test]
fn a_node_without_links_knows_itself() {
    let mut topology = shape::pair();
    topology.node("hermit");
    let plan = topology.plan().unwrap();
    assert!(
        plan.hosts_of(StackId::new(2))
            .contains("127.0.1.1\thermit hermit.lab\n")
    );
    assert!(!plan.hosts.contains("hermit"));
}

#[test]
fn sysctls_of_an_interface_wait_for_it() {
    let mut topology = Topology::new();
    let spec = NodeSpec::new("a")
        .sysctl("net.ipv4.conf.eth0.arp_ignore", 1)
        .sysctl("net.ipv4.tcp_retries2", 3);
    let (a, b) = (topology.node(spec), topology.node("b"));
    topology.link(a, b);
    let plan = topology.plan().unwrap();
    let stack = plan.stack(a);
    assert_eq!(stack.own.sysctls[0].path, "net/ipv4/tcp_retries2");
    assert_eq!(
        stack.interfaces[0].sysctls[0].path,
        "net/ipv4/conf/eth0/arp_ignore"
    );
}

#[test]
fn no_mount_hides_another() {
    let mut topology = Topology::new();
    topology.node(
        NodeSpec::new("a")
            .bind("/data//logs/", "logs")
            .volume("/data", Volume::named("site")),
    );
    let plan = topology.plan().unwrap();
    let at: Vec<_> = plan.nodes[0]
        .mounts
        .iter()
        .map(|mount| mount.at.as_str())
        .collect();
    assert_eq!(at, ["/data", "/data/logs"]);
}

#[test]
fn joined_switches_are_one_segment() {
    let mut topology = Topology::new();
    let (north, south) = (topology.switch("north"), topology.switch("south"));
    let (a, b) = (topology.node("a"), topology.node("b"));
    topology.plug(a, north);
    topology.plug(b, south);
    topology.link(north, south);
    let plan = topology.plan().unwrap();
    assert_eq!(plan.segments.len(), 1);
    assert!(
        plan.cables[2]
            .ends
            .iter()
            .all(|end| end.netns == NetnsId::Hub && end.bridge.is_some())
    );
    assert_eq!(
        plan.stack(b).interfaces[0].addresses[0].to_string(),
        "10.0.0.2/24"
    );
}

#[test]
fn macs_are_local_and_link_local_addresses_follow_them() {
    let mut topology = shape::pair();
    let [alice, bob] = [0, 1].map(|n| topology.nodes().nth(n).unwrap());
    topology.link_with(
        alice,
        bob,
        LinkSpec::new()
            .families(Families::V6)
            .a(EndSpec::new().mac("02:00:5e:10:00:01")),
    );
    let plan = topology.plan().unwrap();
    let interfaces = &plan.stack(alice).interfaces;
    assert_eq!(interfaces[0].mac, [0x02, b'S', 0, 0, 0, 0]);
    assert_eq!(
        interfaces[1].addresses.last().unwrap().to_string(),
        "fe80::5eff:fe10:1/64"
    );
}

#[test]
fn multicast_frames_go_to_all_ports_unless_a_switch_snoops_or_is_crowded() {
    let groups = |ports: usize, snooping: Option<bool>| {
        let mut topology = Topology::new();
        let mut spec = SwitchSpec::new("lan").subnet("10.1.0.0/16");
        if let Some(snooping) = snooping {
            spec = spec.snooping(snooping);
        }
        let lan = topology.switch(spec);
        for port in 0..ports {
            let node = topology.node(format!("n{port}"));
            topology.plug(node, lan);
        }
        let plan = topology.plan().unwrap();
        let bridge = &plan.switches[0].bridges[0];
        assert_eq!(
            bridge.interface.snoops,
            bridge.groups != GroupForwarding::Flood
        );
        // A lab that grows keeps what its switches do.
        for port in ports..300 {
            let node = topology.node(format!("n{port}"));
            topology.plug(node, lan);
        }
        let grown = plan.grow(&topology).unwrap();
        assert_eq!(grown.switches[0].bridges[0].groups, bridge.groups);
        bridge.groups
    };
    assert_eq!(groups(3, None), GroupForwarding::Flood);
    assert_eq!(groups(3, Some(true)), GroupForwarding::Snoop);
    assert_eq!(groups(251, None), GroupForwarding::SnoopQuietly);
    assert_eq!(groups(251, Some(true)), GroupForwarding::SnoopQuietly);
    assert_eq!(groups(251, Some(false)), GroupForwarding::Flood);
}

#[test]
fn a_switch_with_many_emulated_links_snoops() {
    let groups = |links: usize, engine: Engine, delay: u64| {
        let mut topology = Topology::new();
        let lan = topology.switch("lan");
        for port in 0..links {
            let node = topology.node(format!("n{port}"));
            let impairment = Impairment::delayed(Duration::from_millis(delay));
            topology.plug_with(node, lan, LinkSpec::new().engine(engine).impair(impairment));
        }
        topology.plan().unwrap().switches[0].bridges[0].groups
    };
    assert_eq!(groups(100, Engine::Auto, 5), GroupForwarding::Flood);
    assert_eq!(groups(101, Engine::Auto, 5), GroupForwarding::SnoopQuietly);
    assert_eq!(groups(101, Engine::Auto, 0), GroupForwarding::Flood);
    assert_eq!(groups(101, Engine::Wire, 0), GroupForwarding::SnoopQuietly);
}

#[test]
fn groups_leave_by_the_first_interface_with_an_ipv4_address() {
    let mut topology = Topology::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| topology.node(name));
    topology.link_with(a, b, LinkSpec::new().families(Families::V6));
    topology.link(a, c);
    topology.link(a, b);
    let plan = topology.plan().unwrap();
    let of = |node| {
        let interfaces = plan.stack(node).interfaces.iter();
        interfaces.map(|it| it.groups).collect::<Vec<_>>()
    };
    assert_eq!(of(a), [false, true, false]);
    assert_eq!(of(b), [false, true]);
    assert_eq!(of(c), [true]);
}
